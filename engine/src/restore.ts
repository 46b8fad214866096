/**
 * Writes a snapshot, or a part of it, into an empty directory.
 *
 *   lock → walk the listings: directories, links and devices at once, files in windows → content (workers)
 *        → hard links → metadata of directories, deepest first
 *
 * Every blob is checked against its id before a byte of it is written. The target belongs to this run alone: it must
 * be missing or empty, and nobody else may write there meanwhile.
 */
import { closeSync, constants, linkSync, lstatSync, mkdirSync, openSync, readdirSync, symlinkSync } from 'node:fs';
import { EngineError, reasonOf, systemCode, throwIfCancelled } from './errors.ts';
import type { Problem } from './errors.ts';
import type { Snapshot } from './format/snapshot-file.ts';
import type { TreeNode } from './format/tree-node.ts';
import { makeNode, syncFileSystem, makeDirectories } from './libc.ts';
import { MAX_PROBLEMS } from './limits.ts';
import { BlobReader } from './pack/blob-reader.ts';
import type { Repository } from './repository.ts';
import { planMetadata } from './restore/plan-owner.ts';
import type { OwnerPlan, OwnerRules } from './restore/plan-owner.ts';
import type { Metadata, RestoreAnswer, RestoreJob } from './restore/restore-jobs.ts';
import type { RestoreWorkerData } from './restore/restore-worker.ts';
import { restoreWindow } from './restore/restore-window.ts';
import type { FileToRestore } from './restore/restore-window.ts';
import { setMetadata } from './restore/set-metadata.ts';
import { byteString, displayPath, joinBytes, systemPath } from './tree/byte-path.ts';
import { findNode, readListing } from './tree/read-listing.ts';
import { WorkerPool } from './work/pool.ts';

/** What of a snapshot is restored, where to, and with which owners. */
export type RestoreOptions = {
  readonly repository: Repository;
  readonly snapshot: Snapshot;
  /** A directory that is missing or empty. */
  readonly target: string;
  /** A directory of the snapshot whose content goes into the target, which gets its metadata; by default the root. */
  readonly subtree?: string;
  /**
   * Asked top down for each path of the snapshot; a directory that is refused is not entered. `look` is for a directory
   * that is wanted only for what may be in it: it is made when something in it is.
   */
  readonly include?: (path: string, isDirectory: boolean) => boolean | 'look';
  /** Which owners may be set; others are mapped, with a problem each. Absent: as stored. */
  readonly owners?: OwnerRules;
  /**
   * What gives rights is left out, with a problem each: devices, setuid and setgid bits of files, attributes other than
   * `user.` and ACLs, and entries of ACLs for whom `owners` does not name.
   */
  readonly dropSpecial?: boolean;
  /**
   * A directory that may hold the same files at the same places: what of them is what the snapshot says is taken from
   * there instead of the repository, after its hash was compared. It is read only, and may change meanwhile.
   */
  readonly existing?: string | undefined;
  /** Read every file back from the target and compare. */
  readonly verify?: boolean;
  /** Return only when all of it lies on the disk. */
  readonly sync?: boolean;
  readonly workers?: number;
  readonly signal?: AbortSignal;
  readonly onProgress?: (progress: RestoreProgress) => void;
};

/** What was written so far; bytes of files. */
export type RestoreProgress = { readonly files: number; readonly bytes: number };

/** What a restore wrote. Complete where `problems` is empty; bytes of files. */
export type RestoreResult = {
  readonly files: number;
  readonly directories: number;
  readonly bytes: number;
  /** Bytes that were read from the repository for files, as they lie there. */
  readonly bytesRead: number;
  /** Files of which something was there already, and the bytes that were. */
  readonly reused: { readonly files: number; readonly bytes: number };
  readonly problems: readonly Problem[];
};

/** Files whose content is restored together: enough to read packs in order, few enough for memory. */
const WINDOW_FILES = 8192;
const PRIVATE_DIRECTORY = 0o700;
const FULL: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT']);

/**
 * @throws EngineError `target-not-empty`, `target-full`, `target-failed`, `path-unknown`, `blob-missing`,
 *   `pack-damaged`, `tree-damaged`, `repository-locked`, `cancelled`.
 */
