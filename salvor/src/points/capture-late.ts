/**
 * Makes a safety point anew with what was written between it and the switch: a snapshot of its own that holds what the
 * safety point holds, taken over without being read, but for what a switch has put aside since.
 *
 *   late tables (dumped out of the database that is kept) → files (out of the directories that are kept) → manifest
 *   → committed by the engine → opened again and compared
 *
 * The first point stays as it is: a crash at any instant leaves one whole point, or two.
 */
import { basename } from 'node:path';
import type { Problem } from '@salvor/contract';
import { type BackupProgress, type BackupResult, type SourceEntry, backup, findSnapshot } from '@salvor/engine';
import type { DatabaseLogin } from '../databases/mariadb/connect.ts';
import { type DumpPart, dumpDatabase } from '../databases/mariadb/dump.ts';
import { makePartName } from '../databases/mariadb/part-name.ts';
import { SalvorError } from '../errors.ts';
import type { Account } from '../sites/account.ts';
import { linkOwnersOf } from '../sites/account-owners.ts';
import { readHostTables } from '../sites/host-tables.ts';
import { countFiles } from './count-files.ts';
import { cutsOfTags } from './dump-cut.ts';
import { countBytes, unwrapSourceFailure } from './dump-entries.ts';
import { type Manifest, type ManifestDatabase, type ManifestFile, dumpPathOf, serialiseManifest } from './manifest.ts';
import { type OpenPoint, openPoint, readBackPoint } from './open-point.ts';
import { type LateGuard, type LatePaths, insteadBelow } from './late-paths.ts';
import { makePointId } from './point-id.ts';

/** What has changed since the point was taken, and where it lies now. */
export type LateWanted = {
  readonly reason: string;
  /** Whose files they are. */
  readonly account: Account;
  readonly paths: LatePaths;
  readonly databases: readonly LateDatabase[];
};

/** Tables of a database that are not what the point holds, and the database in which a switch has put them. */
export type LateDatabase = {
  readonly name: string;
  readonly readFrom: { readonly login: DatabaseLogin; readonly name: string };
  readonly tables: readonly string[];
};

export type LateTools = {
  /** A directory of ours alone, for what the dump tool is told. */
  readonly scratch: string;
  readonly clock: () => Date;
  readonly randomBytes: (count: number) => Uint8Array;
  readonly signal: AbortSignal;
  readonly onProgress: (progress: BackupProgress) => void;
};

/** Throws what the dump, the engine and `readBackPoint` throw; then nothing was committed, and the point is what there is. */
export async function captureLate(
  safety: OpenPoint,
  wanted: LateWanted,
  tools: LateTools,
): Promise<{ readonly point: OpenPoint; readonly problems: readonly Problem[] }> {
  const { repository, snapshot, manifest } = safety;
  const { account, paths, reason } = wanted;
  const id = makePointId(tools.randomBytes);
  const time = tools.clock();
  const databases: ManifestDatabase[] = [];
  const problems: Problem[] = [];
  const guard: LateGuard = { home: account.home, linkOwners: linkOwnersOf(account, readHostTables()) };
  const late: LateRun = { safety, time, tools, problems, onDone: (database) => databases.push(database) };
  const writeManifest = async function* (): AsyncGenerator<Uint8Array> {
    const { files, owners } = await countLate(safety, paths);
    yield serialiseManifest({
      ...manifest,
      point: id,
      time: time.toISOString(),
      reason,
      files,
      owners,
      databases,
      problems: [...manifest.problems, ...problems.map((one) => ({ ...one, path: one.path ?? null }))],
    });
  };
  const dumps = manifest.databases.map((stored) => lateDump(stored, wanted, late));
  const dates = { mtimeNs: toNs(time) };
  const moved = manifest.moved.map(({ place }) => lateTree(place, safety, paths, guard));
  const source: SourceEntry[] = [
    ...(dumps.length === 0
      ? []
      : [{ kind: 'directory' as const, name: 'databases', mode: 0o700, ...dates, entries: dumps }]),
    ...(manifest.files === null ? [] : [lateTree('/site', safety, paths, guard)]),
    ...(moved.length === 0
      ? []
      : [{ kind: 'directory' as const, name: 'moved', mode: 0o700, ...dates, entries: moved }]),
    { kind: 'stream', name: 'manifest.json', mode: 0o600, ...dates, open: writeManifest },
  ];
  let result: BackupResult;
  try {
    result = await backup({
      source,
      repositories: [repository],
      paths: snapshot.paths,
      host: snapshot.hostname,
      username: 'salvor',
      tags: snapshot.tags.map((tag) => (tag === `point:${manifest.point}` ? `point:${id}` : tag)),
      time,
      signal: tools.signal,
      onProgress: tools.onProgress,
    });
  } catch (error) {
    throw unwrapSourceFailure(error);
  }
  const committed = result.snapshots[0]?.id;
  if (committed === undefined) throw new Error('the engine committed no snapshot and said nothing');
  const point = await openPoint(repository, await findSnapshot(repository, committed));
  if (point.manifest.point !== id)
    throw new SalvorError('point-incomplete', { point: id, problem: 'its manifest is another one' });
  await readBackPoint(point);
  return { point, problems: [...problems, ...result.problems] };
}

