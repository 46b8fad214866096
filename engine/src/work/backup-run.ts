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
import { NO_CONTENT, encodeContent, encodeNode, encodeNodeHead, encodeSubtree } from '../format/tree-node.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import type { TreeNode } from '../format/tree-node.ts';
import {
  JOBS_PER_WORKER,
  MAX_BLOB_BYTES,
  MAX_PROBLEMS,
  MAX_WAITING_FILES,
  READ_BATCH_BYTES,
  READ_BATCH_FILES,
} from '../limits.ts';
import { byteString, displayPath, joinBytes } from '../tree/byte-path.ts';
import { Exclusion, exclusionText } from '../tree/exclusion.ts';
import { madeUpHead, realHead } from '../tree/made-up-node.ts';
import type { FilePlace } from '../tree/read-file.ts';
import { readNode } from '../tree/read-node.ts';
import type { DirectoryEntry, SourceEntry, StoredEntry, StreamEntry, TreeEntry } from '../tree/source.ts';
import type { TreeRoot, TreeRoots } from '../tree/tree-root.ts';
import { ask } from './ask.ts';
import type { JobRunner } from './ask.ts';
import type { BackupJob, ListingParts, ScanAnswer } from './backup-jobs.ts';
import { Listing } from './listing.ts';
import type { WalkedDirectory } from './listing.ts';
import type { ParentTrees } from './parent-trees.ts';
import { StreamRun } from './stream-run.ts';

export type BackupCounts = { new: number; changed: number; unmodified: number };

/** `fill` gets the file's node, or null where it could not be read. */
type FileToRead = FilePlace & {
  readonly bytes: number;
  readonly isNew: boolean;
  readonly fill: (node: string | null) => void;
};

const SCAN_BATCH = 8;
const TREE_BATCH = 16;

type NamedNode = { readonly name: string; readonly text: string };