export async function restore(options: RestoreOptions): Promise<RestoreResult> {
  throwIfCancelled(options.signal);
  const target = byteString(options.target);
  requireEmpty(target, options.target);
  const repository = options.repository.withSignal(options.signal);
  return repository.withLock('shared', async () => {
    repository.dropIndex();
    const reader = await BlobReader.openRescuing(repository);
    const data: RestoreWorkerData = { key: repository.key.parts, existing: options.existing ?? null };
    await using pool = new WorkerPool<RestoreJob, RestoreAnswer>({
      script: new URL('./restore/restore-worker.ts', import.meta.url),
      size: options.workers,
      data: () => ({ value: data, transfer: [] }),
      onNews: () => undefined,
    });
    const run = new RestoreRun(options, reader, pool);
    try {
      return await run.restore(target);
    } catch (error) {
      if (options.signal?.aborted === true) throw new EngineError('cancelled', {}, { cause: error });
      throw error;
    }
  });
}

function requireEmpty(target: string, shown: string): void {
  try {
    if (lstatSync(systemPath(target)).isDirectory() && readdirSync(systemPath(target)).length === 0) return;
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return;
    throw new EngineError('target-failed', { path: shown, reason: reasonOf(error) }, { cause: error });
  }
  throw new EngineError('target-not-empty', { path: shown });
}

class RestoreRun {
  readonly #options: RestoreOptions;
  readonly #reader: BlobReader;
  readonly #pool: WorkerPool<RestoreJob, RestoreAnswer>;
  readonly #owners: OwnerPlan;
  readonly #problems: Problem[] = [];
  readonly #directories: { readonly path: string; readonly metadata: Metadata }[] = [];
  /** Directories above what is looked at that were not made yet. */
  readonly #unmade: { readonly path: string; readonly node: TreeNode }[] = [];
  readonly #links: { readonly path: string; readonly original: string }[] = [];
  /** First restored path of each file that has several names. */
  readonly #originals = new Map<string, string>();
  #window: FileToRestore[] = [];
  #running: Promise<void> = Promise.resolve();
  #files = 0;
  #bytes = 0;
  #bytesRead = 0;
  readonly #reused = { files: 0, bytes: 0 };
  #target = '';

  constructor(options: RestoreOptions, reader: BlobReader, pool: WorkerPool<RestoreJob, RestoreAnswer>) {
    this.#options = options;
    this.#reader = reader;
    this.#pool = pool;
    this.#owners = { owners: options.owners, dropSpecial: options.dropSpecial, isRoot: process.geteuid?.() === 0 };
  }

