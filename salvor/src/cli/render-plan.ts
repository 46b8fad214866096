import type { RestorePlan } from '@salvor/contract';
import type { Paint } from './paint.ts';
import { escapeControl, readableBytes, readableCount, readableSeconds, readableTime, shortPoint } from './readable.ts';
import { renderFindings } from './render-problems.ts';
import { renderHooks } from './render-hooks.ts';

/** What a restore is going to do, a line for each part. */
export function renderPlan(plan: RestorePlan, paint: Paint): readonly string[] {
  const { files, tables, seconds } = plan;
  const into = plan.target ?? plan.into;
  const where = into === null ? '' : ` into ${escapeControl(into)}`;
  const lines = [
    `${paint.bold(escapeControl(plan.uri))} (${escapeControl(plan.account)}) from point ${shortPoint(plan.point)} of ${readableTime(plan.pointTime)}${where}:`,
  ];
  if (files !== null) {
    const { new: added, changed, deleted, kept } = files;
    lines.push(
      line(
        'files',
        `${readableCount(added)} new, ${readableCount(changed)} changed, ${deletedText(deleted, paint)}, ${readableCount(kept)} kept`,
      ),
    );
  }
  if (tables !== null) {
    lines.push(
      line(
        'tables',
        `${readableCount(tables.restored)} restored, ${deletedText(tables.deleted, paint)}, ${readableCount(tables.kept)} kept`,
      ),
    );
  }
  const goes = [...plan.deletes.files, ...plan.deletes.tables];
  if (goes.length > 0) lines.push(line('deleted', namesText(goes)));
  const time = seconds === null ? '' : `, about ${readableSeconds(seconds)}`;
  const kept = plan.bytesKept === 0 ? '' : `; ${readableBytes(plan.bytesKept)} are there already`;
  const copy = plan.copy === 'local' ? '' : ', from the remote copy';
  lines.push(line('to read', `${readableBytes(plan.bytes)}${copy}${kept}${time}`));
  lines.push(line('switch', switchText(plan)));
  lines.push(...aroundText(plan.around), ...renderHooks(plan.hooks));
  return [...lines, ...renderFindings(plan, paint)];
}

/** What the hoster's policy has done around it. */
function aroundText({
  maintenance,
  preRestore,
  reloadPhp,
  postRestore,
  page,
}: RestorePlan['around']): readonly string[] {
  const words = (command: readonly string[]): string => escapeControl(command.join(' '));
  return [
    ...(preRestore === null ? [] : [line('before', words(preRestore))]),
    ...(maintenance === null ? [] : [line('meanwhile', `${escapeControl(maintenance)} keeps visitors out`)]),
    ...(reloadPhp === null ? [] : [line('PHP', `reloaded by ${words(reloadPhp)}`)]),
    ...(postRestore === null ? [] : [line('after', words(postRestore))]),
    ...(page === null
      ? []
      : [line('page', `${escapeControl(page.url)} must answer${page.rollsBack ? ', else it is switched back' : ''}`)]),
  ];
}

function line(title: string, text: string): string {
  return `  ${title.padEnd(10)}${text}`;
}

/** What goes is what a person looks for. */
function deletedText(count: number, paint: Paint): string {
  const text = `${readableCount(count)} deleted`;
  return count > 0 ? paint.yellow(text) : text;
}

/** A few of the names; `--json` has more. */
function namesText(names: readonly string[]): string {
  const shown = names.slice(0, MAX_NAMES).map(escapeControl).join(', ');
  return names.length > MAX_NAMES ? `${shown} …` : shown;
}

const MAX_NAMES = 8;

function switchText({ switch: way }: RestorePlan): string {
  const files = {
    exchange: 'the directory changes places in one step',
    entries: 'what lies in the mounts changes places, one after the other',
    write: 'files are written into the directory',
    none: '',
  };
  const databases = {
    rename: 'tables change places in one statement',
    write: 'dumps are written into the directory',
    none: '',
  };
  return [files[way.files], databases[way.databases]].filter((text) => text !== '').join('; ') || 'nothing to switch';
}
