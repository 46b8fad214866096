/**
 * The tree below a snapshot without what is not there any more: bottom up, each listing once, and a listing of which
 * nothing is missing byte for byte as it was.
 */
import { hash } from 'node:crypto';
import { EngineError } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { joinObject, splitObject } from '../format/json-members.ts';
import type { RawMember } from '../format/json-members.ts';
import { decodeNodeText, decodeNodes, encodeListing, nodeTexts } from '../format/tree-node.ts';
import type { TreeNode } from '../format/tree-node.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import type { BlobReader } from '../pack/blob-reader.ts';
import { SEAL_OVERHEAD_BYTES } from '../seal/master-key.ts';
import { displayPath } from '../tree/byte-path.ts';
import { readListing } from '../tree/read-listing.ts';

const EMPTY_TREE = Buffer.from('{"nodes":[]}\n');
/** The members behind `size`, in restic's order. */
const BEHIND_SIZE: ReadonlySet<string> = new Set([
  'links',
  'linktarget',
  'linktarget_raw',
  'extended_attributes',
  'device',
  'content',
]);

type Change = (members: readonly RawMember[]) => readonly RawMember[];

type Outcome = { readonly tree: string; readonly problems: readonly Problem[] };

export class TreeRewriter {
  readonly #reader: BlobReader;
  readonly #index: BlobIndex;
  readonly #store: (bytes: Buffer) => Promise<void>;
  readonly #stored = new Set<string>();
  /** Listings of which nothing is missing, nor of what is below them. */
  readonly #whole = new Set<string>();
  /** What became of the other listings of one snapshot: the next tells its losses too. */
  readonly #mended = new Map<string, string>();

  constructor(reader: BlobReader, index: BlobIndex, store: (bytes: Buffer) => Promise<void>) {
    this.#reader = reader;
    this.#index = index;
    this.#store = store;
  }

  /** The id of the mended tree, the same where nothing was wrong; null where the root itself can't be read. */
  async rewrite(tree: string): Promise<{ readonly tree: string | null; readonly problems: readonly Problem[] }> {
    this.#mended.clear();
    try {
      return await this.#rewrite(tree, '');
    } catch (error) {
      return {
        tree: null,
        problems: [{ code: damageCode(error), path: '/', message: 'the root of it can not be read' }],
      };
    }
  }

  async #rewrite(tree: string, path: string): Promise<Outcome> {
    if (this.#whole.has(tree)) return { tree, problems: [] };
    const known = this.#mended.get(tree);
    // What is wrong in a listing that several paths share is told once.
    if (known !== undefined) return { tree: known, problems: [] };
    const problems: Problem[] = [];
    const changes = new Map<string, Change>();
    for (const node of await readListing(this.#reader, tree)) {
      const below = `${path}/${displayPath(node.name)}`;
      if (node.type === 'file') {
        const change = this.#mendFile(node, below, problems);
        if (change !== null) changes.set(node.name, change);
      } else if (node.subtree !== null) {
        const subtree = await this.#mendDirectory(node.subtree, below, problems);
        if (subtree !== node.subtree) changes.set(node.name, (members) => replace(members, 'subtree', `"${subtree}"`));
      }
    }
    const id = changes.size === 0 ? tree : await this.#save(await this.#changed(tree, changes));
    if (id === tree) this.#whole.add(tree);
    else this.#mended.set(tree, id);
    return { tree: id, problems };
  }

  async #mendDirectory(subtree: string, path: string, problems: Problem[]): Promise<string> {
    try {
      const outcome = await this.#rewrite(subtree, path);
      problems.push(...outcome.problems);
      return outcome.tree;
    } catch (error) {
      const code = damageCode(error);
      problems.push({ code, path, message: 'its listing can not be read: it is an empty directory now' });
      return this.#save(EMPTY_TREE);
    }
  }

  #mendFile(node: TreeNode, path: string, problems: Problem[]): Change | null {
    const content: string[] = [];
    let bytes = 0;
    for (const id of node.content) {
      const place = this.#index.find('data', id);
      if (place === null) continue;
      content.push(id);
      bytes += place.plainBytes ?? place.length - SEAL_OVERHEAD_BYTES;
    }
    const lost = node.content.length - content.length;
    if (lost === 0 && BigInt(bytes) === node.size) return null;
    const message =
      lost > 0 ? `lost ${lost} of its ${node.content.length} pieces` : `said ${node.size} bytes and has ${bytes}`;
    problems.push({ code: lost > 0 ? 'content-lost' : 'size-wrong', path, message });
    const list = content.length === 0 ? '[]' : `["${content.join('","')}"]`;
    return (members) => setSize(lost > 0 ? replace(members, 'content', list) : members, bytes);
  }

  /** The listing with the nodes of some names changed: all that is held of a huge one is its new text. */
  async #changed(tree: string, changes: ReadonlyMap<string, Change>): Promise<Buffer> {
    const pieces = await this.#reader.readPieces(tree);
    const mended = function* (): Generator<Buffer> {
      for (const text of nodeTexts(pieces())) {
        const change = changes.get(decodeNodeText(text.toString()).name);
        // A copy, for the text is valid until the next one only.
        yield change === undefined
          ? Buffer.from(text)
          : Buffer.from(joinObject(change(splitObject(text.toString('latin1')))), 'latin1');
      }
    };
    return Buffer.concat([...encodeListing(mended())]);
  }

  async #save(bytes: Buffer): Promise<string> {
    requireListing(bytes);
    const id = hash('sha256', bytes, 'hex');
    if (this.#stored.has(id) || this.#index.has('tree', id)) return id;
    this.#stored.add(id);
    await this.#store(bytes);
    return id;
  }
}

/** @throws RangeError where what was made can't be read again. */
function requireListing(bytes: Buffer): void {
  const nodes = decodeNodes([bytes]);
  while (nodes.next().done !== true);
}

/** Puts a value in the place of the member's. */
function replace(members: readonly RawMember[], name: string, raw: string): readonly RawMember[] {
  if (!members.some((member) => member.name === name)) return [...members, { name, raw }];
  return members.map((member) => (member.name === name ? { name, raw } : member));
}

/** Go leaves a size of 0 out. */
function setSize(members: readonly RawMember[], bytes: number): readonly RawMember[] {
  const rest = members.filter(({ name }) => name !== 'size');
  if (bytes === 0) return rest;
  const at = rest.findIndex(({ name }) => BEHIND_SIZE.has(name));
  const size = { name: 'size', raw: String(bytes) };
  return at < 0 ? [...rest, size] : rest.toSpliced(at, 0, size);
}

const DAMAGE: ReadonlySet<string> = new Set(['blob-missing', 'pack-damaged', 'tree-damaged']);

/** The code of damage; anything else is thrown on. */
function damageCode(error: unknown): string {
  if (error instanceof EngineError && DAMAGE.has(error.code)) return error.code;
  throw error;
}
