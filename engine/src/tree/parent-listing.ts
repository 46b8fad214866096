/**
 * The listing that a directory had in the parent snapshot, searched as text: an unchanged node is found by comparing
 * its freshly made head with the text at hand, without parsing either. Both sides are in the order of their names, so
 * that one goes along with the other; of a huge listing only a run of nodes is text at a time.
 */
import { decodeNodeText, nodeTexts } from '../format/tree-node.ts';
import type { TreeNode } from '../format/tree-node.ts';
import { unquoteName } from '../format/go-quote.ts';

const NODE_START = /\{"name":("(?:[^"\\]|\\.)*"),"type":"/y;
const LISTING_START = '{"nodes":[';
const LISTING_END = ']}\n';
/** Characters of nodes that are made text together where a listing comes in pieces. */
const RUN_LENGTH = 1024 * 1024;

/** What the parent says of a node. `tail` is its text after `"content":`. */
export type ParentNode = { readonly isSameHead: boolean; readonly tail: string; readonly text: string };

export class ParentListing {
  readonly #runs: Iterator<string>;
  /** Whole nodes with commas between, and where the next one begins. */
  #text = '';
  #at = 0;

  /** `runs`: whole nodes with commas between, as `runOf` and `runsOf` give them. */
  constructor(runs: Iterable<string>) {
    this.#runs = runs[Symbol.iterator]();
  }

  /** The node of a name (a byte string), or null. Names must be asked for in their order. */
  find(name: string, head: string): ParentNode | null {
    if (this.#text.startsWith(head, this.#at)) {
      const end = this.#endAfter(this.#at + head.length);
      if (end !== -1) return this.#take(end, head.length, true);
    }
    return this.#lookUp(name, head);
  }

  /** Parses one node of this listing. */
  static parse(text: string): TreeNode | null {
    try {
      return decodeNodeText(text);
    } catch (error) {
      // A node that can't be read is as good as none: the file is read again.
      if (error instanceof RangeError) return null;
      throw error;
    }
  }

  /** The end of a node whose content starts at `at`, or −1 where it goes on with something unusual. */
  #endAfter(at: number): number {
    const first = this.#text.charCodeAt(at);
    const close = first === 0x5b ? this.#text.indexOf(']', at) + 1 : this.#text.indexOf('}', at);
    return close > 0 && this.#text.charCodeAt(close) === 0x7d ? close + 1 : -1;
  }

  #take(end: number, contentAt: number, isSameHead: boolean): ParentNode {
    const text = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return { isSameHead, tail: text.slice(contentAt), text };
  }

  /** Passes over nodes of names that come before. */
  #lookUp(name: string, head: string): ParentNode | null {
    for (;;) {
      if (this.#at >= this.#text.length && !this.#nextRun()) return null;
      const before = this.#nameHere();
      if (before === null || before > name) return null;
      const end = endOfNode(this.#text, this.#at);
      if (before < name) {
        this.#at = end + 1;
        continue;
      }
      const content = this.#text.indexOf(',"content":', this.#at) + ',"content":'.length - this.#at;
      return this.#take(end, content, this.#text.startsWith(head, this.#at));
    }
  }

  #nextRun(): boolean {
    const run = readRun(this.#runs);
    if (run === null) return false;
    this.#text = run;
    this.#at = 0;
    return true;
  }

  /** The name of the next node as a byte string; null where it is not as any restic writes it, and the rest is not read. */
  #nameHere(): string | null {
    NODE_START.lastIndex = this.#at;
    const quoted = NODE_START.exec(this.#text)?.[1];
    if (quoted === undefined) return null;
    try {
      return unquoteName(JSON.parse(quoted) as string);
    } catch {
      return null;
    }
  }
}

/** All nodes of a listing that is held whole; none where it is not as any restic writes it. */
export function runOf(listing: Buffer): readonly string[] {
  const text = listing.toString('utf8');
  const isUsual = text.startsWith(LISTING_START) && text.endsWith(LISTING_END);
  return isUsual ? [text.slice(LISTING_START.length, -LISTING_END.length)] : [];
}

/** Some nodes at a time of a huge listing. */
export function* runsOf(pieces: Iterable<Uint8Array>): Generator<string> {
  let run: string[] = [];
  let length = 0;
  for (const node of nodeTexts(pieces)) {
    const text = node.toString('utf8');
    run.push(text);
    length += text.length;
    if (length < RUN_LENGTH) continue;
    yield run.join(',');
    run = [];
    length = 0;
  }
  yield run.join(',');
}

/** A listing that goes wrong somewhere ends there: what would have come is read again. */
function readRun(runs: Iterator<string>): string | null {
  try {
    const { done, value } = runs.next();
    return done === true ? null : value;
  } catch (error) {
    if (error instanceof RangeError) return null;
    throw error;
  }
}

/** Where the node that begins at `at` ends. */
function endOfNode(text: string, at: number): number {
  let depth = 0;
  for (let end = at; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === 0x22) end = endOfText(text, end);
    else if (code === 0x7b || code === 0x5b) depth++;
    else if ((code === 0x7d || code === 0x5d) && --depth === 0) return end + 1;
  }
  return text.length;
}

/** The place of the quote that closes the one at `at`. */
function endOfText(text: string, at: number): number {
  for (let end = at + 1; end < text.length; end++) {
    const code = text.charCodeAt(end);
    if (code === 0x5c) end++;
    else if (code === 0x22) return end;
  }
  return text.length;
}
