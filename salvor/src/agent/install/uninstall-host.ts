/**
 * Takes Salvor out of service: what starts it and its command go. Configuration, state, keys, repositories, third copies
 * and archives stay, with a page on how to read them without it.
 */
import { existsSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { UninstallDocument } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import { removeOwnUsers } from '../../lib/own-users.ts';
import { writeDurably } from '../../lib/write-durably.ts';
import { readInstallRecord, removeInstallRecord, sumOf } from './install-record.ts';
import type { ServiceManager } from './service-manager.ts';

export type UninstallOptions = {
  readonly root: string;
  readonly state: string;
  /** What stays, beside the state. */
  readonly keeps: readonly string[];
  /** Where the page is written, and what is on it. */
  readonly page: { readonly path: string; readonly text: string };
  readonly services: ServiceManager;
};

/** Throws `not-installed`. A file that somebody has changed since stays, and is named. */
export async function uninstallHost(options: UninstallOptions): Promise<UninstallDocument> {
  const { root, state, keeps, page, services } = options;
  const record = readInstallRecord(root, state);
  if (record === null) throw new SalvorError('not-installed', { state });
  // The page first: whoever is left without the program has it.
  writeDurably(join(root, page.path), page.text, 0o600);
  await services.stop();
  await services.disable();
  const removed: string[] = [];
  const problems: UninstallDocument['problems'][number][] = [];
  for (const [path, sum] of Object.entries(record.files)) {
    const at = join(root, path);
    if (!existsSync(at)) continue;
    if (sumOf(readFileSync(at)) !== sum) {
      problems.push({ code: 'file-changed', path, message: `${path} was changed since it was written, and stays` });
      continue;
    }
    rmSync(at);
    removed.push(path);
  }
  if (isOurLink(join(root, record.link), record.program)) {
    rmSync(join(root, record.link));
    removed.push(record.link);
  }
  const inUse = await removeOwnUsers(record.users, root);
  for (const [name, why] of inUse)
    problems.push({ code: 'user-kept', path: name, message: `the user ${name} stays: ${why}` });
  removeInstallRecord(root, state);
  const users = record.users.filter((name) => !inUse.has(name));
  const kept = [state, ...keeps].filter((path) => existsSync(join(root, path)));
  return { state: problems.length === 0 ? 'succeeded' : 'warned', removed, users, kept, page: page.path, problems };
}

function isOurLink(path: string, program: string): boolean {
  try {
    return readlinkSync(path) === join(program, 'bin/salvor');
  } catch {
    return false;
  }
}
