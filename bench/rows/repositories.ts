import { cpSync, existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { restic } from '../programs.ts';
import type { Repository } from '../programs.ts';
import { readCommand, runCommand } from '../measure/run-command.ts';
import type { RowContext } from './rows.ts';

type Context = Pick<RowContext, 'place' | 'signal'>;

/** Which of the two repositories of a site: the second cuts files as the first does. */
type Place = 'first' | 'second';

/**
 * An empty repository of its own for one run. All are copies of one that `restic init` made, or of the second that it
 * made with the cuts of the first: restic measures the machine to choose scrypt's cost, so that two made by it may
 * differ in what opening them costs.
 */
export async function freshRepository(name: string, context: Context, of: Place = 'first'): Promise<Repository> {
  const { work } = context.place;
  const repository = repositoryAt(join(work, name), work);
  cpSync((await makeTemplate(of, context)).directory, repository.directory, { recursive: true });
  return repository;
}

async function makeTemplate(of: Place, context: Context): Promise<Repository> {
  const { work } = context.place;
  const template = repositoryAt(join(work, `empty-${of}`), work);
  if (existsSync(template.directory)) return template;
  writeFileSync(template.passwordFile, 'a password that a person chose\n', { mode: 0o600 });
  const like: string[] = [];
  if (of === 'second') {
    const { directory, passwordFile } = await makeTemplate('first', context);
    like.push('--copy-chunker-params', '--from-repo', directory, '--from-password-file', passwordFile);
  }
  await runCommand(restic(template, 'init', ...like), { work, signal: context.signal });
  return template;
}

function repositoryAt(directory: string, work: string): Repository {
  return { directory, passwordFile: join(work, 'password'), cache: `${directory}-cache` };
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
  const output = await readCommand(restic(repository, 'check', ...flags), { work: place.work, signal });
  if (!output.includes('no errors were found')) throw new Error(`restic check found errors:\n${output}`);
}

/** Number of data blobs and snapshots. */
export async function countContents(
  repository: Repository,
  { place, signal }: Context,
): Promise<{ readonly snapshots: number; readonly dataBlobs: number }> {
  const blobs = await readCommand(restic(repository, 'list', 'blobs'), { work: place.work, signal });
  const dataBlobs = blobs.split('\n').filter((line) => line.startsWith('data ')).length;
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
  const output = await readCommand(restic(repository, 'ls', '--json', 'latest'), { work: place.work, signal });
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
