import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SalvorError } from '../errors.ts';
import { NOBODY, type OsUser, findCommand, run } from './run.ts';

/**
 * The system's users that `salvor install` makes, without rights and without a log-in. As `nobody` other programs run too, and
 * who runs as the same user may look into a process and change what it passes on: a dump while it is loaded, with the log-in
 * that it is loaded by; an archive while it is unpacked.
 */
export const OWN_USERS = ['salvor-load', 'salvor-read'] as const;
/** Loads dumps; unpacks what came from elsewhere, and asks web servers. */
export type OwnUser = (typeof OWN_USERS)[number];

/** Ours where the host has it, else `nobody`. Never root. */
export function findOwnUser(name: OwnUser, passwd: string = '/etc/passwd'): OsUser {
  const line = readFileSync(passwd, 'utf8')
    .split('\n')
    .find((candidate) => candidate.startsWith(`${name}:`));
  const [, , uid, gid] = (line ?? '').split(':').map(Number);
  return uid === undefined || gid === undefined || !(uid > 0) || !(gid > 0) ? NOBODY : { uid, gid };
}

/** Those that a root lacks; all of them are there where it has no list of users at all, as an image in the making. */
export function findMissingUsers(root: string = ''): readonly OwnUser[] {
  const there = readNames(root);
  return there === null ? [] : OWN_USERS.filter((name) => !there.has(name));
}

/** Gives the names of those that were made: on a system without `useradd` none is, and `nobody` stands in. */
export async function makeOwnUsers(root: string): Promise<readonly OwnUser[]> {
  if (findCommand('useradd') === null) return [];
  const missing = findMissingUsers(root);
  const shown = ['--home-dir', '/nonexistent', '--shell', '/usr/sbin/nologin'];
  for (const name of missing)
    await run('useradd', { args: [...prefixOf(root), '--system', '--user-group', '--no-create-home', ...shown, name] });
  return missing;
}

/** Gives what keeps one from going, by name; nothing on disk is theirs. */
export async function removeOwnUsers(names: readonly string[], root: string): Promise<ReadonlyMap<string, string>> {
  const kept = new Map<string, string>();
  const there = readNames(root);
  for (const name of names) {
    if (there?.has(name) !== true) continue;
    try {
      await run('userdel', { args: [...prefixOf(root), name] });
    } catch (error) {
      if (!(error instanceof SalvorError)) throw error;
      kept.set(name, error.message);
    }
  }
  return kept;
}

function readNames(root: string): ReadonlySet<string> | null {
  try {
    const lines = readFileSync(join(root, '/etc/passwd'), 'utf8').split('\n');
    return new Set(lines.map((line) => line.slice(0, line.indexOf(':'))));
  } catch {
    return null;
  }
}

function prefixOf(root: string): readonly string[] {
  return root === '' ? [] : ['--prefix', root];
}
