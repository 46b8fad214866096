import { type Repository, type Snapshot, type SnapshotView, openView } from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import { dumpPathOf, type Manifest, MAX_MANIFEST_BYTES, parseManifest } from './manifest.ts';

/** A point as one reads from it: its manifest, and its snapshot as a read-only file system. */
export type OpenPoint = {
  readonly manifest: Manifest;
  readonly snapshot: Snapshot;
  readonly repository: Repository;
  readonly view: SnapshotView;
};

/** Throws `point-incomplete` where the manifest is missing or can't be read, and the engine's codes for damage. */
export async function openPoint(repository: Repository, snapshot: Snapshot): Promise<OpenPoint> {
  const view = await openView(repository, snapshot);
  const manifest = await readManifest(view, pointTagOf(snapshot) ?? snapshot.id);
  return { manifest, snapshot, repository, view };
}

/** Reads back what a new point must have: invariant 6. Throws `point-incomplete`. */
export async function readBackPoint(point: OpenPoint): Promise<void> {
  const { manifest, view } = point;
  const fail = (problem: string): never => {
    throw new SalvorError('point-incomplete', { point: manifest.point, problem });
  };
  if (manifest.files !== null && (await view.stat('/site')).type !== 'dir') fail('it holds no directory of the site');
  for (const { place, link } of manifest.moved)
    if ((await view.stat(place)).type !== 'dir') fail(`it holds no directory for ${link}`);
  for (const database of manifest.databases) {
    const found = new Map<string, number>();
    for await (const entry of view.list(dumpPathOf(database))) found.set(entry.name, entry.size);
    for (const file of database.files) {
      const bytes = found.get(file.name);
      if (bytes === undefined) fail(`${database.name}: ${file.name} is missing`);
      if (bytes !== file.bytes)
        fail(`${database.name}: ${file.name} has ${bytes} bytes and was written with ${file.bytes}`);
    }
    if (found.size !== database.files.length) fail(`${database.name} holds files that its manifest does not name`);
  }
}

/** `point:<id>` of the snapshot's tags; null on a snapshot that is no point. */
export function pointTagOf(snapshot: Pick<Snapshot, 'tags'>): string | null {
  return tagOf(snapshot, 'point');
}

export function tagOf(snapshot: Pick<Snapshot, 'tags'>, name: string): string | null {
  const tag = snapshot.tags.find((candidate) => candidate.startsWith(`${name}:`));
  return tag === undefined ? null : tag.slice(name.length + 1);
}

async function readManifest(view: SnapshotView, point: string): Promise<Manifest> {
  const parsed = parseManifest(await readFileOfView(view, '/manifest.json', MAX_MANIFEST_BYTES, point));
  if (parsed.manifest === null) throw new SalvorError('point-incomplete', { point, problem: parsed.why });
  return parsed.manifest;
}

/** A manifest's bytes. Throws `point-incomplete` where it is missing or too long. */
export async function readFileOfView(
  view: SnapshotView,
  path: string,
  maxBytes: number,
  point: string,
): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  try {
    if ((await view.stat(path)).size > maxBytes)
      throw new SalvorError('point-incomplete', { point, problem: 'its manifest is too long' });
    for await (const chunk of view.read(path)) chunks.push(chunk);
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'path-unknown')
      throw new SalvorError('point-incomplete', { point, problem: 'it has no manifest' }, { cause });
    throw cause;
  }
  return Buffer.concat(chunks);
}
