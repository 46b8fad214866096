import type { BackupPlan } from '@salvor/contract';
import type { Paint } from './paint.ts';
import { counted, escapeControl, readableBytes, readableCount } from './readable.ts';
import { renderHooks } from './render-hooks.ts';
import { renderFindings } from './render-problems.ts';

/** What a point would hold. */
export function renderBackupPlan(plan: BackupPlan, paint: Paint): readonly string[] {
  const { account, uri, directories, databases, leftOut, archive } = plan;
  const lines = [`${paint.bold(escapeControl(uri))} (${escapeControl(account)}) would be backed up:`];
  for (const { path, link, files, bytes, mounts } of directories) {
    const from = link === null ? '' : ` (${escapeControl(link)})`;
    const mounted = mounts.length === 0 ? '' : `, with ${counted(mounts.length, 'mount')}`;
    lines.push(
      line('directory', `${escapeControl(path)}${from}: ${counted(files, 'file')}, ${readableBytes(bytes)}${mounted}`),
    );
  }
  for (const { name, tables, bytes, others } of databases) {
    const left = others === 0 ? '' : `; ${readableCount(others)} of other sites left out`;
    lines.push(line('database', `${escapeControl(name)}: ${counted(tables, 'table')}, ${readableBytes(bytes)}${left}`));
  }
  for (const path of leftOut) lines.push(line('left out', escapeControl(path)));
  lines.push(line('archive', archive === null ? 'none' : escapeControl(archive)));
  return [...lines, ...renderHooks(plan.hooks), ...renderFindings(plan, paint)];
}

function line(title: string, text: string): string {
  return `  ${title.padEnd(10)}${text}`;
}
