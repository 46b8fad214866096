/**
 * A point as what an archive is made of: files and databases of one instant. Small files, which most of a
 * site is, are read many at a time, and ahead of their turn.
 */
import type { SnapshotView, ViewEntry } from '@salvor/engine';
import type { ArchiveSource, SourceDatabase, SourceEntry } from '../archives/archive-source.ts';
import { textToName } from '../archives/tar/tar-member.ts';
import { dumpPathOf, type ManifestDatabase, type ManifestMoved } from './manifest.ts';
import type { OpenPoint } from './open-point.ts';

type View = Pick<SnapshotView, 'list' | 'readEntry' | 'readWhole' | 'stat' | 'walk'>;

/**
 * Directories that the site has moved out lie in their places, where the site has links: what is restored from it is the
 * site of that instant. Throws nothing by itself; its reader gets the engine's codes for damage.
 */
export function sourceOfPoint(point: { readonly manifest: OpenPoint['manifest']; readonly view: View }): ArchiveSource {
  const { manifest, view } = point;
  const moved = manifest.moved.filter(({ linked }) => linked);
  return {
    entries: () => withContents(view, walkSite(view, moved)),
    databases: manifest.databases.map((database) => databaseOf(view, database)),
    moved: moved.map(({ link, target }) => ({ path: link, target })),
  };
}

const SITE = '/site';

async function* walkSite(view: View, moved: readonly ManifestMoved[]): AsyncGenerator<Walked> {
  const root = await view.stat(SITE);
  yield { source: toSourceEntry(view, root, ''), entry: root };
  yield* walkBelow(view, SITE, '', moved);
}

/** What lies in a directory of the point, `path` being its place in the site (a byte string). */
async function* walkBelow(
  view: View,
  stored: string,
  path: string,
  moved: readonly ManifestMoved[],
): AsyncGenerator<Walked> {
  const cut = Buffer.byteLength(stored) + 1;
  for await (const { pathBytes, entry } of view.walk(stored)) {
    const below = Buffer.from(pathBytes).subarray(cut).toString('latin1');
    const at = path === '' ? below : `${path}/${below}`;
    const via = entry.type === 'symlink' ? moved.find(({ link }) => textToName(link) === at) : undefined;
    if (via === undefined) {
      yield { source: toSourceEntry(view, entry, at), entry };
      continue;
    }
    const directory = await view.stat(via.place);
    yield { source: toSourceEntry(view, directory, at), entry: directory };
    yield* walkBelow(view, via.place, at, moved);
  }
}

function toSourceEntry(view: View, entry: ViewEntry, path: string): SourceEntry {
  const { mode, uid, gid, user, group, mtimeNs, attributes, device, inode, links } = entry;
  const type =
    entry.type === 'file' || entry.type === 'symlink' ? entry.type : entry.type === 'dir' ? 'directory' : 'other';
  return {
    path,
    type,
    mode,
    uid,
    gid,
    user: Buffer.from(user).toString('latin1'),
    group: Buffer.from(group).toString('latin1'),
    size: type === 'file' ? entry.size : 0,
    mtimeNs,
    linkTarget: entry.linkTargetBytes === null ? '' : Buffer.from(entry.linkTargetBytes).toString('latin1'),
    xattrs: attributes,
    identity: type === 'file' && links > 1n ? `${device}:${inode}` : null,
    // A file of one piece: the piece's name is its check sum, and a piece that has another is never given out.
    sha256: type === 'file' && entry.contentIds.length === 1 ? (entry.contentIds[0] ?? null) : null,
    open: () => view.readEntry(entry),
  };
}

function databaseOf(view: View, database: ManifestDatabase): SourceDatabase {
  const { name, server, charset, collation, files } = database;
  const path = dumpPathOf(database);
  return {
    name,
    server,
    charset,
    collation,
    bytes: files.reduce((sum, file) => sum + file.bytes, 0),
    tables: files.filter(({ kind }) => kind === 'table').length,
    open: async function* () {
      const parts = new Map<string, ViewEntry>();
      for await (const entry of view.list(path)) parts.set(entry.name, entry);
      // The manifest's files in the order of their names are one plain dump.
      for (const file of files.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
        const entry = parts.get(file.name);
        if (entry === undefined)
          throw new Error(`${name}/${file.name} is in the manifest of a point and not in its listing`);
        yield* view.readEntry(entry);
      }
    },
  };
}

/** Files up to this size are read many at a time; larger ones hide the storage's delay by themselves. */
const SMALL_BYTES = 512 * 1024;
/** Of files read at a time; the next ones are read meanwhile. */
const BATCH_BYTES = 4 * 1024 * 1024;
const BATCH_ENTRIES = 256;

type Walked = { readonly source: SourceEntry; readonly entry: ViewEntry };

async function* withContents(view: View, walk: AsyncIterable<Walked>): AsyncGenerator<SourceEntry> {
  let reading: Promise<SourceEntry[]> | null = null;
  for await (const batch of batchesOf(walk)) {
    const next = readBatch(view, batch);
    // Whoever stops reading before it has no interest in what became of it.
    next.catch(() => undefined);
    if (reading !== null) yield* await reading;
    reading = next;
  }
  if (reading !== null) yield* await reading;
}

async function* batchesOf(walk: AsyncIterable<Walked>): AsyncGenerator<readonly Walked[]> {
  let batch: Walked[] = [];
  let bytes = 0;
  for await (const walked of walk) {
    batch.push(walked);
    if (isSmall(walked)) bytes += walked.source.size;
    if (bytes < BATCH_BYTES && batch.length < BATCH_ENTRIES) continue;
    yield batch;
    batch = [];
    bytes = 0;
  }
  yield batch;
}

async function readBatch(view: View, batch: readonly Walked[]): Promise<SourceEntry[]> {
  const small = batch.filter(isSmall);
  const contents = await view.readWhole(small.map(({ entry }) => entry));
  const read = new Map(small.map(({ source }, index) => [source, contents[index] as Buffer]));
  return batch.map(({ source }) => {
    const content = read.get(source);
    return content === undefined ? source : { ...source, open: () => onePiece(content) };
  });
}

function isSmall({ source }: Walked): boolean {
  return source.type === 'file' && source.size <= SMALL_BYTES;
}

async function* onePiece(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}
