import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { restic } from '../programs.ts';
import type { Repository } from '../programs.ts';
import { runCommand } from '../measure/run-command.ts';
import type { RowContext } from './rows.ts';

type Context = Pick<RowContext, 'place' | 'signal'>;

/**
 * An empty repository of its own for one run. All are copies of one that `restic init` made: restic measures the
 * machine to choose scrypt's cost, so that two made by it may differ in what opening them costs, and in their cuts.
 */
export async function freshRepository(name: string, { place, signal }: Context): Promise<Repository> {
  const template = join(place.work, 'empty-repository');
  const passwordFile = join(place.work, 'password');
  const repository: Repository = {
    directory: join(place.work, name),
    passwordFile,
    cache: join(place.work, `${name}-cache`),
  };
  if (!existsSync(template)) {
    writeFileSync(passwordFile, 'a password that a person chose\n', { mode: 0o600 });
    const made = { ...repository, directory: template, cache: join(place.work, 'empty-cache') };
    await runCommand(restic(made, 'init'), { work: place.work, signal });
  }
  cpSync(template, repository.directory, { recursive: true });
  return repository;
}

/** Its few large files leave nothing behind that slows a later run, once the disks were synced. */
export function removeRepository({ directory, cache }: Repository): void {
  for (const path of [directory, cache]) rmSync(path, { recursive: true, force: true });
}

/** `scrypt N=32768 r=8 p=5`: what opening this repository costs both sides. */
export function describeScrypt({ directory }: Repository): string {
  const keys = join(directory, 'keys');
  const [name = ''] = readdirSync(keys);
  const { N, r, p } = JSON.parse(readFileSync(join(keys, name), 'utf8')) as Record<'N' | 'r' | 'p', number>;
  return `scrypt N=${N} r=${r} p=${p}`;
}

/** Every byte of every pack is read by stock restic. Throws with what it found. */
export async function checkRepository(
  repository: Repository,
  { place, signal }: Context,
  depth: 'structure' | 'all data',
): Promise<void> {
  const flags = depth === 'all data' ? ['--read-data'] : [];
  const { output } = await runCommand(restic(repository, 'check', ...flags), { work: place.work, signal });
  if (!output.includes('no errors were found')) throw new Error(`restic check found errors:\n${output}`);
}

/** Number of data blobs and snapshots. */
export async function countContents(
  repository: Repository,
  { place, signal }: Context,
): Promise<{ readonly snapshots: number; readonly dataBlobs: number }> {
  const blobs = await runCommand(restic(repository, 'list', 'blobs'), { work: place.work, signal });
  const dataBlobs = blobs.output.split('\n').filter((line) => line.startsWith('data ')).length;
  return { snapshots: readdirSync(join(repository.directory, 'snapshots')).length, dataBlobs };
}

/**
 * What restic lists below `path` in the newest snapshot: a line for each path with type, owner, mode, size and times in
 * nanoseconds. Without the times of access and of change, which a second look at the source may give anew.
 */
export async function listNewest(
  repository: Repository,
  path: string,
  { place, signal }: Context,
): Promise<ReadonlyMap<string, string>> {
  const { output } = await runCommand(restic(repository, 'ls', '--json', 'latest'), { work: place.work, signal });
  const listed = new Map<string, string>();
  for (const line of output.split('\n')) {
    if (line === '') continue;
    const node = JSON.parse(line) as Record<string, string | number | undefined>;
    if (node['struct_type'] !== 'node' || !String(node['path']).startsWith(`${path}/`)) continue;
    const { type, uid, gid, mode, size, mtime } = node;
    listed.set(String(node['path']).slice(path.length + 1), JSON.stringify([type, uid, gid, mode, size ?? 0, mtime]));
  }
  return listed;
}
