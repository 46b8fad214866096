/**
 * The main thread's half of a backup: keeps the workers busy and puts listings together as their parts come in.
 *
 *   entry → directories to scan → files to read → node texts → a listing when nothing is pending → its id → parent
 *
 * It never touches the bytes of a file. Scanning stops while many files wait to be read, and goes depth first, so
 * that few listings are unfinished at a time.
 */
import type { Problem } from '../errors.ts';
import { EngineError, reasonOf } from '../errors.ts';
import { NO_CONTENT, encodeContent, encodeNodeHead, encodeSubtree } from '../format/tree-node.ts';
import {
  JOBS_PER_WORKER,
  MAX_PROBLEMS,
  MAX_WAITING_FILES,
  READ_BATCH_BYTES,
  READ_BATCH_FILES,
  STREAM_PIECES_IN_FLIGHT,
} from '../limits.ts';
import { fillPieces, gatherBlobs } from '../chunk/gather.ts';
import { byteString, joinBytes } from '../tree/byte-path.ts';
import { madeUpHead, realHead } from '../tree/made-up-node.ts';
import type { FilePlace } from '../tree/read-file.ts';
import { readNode } from '../tree/read-node.ts';
import type { DirectoryEntry, SourceEntry, StreamEntry, TreeEntry } from '../tree/source.ts';
import { readSource } from '../tree/read-source.ts';
import type { TreeRoot, TreeRoots } from '../tree/tree-root.ts';
import type { DirectoryPlace } from '../tree/working-directory.ts';
import type { AnswerTo, BackupJob, ScanAnswer } from './backup-jobs.ts';
import type { ParentTrees } from './parent-trees.ts';

export type BackupCounts = { new: number; changed: number; unmodified: number };

/** A listing in the making. `done` gets its id, or null where the directory could not be listed. */
type Listing = {
  /** Null where it is not walked. */
  readonly walked: WalkedDirectory | null;
  nodes: (string | null)[];
  pending: number;
  readonly parentTree: string | null;
  readonly done: (tree: string | null) => void;
};

type WalkedDirectory = {
  readonly name: string;
  readonly place: DirectoryPlace;
  readonly excluded: readonly string[];
  /** Of its own node: another one where another directory came into its place. */
  head: string;
};

/** `fill` gets the file's node, or null where it could not be read. */
type FileToRead = FilePlace & {
  readonly bytes: number;
  readonly isNew: boolean;
  readonly fill: (node: string | null) => void;
};

type StreamContent = { readonly content: readonly string[]; readonly bytes: number };

export type JobRunner = {
  readonly size: number;
  run(worker: number, job: BackupJob, transfer?: readonly ArrayBuffer[]): Promise<{ readonly kind: BackupJob['kind'] }>;
};

const SCAN_BATCH = 8;
const TREE_BATCH = 16;

export class BackupRun {
  readonly problems: Problem[] = [];
  readonly files: BackupCounts = { new: 0, changed: 0, unmodified: 0 };
  readonly directories: BackupCounts = { new: 0, changed: 0, unmodified: 0 };
  bytesProcessed = 0;
  bytesRead = 0;
  /** Data blobs of unchanged files that a repository other than the first lacks. */
  readonly lacking: Set<string> = new Set();
  /** What was looked at last, for people. */
  current = '';
  readonly #pool: JobRunner;
  readonly #parents: ParentTrees;
  readonly #nowNs: bigint;
  readonly #roots: TreeRoots;
  readonly #toScan: Listing[] = [];
  readonly #largeFiles: FileToRead[] = [];
  readonly #smallFiles: FileToRead[] = [];
  readonly #toStore: Listing[] = [];
  readonly #failed: Promise<never>;
  #fail: (error: unknown) => void = () => undefined;
  #isFailed = false;
  #streams = 0;
  /** Jobs that each worker has before it, those that are still being prepared included. */
  readonly #load: number[];

