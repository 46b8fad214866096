/** Snapshot files. Fields in restic's order; members that restic does not know would be lost when it rewrites one. */
import { isId, parseSnapshotId, parseTreeId } from '../ids.ts';
import type { SnapshotId, TreeId } from '../ids.ts';
import { goJsonString } from './go-json.ts';
import { isObject, parseSmallFile, textOf, textsOf } from './json.ts';
import type { JsonObject } from './json.ts';
import { parseTime } from './time.ts';

/** One immutable record in a repository. */
export type Snapshot = {
  readonly id: SnapshotId;
  /** RFC 3339, as stored, in the zone of who wrote it. */
  readonly time: string;
  readonly tree: TreeId;
  readonly parent: SnapshotId | null;
  readonly paths: readonly string[];
  readonly hostname: string;
  readonly username: string;
  readonly uid: number;
  readonly gid: number;
  readonly excludes: readonly string[];
  readonly tags: readonly string[];
  /** The first id of a snapshot whose metadata was changed since. */
  readonly original: SnapshotId | null;
  readonly programVersion: string;
  /** Counts of the run that made it; absent before restic 0.17. */
  readonly summary: Readonly<Record<string, number | string>> | null;
};

/** The JSON text; `id` is not part of it, being its hash. */
export function encodeSnapshot(snapshot: Omit<Snapshot, 'id'>): string {
  const members = [`"time":${goJsonString(snapshot.time)}`];
  if (snapshot.parent !== null) members.push(`"parent":"${snapshot.parent}"`);
  members.push(`"tree":"${snapshot.tree}"`, `"paths":${texts(snapshot.paths)}`);
  if (snapshot.hostname !== '') members.push(`"hostname":${goJsonString(snapshot.hostname)}`);
  if (snapshot.username !== '') members.push(`"username":${goJsonString(snapshot.username)}`);
  if (snapshot.uid !== 0) members.push(`"uid":${snapshot.uid}`);
  if (snapshot.gid !== 0) members.push(`"gid":${snapshot.gid}`);
  if (snapshot.excludes.length > 0) members.push(`"excludes":${texts(snapshot.excludes)}`);
  if (snapshot.tags.length > 0) members.push(`"tags":${texts(snapshot.tags)}`);
  if (snapshot.original !== null) members.push(`"original":"${snapshot.original}"`);
  if (snapshot.programVersion !== '') members.push(`"program_version":${goJsonString(snapshot.programVersion)}`);
  if (snapshot.summary !== null) members.push(`"summary":${JSON.stringify(snapshot.summary)}`);
  return `{${members.join(',')}}`;
}

const texts = (values: readonly string[]): string => `[${values.map(goJsonString).join(',')}]`;

/** @throws RangeError where the text is no snapshot. */
export function decodeSnapshot(id: SnapshotId, json: string): Snapshot {
  const object = parseSmallFile(json);
  const time = textOf(object, 'time');
  parseTime(time);
  const tree = textOf(object, 'tree');
  if (!isId(tree)) throw new RangeError('its tree is no id');
  return {
    id,
    time,
    tree: parseTreeId(tree),
    parent: optionalId(object, 'parent'),
    paths: textsOf(object, 'paths'),
    hostname: textOf(object, 'hostname', ''),
    username: textOf(object, 'username', ''),
    uid: numberOf(object, 'uid'),
    gid: numberOf(object, 'gid'),
    excludes: textsOf(object, 'excludes'),
    tags: textsOf(object, 'tags'),
    original: optionalId(object, 'original'),
    programVersion: textOf(object, 'program_version', ''),
    summary: isObject(object['summary']) ? (object['summary'] as Readonly<Record<string, number | string>>) : null,
  };
}

function optionalId(object: JsonObject, name: string): SnapshotId | null {
  const text = textOf(object, name, '');
  return isId(text) ? parseSnapshotId(text) : null;
}

function numberOf(object: JsonObject, name: string): number {
  const value = object[name];
  return typeof value === 'number' ? value : 0;
}
