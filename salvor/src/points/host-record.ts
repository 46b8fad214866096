/**
 * What a host writes down of itself beside its files, for the machine that takes its place: its configuration, where its
 * repositories lie and what its agent has made. A text at the top of each night's snapshot of `@host`; and the reading of it.
 */
import { closeSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type Repository, type Snapshot, type SnapshotView, listSnapshots, openView } from '@salvor/engine';
import { z } from 'zod';
import { codeOf } from '../lib/errno.ts';
import { halfOf } from './account-point.ts';
import { parseJsonOf } from './manifest.ts';
import { readFileOfView } from './open-point.ts';
import type { MadeRepository } from './repositories.ts';

/** Names of the texts. */
export const HOST_RECORD = 'salvor-host.json';
export const HOST_CONFIG = 'salvor.yaml';

const Record = z
  .object({
    format: z.literal('salvor-host'),
    version: z.literal(1),
    /** Where the configuration and the state lay. */
    config: z.string().startsWith('/'),
    state: z.string().startsWith('/'),
    repositories: z.array(
      z.object({ account: z.string().min(1), copy: z.enum(['local', 'remote']), url: z.string(), id: z.string() }),
    ),
  })
  .readonly();

export function renderHostRecord(record: {
  readonly config: string;
  readonly state: string;
  readonly repositories: readonly MadeRepository[];
}): string {
  return `${JSON.stringify({ format: 'salvor-host', version: 1, ...record }, null, 1)}\n`;
}

export type HostRecord = {
  readonly time: string;
  readonly snapshot: Snapshot;
  readonly repository: Repository;
  /** As text. */
  readonly configuration: string;
  /** Accounts that have a repository. */
  readonly accounts: readonly string[];
  /** `/etc/passwd` and its kin; empty where they are not there. */
  readonly passwd: string;
  readonly group: string;
  readonly shadow: string;
  /** Statements that make the users of each database server, the address that it had in the first line. */
  readonly grants: readonly string[];
  /** A copy of the agent's store as it was, in the directory that was given; null where there is none. */
  readonly store: string | null;
  /** Tags of points that this host's agent made and read back. */
  readonly made: ReadonlySet<string>;
};

const MAX_TEXT_BYTES = 64 * 1024 * 1024;
/** Hosts have one or two. */
const MAX_SERVERS = 100;

/** The newest that can be read and is not from the future; null where there is none. The store is written into `directory`. */
export async function readHostRecord(
  repository: Repository,
  { directory, now }: { readonly directory: string; readonly now: Date },
): Promise<HostRecord | null> {
  const { snapshots } = await listSnapshots(repository, { tags: ['salvor'] });
  for (const snapshot of snapshots.toReversed()) {
    if (halfOf(snapshot) !== 'files' || Date.parse(snapshot.time) > now.getTime()) continue;
    const view = await openView(repository, snapshot);
    const parsed = parseJsonOf(Record, Buffer.from((await readText(view, `/${HOST_RECORD}`)) ?? ''));
    const configuration = await readText(view, `/${HOST_CONFIG}`);
    if (parsed.manifest === null || configuration === null) continue;
    const { state, repositories } = parsed.manifest;
    const store = await extractStore(view, join(state, 'saved/salvor.sqlite'), directory);
    return {
      time: snapshot.time,
      snapshot,
      repository,
      configuration,
      accounts: [...new Set(repositories.map(({ account }) => account))],
      passwd: (await readText(view, '/etc/passwd')) ?? '',
      group: (await readText(view, '/etc/group')) ?? '',
      shadow: (await readText(view, '/etc/shadow')) ?? '',
      grants: await readGrantTexts(view),
      store,
      made: store === null ? new Set() : readMadePoints(store),
    };
  }
  return null;
}

async function readGrantTexts(view: SnapshotView): Promise<readonly string[]> {
  const texts: string[] = [];
  for (let at = 1; at <= MAX_SERVERS; at++) {
    const text = await readText(view, `/grants-${at}.sql`);
    if (text === null) break;
    texts.push(text);
  }
  return texts;
}

/** Null where there is no such file. */
async function readText(view: SnapshotView, path: string): Promise<string | null> {
  try {
    await view.stat(path);
  } catch (error) {
    if (codeOf(error) === 'path-unknown') return null;
    throw error;
  }
  return Buffer.from(await readFileOfView(view, path, MAX_TEXT_BYTES, view.snapshot.id)).toString('utf8');
}

async function extractStore(view: SnapshotView, path: string, directory: string): Promise<string | null> {
  try {
    await view.stat(path);
  } catch (error) {
    if (codeOf(error) === 'path-unknown') return null;
    throw error;
  }
  const file = join(directory, 'salvor.sqlite');
  const fd = openSync(file, 'w', 0o600);
  try {
    for await (const bytes of view.read(path))
      for (let written = 0; written < bytes.length;) written += writeSync(fd, bytes, written);
  } finally {
    closeSync(fd);
  }
  return file;
}

function readMadePoints(file: string): ReadonlySet<string> {
  using database = new DatabaseSync(file, { readOnly: true });
  const rows = database.prepare('SELECT DISTINCT point FROM made_snapshots').all();
  return new Set(rows.map(({ point }) => String(point)));
}
