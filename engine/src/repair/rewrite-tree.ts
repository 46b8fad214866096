/**
 * The tree below a snapshot without what is not there any more: bottom up, each listing once, and a listing of which
 * nothing is missing byte for byte as it was.
 */
import { hash } from 'node:crypto';
import { EngineError } from '../errors.ts';
import type { Problem } from '../errors.ts';
import { joinObject, splitArray, splitObject } from '../format/json-members.ts';
import type { RawMember } from '../format/json-members.ts';
import { decodeTree } from '../format/tree-node.ts';
import type { TreeNode } from '../format/tree-node.ts';
import type { BlobIndex } from '../index/blob-index.ts';
import type { BlobReader } from '../pack/blob-reader.ts';
import { SEAL_OVERHEAD_BYTES } from '../seal/master-key.ts';
import { displayPath } from '../tree/byte-path.ts';
import { readListing } from '../tree/read-listing.ts';

const EMPTY_TREE = '{"nodes":[]}\n';
/** The members behind `size`, in restic's order. */
const BEHIND_SIZE: ReadonlySet<string> = new Set([
  'links',
  'linktarget',
  'linktarget_raw',
  'extended_attributes',
  'device',
  'content',
]);

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
    const nodes = await readListing(this.#reader, tree);
    const problems: Problem[] = [];
    const changes = new Map<number, (members: readonly RawMember[]) => readonly RawMember[]>();
    for (const [at, node] of nodes.entries()) {
      const below = `${path}/${displayPath(node.name)}`;
      if (node.type === 'file') {
        const change = this.#mendFile(node, below, problems);
        if (change !== null) changes.set(at, change);
      } else if (node.subtree !== null) {
        const subtree = await this.#mendDirectory(node.subtree, below, problems);
        if (subtree !== node.subtree) changes.set(at, (members) => replace(members, 'subtree', `"${subtree}"`));
      }
    }
    const id = changes.size === 0 ? tree : await this.#save(await this.#changed(tree, nodes.length, changes));
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

  #mendFile(
    node: TreeNode,
    path: string,
    problems: Problem[],
  ): ((members: readonly RawMember[]) => readonly RawMember[]) | null {
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

  async #changed(
    tree: string,
    count: number,
    changes: ReadonlyMap<number, (members: readonly RawMember[]) => readonly RawMember[]>,
  ): Promise<string> {
    const text = (await this.#reader.read('tree', tree)).toString('latin1');
    const listing = splitObject(text);
    const nodes = splitArray(listing.find(({ name }) => name === 'nodes')?.raw ?? '[]');
    if (nodes.length !== count) throw new Error(`the listing ${tree} was not split into its nodes`);
    const mended = nodes.map((node, at) => {
      const change = changes.get(at);
      return change === undefined ? node : joinObject(change(splitObject(node)));
    });
    return `${joinObject(replace(listing, 'nodes', `[${mended.join(',')}]`))}\n`;
  }

  async #save(text: string): Promise<string> {
    const bytes = Buffer.from(text, 'latin1');
    decodeTree(bytes);
    const id = hash('sha256', bytes, 'hex');
    if (this.#stored.has(id) || this.#index.has('tree', id)) return id;
    this.#stored.add(id);
    await this.#store(bytes);
    return id;
  }
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
