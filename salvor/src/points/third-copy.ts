/**
 * The third copy of databases: one plain dump per database and day, `DIR/<account>/YYYY-MM-DD/<database>.sql.zst`, mode 0600,
 * that needs no Salvor and no restic: `zstdcat FILE | mariadb DATABASE`. Built from what a point holds, read back and
 * compared before it has its name; let go of by age.
 */
import { createHash } from 'node:crypto';
import {
  createReadStream,
  createWriteStream,
  fsyncSync,
  openSync,
  closeSync,
  readdirSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, createZstdDecompress } from 'node:zlib';
import type { Problem } from '@salvor/contract';
import { type Repository, openView } from '@salvor/engine';
import { errnoOf } from '../lib/errno.ts';
import { makeDirectories } from '../lib/make-directories.ts';
import { syncDirectory } from '../lib/write-durably.ts';
import { type AccountSnapshots, readAccountManifest } from './account-point.ts';

export type ThirdCopyOptions = {
  /** Of all accounts. */
  readonly directory: string;
  readonly account: string;
  /** `YYYY-MM-DD` in the host's zone: the day that the copy is called by. */
  readonly day: string;
  readonly signal: AbortSignal;
};

export type ThirdCopy = { readonly files: readonly { readonly path: string; readonly bytes: number }[] };

const UNFINISHED = '.part';
const DAY = /^\d{4}-\d\d-\d\d$/;
/** Better than the default by a seventh on dumps, at half its speed: nobody waits for it. */
export const THIRD_COPY_LEVEL = 6;

/** Writes the dumps of an account's point; those of the same day are replaced. Throws what the disk says. */
export async function writeThirdCopy(
  repository: Repository,
  snapshots: AccountSnapshots,
  { directory, account, day, signal }: ThirdCopyOptions,
): Promise<ThirdCopy> {
  if (snapshots.databases === null) return { files: [] };
  const { sites } = await readAccountManifest(repository, snapshots);
  const view = await openView(repository, snapshots.databases);
  const target = join(directory, account, day);
  makeDirectories(target, 0o700);
  sweepUnfinished(target);
  const files: { path: string; bytes: number }[] = [];
  for (const place of new Set(sites.flatMap(({ databases }) => Object.values(databases)))) {
    signal.throwIfAborted();
    const path = join(target, `${place}.sql.zst`);
    const dump = async function* (): AsyncGenerator<Uint8Array> {
      // In the order of their names the files are one plain dump; listings are in that order.
      for await (const part of view.list(`/databases/${place}`)) yield* view.readEntry(part);
    };
    files.push({ path, bytes: await writeCompressed(path, dump(), signal) });
  }
  syncDirectory(target);
  return { files };
}

/** Bytes of the plain dump. */
async function writeCompressed(path: string, dump: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<number> {
  const beside = `${path}${UNFINISHED}`;
  const written = createHash('sha256');
  let bytes = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of dump) {
      written.update(chunk);
      bytes += chunk.length;
      yield chunk;
    }
  };
  try {
    const compress = createZstdCompress({
      params: { [constants.ZSTD_c_compressionLevel]: THIRD_COPY_LEVEL, [constants.ZSTD_c_checksumFlag]: 1 },
    });
    await pipeline(Readable.from(counted()), compress, createWriteStream(beside, { mode: 0o600 }), { signal });
    syncFile(beside);
    const read = createHash('sha256');
    await pipeline(createReadStream(beside), createZstdDecompress(), read, { signal });
    if (read.digest('hex') !== written.digest('hex')) throw new Error(`${path} was not read back as it was written`);
    renameSync(beside, path);
  } catch (error) {
    rmSync(beside, { force: true });
    throw error;
  }
  return bytes;
}

const DAY_MS = 86_400_000;
/** A boot makes no day of it. */
const UNLIVED_TOLERANCE_MS = 3_600_000;

type ThirdCopyRules = {
  /** Today: `YYYY-MM-DD`. */
  readonly day: string;
  readonly keepMs: number;
  /** Milliseconds since an instant that the clock tells and the host has not lived through: whole days of them are added. */
  readonly unlivedSince?: (time: Date) => number;
};

/** Days that lie `keepMs` before `day` or earlier, by the calendar, oldest first: of a week the seven days up to it stay. Never the newest. */
export function findOldThirdCopies(
  { directory, account }: Pick<ThirdCopyOptions, 'directory' | 'account'>,
  { day: today, keepMs, unlivedSince = () => 0 }: ThirdCopyRules,
): readonly string[] {
  return listDays(join(directory, account))
    .slice(0, -1)
    .filter((day) => {
      const unlivedDays = Math.ceil((unlivedSince(new Date(day)) - UNLIVED_TOLERANCE_MS) / DAY_MS);
      return Date.parse(today) - Date.parse(day) >= keepMs + Math.max(0, unlivedDays) * DAY_MS;
    });
}

/** Removes them. Returns the days that went. */
export function expireThirdCopies(
  of: Pick<ThirdCopyOptions, 'directory' | 'account'>,
  rules: ThirdCopyRules,
): { readonly removed: readonly string[]; readonly problems: readonly Problem[] } {
  const place = join(of.directory, of.account);
  const removed: string[] = [];
  const problems: Problem[] = [];
  for (const day of findOldThirdCopies(of, rules)) {
    try {
      rmSync(join(place, day), { recursive: true });
      removed.push(day);
    } catch (error) {
      problems.push({ code: 'third-copy-kept', path: join(place, day), message: String(error) });
    }
  }
  return { removed, problems };
}

/** Oldest first. */
function listDays(place: string): readonly string[] {
  try {
    return readdirSync(place)
      .filter((name) => DAY.test(name))
      .toSorted();
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return [];
    throw error;
  }
}

function sweepUnfinished(target: string): void {
  for (const name of readdirSync(target)) if (name.endsWith(UNFINISHED)) rmSync(join(target, name));
}

function syncFile(path: string): void {
  const file = openSync(path, 'r');
  try {
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}
