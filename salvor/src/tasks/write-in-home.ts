/**
 * Writes a part of a point into a directory of the account's: by a helper with the account's user, so that nothing in
 * the way leads out, its quota holds, and it could have done the same itself. Owners that the account may not give are
 * set by us afterwards, on the very files that the helper made.
 */
import type { Problem } from '@salvor/contract';
import { type Walked, planAttributes } from '@salvor/engine';
import { SalvorError } from '../errors.ts';
import { type AccountHelper, type HelperUser, openHelper } from '../lib/account-helper/open-helper.ts';
import { type Held, hold, setOwner } from '../lib/beneath/held.ts';
import { type OpenDirectory, openRoot } from '../lib/beneath/open-directory.ts';
import { type SafePath, parseSafePath, showSafePath } from '../lib/beneath/safe-path.ts';
import { spotBeneath } from '../lib/beneath/spot.ts';
import { errnoOf } from '../lib/errno.ts';
import type { OpenPoint } from '../points/open-point.ts';
import type { KnownOwners } from './known-owners.ts';
import type { TargetPlace } from './target-place.ts';

export type HomeWriteOptions = {
  readonly owners: KnownOwners;
  /** Whether a path of the point is written; asked top down. */
  readonly isWritten: (path: string) => boolean;
  readonly signal: AbortSignal;
  readonly onProgress: (done: { readonly files: number; readonly bytes: number }) => void;
};

/**
 * Every file is read back. Throws what the helper throws (`quota-exceeded`, `disk-full`, `path-taken`, …) and the
 * engine's codes; then what was written is removed again.
 */
export async function writeInHome(
  point: OpenPoint,
  place: Extract<TargetPlace, { by: 'account' }>,
  options: HomeWriteOptions,
): Promise<readonly Problem[]> {
  await using helper = await openHelper(place.user, place.root, { signal: options.signal });
  using root = openRoot(place.root);
  const writer = new HomeWriter(point, place, helper, root, options);
  try {
    await writer.write();
    await helper.sync();
    return writer.problems;
  } catch (error) {
    await removeWritten(place, writer.tops);
    throw error;
  }
}

/** By another helper: the one that failed, or was cancelled, may be gone. What can't be removed is named by its failure. */
async function removeWritten(
  { user, root }: Extract<TargetPlace, { by: 'account' }>,
  tops: readonly SafePath[],
): Promise<void> {
  try {
    await using helper = await openHelper(user, root);
    for (const top of tops) await helper.remove(top);
  } catch {
    // Why it was not written counts.
  }
}

type Pending = { readonly path: SafePath; readonly walked: Walked };

class HomeWriter {
  readonly problems: Problem[] = [];
  /** What was made and is not inside of something that was. */
  readonly tops: SafePath[] = [];
  readonly #point: OpenPoint;
  readonly #base: SafePath | null;
  readonly #user: HelperUser;
  readonly #root: OpenDirectory;
  readonly #helper: AccountHelper;
  readonly #options: HomeWriteOptions;
  /** Directories whose content is being written, outermost first: they get their metadata when it is there. */
  readonly #open: Pending[] = [];
  #files = 0;
  #bytes = 0;

  constructor(
    point: OpenPoint,
    place: Extract<TargetPlace, { by: 'account' }>,
    helper: AccountHelper,
    root: OpenDirectory,
    options: HomeWriteOptions,
  ) {
    this.#point = point;
    this.#base = place.path;
    this.#user = place.user;
    this.#root = root;
    this.#helper = helper;
    this.#options = options;
  }