/** Finds what is stored already. */
export type NodeFinder = {
  readonly node: (from: Snapshot, path: string) => Promise<TreeNode>;
  readonly listing: (tree: string) => Promise<Iterable<TreeNode>>;
};

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
  readonly #finder: NodeFinder;
  readonly #nowNs: bigint;
  readonly #roots: TreeRoots;
  readonly #streams: StreamRun;
  readonly #toScan: Listing[] = [];
  /** Huge directories of which more is to be had from a worker. */
  readonly #toGoOn: { readonly listing: Listing; readonly worker: number; readonly scan: number }[] = [];
  readonly #largeFiles: FileToRead[] = [];
  readonly #smallFiles: FileToRead[] = [];
  readonly #toStore: Listing[] = [];
  readonly #failed: Promise<never>;
  #fail: (error: unknown) => void = () => undefined;
  #isFailed = false;
  /** Jobs that each worker has before it, those that are still being prepared included. */
  readonly #load: number[];

  constructor(pool: JobRunner, parents: ParentTrees, finder: NodeFinder, roots: TreeRoots, now: Date) {
    this.#pool = pool;
    this.#load = Array.from({ length: pool.size }, () => 0);
    this.#parents = parents;
    this.#finder = finder;
    this.#roots = roots;
    this.#nowNs = BigInt(now.getTime()) * 1_000_000n;
    this.#failed = new Promise<never>((_, reject) => {
      this.#fail = (error) => {
        this.#isFailed = true;
        reject(error);
      };
    });
    this.#failed.catch(() => undefined);
    this.#streams = new StreamRun(pool, {
      onBytes: (bytes) => {
        this.bytesRead += bytes;
        this.bytesProcessed += bytes;
      },
      onFailure: (error) => this.#fail(error),
    });
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
  async #madeUp(
    path: string,
    entries: DirectoryEntry['entries'],
    parentTree: string | null,
    beside: readonly NamedNode[] = [],
  ): Promise<string> {
    const before = await this.#parents.subtrees(parentTree);
    const nodes: NamedNode[] = [...beside];
    const names = new Set<string>();
    for await (const entry of entries) {
      const name = byteString(entry.name);
      if (names.has(name) || ['', '.', '..'].includes(name) || /[/\0]/.test(name))
        throw new RangeError(`the entry name ${JSON.stringify(entry.name)} can't be used`);
      names.add(name);
      const text = await this.#entry(`${path}/${entry.name}`, entry, before.get(name) ?? null);
      if (text !== null) nodes.push({ name, text });
    }
    nodes.sort((a, b) => (a.name < b.name ? -1 : 1));
    const tree = await this.#listing(null, parentTree, (listing) => {
      const texts = nodes.map((node) => node.text);
      listing.add(texts, 0, true);
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
      case 'stored':
        return this.#takeOver(path, entry);
      default:
        return entry satisfies never;
    }
  }

  /** A node that is there already; of a directory its listing is made anew where something in it is another. */
  async #takeOver(path: string, { name, from, path: at, instead, without = [] }: StoredEntry): Promise<string> {
    const node = { ...(await this.#finder.node(from, at)), name: byteString(name) };
    if (instead === undefined && without.length === 0) return encodeNode(node);
    if (node.subtree === null) throw new RangeError(`${at} of a snapshot is no directory`);
    const others = new Set([...without, ...(instead ?? []).map((entry) => entry.name)].map(byteString));
    const beside: NamedNode[] = [];
    for (const child of await this.#finder.listing(node.subtree))
      if (!others.has(child.name)) beside.push({ name: child.name, text: encodeNode(child) });
    return encodeNodeHead(node) + encodeSubtree(await this.#madeUp(path, instead ?? [], node.subtree, beside));
  }

  /** A file or directory of the machine; null where it is left out, or could not be read, which is then a problem. */
  async #tree(entry: TreeEntry, parentTree: string | null): Promise<string | null> {
    const name = byteString(entry.name);
    const exclusion = exclusionText(entry);
    const out = Exclusion.of(exclusion);
    if (out.leavesOutPath(byteString(entry.path))) return null;
    let root: TreeRoot;
    let head: string;
    try {
      root = this.#roots.open(entry);
      head = encodeNodeHead(readNode(name, root.reach, root.stats, root.place.saidDevice));
    } catch (error) {
      throw new EngineError('source-failed', { path: entry.path, reason: reasonOf(error) }, { cause: error });
    }
    const isOut = out.leavesOut(root.stats, root.place);
    const text = isOut ? null : await this.#walk(name, head, root, exclusion, parentTree);
    this.#roots.close(root);
    return text;
  }

  async #walk(
    name: string,
    head: string,
    root: TreeRoot,
    exclusion: string,
    parentTree: string | null,
  ): Promise<string | null> {
    if (root.stats.isDirectory()) {
      const walked: WalkedDirectory = { name, place: root.place, exclusion, head };
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
    return new Promise((done) => begin(new Listing(walked, parentTree, done)));
  }

  /** Gives work to whoever has little: first what finishes something, then files, then further directories. */
  #pump(): void {
    while (!this.#isFailed) {
      const worker = this.#load.indexOf(Math.min(...this.#load));
      if ((this.#load[worker] ?? 0) >= JOBS_PER_WORKER) return;
      const waiting = this.#largeFiles.length + this.#smallFiles.length;
      const canWalk = waiting < MAX_WAITING_FILES;
      if (this.#toStore.length > 0) this.#start(worker, this.#storeTrees(worker));
      else if (waiting >= READ_BATCH_FILES) this.#start(worker, this.#readFiles(worker));
      else if (this.#toScan.length > 0 && canWalk) this.#start(worker, this.#scan(worker));
      else if (canWalk && this.#goOn()) continue;
      else if (waiting > 0) this.#start(worker, this.#readFiles(worker));
      else return;
    }
  }

  /** Asks for more of a huge directory, of the worker that has it, if that has little to do. */
  #goOn(): boolean {
    const at = this.#toGoOn.findLastIndex(({ worker }) => (this.#load[worker] ?? 0) < JOBS_PER_WORKER);
    const [next] = at === -1 ? [] : this.#toGoOn.splice(at, 1);
    if (next === undefined) return false;
    const { listing, worker, scan } = next;
    const more = ask(this.#pool, worker, { kind: 'scan-on', scan });
    this.#start(
      worker,
      more.then(({ answer }) => this.#scanned(listing, worker, answer)),
    );
    return true;
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
    const job: BackupJob = {
      kind: 'scan',
      directories: listings.flatMap(({ walked }, at) => {
        if (walked === null) return [];
        const { name, place, exclusion } = walked;
        return [{ name, place, parent: parents[at] ?? null, exclusion }];
      }),
    };
    const { answers } = await ask(this.#pool, worker, job);
    for (const [at, answer] of answers.entries()) {
      const listing = listings[at];
      if (listing !== undefined) this.#scanned(listing, worker, answer);
    }
  }

  #scanned(listing: Listing, worker: number, answer: ScanAnswer): void {
    const { walked } = listing;
    if (walked === null) return;
    const { place, exclusion } = walked;
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
    const { directories, files, more } = answer;
    const section = listing.add(answer.nodes, directories.length + files.length, more === null);
    const fill = (at: number, node: string | null): void => {
      listing.fill(section, at, node);
      if (listing.isComplete) this.#complete(listing);
    };
    for (const { at, name, device, inode, head, parentTree } of directories) {
      const { below, path } = place;
      const inside = { ...place, below: below === '' ? name : joinBytes(below, name), path: joinBytes(path, name) };
      const child: WalkedDirectory = { name, place: { ...inside, device, inode }, exclusion, head };
      const done = (tree: string | null): void => fill(at, tree === null ? null : child.head + encodeSubtree(tree));
      this.#toScan.push(new Listing(child, parentTree, done));
    }
    for (const { at, name, bytes, isNew } of files)
      this.#wait({ place, name, bytes, isNew, fill: (node) => fill(at, node) });
    if (more !== null) this.#toGoOn.push({ listing, worker, scan: more });
    else if (listing.isComplete) this.#complete(listing);
  }

  #wait(file: FileToRead): void {
    (file.bytes > READ_BATCH_BYTES ? this.#largeFiles : this.#smallFiles).push(file);
  }

  async #readFiles(worker: number): Promise<void> {
    const batch = this.#nextBatch();
    const files = batch.map(({ place, name, nodeName = name }) => ({ place, name, nodeName }));
    const answer = await ask(this.#pool, worker, { kind: 'read', files });
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

  #complete(listing: Listing): void {
    this.#toStore.push(listing);
    this.#pump();
  }

  async #storeTrees(worker: number): Promise<void> {
    const listings = this.#toStore.splice(0, TREE_BATCH);
    const trees = listings.map((listing) => listing.take());
    for (const [at, parts] of trees.entries()) requireStorable(parts, listings[at]?.walked?.place.path ?? '');
    const runs = trees.flat().filter((part) => typeof part !== 'string');
    const { ids } = await ask(
      this.#pool,
      worker,
      { kind: 'tree', trees },
      runs.map((run) => run.buffer as ArrayBuffer),
    );
    for (const [at, listing] of listings.entries()) {
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
    const { content, bytes } = await this.#streams.store(path, entry);
    this.files.new += 1;
    return madeUpHead(entry, bytes, this.#nowNs) + encodeContent(content);
  }

  #report(problem: Problem): void {
    if (this.problems.length < MAX_PROBLEMS) this.problems.push(problem);
  }
}

/** Nothing may be written that could not be read again; three million entries are below it. */
function requireStorable(parts: ListingParts, path: string): void {
  const bytes = parts.reduce((sum, part) => sum + part.length + 1, 0);
  if (bytes <= MAX_BLOB_BYTES) return;
  const reason = `its listing has ${bytes} bytes, and ${MAX_BLOB_BYTES} are the most`;
  throw new EngineError('source-failed', { path: displayPath(path), reason });
}
