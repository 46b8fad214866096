/**
 * A copy of what an upgrade changes, so that it can go back: the store, whole and as it was before its tables get a new
 * shape, and the files of the service. Keys, repositories and journals are changed by no upgrade and are not in it.
 */
import { DatabaseSync } from 'node:sqlite';
import {
  copyFileSync,
  existsSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  chmodSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { makeDirectories } from '../../lib/make-directories.ts';
import { syncFileSystemOf, writeDurably } from '../../lib/write-durably.ts';
import type { InstallRecord } from './install-record.ts';
import { readInstallRecord, writeInstallRecord } from './install-record.ts';

const STORE = 'salvor.sqlite';
/** More of them help nobody, and each is as large as the store. */
const MAX_KEPT = 3;

export type SavedInstallation = {
  readonly directory: string;
  readonly record: InstallRecord;
};

export function saveInstallation(state: string, record: InstallRecord, now: Date): SavedInstallation {
  const above = join(state, 'upgrades');
  const directory = join(above, now.toISOString().replaceAll(/[:.]/g, '-'));
  makeDirectories(directory, 0o700);
  chmodSync(above, 0o700);
  if (existsSync(join(state, STORE))) {
    using store = openFile(join(state, STORE));
    store.database.exec(`VACUUM INTO '${join(directory, STORE).replaceAll("'", "''")}'`);
  }
  for (const [index, path] of Object.keys(record.files).entries())
    if (existsSync(path)) copyFileSync(path, join(directory, String(index)));
  writeDurably(join(directory, 'installed.json'), `${JSON.stringify(record)}\n`, 0o600);
  syncFileSystemOf(directory);
  const older = readdirSync(above).toSorted().slice(0, -MAX_KEPT);
  for (const name of older) rmSync(join(above, name), { recursive: true, force: true });
  return { directory, record };
}

/** Puts everything back as it was saved. No process may have the store open. */
export function bringBackInstallation({ directory, record }: SavedInstallation, state: string): void {
  const saved = join(directory, STORE);
  if (existsSync(saved)) {
    const at = join(state, STORE);
    for (const rest of ['-wal', '-shm']) rmSync(at + rest, { force: true });
    copyFileSync(saved, at);
    chmodSync(at, 0o600);
  }
  const current = readInstallRecord('', state);
  const added = Object.keys(current?.files ?? {}).filter((path) => !(path in record.files));
  for (const path of added) rmSync(path, { force: true });
  for (const [index, path] of Object.keys(record.files).entries()) {
    const copy = join(directory, String(index));
    if (existsSync(copy)) writeDurably(path, readFileSync(copy, 'utf8'), path.includes('/init.d/') ? 0o755 : 0o644);
  }
  const target = join(record.program, 'bin/salvor');
  if (readTarget(record.link) !== target) {
    rmSync(record.link, { force: true });
    symlinkSync(target, record.link);
  }
  // Users that the version in between has made stay, and are known to be ours.
  writeInstallRecord('', state, { ...record, users: current?.users ?? record.users });
  syncFileSystemOf(dirname(directory));
}

function readTarget(link: string): string | null {
  try {
    return readlinkSync(link);
  } catch {
    return null;
  }
}

function openFile(path: string): Disposable & { readonly database: DatabaseSync } {
  const database = new DatabaseSync(path, { timeout: 15_000 });
  return { database, [Symbol.dispose]: () => database.close() };
}
