import { unlock } from '@salvor/engine';
import type { FoundLock } from '@salvor/engine';
import type { RepoUnlockDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted, escapeControl } from '../readable.ts';
import { openRepo } from './repo.ts';
import type { RepoFlags } from './repo.ts';

/** Removes locks that nobody holds any more; with `--remove-all` each of them. */
export async function repoUnlock(
  flags: RepoFlags & { readonly removeAll?: boolean },
  context: CommandContext,
): Promise<CommandResult> {
  const repository = await openRepo(flags, context);
  const { removed, left } = await unlock(repository, { all: flags.removeAll === true, signal: context.signal });
  const document: RepoUnlockDocument = {
    state: 'succeeded',
    removed: removed.map(toLock),
    left: left.map(toLock),
  };
  const lines = document.left.map((lock) => `Left: ${describe(lock)}`);
  const hint = left.length === 0 ? [] : ['Locks that are in use go with --remove-all: only where nobody is at work.'];
  return { document, text: [`Removed ${counted(removed.length, 'lock')}.`, ...lines, ...hint].join('\n'), exit: 0 };
}

type Lock = RepoUnlockDocument['left'][number];

function toLock({ id, record }: FoundLock): Lock {
  if (record === null) return { id, time: null, exclusive: null, hostname: null, username: null, pid: null };
  const { time, exclusive, hostname, username, pid } = record;
  return { id, time, exclusive, hostname, username, pid };
}

function describe({ id, time, username, hostname, pid, exclusive }: Lock): string {
  if (time === null) return `${id.slice(0, 8)}, which can't be read`;
  const who = escapeControl(`${String(username)}@${String(hostname)}`);
  return `${id.slice(0, 8)} of ${who}, process ${String(pid)}, since ${escapeControl(time)}${exclusive === true ? ', alone' : ''}`;
}
