import type { LsDocument, Problem } from '@salvor/contract';
import type { ViewEntry } from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import type { EitherCopy } from './either-copy.ts';
import type { OpenPoint } from './open-point.ts';

/** What lies at a path of a point: a directory's entries, or the one file. Throws `path-unknown`. */
export async function readPath(point: OpenPoint, path: string): Promise<LsDocument> {
  const { view } = point;
  const at = normalise(path);
  const entry = await statOf(point, at);
  if (entry.type !== 'dir') return [describe(at, entry)];
  const entries: LsDocument[number][] = [];
  for await (const child of view.list(at))
    entries.push(describe(at === '/' ? `/${child.name}` : `${at}/${child.name}`, child));
  return entries;
}

/**
 * The bytes of a file of a point, from whichever copy each can be read. Throws `path-unknown`, also for what is not a file.
 * `onProblem` is told what turned out to be wrong with a copy, at the end.
 */
export async function openPath(
  source: EitherCopy,
  path: string,
  onProblem: (problem: Problem) => void,
): Promise<AsyncIterable<Uint8Array>> {
  const at = normalise(path);
  const entry = await source.read((point) => statOf(point, at));
  if (entry.type !== 'file')
    throw new SalvorError('path-unknown', { point: source.point.manifest.point, path: `file ${path}` });
  return (async function* () {
    yield* source.stream(({ view }, offset) => view.read(at, { offset }));
    for (const problem of source.problems) onProblem(problem);
  })();
}

async function statOf(point: OpenPoint, path: string): Promise<ViewEntry> {
  try {
    return await point.view.stat(path);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'path-unknown')) throw cause;
    throw new SalvorError('path-unknown', { point: point.manifest.point, path }, { cause });
  }
}

function normalise(path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  return `/${parts.join('/')}`;
}

function describe(path: string, entry: ViewEntry): LsDocument[number] {
  return {
    path,
    type: entry.type,
    bytes: entry.size,
    mode: entry.mode.toString(8).padStart(4, '0'),
    mtime: new Date(Number(entry.mtimeNs / 1_000_000n)).toISOString(),
  };
}
