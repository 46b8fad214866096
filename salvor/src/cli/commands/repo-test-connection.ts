import { testConnection } from '@salvor/engine';
import type { RepoConnectionDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { escapeControl } from '../readable.ts';
import { findUrl } from './repo.ts';
import { openStorageAt } from './repo-storage.ts';
import type { StorageFlags } from './repo-storage.ts';

export type RepoConnectionFlags = StorageFlags & { readonly repo?: string };

/** A person waits: each call is tried twice, and no copies are used, which would answer for the storage. */
export async function repoTestConnection(flags: RepoConnectionFlags, context: CommandContext): Promise<CommandResult> {
  const { cacheDir: _cacheDir, ...rest } = flags;
  const storage = openStorageAt(findUrl(flags, context), { ...rest, cache: false }, context, { limitMs: 0 });
  const verdict = await testConnection(storage, { signal: context.signal });
  const repository = storage.location;
  const { output } = context.terminal;
  const place = escapeControl(repository);
  if (verdict.isUsable) {
    const { hasRepository } = verdict;
    const document: RepoConnectionDocument = { state: 'succeeded', repository, hasRepository, failed: null };
    const what = hasRepository
      ? 'There is a repository.'
      : 'There is no repository yet: make one with salvor repo init.';
    const text = `${output.green('The connection works')}: ${place} can be written, read, listed and cleaned.\n${what}`;
    return { document, text, exit: 0 };
  }
  const { step, code, message, hint, leftBehind } = verdict;
  const failed = { step, code, message, hint, leftBehind };
  const document: RepoConnectionDocument = { state: 'failed', repository, hasRepository: null, failed };
  const text = [
    `${output.red(`The connection failed at step '${step}'`)}: ${escapeControl(message)} (${code})`,
    `  ${escapeControl(hint)}`,
    ...(leftBehind === null ? [] : [`  The test's own file ${leftBehind} is left there.`]),
  ].join('\n');
  return { document, text, exit: 1 };
}