type LateRun = {
  readonly safety: OpenPoint;
  readonly time: Date;
  readonly tools: LateTools;
  readonly problems: Problem[];
  readonly onDone: (database: ManifestDatabase) => void;
};

function lateTree(stored: string, { snapshot }: OpenPoint, paths: LatePaths, guard: LateGuard): SourceEntry {
  return insteadBelow({ kind: 'stored', name: basename(stored), from: snapshot, path: stored }, paths, guard);
}

/** The files of one database. */
function lateDump(stored: ManifestDatabase, wanted: LateWanted, late: LateRun): SourceEntry {
  const changes = wanted.databases.find(({ name }) => name === stored.name);
  const path = dumpPathOf(stored);
  if (changes === undefined || changes.tables.length === 0) {
    late.onDone(stored);
    return { kind: 'stored', name: basename(path), from: late.safety.snapshot, path };
  }
  const entries = dumpLate(stored, changes, late);
  return { kind: 'directory', name: basename(path), mode: 0o700, mtimeNs: toNs(late.time), entries };
}

/** In the order of the point, which is the tool's: what a table needs to be made stands before it. Numbered anew. */
async function* dumpLate(stored: ManifestDatabase, changes: LateDatabase, late: LateRun): AsyncGenerator<SourceEntry> {
  const { safety, time, onDone } = late;
  const files: ManifestFile[] = [];
  const replaced = new Set(changes.tables);
  const rest = [...stored.files];
  const takeOver = function* (end: (file: ManifestFile) => boolean): Generator<SourceEntry> {
    for (let file = rest[0]; file !== undefined && !end(file); file = rest[0]) {
      rest.shift();
      if (file.table !== null && replaced.has(file.table)) continue;
      const name = makePartName(files.length, file.table ?? file.kind);
      files.push({ ...file, name });
      yield { kind: 'stored', name, from: safety.snapshot, path: `${dumpPathOf(stored)}/${file.name}` };
    }
  };
  for await (const part of dumpTables(stored.name, changes, late)) {
    const isStored = rest.some(({ table }) => table === part.table);
    yield* takeOver((file) => file.kind === 'tail' || (isStored && file.table === part.table));
    const name = makePartName(files.length, part.table ?? '');
    const { counted, count } = countBytes(part.bytes);
    yield { kind: 'stream', name, mode: 0o600, mtimeNs: toNs(time), cut: 'given', open: () => counted };
    files.push({ name, kind: 'table', table: part.table, rows: part.rows(), ...count() });
  }
  yield* takeOver(() => false);
  onDone({ ...stored, files });
}

async function* dumpTables(
  database: string,
  { readFrom, tables }: LateDatabase,
  { safety, tools, problems }: LateRun,
): AsyncGenerator<DumpPart> {
  const parts = dumpDatabase(readFrom.login, readFrom.name, {
    defaultsDirectory: tools.scratch,
    signal: tools.signal,
    cutBytes: cutsOfTags([safety.snapshot])[0]?.cutBytes,
    onlyTables: tables,
    // Nobody writes to what is kept: of what a dump may say, only this is true of it.
    onProblem: ({ code, message, name }) => {
      if (code === 'table-bound-to-database') problems.push({ code, message, path: `${database}.${name}` });
    },
  });
  for await (const part of parts) {
    if (part.kind === 'table') yield part;
    // The point has its own; they are read all the same, as the last says whether the dump is whole.
    else for await (const bytes of part.bytes) void bytes;
  }
}

/** What the files come to: those of the point, without what is replaced, and with what takes its place. */
async function countLate({ manifest, view }: OpenPoint, paths: LatePaths): Promise<Pick<Manifest, 'files' | 'owners'>> {
  const { files, owners } = manifest;
  if (files === null || paths.size === 0) return { files, owners };
  let { count, bytes } = files;
  for (const stored of paths.keys()) {
    const top = await view.stat(stored).catch(() => null);
    if (top?.type === 'file') [count, bytes] = [count - 1, bytes - top.size];
    if (top?.type !== 'dir') continue;
    for await (const { entry } of view.walk(stored))
      if (entry.type === 'file') [count, bytes] = [count - 1, bytes - entry.size];
  }
  const now = await countFiles([...paths.values()].filter((path) => path !== null));
  return {
    files: { count: Math.max(0, count + now.count), bytes: Math.max(0, bytes + now.bytes) },
    owners: {
      users: joinOwners(owners.users, now.owners.users),
      groups: joinOwners(owners.groups, now.owners.groups),
    },
  };
}

function joinOwners(some: Manifest['owners']['users'], more: Manifest['owners']['users']): Manifest['owners']['users'] {
  const all = new Map([...some, ...more].map((one) => [one.id, one]));
  return [...all.values()].toSorted((one, other) => one.id - other.id);
}

function toNs(time: Date): bigint {
  return BigInt(time.getTime()) * 1_000_000n;
}
