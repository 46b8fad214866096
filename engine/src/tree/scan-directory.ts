/**
 * Lists one directory and says which of its files must be read: the first half of backing it up. Runs in a worker.
 * A file is unchanged if its size, times and inode are as in the parent snapshot and the first repository has its blobs;
 * what other repositories lack of it is named, to be taken from the first one.
 */
import { lstatSync, readdirSync } from 'node:fs';
import type { BigIntStats } from 'node:fs';
import { reasonOf, systemCode } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { NO_CONTENT, encodeNodeHead, nodeTypeOf } from '../format/tree-node.ts';
import { displayPath, joinBytes, systemPath } from './byte-path.ts';
import { ParentListing } from './parent-listing.ts';
import { readNode } from './read-node.ts';

/** What is still missing of a listing: directories to scan and files to read, each with its place in `nodes`. */
export type PendingDirectory = {
  readonly at: number;
  readonly path: string;
  readonly head: string;
  readonly parentTree: string | null;
};
export type PendingFile = {
  readonly at: number;
  readonly path: string;
  readonly name: string;
  readonly bytes: number;
  readonly isNew: boolean;
};

export type ScannedDirectory = {
  /** Node texts in order; null where something is pending. */
  readonly nodes: (string | null)[];
  readonly directories: readonly PendingDirectory[];
  readonly files: readonly PendingFile[];
  readonly problems: readonly Problem[];
  readonly unmodifiedFiles: number;
  readonly unmodifiedBytes: number;
  /** Data blobs of unchanged files that a repository other than the first lacks. */
  readonly lacking: readonly string[];
};

export type ScanQuestion = {
  readonly path: string;
  /** The listing's text in the parent snapshot. */
  readonly parent: string | null;
  readonly excluded: ReadonlySet<string>;
  /** Whether the first repository has this data blob. */
  readonly isStored: (id: string) => boolean;
  /** Whether another one lacks it. */
  readonly isLacking: (id: string) => boolean;
};

/** @throws the system's error where the directory itself can't be listed. */
export function scanDirectory(question: ScanQuestion): ScannedDirectory {
  const parent = question.parent === null ? null : new ParentListing(question.parent);
  const found = new Scan(question, parent);
  const names = readdirSync(systemPath(question.path), 'latin1').sort();
  for (const name of names) found.visit(name);
  return found;
}

class Scan implements ScannedDirectory {
  readonly nodes: (string | null)[] = [];
  readonly directories: PendingDirectory[] = [];
  readonly files: PendingFile[] = [];
  readonly problems: Problem[] = [];
  unmodifiedFiles = 0;
  unmodifiedBytes = 0;
  readonly lacking: string[] = [];
  readonly #question: ScanQuestion;
  readonly #parent: ParentListing | null;

  constructor(question: ScanQuestion, parent: ParentListing | null) {
    this.#question = question;
    this.#parent = parent;
  }

  visit(name: string): void {
    const path = joinBytes(this.#question.path, name);
    if (this.#question.excluded.has(path)) return;
    try {
      const stats = lstatSync(systemPath(path), { bigint: true });
      const type = nodeTypeOf(Number(stats.mode));
      // A socket is a place where a program listens: nothing of it could be brought back.
      if (type === 'socket') return;
      if (type === 'irregular')
        this.problems.push({ code: 'unknown-type', path: displayPath(path), message: 'is of an unknown type' });
      else this.#take(name, path, stats);
    } catch (error) {
      // Gone between listing and looking: as if it had never been there.
      if (systemCode(error) !== 'ENOENT')
        this.problems.push({ code: 'unreadable', path: displayPath(path), message: reasonOf(error) });
    }
  }

  #take(name: string, path: string, stats: BigIntStats): void {
    const node = readNode(name, path, stats);
    const head = encodeNodeHead(node);
    const before = this.#parent?.find(head) ?? null;
    const at = this.nodes.length;
    if (node.type === 'dir') {
      this.nodes.push(null);
      const parentTree = before === null ? null : (/"subtree":"([0-9a-f]{64})"/.exec(before.tail)?.[1] ?? null);
      this.directories.push({ at, path, head, parentTree });
    } else if (node.type !== 'file') {
      this.nodes.push(head + NO_CONTENT);
    } else {
      const content = before === null ? null : this.#unchangedContent(before, stats);
      if (content === null) {
        this.nodes.push(null);
        this.files.push({ at, path, name, bytes: Number(stats.size), isNew: before === null });
      } else {
        this.nodes.push(head + content);
        this.unmodifiedFiles += 1;
        this.unmodifiedBytes += Number(stats.size);
      }
    }
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
