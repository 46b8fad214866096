import { SalvorError } from '../errors.ts';
import type { CopyFault } from './copy-fault.ts';
import { findCopyFault } from './copy-fault.ts';
import { EitherCopy, unreadable } from './either-copy.ts';
import type { HostPoints } from './host-points.ts';
import type { ListedPoint } from './listed-point.ts';
import type { OpenPoint } from './open-point.ts';
import type { CopyName } from './repositories.ts';
import type { PointRow } from '../store/tables.ts';
import { openStored } from './stored-point.ts';

/** Fewer letters of an id would name another point tomorrow. */
const MIN_PREFIX = 4;

/** Which point is meant, and which copy is asked alone; null for the local one first and then the other. */
export type PointWanted = { readonly prefix: string; readonly from: CopyName | null };

type Points = Pick<HostPoints, 'isKnown' | 'listAll' | 'listCopy' | 'locate' | 'repositories'>;

/** Opens the point that is meant, whichever account it belongs to. Throws `point-unknown`, `point-ambiguous`, `point-unreadable`. */
export async function openWanted(
  points: Points,
  accounts: readonly string[],
  { prefix, from }: PointWanted,
): Promise<EitherCopy> {
  const found: FoundPoint[] = [];
  const faults: unknown[] = [];
  for (const account of accounts) {
    if (!points.isKnown(account)) continue;
    try {
      found.push(...(await find(points, account, from, ({ id }) => id.startsWith(prefix))));
    } catch (error) {
      // The point may be another account's, whose repositories are well.
      faults.push(error);
    }
  }
  if (found.length === 0 && faults.length > 0) throw faults[0];
  return await openOnly(points, prefix, 'this host', found, from);
}

/** The point of one site that is meant; without a prefix the newest that is complete and not a safety point. Throws `point-missing` too. */
export async function openWantedOf(
  points: Points,
  { account, uri }: { readonly account: string; readonly uri: string },
  { prefix, from }: PointWanted | (Omit<PointWanted, 'prefix'> & { readonly prefix: null }),
): Promise<EitherCopy> {
  const listed = await find(points, account, from, (row) => row.uri === uri);
  if (prefix === null) {
    // One of databases alone is restored where it is named: the whole site is meant here.
    const newest = listed.find(({ point: { row } }) => row.complete === 1 && row.safety === 0 && row.holds_files === 1);
    if (newest === undefined) throw new SalvorError('point-missing', { site: `${account}/${uri}` });
    return await openFound(points, newest, from);
  }
  const found = listed.filter(({ point }) => point.row.id.startsWith(prefix));
  return await openOnly(points, prefix, `${account}/${uri}`, found, from);
}

type FoundPoint = {
  readonly account: string;
  readonly point: ListedPoint;
  readonly localFault: CopyFault | null;
};

async function find(
  points: Points,
  account: string,
  from: CopyName | null,
  isWanted: (row: PointRow) => boolean,
): Promise<FoundPoint[]> {
  if (from === null) {
    const { points: all, localFault } = await points.listAll(account);
    return all.flatMap((point) => (isWanted(point.row) ? [{ account, point, localFault }] : []));
  }
  const { points: there } = await points.listCopy(account, from);
  return there.flatMap(({ row, stored }) => {
    const point = { row, copies: [from], stored: new Map([[from, stored]]) };
    return isWanted(row) ? [{ account, point, localFault: null }] : [];
  });
}

async function openOnly(
  points: Points,
  prefix: string,
  where: string,
  found: readonly FoundPoint[],
  from: CopyName | null,
): Promise<EitherCopy> {
  const [only] = found;
  if (only === undefined || prefix.length < MIN_PREFIX)
    throw new SalvorError('point-unknown', { point: prefix, where: from === null ? where : `the ${from} copy` });
  if (found.length > 1) throw new SalvorError('point-ambiguous', { point: prefix });
  return await openFound(points, only, from);
}

/** In the local copy where that has it, else in the remote one. Throws `point-unreadable` where both have it and neither can be read. */
async function openFound(
  points: Points,
  { account, point: listed, localFault }: FoundPoint,
  from: CopyName | null,
): Promise<EitherCopy> {
  const path = points.locate(account, 'local');
  const [first = 'local', second] = listed.copies;
  const openOther = from !== null || second === undefined ? null : () => openIn(points, account, listed, second);
  const as = { account, path };
  try {
    const point = await openIn(points, account, listed, first);
    return new EitherCopy({ ...as, point, copy: first, openOther, passedOver: first === 'local' ? null : localFault });
  } catch (error) {
    const fault = findCopyFault(error);
    if (fault === null || openOther === null || second === undefined) {
      if (localFault === null || fault === null) throw error;
      throw unreadable(listed.row.id, { local: localFault, remote: fault });
    }
    const point = await openOther().catch((other: unknown) => {
      throw findCopyFault(other) === null ? other : unreadable(listed.row.id, { local: fault, remote: other });
    });
    return new EitherCopy({ ...as, point, copy: second, openOther: null, passedOver: fault });
  }
}

async function openIn(
  points: Points,
  account: string,
  { row, stored }: ListedPoint,
  copy: CopyName,
): Promise<OpenPoint> {
  const known = stored.get(copy);
  const repository = await points.repositories.open(account, copy);
  if (known !== undefined) return await openStored(repository, known);
  const found = (await points.listCopy(account, copy)).points.find((one) => one.row.id === row.id);
  if (found === undefined) throw new SalvorError('point-unknown', { point: row.id, where: `the ${copy} copy` });
  return await openStored(repository, found.stored);
}
