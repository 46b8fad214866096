/**
 * What of a site's files is restored, as trees that change places each for itself: its directory, each directory that
 * was moved out of it, and each mount in one of these, because nothing can be exchanged across two file systems.
 *
 *   whole site     as the point has it: a link leads where it led then
 *   chosen paths   where the site has them now: what lies behind a link comes back behind it
 *   another site   as that one has it: its links and settings stay, and the point's links become directories
 */
import { lstatSync } from 'node:fs';
import type { Problem } from '@salvor/contract';
import { mountsWithin, readMountPoints } from '../lib/mounts.ts';
import type { ManifestMoved } from '../points/manifest.ts';
import { findMoved, storedPathOf } from '../points/moved-places.ts';
import type { OpenPoint } from '../points/open-point.ts';
import { homeAround } from '../sites/account.ts';
import { KEPT_CLOSED, MAINTENANCE_FILE, isKeptClosed } from '../sites/kept-closed.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import type { Site } from '../sites/site.ts';
import { isOfOther, listSettings } from './into-site.ts';
import { type MovedDirectory, sortMovedOut, whyNotReplaced } from './moved-out.ts';
import type { RestoreScope } from './restore-scope.ts';

export type FilePart = {
  /** As the site sees it, relative to its directory; empty for the directory itself. */
  readonly path: string;
  /** The directory of the point that holds it; null where the point has none, and it is emptied. */
  readonly stored: string | null;
  /** The directory on disk: absolute, without links. */
  readonly live: string;
  /** The home that it lies in. */
  readonly home: string;
  /** All of it, or these paths in it, none in another. */
  readonly wanted: 'all' | readonly string[];
  /** Mounts in it, relative to it: parts of their own. */
  readonly without: readonly string[];
  /** Files and links that stay what they are: of a site that gets the point of another one. */
  readonly keeps: readonly string[];
  /** Directories that the point holds elsewhere, where the site they are of had a link. */
  readonly grafts: readonly Graft[];
  /** A directory in the same home that may hold the same files: where nothing is at `live`. They are compared, and not trusted. */
  readonly like?: string;
};

/** `at` is relative to the part, `stored` a directory of the point. */
export type Graft = { readonly at: string; readonly stored: string };

type Root = Omit<FilePart, 'wanted' | 'without' | 'keeps' | 'grafts' | 'like'>;

/** Nothing is touched and nothing is read but names. `keepsSettings`: those of the point are of databases that the site has no more. */
export async function planFileParts(
  site: Site,
  point: OpenPoint,
  scope: RestoreScope,
  sites: readonly Site[],
  keepsSettings: boolean,
): Promise<{ readonly parts: readonly FilePart[]; readonly obstacles: readonly Problem[] }> {
  const planner = new PartPlanner(site, point, sites);
  if (planner.isInto) await planner.keepOwn(scope.files === 'all' ? [''] : scope.files);
  else if (keepsSettings) await planner.keepSettings();
  await planner.keepAvailability();
  if (scope.files === 'all') planner.takeWhole();
  else for (const path of scope.files) planner.takePath(path);
  const parts: FilePart[] = [];
  for (const part of planner.parts()) parts.push(...(await splitMounts(part, point, planner.obstacles)));
  return { parts, obstacles: planner.obstacles };
}

class PartPlanner {
  /** The point is of another site. */
  readonly isInto: boolean;
  readonly obstacles: Problem[] = [];
  readonly #site: Site;
  readonly #moved: readonly ManifestMoved[];
  readonly #now: readonly MovedDirectory[];
  readonly #sites: readonly Site[];
  readonly #point: OpenPoint;
  readonly #keeps: string[] = [];
  readonly #grafts: Graft[] = [];
  readonly #wanted = new Map<string, { readonly root: Root; readonly paths: Set<string> }>();

  constructor(site: Site, point: OpenPoint, sites: readonly Site[]) {
    this.isInto = isOfOther(site, point.manifest);
    this.#site = site;
    this.#point = point;
    this.#moved = point.manifest.moved;
    this.#sites = sites;
    this.#now = sortMovedOut(site).followed;
  }