  constructor(pool: JobRunner, parents: ParentTrees, roots: TreeRoots, now: Date) {
    this.#pool = pool;
    this.#load = Array.from({ length: pool.size }, () => 0);
    this.#parents = parents;
    this.#roots = roots;
    this.#nowNs = BigInt(now.getTime()) * 1_000_000n;
    this.#failed = new Promise<never>((_, reject) => {
      this.#fail = (error) => {
        this.#isFailed = true;
        reject(error);
      };
    });
    this.#failed.catch(() => undefined);
  }

  /** Ends the run with an error, wherever it is. */
  abort(error: unknown): void {
    this.#fail(error);
  }

  /** The id of the listing of `entries`, when all of them are stored. */
  async root(entries: DirectoryEntry['entries'], parentTree: string | null): Promise<string> {
    return this.until(this.#madeUp('', entries, parentTree));
  }

  /** Waits for `work`, unless the run fails first. */
  async until<T>(work: Promise<T>): Promise<T> {
    return Promise.race([work, this.#failed]);
  }

  /** A directory that is not walked: its entries one after another. */
  async #madeUp(path: string, entries: DirectoryEntry['entries'], parentTree: string | null): Promise<string> {
    const before = await this.#parents.subtrees(parentTree);
    const nodes: { name: string; text: string }[] = [];
    const names = new Set<string>();
    for await (const entry of entries) {
      const name = byteString(entry.name);
      if (names.has(name) || name === '' || name.includes('/'))
        throw new RangeError(`the entry name ${JSON.stringify(entry.name)} can't be used`);
      names.add(name);
      const text = await this.#entry(`${path}/${entry.name}`, entry, before.get(name) ?? null);
      if (text !== null) nodes.push({ name, text });
    }
    nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
    const tree = await this.#listing(null, parentTree, (listing) => {
      listing.nodes = nodes.map((node) => node.text);
      this.#complete(listing);
    });
    return tree ?? '';
  }

  async #entry(path: string, entry: SourceEntry, parentTree: string | null): Promise<string | null> {
    switch (entry.kind) {
      case 'tree':
        return this.#tree(entry, parentTree);
      case 'directory': {
        const head = entry.like === undefined ? madeUpHead(entry, 0, this.#nowNs) : realHead(entry.name, entry.like);
        return head + encodeSubtree(await this.#madeUp(path, entry.entries, parentTree));
      }
      case 'stream':
        return this.#stream(path, entry);
      default:
        return entry satisfies never;
    }
  }

  /** A file or directory of the machine; null where it could not be read, which is then a problem. */
  async #tree(entry: TreeEntry, parentTree: string | null): Promise<string | null> {
    const name = byteString(entry.name);
    let root: TreeRoot;
    let head: string;
    try {
      root = this.#roots.open(entry);
      head = encodeNodeHead(readNode(name, root.reach, root.stats));
    } catch (error) {
      throw new EngineError('source-failed', { path: entry.path, reason: reasonOf(error) }, { cause: error });
    }
    const text = await this.#walk(name, head, root, entry, parentTree);
    this.#roots.close(root);
    return text;
  }

  async #walk(
    name: string,
    head: string,
    root: TreeRoot,
    entry: TreeEntry,
    parentTree: string | null,
  ): Promise<string | null> {
    if (root.stats.isDirectory()) {
      const excluded = (entry.exclude ?? []).map(byteString);
      const walked: WalkedDirectory = { name, place: root.place, excluded, head };
      const tree = await this.#listing(walked, parentTree, (listing) => {
        this.#toScan.push(listing);
        this.#pump();
      });
      return tree === null ? null : walked.head + encodeSubtree(tree);
    }
    if (!root.stats.isFile()) return head + NO_CONTENT;
    return new Promise((fill) => {
      const bytes = Number(root.stats.size);
      this.#wait({ place: root.placeAbove, name: root.name, nodeName: name, bytes, isNew: true, fill });
      this.#pump();
    });
  }

  async #listing(
    walked: WalkedDirectory | null,
    parentTree: string | null,
    begin: (listing: Listing) => void,
  ): Promise<string | null> {
    return new Promise((done) => begin({ walked, nodes: [], pending: 0, parentTree, done }));
  }

  /** Gives work to whoever has little: first what finishes something, then files, then further directories. */
  #pump(): void {
    while (!this.#isFailed) {
      const worker = this.#load.indexOf(Math.min(...this.#load));
      if ((this.#load[worker] ?? 0) >= JOBS_PER_WORKER) return;
      const waiting = this.#largeFiles.length + this.#smallFiles.length;
      if (this.#toStore.length > 0) this.#start(worker, this.#storeTrees(worker));
      else if (waiting >= READ_BATCH_FILES || (waiting > 0 && this.#toScan.length === 0))
        this.#start(worker, this.#readFiles(worker));
      else if (this.#toScan.length > 0 && waiting < MAX_WAITING_FILES) this.#start(worker, this.#scan(worker));
      else return;
    }
  }

  #start(worker: number, work: Promise<void>): void {
    this.#load[worker] = (this.#load[worker] ?? 0) + 1;
    work.then(
      () => {
        this.#load[worker] = (this.#load[worker] ?? 1) - 1;
        this.#pump();
      },
      (error: unknown) => this.#fail(error),
    );
  }

  async #scan(worker: number): Promise<void> {
    const listings = this.#toScan.splice(-SCAN_BATCH).reverse();
    const parents = await Promise.all(listings.map(async (listing) => this.#parents.sealed(listing.parentTree)));
    const { answers } = await this.#ask(worker, 'scan', {
      kind: 'scan',
      directories: listings.flatMap(({ walked }, at) => {
        if (walked === null) return [];
        const { name, place, excluded } = walked;
        return [{ name, place, parent: parents[at] ?? null, excluded }];
      }),
    });
    for (const [at, answer] of answers.entries()) {
      const listing = listings[at];
      if (listing?.walked != null) this.#scanned(listing, listing.walked, answer);
    }
  }

  #scanned(listing: Listing, walked: WalkedDirectory, answer: ScanAnswer): void {
    const { place, excluded } = walked;
    this.current = place.path;
    if ('failure' in answer) {
      if (answer.failure !== null) this.#report(answer.failure);
      listing.done(null);
      return;
    }
    for (const problem of answer.problems) this.#report(problem);
    walked.head = answer.head ?? walked.head;
    this.files.unmodified += answer.unmodifiedFiles;
    this.bytesProcessed += answer.unmodifiedBytes;
    for (const id of answer.lacking) this.lacking.add(id);
    if (answer.tree !== null) {
      this.#stored(listing, answer.tree);
      return;
    }
    listing.nodes = answer.nodes;
    listing.pending = answer.directories.length + answer.files.length;
    for (const { at, name, device, inode, head, parentTree } of answer.directories) {
      const { root, below, path } = place;
      const inside = { root, below: below === '' ? name : joinBytes(below, name), path: joinBytes(path, name) };
      const child: WalkedDirectory = { name, place: { ...inside, device, inode }, excluded, head };
      const done = (tree: string | null): void =>
        this.#fill(listing, at, tree === null ? null : child.head + encodeSubtree(tree));
      this.#toScan.push({ walked: child, nodes: [], pending: 0, parentTree, done });
    }
    for (const { at, name, bytes, isNew } of answer.files)
      this.#wait({ place, name, bytes, isNew, fill: (node) => this.#fill(listing, at, node) });
  }

  #wait(file: FileToRead): void {
    (file.bytes > READ_BATCH_BYTES ? this.#largeFiles : this.#smallFiles).push(file);
  }

  async #readFiles(worker: number): Promise<void> {
    const batch = this.#nextBatch();
    const answer = await this.#ask(worker, 'read', {
      kind: 'read',
      files: batch.map(({ place, name, nodeName = name }) => ({ place, name, nodeName })),
    });
    for (const [at, read] of answer.files.entries()) {
      const file = batch[at];
      if (file === undefined) continue;
      this.current = joinBytes(file.place.path, file.name);
      if (read.problem !== null) this.#report(read.problem);
      if (read.node !== null) this.files[file.isNew ? 'new' : 'changed'] += 1;
      this.bytesProcessed += read.bytes;
      this.bytesRead += read.bytes;
      file.fill(read.node);
    }
  }

  /** One large file, or small ones up to a bound; large ones first, so that none is left alone at the end. */
  #nextBatch(): FileToRead[] {
    const large = this.#largeFiles.shift();
    if (large !== undefined) return [large];
    let bytes = 0;
    let count = 0;
    while (count < this.#smallFiles.length && count < READ_BATCH_FILES && bytes < READ_BATCH_BYTES) {
      bytes += this.#smallFiles[count]?.bytes ?? 0;
      count += 1;
    }
    return this.#smallFiles.splice(0, count);
  }

  #fill(listing: Listing, at: number, node: string | null): void {
    listing.nodes[at] = node;
    listing.pending -= 1;
    if (listing.pending === 0) this.#complete(listing);
  }

  #complete(listing: Listing): void {
    this.#toStore.push(listing);
    this.#pump();
  }

  async #storeTrees(worker: number): Promise<void> {
    const listings = this.#toStore.splice(0, TREE_BATCH);
    const trees = listings.map((listing) => listing.nodes.filter((node) => node !== null));
    const { ids } = await this.#ask(worker, 'tree', { kind: 'tree', trees });
    for (const [at, listing] of listings.entries()) {
      listing.nodes = [];
      const id = ids[at];
      if (id !== undefined) this.#stored(listing, id);
    }
  }

  #stored(listing: Listing, tree: string): void {
    const kind = listing.parentTree === null ? 'new' : listing.parentTree === tree ? 'unmodified' : 'changed';
    this.directories[kind] += 1;
    listing.done(tree);
  }

  async #stream(path: string, entry: StreamEntry): Promise<string> {
    this.current = path;
    const { content, bytes } =
      entry.cut === 'given' ? await this.#givenBlobs(path, entry) : await this.#cutByContent(path, entry);
    this.files.new += 1;
    return madeUpHead(entry, bytes, this.#nowNs) + encodeContent(content);
  }

  /** Reads a stream to its end and gives it to one worker in pieces. */
  async #cutByContent(path: string, entry: StreamEntry): Promise<StreamContent> {
    const number = ++this.#streams;
    const worker = number % this.#pool.size;
    const inFlight: Promise<AnswerTo<'piece'>>[] = [];
    const send = (bytes: Uint8Array<ArrayBuffer>, isLast: boolean): void => {
      inFlight.push(this.#sendBytes(worker, 'piece', { kind: 'piece', stream: number, bytes, isLast }, bytes));
    };
    for await (const bytes of fillPieces(readSource(entry, path))) {
      send(bytes, false);
      if (inFlight.length >= STREAM_PIECES_IN_FLIGHT) await inFlight.shift();
    }
    send(new Uint8Array(0), true);
    const last = (await Promise.all(inFlight)).at(-1);
    if (last === undefined || last.content === null) throw new Error('a stream ended without its content');
    return { content: last.content, bytes: last.bytes };
  }

  /** Reads a stream to its end and gives its blobs to all workers in turn: nothing that one knows is needed for the next. */
  async #givenBlobs(path: string, entry: StreamEntry): Promise<StreamContent> {
    const content: string[] = [];
    const inFlight: Promise<AnswerTo<'blobs'>>[] = [];
    let total = 0;
    for await (const { bytes, ends } of gatherBlobs(readSource(entry, path))) {
      total += bytes.length;
      const worker = ++this.#streams % this.#pool.size;
      inFlight.push(this.#sendBytes(worker, 'blobs', { kind: 'blobs', bytes, ends }, bytes));
      if (inFlight.length >= STREAM_PIECES_IN_FLIGHT) content.push(...((await inFlight.shift())?.ids ?? []));
    }
    for (const answer of await Promise.all(inFlight)) content.push(...answer.ids);
    return { content, bytes: total };
  }

  #sendBytes<K extends BackupJob['kind']>(
    worker: number,
    kind: K,
    job: BackupJob,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<AnswerTo<K>> {
    this.bytesRead += bytes.length;
    this.bytesProcessed += bytes.length;
    const answer = this.#ask(worker, kind, job, [bytes.buffer]);
    // A worker that fails ends the run at once, not when its turn comes to be waited for.
    answer.catch((error: unknown) => this.#fail(error));
    return answer;
  }

  #report(problem: Problem): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(problem);
  }

  async #ask<K extends BackupJob['kind']>(
    worker: number,
    kind: K,
    job: BackupJob,
    transfer: readonly ArrayBuffer[] = [],
  ): Promise<AnswerTo<K>> {
    const answer = await this.#pool.run(worker, job, transfer);
    if (answer.kind !== kind) throw new Error(`a worker answered ${answer.kind} to ${kind}`);
    return answer as AnswerTo<K>;
  }
}
