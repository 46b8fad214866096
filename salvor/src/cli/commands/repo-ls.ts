import { openView } from '@salvor/engine';
import type { SnapshotView, ViewEntry, Walked } from '@salvor/engine';
import type { CommandContext, Written } from '../command.ts';
import { escapeControl, readableTime } from '../readable.ts';
import { modeText } from '../render-entries.ts';
import { writeBytes } from '../terminal.ts';
import { toLsEntry } from './repo-entry.ts';
import type { FilterFlags } from './repo-filter.ts';
import { findNamed } from './repo-named.ts';
import { openRepo, toProblem } from './repo.ts';

export type RepoLsFlags = FilterFlags & { readonly long?: boolean; readonly recursive?: boolean };

type Shown = Pick<Walked, 'path' | 'entry'>;

/** Written at once: a system call for each of a million lines takes longer than the lines. */
const BATCH_CHARACTERS = 64 * 1024;

/**
 * Everything, or what lies in some directories, in restic's order. Written as it is read, so that a million entries are
 * never held: where a listing can't be read in the middle, the output ends there, and the error says so.
 */
export async function repoLs(
  named: string,
  directories: readonly string[],
  flags: RepoLsFlags,
  context: CommandContext,
): Promise<Written> {
  const { signal, terminal } = context;
  const repository = (await openRepo(flags, context)).withSignal(signal);
  const view = await openView(repository, await findNamed(repository, named, flags, signal));
  const found = entriesOf(view, directories, flags.recursive === true);
  const lines = context.isJson ? jsonOf(found) : linesOf(found, flags.long === true ? longLine : pathLine);
  let isEmpty = true;
  async function* pieces(): AsyncGenerator<Buffer> {
    for await (const piece of inBatches(lines)) {
      isEmpty = false;
      yield Buffer.from(piece);
    }
  }
  await writeBytes(terminal.stdout, pieces(), signal);
  if (isEmpty) terminal.stderr.write('Nothing lies there.\n');
  return { problems: view.problems.map(toProblem) };
}

async function* entriesOf(
  view: SnapshotView,
  directories: readonly string[],
  isRecursive: boolean,
): AsyncGenerator<Shown> {
  if (directories.length === 0) yield* view.walk('/');
  for (const directory of directories) {
    const top = `/${directory.split('/').filter(Boolean).join('/')}`;
    const entry = await view.stat(top);
    if (top !== '/') yield { path: top, entry };
    if (entry.type !== 'dir') continue;
    if (isRecursive) yield* view.walk(top);
    else
      for await (const child of view.list(top)) yield { path: `${top === '/' ? '' : top}/${child.name}`, entry: child };
  }
}

/** One document, an entry a line. */
async function* jsonOf(found: AsyncIterable<Shown>): AsyncGenerator<string> {
  let before = '[';
  for await (const { path, entry } of found) {
    yield `${before}${JSON.stringify(toLsEntry(path, entry))}`;
    before = ',\n';
  }
  yield before === '[' ? '[]\n' : ']\n';
}

async function* linesOf(found: AsyncIterable<Shown>, line: (shown: Shown) => string): AsyncGenerator<string> {
  for await (const shown of found) yield `${line(shown)}\n`;
}

const pathLine = ({ path }: Shown): string => escapeControl(path);

function longLine({ path, entry }: Shown): string {
  const { mode, type, mtime, bytes } = toLsEntry(path, entry);
  const owner = `${entry.uid.toString().padStart(5)} ${entry.gid.toString().padStart(5)}`;
  return `${modeText({ mode, type })} ${owner} ${bytes.toString().padStart(10)} ${readableTime(mtime)} ${escapeControl(path)}${linkOf(entry)}`;
}

function linkOf({ linkTarget }: ViewEntry): string {
  return linkTarget === null ? '' : ` -> ${escapeControl(linkTarget)}`;
}

async function* inBatches(lines: AsyncIterable<string>): AsyncGenerator<string> {
  let batch = '';
  for await (const line of lines) {
    batch += line;
    if (batch.length < BATCH_CHARACTERS) continue;
    yield batch;
    batch = '';
  }
  if (batch !== '') yield batch;
}
