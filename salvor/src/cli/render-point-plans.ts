import type { BackupDeletePlan, ExportPlan } from '@salvor/contract';
import type { Paint } from './paint.ts';
import { counted, escapeControl, readableBytes, readableTime, shortPoint } from './readable.ts';
import { renderHooks } from './render-hooks.ts';
import { renderFindings } from './render-problems.ts';

/** What an export would write. */
export function renderExportPlan(plan: ExportPlan, paint: Paint): readonly string[] {
  const { account, uri, point, pointTime, path, compression, files, databases } = plan;
  return [
    `Point ${shortPoint(point)} of ${paint.bold(escapeControl(uri))} (${escapeControl(account)}), of ${readableTime(pointTime)}, would be written to ${escapeControl(path)}:`,
    ...(files === null ? [] : [line('files', `${counted(files.count, 'file')}, ${readableBytes(files.bytes)}`)]),
    ...databases.map(({ name, tables, bytes }) =>
      line('database', `${escapeControl(name)}, ${counted(tables, 'table')}, ${readableBytes(bytes)}`),
    ),
    line('packed', compression === 'none' ? 'not: a plain tar' : `with ${compression}`),
    ...renderHooks(plan.hooks),
    ...renderFindings(plan, paint),
  ];
}

/** What would go with a point. */
export function renderBackupDeletePlan(plan: BackupDeletePlan, paint: Paint): readonly string[] {
  const { account, uri, point, pointTime, archives, snapshot } = plan;
  return [
    `Point ${shortPoint(point)} of ${paint.bold(escapeControl(uri))} (${escapeControl(account)}), of ${readableTime(pointTime)}, would go:`,
    ...archives.map(({ path, bytes }) => line('archive', `${escapeControl(path)} (${readableBytes(bytes)})`)),
    ...(snapshot === null
      ? []
      : [line('snapshot', `${snapshot.slice(0, 8)}; what it alone holds is free after a prune`)]),
    ...renderHooks(plan.hooks),
    ...renderFindings(plan, paint),
  ];
}

function line(title: string, text: string): string {
  return `  ${title.padEnd(10)}${text}`;
}