  async write(): Promise<void> {
    if (this.#base !== null) await this.#helper.makeDirectory(this.#base, { isOwn: true });
    else for await (const { name } of this.#helper.list(null)) throw this.#taken(name);
    for await (const walked of this.#point.view.walk('/')) {
      this.#options.signal.throwIfAborted();
      if (!this.#options.isWritten(walked.path)) continue;
      const path = this.#placeOf(walked);
      await this.#closeDirectories(walked);
      if (this.#open.length === 0) this.tops.push(path);
      await this.#take({ path, walked });
    }
    await this.#closeDirectories(null);
  }

  #taken(name: Buffer): SalvorError {
    return new SalvorError('path-taken', { path: `${this.#root.path}/${name.toString('utf8')}` });
  }

  #placeOf({ pathBytes }: Walked): SafePath {
    const below = Buffer.from(pathBytes).subarray(1);
    return this.#base === null
      ? parseSafePath(below)
      : parseSafePath(Buffer.concat([Buffer.from(this.#base), SLASH, below]));
  }

  async #take(pending: Pending): Promise<void> {
    const { path, walked } = pending;
    const { entry } = walked;
    switch (entry.type) {
      case 'dir':
        await this.#helper.makeDirectory(path);
        this.#open.push(pending);
        return;
      case 'file': {
        const notSet = await this.#helper.writeFile(path, this.#point.view.readEntry(entry), this.#metadata(walked));
        this.#tellNotSet(walked, notSet);
        this.#own(pending);
        this.#files += 1;
        this.#bytes += entry.size;
        this.#options.onProgress({ files: this.#files, bytes: this.#bytes });
        return;
      }
      case 'symlink':
        await this.#helper.makeLink(path, entry.linkTargetBytes ?? Buffer.alloc(0));
        this.#own(pending);
        return;
      default:
        this.#tell('special-left-out', walked, `is a ${entry.type} and was not restored`);
    }
  }

  /** All that `next` does not lie in, innermost first. */
  async #closeDirectories(next: Walked | null): Promise<void> {
    for (let last = this.#open.at(-1); last !== undefined; last = this.#open.at(-1)) {
      const inside = Buffer.concat([last.walked.pathBytes, SLASH]);
      if (next !== null && Buffer.from(next.pathBytes).subarray(0, inside.length).equals(inside)) return;
      this.#open.pop();
      this.#tellNotSet(last.walked, await this.#helper.finish(last.path, this.#metadata(last.walked)));
      this.#own(last);
    }
  }

  #metadata(walked: Walked): { mode: number; mtimeNs: bigint; attributes: ReturnType<typeof planAttributes>['kept'] } {
    const { mode, mtimeNs, attributes, type } = walked.entry;
    const isFileOfRights = type === 'file' && (mode & SETUID_SETGID) !== 0;
    if (isFileOfRights) this.#tell('setuid-dropped', walked, 'had a setuid or setgid bit, which was not restored');
    const { kept, notes } = planAttributes(attributes, this.#options.owners.acl);
    for (const { code, message } of notes) this.#tell(code, walked, message);
    return { mode, mtimeNs, attributes: kept };
  }

  /** The helper's user owns it by now; root gives it to whom manifest and account both know. */
  #own({ path, walked }: Pending): void {
    const { entry } = walked;
    // Dumps and manifest were made by us, and are the account's here.
    if (!isOfSite(walked.path) || process.getuid?.() !== 0) return;
    const uid = this.#mapped('owner', walked, entry.uid, this.#options.owners.uids, this.#user.uid);
    const gid = this.#mapped('group', walked, entry.gid, this.#options.owners.gids, this.#user.gid);
    if (uid === this.#user.uid && gid === this.#user.gid) return;
    using held = this.#hold(path);
    if (held === null) throw new SalvorError('path-missing', { path: showSafePath(path) });
    setOwner(held, { uid, gid });
  }

  /** Null where what was just written is gone, or a directory above it: the account may take it away meanwhile. */
  #hold(path: SafePath): Held | null {
    try {
      using spot = spotBeneath(this.#root, path);
      return hold(spot, [this.#user.uid]);
    } catch (error) {
      if (errnoOf(error) === 'ENOENT') return null;
      throw error;
    }
  }

  #mapped(what: 'owner' | 'group', walked: Walked, id: number, known: readonly number[], own: number): number {
    if (known.includes(id)) return id;
    const kind = what === 'owner' ? 'user' : 'group';
    this.#tell(
      `${what}-mapped`,
      walked,
      `belonged to ${kind} ${id}, which is none of this account's, and now belongs to ${own}`,
    );
    return own;
  }

  #tellNotSet(walked: Walked, notSet: readonly string[]): void {
    for (const what of notSet) this.#tell('metadata-not-set', walked, what);
  }

  #tell(code: string, walked: Walked, message: string): void {
    if (this.problems.length < MAX_PROBLEMS)
      this.problems.push({ code, message, path: showSafePath(this.#placeOf(walked)) });
  }
}

const SLASH = Buffer.from('/');
const SETUID_SETGID = 0o6000;
/** More than a person reads, and little enough to be kept. */
const MAX_PROBLEMS = 10_000;

function isOfSite(path: string): boolean {
  return path !== '/manifest.json' && path !== '/databases' && !path.startsWith('/databases/');
}