  takeWhole(): void {
    this.#take(this.#siteRoot(), '');
    if (!this.isInto) for (const moved of this.#moved) this.#takeMoved(moved);
  }

  /** Before the rest, where the point is of another site: this one keeps what says who it is and where its files lie. */
  async keepOwn(wanted: readonly string[]): Promise<void> {
    await this.keepSettings();
    this.#keeps.push(...this.#now.map(({ link }) => link));
    for (const { link, target, home } of this.#now) {
      const stored = await findDirectory(this.#point, storedPathOf(this.#point.manifest, link));
      const isWanted = wanted.some((path) => path === '' || (path !== link && isBeneath(link, path)));
      if (isWanted && typeof stored === 'string') this.#take({ path: link, stored, live: target, home }, link);
    }
    for (const { link, place, linked } of this.#moved)
      if (linked && !this.#now.some((now) => isBeneath(link, now.link))) this.#grafts.push({ at: link, stored: place });
  }

  async keepSettings(): Promise<void> {
    this.#keeps.push(...(await listSettings(this.#site, this.#point)));
  }

  /** Whether the site is switched off is as it is now, and not as it was then. */
  async keepAvailability(): Promise<void> {
    const isThere = lstatSync(this.#site.path, { throwIfNoEntry: false })?.isDirectory() === true;
    if (isThere && (isKeptClosed(this.#site.path) || (await isStoredClosed(this.#point))))
      this.#keeps.push(MAINTENANCE_FILE);
  }

  takePath(path: string): void {
    const then = findMoved(this.#moved, path);
    const now = this.#now.find(({ link }) => isBeneath(path, link)) ?? null;
    for (const moved of this.#moved) {
      // What a wanted directory leads to is part of it.
      if (!this.isInto && moved.linked && moved.link !== path && isBeneath(moved.link, path)) this.#takeMoved(moved);
    }
    const inTheWay = this.#findLink(path);
    if (inTheWay !== null && now?.link !== inTheWay) {
      const at = `${this.#site.path}/${inTheWay}`;
      return this.#refuse('directory-moved-out', `${at} is a link that leads out of what is the site's`, at);
    }
    if (then === null && now === null) return this.#take(this.#siteRoot(), path);
    const link = [then?.link ?? '', now?.link ?? ''].toSorted((one, other) => other.length - one.length)[0] ?? '';
    if (then !== null && link === then.link && this.#isMissing(link) && !this.isInto) {
      this.#take(this.#siteRoot(), link);
      return this.#takeMoved(then, path);
    }
    const live = now === null ? `${this.#site.path}/${link}` : now.target + link.slice(now.link.length);
    const stored = then === null ? `/site/${link}` : then.place + link.slice(then.link.length);
    this.#take({ path: link, stored, live, home: now?.home ?? this.#site.account.home }, path);
  }

  parts(): readonly FilePart[] {
    return [...this.#wanted.values()].map(({ root, paths }) => ({
      ...root,
      wanted: paths.has('')
        ? 'all'
        : [...paths].filter((path) => ![...paths].some((other) => path.startsWith(`${other}/`))).toSorted(),
      without: [],
      keeps: root.path === '' ? this.#keeps : [],
      grafts: root.path === '' ? this.#grafts : [],
    }));
  }

  #takeMoved({ link, target, place }: ManifestMoved, path: string = link): void {
    const refused = whyNotReplaced(target, this.#site, this.#sites);
    if (refused !== null)
      this.#refuse(refused.code, `${link} led to a place that is not the site's: ${refused.why}`, target);
    else
      this.#take(
        {
          path: link,
          stored: place,
          live: target,
          home: homeAround(this.#site.account, target) ?? this.#site.account.home,
        },
        path,
      );
  }

  #take(root: Root, path: string): void {
    const key = JSON.stringify([root.stored, root.live]);
    const taken = this.#wanted.get(key) ?? { root, paths: new Set<string>() };
    this.#wanted.set(key, taken);
    taken.paths.add(path === root.path ? '' : path.slice(root.path === '' ? 0 : root.path.length + 1));
  }

  #siteRoot(): Root {
    return { path: '', stored: '/site', live: this.#site.path, home: this.#site.account.home };
  }

  /** The first part of a path that is a link now; of the path itself only where it was not one in the point. */
  #findLink(path: string): string | null {
    const then = findMoved(this.#moved, path);
    const parts = path.split('/');
    for (let length = 1; length <= parts.length; length++) {
      const at = parts.slice(0, length).join('/');
      // A link that is wanted itself changes places like a file.
      if (at === path && then === null && !this.#now.some(({ link }) => link === at)) return null;
      if (lstatSync(`${this.#site.path}/${at}`, { throwIfNoEntry: false })?.isSymbolicLink() === true) return at;
    }
    return null;
  }

  #isMissing(link: string): boolean {
    return lstatSync(`${this.#site.path}/${link}`, { throwIfNoEntry: false }) === undefined;
  }

  #refuse(code: string, message: string, path: string): void {
    this.obstacles.push({ code, message, path });
  }
}

/** A part without its mounts, and these as parts. */
async function splitMounts(part: FilePart, point: OpenPoint, obstacles: Problem[]): Promise<readonly FilePart[]> {
  const mounts = readMountPoints();
  const inside = [...new Set(mountsWithin(part.live, mounts))].filter((mount) => mount !== part.live);
  const outermost = inside.filter((mount) => !inside.some((other) => other !== mount && isBeneath(mount, other)));
  const split: FilePart[] = [];
  const without: string[] = [];
  for (const mount of outermost) {
    const at = mount.slice(part.live.length + 1);
    const wanted = wantedBelow(part.wanted, at);
    if (wanted === null) continue;
    const stored = part.stored === null ? null : await findDirectory(point, `${part.stored}/${at}`);
    if (stored === undefined || !lstatSync(mount).isDirectory()) {
      const message = `${mount} is a mount, and is not one directory now and in the point`;
      obstacles.push({ code: 'site-mounted', message, path: mount });
      continue;
    }
    without.push(at);
    const path = part.path === '' ? at : `${part.path}/${at}`;
    split.push(
      ...(await splitMounts(
        { path, stored, live: mount, home: part.home, wanted, without: [], keeps: [], grafts: [] },
        point,
        obstacles,
      )),
    );
  }
  // A part of which nothing is left but its mounts.
  const own =
    part.wanted === 'all' ? part.wanted : part.wanted.filter((path) => !without.some((at) => isBeneath(path, at)));
  return own !== 'all' && own.length === 0 ? split : [{ ...part, wanted: own, without }, ...split];
}

/** What is wanted of a mount that lies at `at` in a part; null for nothing. */
function wantedBelow(wanted: FilePart['wanted'], at: string): FilePart['wanted'] | null {
  if (wanted === 'all' || wanted.some((path) => isBeneath(at, path))) return 'all';
  const below = wanted.filter((path) => isBeneath(path, at)).map((path) => path.slice(at.length + 1));
  return below.length === 0 ? null : below;
}

/** Whether the point was made while the site was switched off by the file. */
async function isStoredClosed({ view }: OpenPoint): Promise<boolean> {
  const path = `/site/${MAINTENANCE_FILE}`;
  try {
    const entry = await view.stat(path);
    if (entry.type !== 'file' || entry.size !== KEPT_CLOSED.length) return false;
    const pieces: Uint8Array[] = [];
    for await (const piece of view.read(path)) pieces.push(piece);
    return Buffer.concat(pieces).toString('latin1') === KEPT_CLOSED;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'path-unknown') return false;
    throw error;
  }
}

/** A directory of the point; null where there is nothing, undefined where it, or something on the way, is no directory. */
async function findDirectory(point: OpenPoint, path: string): Promise<string | null | undefined> {
  const names = path.split('/');
  for (let length = 2; length <= names.length; length++) {
    try {
      if ((await point.view.stat(names.slice(0, length).join('/'))).type !== 'dir') return undefined;
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'path-unknown') return null;
      throw error;
    }
  }
  return path;
}

/** Whether a path, relative to the part, is restored or leads to something that is. */
export function isInPart(part: Omit<FilePart, keyof Root>, path: string): boolean {
  if ([...part.without, ...part.keeps].some((other) => isBeneath(path, other))) return false;
  if (part.grafts.some(({ at }) => isBeneath(path, at))) return false;
  if (part.wanted === 'all' || path === '') return true;
  return part.wanted.some((wanted) => isBeneath(path, wanted) || isBeneath(wanted, path));
}

/** Whether it changes places itself, and is not only a directory that leads to one that does. */
export function isRestored(part: Omit<FilePart, keyof Root>, path: string): boolean {
  if (!isInPart(part, path)) return false;
  return part.wanted === 'all' || part.wanted.some((wanted) => isBeneath(path, wanted));
}

/** Whether a path of a part is wanted whole, alone or with what it lies in. */
export function isWantedWhole({ wanted }: Pick<FilePart, 'wanted'>, path: string): boolean {
  return wanted === 'all' || wanted.some((one) => isBeneath(path, one));
}

/** A path of the part as the site sees it. */
export function pathInSite(part: Pick<FilePart, 'path'>, path: string): string {
  return [part.path, path].filter((one) => one !== '').join('/');
}
