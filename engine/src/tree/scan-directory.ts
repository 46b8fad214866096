/**
 * Lists one directory and says which of its files must be read: the first half of backing it up. Runs in a worker.
 * A file is unchanged if its size, times and inode are as in the parent snapshot and the first repository has its blobs;
 * what other repositories lack of it is named, to be taken from the first one.
 *
 *   begin → section, section, … each of some thousand entries, so that a directory of millions is never held whole
 */
import { lstatSync, readdirSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { reasonOf, systemCode } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { NO_CONTENT, encodeNodeHead, nodeTypeOf } from '../format/tree-node.ts';
import { SCAN_SECTION_ENTRIES } from '../limits.ts';
import { displayPath, joinBytes } from './byte-path.ts';
import type { Exclusion } from './exclusion.ts';
import { ParentListing } from './parent-listing.ts';
import { readNode } from './read-node.ts';
import { isForeignLink, isNoDirectory } from './working-directory.ts';
import type { DirectoryPlace, WorkingDirectory } from './working-directory.ts';

/** What is still missing of a section: directories to scan and files to read, each with its place in `nodes`. */
export type PendingDirectory = {
  readonly at: number;
  readonly name: string;
  readonly device: bigint;
  readonly inode: bigint;
  readonly head: string;
  readonly parentTree: string | null;
};
export type PendingFile = {
  readonly at: number;
  readonly name: string;
  readonly bytes: number;
  readonly isNew: boolean;
};

/** Entries of a directory that follow one another. */
export type ScannedSection = {
  /** Node texts in order; null where something is pending. */
  readonly nodes: readonly (string | null)[];
  readonly directories: readonly PendingDirectory[];
  readonly files: readonly PendingFile[];
  readonly problems: readonly Problem[];
  readonly unmodifiedFiles: number;
  readonly unmodifiedBytes: number;
  /** Data blobs of unchanged files that a repository other than the first lacks. */
  readonly lacking: readonly string[];
  /** The head of the directory's own node, where another directory than the one that was seen is there now. */
  readonly head: string | null;
};

export type ScanQuestion = {
  /** The name of the directory's own node. */
  readonly name: string;
  readonly place: DirectoryPlace;
  /** The listing in the parent snapshot. */
  readonly parent: ParentListing | null;
  readonly exclusion: Exclusion;
  /** Whether the first repository has this data blob. */
  readonly isStored: (id: string) => boolean;
  /** Whether another one lacks it. */
  readonly isLacking: (id: string) => boolean;
};

/** A directory that is being listed, or why it could not be; no problem where it is gone. */
export type BegunScan = DirectoryScan | { readonly failure: Problem | null };

export class DirectoryScan {
  readonly #directory: WorkingDirectory;
  readonly #question: ScanQuestion;
  readonly #names: readonly string[];
  #next = 0;
  /** What the directory was when its names were read. */
  readonly #stats: BigIntStats;

  private constructor(directory: WorkingDirectory, question: ScanQuestion, names: readonly string[]) {
    this.#directory = directory;
    this.#question = question;
    this.#names = names;
    this.#stats = directory.stats();
  }

  static begin(directory: WorkingDirectory, question: ScanQuestion): BegunScan {
    const { place } = question;
    const failed = (code: string, message: string): BegunScan => ({
      failure: { code, path: displayPath(place.path), message },
    });
    try {
      directory.enter(place);
      const names = readdirSync(directory.reach('.'), 'latin1').sort();
      const kept = question.exclusion.keep(place, names, (name) => directory.reach(name));
      return new DirectoryScan(directory, question, kept);
    } catch (error) {
      if (isNoDirectory(error))
        return failed('replaced', 'was replaced, or a directory above it, while it was backed up');
      if (systemCode(error) !== 'ENOENT') return failed('unreadable', reasonOf(error));
      // Gone between listing and looking: as if it had never been there.
      return directory.isReplaced(place)
        ? failed('replaced', 'went with a directory that was replaced')
        : { failure: null };
    }
  }

  /** Whether there is more to come. */
  get isDone(): boolean {
    return this.#next >= this.#names.length;
  }

  /** The next entries. */
  section(): ScannedSection {
    const section = new Section(this.#directory, this.#question);
    if (this.#next === 0) section.look(this.#stats);
    else if (!this.#isStillThere()) {
      section.report('replaced', '', 'was replaced while it was backed up; the snapshot has a part of what was in it');
      this.#next = this.#names.length;
      return section;
    }
    for (const end = this.#next + SCAN_SECTION_ENTRIES; this.#next < end && !this.isDone; this.#next++)
      section.visit(this.#names[this.#next] ?? '');
    return section;
  }

  /** Other directories were entered since. */
  #isStillThere(): boolean {
    try {
      this.#directory.enter(this.#question.place);
      const { dev, ino } = this.#directory.stats();
      return dev === this.#stats.dev && ino === this.#stats.ino;
    } catch {
      return false;
    }
  }
}

class Section implements ScannedSection {
  readonly nodes: (string | null)[] = [];
  readonly directories: PendingDirectory[] = [];
  readonly files: PendingFile[] = [];
  readonly problems: Problem[] = [];
  unmodifiedFiles = 0;
  unmodifiedBytes = 0;
  readonly lacking: string[] = [];
  head: string | null = null;
  readonly #directory: WorkingDirectory;
  readonly #question: ScanQuestion;

  constructor(directory: WorkingDirectory, question: ScanQuestion) {
    this.#directory = directory;
    this.#question = question;
  }

  /** Another directory below the same root may have come into the place: it is taken as it is, and named. */
  look(stats: BigIntStats): void {
    const { name, place } = this.#question;
    if (stats.dev === place.device && stats.ino === place.inode) return;
    this.head = encodeNodeHead(readNode(name, this.#directory.reach('.'), stats, place.saidDevice));
    this.report(
      'replaced',
      '',
      'was replaced by another directory while it was backed up; the snapshot has the new one',
    );
  }

  visit(name: string): void {
    const { place, exclusion } = this.#question;
    if (exclusion.asksForPaths && exclusion.leavesOutPath(joinBytes(place.path, name))) return;
    try {
      const reach = this.#directory.reach(name);
      const stats = lstatSync(reach, { bigint: true });
      const type = nodeTypeOf(Number(stats.mode));
      // A socket is a place where a program listens: nothing of it could be brought back.
      if (type === 'socket' || exclusion.leavesOut(stats, place)) return;
      if (isForeignLink(stats, place)) {
        this.report('foreign-link', name, `is another name of a file of user ${stats.uid}, and was left out`);
        return;
      }
      if (type === 'irregular') this.report('unknown-type', name, 'is of an unknown type');
      else this.#take(name, reach, stats);
    } catch (error) {
      const code = systemCode(error);
      // No link any more when its target was asked for.
      if (code === 'EINVAL') this.report('replaced', name, 'was replaced while it was looked at');
      // Gone between listing and looking: as if it had never been there.
      else if (code !== 'ENOENT') this.report('unreadable', name, reasonOf(error));
    }
  }

  #take(name: string, reach: string | Buffer, stats: BigIntStats): void {
    const node = readNode(name, reach, stats, this.#question.place.saidDevice);
    const head = encodeNodeHead(node);
    const before = this.#question.parent?.find(name, head) ?? null;
    const at = this.nodes.length;
    if (node.type === 'dir') {
      this.nodes.push(null);
      const parentTree = before === null ? null : (/"subtree":"([0-9a-f]{64})"/.exec(before.tail)?.[1] ?? null);
      this.directories.push({ at, name, device: stats.dev, inode: stats.ino, head, parentTree });
    } else if (node.type !== 'file') {
      this.nodes.push(head + NO_CONTENT);
    } else {
      const content = before === null ? null : this.#unchangedContent(before, stats);
      if (content === null) {
        this.nodes.push(null);
        this.files.push({ at, name, bytes: Number(stats.size), isNew: before === null });
      } else {
        this.nodes.push(head + content);
        this.unmodifiedFiles += 1;
        this.unmodifiedBytes += Number(stats.size);
      }
    }
  }

  report(code: string, name: string, message: string): void {
    const { path } = this.#question.place;
    this.problems.push({ code, path: displayPath(name === '' ? path : joinBytes(path, name)), message });
  }

  /** The content text of an unchanged file, or null where it must be read. */
  #unchangedContent(before: { isSameHead: boolean; tail: string; text: string }, stats: BigIntStats): string | null {
    if (!before.isSameHead && !isSameFile(before.text, stats)) return null;
    const { tail } = before;
    if (!/^\[(?:"[0-9a-f]{64}"(?:,"[0-9a-f]{64}")*)?\]\}$/.test(tail)) return null;
    const ids: string[] = [];
    for (let at = 2; at + 64 <= tail.length; at += 67) ids.push(tail.slice(at, at + 64));
    if (!ids.every((id) => this.#question.isStored(id))) return null;
    for (const id of ids) if (this.#question.isLacking(id)) this.lacking.push(id);
    return tail;
  }
}

function isSameFile(text: string, stats: BigIntStats): boolean {
  const node = ParentListing.parse(text);
  return (
    node !== null &&
    node.type === 'file' &&
    node.size === stats.size &&
    node.mtimeNs === stats.mtimeNs &&
    node.ctimeNs === stats.ctimeNs &&
    node.inode === stats.ino
  );
}