  async restore(target: string): Promise<RestoreResult> {
    this.#target = target;
    const subtree = this.#options.subtree ?? '/';
    const start = await findNode(this.#reader, this.#options.snapshot, subtree);
    if (start.subtree === null)
      throw new EngineError('path-unknown', { snapshot: this.#options.snapshot.id, path: `${subtree} as a directory` });
    this.#attempt(target, () => makeDirectories(this.#options.target, PRIVATE_DIRECTORY));
    // The root of a snapshot has no metadata of its own.
    if (start.name !== '') this.#keepDirectory(target, start);
    await this.#walk(start.subtree, subtree.replace(/\/+$/, ''), target);
    this.#startWindow();
    await this.#running;
    for (const { path, original } of this.#links)
      this.#attempt(path, () => linkSync(systemPath(original), systemPath(path)));
    for (const { path, metadata } of this.#directories.toReversed()) this.#report(setMetadata(path, metadata));
    if (this.#options.sync === true) syncTarget(target);
    this.#progress();
    return {
      files: this.#files,
      directories: this.#directories.length,
      bytes: this.#bytes,
      bytesRead: this.#bytesRead,
      reused: { ...this.#reused },
      problems: [...this.#reader.problems, ...this.#problems],
    };
  }

  async #walk(tree: string, inSnapshot: string, directory: string): Promise<void> {
    for (const node of await readListing(this.#reader, tree)) {
      throwIfCancelled(this.#options.signal);
      const path = joinBytes(directory, node.name);
      const shown = `${inSnapshot}/${displayPath(node.name)}`;
      const isWanted = this.#options.include?.(shown, node.type === 'dir') ?? true;
      const isLookedInto = isWanted === 'look';
      if (isWanted === false || (isLookedInto && node.subtree === null)) continue;
      if (!isLookedInto) this.#makeUnmade();
      if (node.subtree !== null) {
        const unmade = { path, node };
        this.#unmade.push(unmade);
        if (!isLookedInto) this.#makeUnmade();
        await this.#walk(node.subtree, shown, path);
        if (this.#unmade.at(-1) === unmade) this.#unmade.pop();
      } else if (node.type === 'file') {
        await this.#takeFile(path, node);
      } else {
        this.#takeSpecial(path, node);
      }
    }
  }

  #makeUnmade(): void {
    for (const { path, node } of this.#unmade.splice(0)) {
      this.#attempt(path, () => mkdirSync(systemPath(path), { mode: PRIVATE_DIRECTORY }));
      this.#keepDirectory(path, node);
    }
  }

  #keepDirectory(path: string, node: TreeNode): void {
    const { metadata, problems } = planMetadata(path, node, this.#owners);
    this.#report(problems);
    this.#directories.push({ path, metadata });
  }

  async #takeFile(path: string, node: TreeNode): Promise<void> {
    this.#files += 1;
    if (node.links > 1n) {
      const identity = `${node.device}:${node.inode}`;
      const original = this.#originals.get(identity);
      if (original !== undefined) {
        this.#links.push({ path, original });
        return;
      }
      this.#originals.set(identity, path);
    }
    const { metadata, problems } = planMetadata(path, node, this.#owners);
    this.#report(problems);
    if (node.content.length === 0) {
      this.#attempt(path, () => {
        closeSync(openSync(systemPath(path), constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o600));
      });
      this.#report(setMetadata(path, metadata));
      return;
    }
    const relative = path.slice(this.#target.length).replace(/^\/+/, '');
    this.#window.push({ path, relative, metadata, content: node.content });
    if (this.#window.length < WINDOW_FILES) return;
    // One window is written while the next is collected, no more.
    await this.#running;
    this.#startWindow();
  }

  #startWindow(): void {
    const files = this.#window;
    this.#window = [];
    const before = this.#running;
    this.#running = before.then(async () => {
      const reader = this.#reader;
      const problems = await restoreWindow(files, {
        pool: this.#pool,
        reader,
        load: async (pack, offset, length, into) => {
          this.#bytesRead += length;
          return reader.load(pack, offset, length, into);
        },
        verify: this.#options.verify ?? false,
        reuses: this.#options.existing !== undefined,
        signal: this.#options.signal,
        onBytes: (bytes) => {
          this.#bytes += bytes;
          this.#progress();
        },
        onReused: (bytes) => {
          this.#reused.files += 1;
          this.#reused.bytes += bytes;
        },
      });
      this.#report(problems);
    });
    this.#running.catch(() => undefined);
  }

  #takeSpecial(path: string, node: TreeNode): void {
    const isDevice = node.type === 'dev' || node.type === 'chardev';
    if (node.type === 'socket' || node.type === 'irregular' || (isDevice && this.#options.dropSpecial === true)) {
      this.#report([
        { code: 'special-left-out', path: displayPath(path), message: `is a ${node.type} and was not restored` },
      ]);
      return;
    }
    const isLink = node.type === 'symlink';
    try {
      if (isLink) symlinkSync(Buffer.from(node.linkTarget, 'latin1'), systemPath(path));
      else makeNode(systemPath(path), (node.mode & 0o170000) | 0o600, node.specialDevice);
    } catch (error) {
      if (FULL.has(systemCode(error))) throw this.#targetError(path, error);
      this.#report([{ code: 'special-not-made', path: displayPath(path), message: reasonOf(error) }]);
      return;
    }
    const { metadata, problems } = planMetadata(path, node, this.#owners);
    this.#report([...problems, ...setMetadata(path, metadata, isLink)]);
  }

  #attempt(path: string, work: () => void): void {
    try {
      work();
    } catch (error) {
      throw this.#targetError(path, error);
    }
  }

  #targetError(path: string, error: unknown): EngineError {
    const context = { path: displayPath(path), reason: reasonOf(error) };
    return new EngineError(FULL.has(systemCode(error)) ? 'target-full' : 'target-failed', context, { cause: error });
  }

  #report(problems: readonly Problem[]): void {
    if (this.#problems.length < MAX_PROBLEMS) this.#problems.push(...problems);
  }

  #progress(): void {
    this.#options.onProgress?.({ files: this.#files, bytes: this.#bytes });
  }
}

function syncTarget(target: string): void {
  const fd = openSync(systemPath(target), constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    syncFileSystem(fd);
  } finally {
    closeSync(fd);
  }
}
