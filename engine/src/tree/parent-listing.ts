/**
 * The listing that a directory had in the parent snapshot, searched as text: an unchanged node is found by comparing
 * its freshly made head with the text at hand, without parsing either.
 */
import { decodeTree } from '../format/tree-node.ts';
import type { TreeNode } from '../format/tree-node.ts';

const NODE_START = /\{"name":("(?:[^"\\]|\\.)*"),"type":"/g;
const HEAD_START = /^\{"name":("(?:[^"\\]|\\.)*"),/;
const FIRST_NODE_AT = '{"nodes":['.length;
const TREE_END_BYTES = ']}\n'.length;

/** What the parent says of a node. `tail` is its text after `"content":`. */
export type ParentNode = { readonly isSameHead: boolean; readonly tail: string; readonly text: string };

export class ParentListing {
  readonly #text: string;
  /** Where the next node is expected: both sides are in the same order. */
  #at = FIRST_NODE_AT;
  #starts: Map<string, { from: number; to: number }> | undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** The node with the same name as `head` has, or null. */
  find(head: string): ParentNode | null {
    if (this.#text.startsWith(head, this.#at)) {
      const end = this.#endAfter(this.#at + head.length);
      if (end !== -1) {
        const text = this.#text.slice(this.#at, end);
        this.#at = end + 1;
        return { isSameHead: true, tail: text.slice(head.length), text };
      }
    }
    return this.#lookUp(head);
  }

  /** Parses one node of this listing. */
  static parse(text: string): TreeNode | null {
    try {
      return decodeTree(Buffer.from(`{"nodes":[${text}]}`))[0] ?? null;
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

  #lookUp(head: string): ParentNode | null {
    this.#starts ??= this.#findStarts();
    const name = HEAD_START.exec(head)?.[1];
    const place = name === undefined ? undefined : this.#starts.get(name);
    if (place === undefined) return null;
    this.#at = place.to + 1;
    const text = this.#text.slice(place.from, place.to);
    const content = text.indexOf(',"content":');
    if (content === -1) return null;
    return { isSameHead: text.startsWith(head), tail: text.slice(content + ',"content":'.length), text };
  }

  #findStarts(): Map<string, { from: number; to: number }> {
    const starts = new Map<string, { from: number; to: number }>();
    let last: { name: string; from: number } | undefined;
    for (const match of this.#text.matchAll(NODE_START)) {
      if (last !== undefined) starts.set(last.name, { from: last.from, to: match.index - 1 });
      last = { name: match[1] ?? '', from: match.index };
    }
    if (last !== undefined) starts.set(last.name, { from: last.from, to: this.#text.length - TREE_END_BYTES });
    return starts;
  }
}
