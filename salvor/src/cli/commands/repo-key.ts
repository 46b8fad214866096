import { addKey, changePassword, listKeys, openRepository, removeKey } from '@salvor/engine';
import type { Repository, Secret } from '@salvor/engine';
import type { RepoKeyDocument, RepoKeysDocument } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { readableTime } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { renderTable } from '../table.ts';
import { openStorageAt } from './repo-storage.ts';
import { findRepo, readPassword } from './repo.ts';
import type { RepoFlags } from './repo.ts';

export type RepoKeyFlags = RepoFlags & {
  readonly newPasswordFile?: string;
  readonly user?: string;
  readonly host?: string;
};

type Opened = { readonly repository: Repository; readonly secret: Secret };

async function open(flags: RepoFlags, context: CommandContext): Promise<Opened> {
  const { url, secret } = findRepo(flags, context);
  const storage = openStorageAt(url, flags, context);
  return { repository: await openRepository(storage, secret, { signal: context.signal }), secret };
}

export async function repoKeyList(flags: RepoFlags, context: CommandContext): Promise<CommandResult> {
  const { repository, secret } = await open(flags, context);
  const { keys, damaged } = await listKeys(repository, secret, { signal: context.signal });
  const document: RepoKeysDocument = {
    keys: keys.map(({ id, created, username, hostname, isCurrent }) => ({
      id,
      created,
      username,
      hostname,
      current: isCurrent,
    })),
    problems: damaged.map((error) => ({
      code: error.code,
      path: `keys/${String(error.context['file'])}`,
      message: error.message,
    })),
  };
  const table = renderTable(
    document.keys,
    [
      { title: '', value: ({ current }) => (current ? '*' : '') },
      { title: 'ID', value: ({ id }) => id.slice(0, 8) },
      { title: 'USER', value: ({ username }) => username },
      { title: 'HOST', value: ({ hostname }) => hostname },
      { title: 'CREATED', value: ({ created }) => (created === '' ? '' : readableTime(created)) },
    ],
    context.terminal.output,
  );
  const text = [table, ...renderProblems(document.problems, context.terminal.output)].join('\n');
  return { document, text, exit: document.problems.length > 0 ? 3 : 0 };
}

export async function repoKeyAdd(flags: RepoKeyFlags, context: CommandContext): Promise<CommandResult> {
  const next = newSecret(flags);
  const { repository } = await open(flags, context);
  const added = await addKey(repository, next, {
    ...(flags.user === undefined ? {} : { username: flags.user }),
    ...(flags.host === undefined ? {} : { hostname: flags.host }),
    signal: context.signal,
  });
  return toResult({ state: 'succeeded', added, removed: null }, `Added the key ${added.slice(0, 8)}.`);
}

export async function repoKeyRemove(id: string, flags: RepoFlags, context: CommandContext): Promise<CommandResult> {
  const { repository, secret } = await open(flags, context);
  const removed = await removeKey(repository, id, secret, { signal: context.signal });
  const text = `Removed the key ${removed.slice(0, 8)}. Its password opens the repository no more.`;
  return toResult({ state: 'succeeded', added: null, removed }, text);
}

export async function repoKeyPasswd(flags: RepoKeyFlags, context: CommandContext): Promise<CommandResult> {
  refuseConfigured(flags);
  const next = newSecret(flags);
  const { repository, secret } = await open(flags, context);
  const { added, removed } = await changePassword(repository, secret, next, { signal: context.signal });
  const text = `Changed the password: the key ${added.slice(0, 8)} is in the place of ${removed.slice(0, 8)}.`;
  return toResult({ state: 'succeeded', added, removed }, text);
}

function toResult(document: RepoKeyDocument, text: string): CommandResult {
  return { document, text, exit: 0 };
}

/** The agent could not open the repository any more. */
function refuseConfigured(flags: RepoFlags): void {
  if (flags.account === undefined) return;
  const problem = "the key of an account's repository is the agent's: add one of your own with 'repo key add'";
  throw new SalvorError('usage', { problem });
}

function newSecret({ newPasswordFile }: RepoKeyFlags): Secret {
  if (newPasswordFile === undefined)
    throw new SalvorError('usage', { problem: 'name the file that holds the new password: --new-password-file FILE' });
  return { kind: 'password', text: readPassword(newPasswordFile) };
}
