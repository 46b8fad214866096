/**
 * Looks through a home for code bases and for what lies about without one. Bounded: links are never followed, and
 * directories named `files`, `node_modules` or `vendor`, those whose names begin with a dot and a code base's own are not
 * entered, nor are more than MAX_DIRECTORIES of one home. Nearer ones come first, so that what a bound cuts off is deep.
 *
 *   directory → a code base? its docroot's neighbours still count
 *             → settings without a code base? named
 *             → else its directories, one level deeper
 */
import { setImmediate } from 'node:timers/promises';
import type { PhpFiles } from '../lib/php-reading.ts';
import { type Core, readCore } from './core-version.ts';
import { directoryBeneath } from './read-beneath.ts';
import { listDirectory, MAX_ENTRIES } from './list-directory.ts';

/** A home with more directories outside of its code bases costs a second or two; nobody else waits longer for it. */
export const MAX_DIRECTORIES = 50_000;

const NOT_ENTERED = new Set(['files', 'node_modules', 'vendor', 'bower_components', 'lost+found']);

/** What core itself brings: sites and other code bases lie beside these, not in them. */
const OF_CORE = new Set(
  (
    'core includes misc modules profiles scripts sites themes libraries layouts recipes wp-admin wp-content ' +
    'wp-includes'
  ).split(' '),
);

/** Where Aegir and BOA put what they have taken away, relative to the home, with what is said of it. */
const DISCARDED: ReadonlyMap<string, string> = new Map([
  ['backups', 'it lies in backups'],
  ['backup-exports', 'it lies in backup-exports'],
  ['undo', 'it lies in undo, where BOA puts what it has removed'],
  ['static/trash', 'it lies in static/trash, which is emptied daily'],
]);

export type FoundRoot = { readonly root: string; readonly core: Core; readonly discarded: string | null };

/** A directory with settings or a site's other marks, around which there is no code base. */
export type LooseSite = {
  readonly path: string;
  readonly names: ReadonlySet<string>;
  readonly discarded: string | null;
};

export type HomeWalk = {
  readonly roots: readonly FoundRoot[];
  readonly loose: readonly LooseSite[];
  /** Directories with a `vendor` and no code base in them, where Aegir keeps platforms. */
  readonly hollow: readonly string[];
  /** Links named `current` and the directories of releases that they lead to. */
  readonly currents: readonly Current[];
  /** Directories that could not be entered, with the reason. */
  readonly closed: readonly { readonly path: string; readonly reason: string }[];
  /** True where MAX_DIRECTORIES were seen and more are there. */
  readonly isCut: boolean;
};

/** How deployments name the release that is served. */
export type Current = { readonly link: string; readonly target: string };

type Waiting = { readonly path: string; readonly discarded: string | null };

export type WalkOptions = {
  readonly files: PhpFiles;
  /** Homes of other accounts: what lies in them is theirs. */
  readonly others: ReadonlySet<string>;
  readonly maxDirectories?: number | undefined;
  readonly signal?: AbortSignal | undefined;
};

/** Walks the homes of one account, which are absolute and without links. */
export async function walkHomes(homes: readonly string[], options: WalkOptions): Promise<HomeWalk> {
  const walk = new Walk(homes, options);
  await walk.run();
  return walk;
}

class Walk implements HomeWalk {
  readonly roots: FoundRoot[] = [];
  readonly loose: LooseSite[] = [];
  readonly hollow: string[] = [];
  readonly currents: Current[] = [];
  readonly closed: { path: string; reason: string }[] = [];
  isCut = false;
  readonly #homes: readonly string[];
  readonly #home: string;
  readonly #options: WalkOptions;
  readonly #waiting: Waiting[];
  readonly #seen = new Set<string>();

  constructor(homes: readonly string[], options: WalkOptions) {
    this.#homes = homes;
    this.#home = homes[0] ?? '/';
    this.#options = options;
    this.#waiting = homes.map((path) => ({ path, discarded: null }));
  }

  async run(): Promise<void> {
    const limit = this.#options.maxDirectories ?? MAX_DIRECTORIES;
    // The list grows while it is gone through.
    for (const waiting of this.#waiting) {
      if (this.#seen.has(waiting.path)) continue;
      if (this.#seen.size >= limit) {
        this.isCut = true;
        return;
      }
      this.#seen.add(waiting.path);
      this.#visit(waiting);
      if (this.#seen.size % 200 === 0) {
        this.#options.signal?.throwIfAborted();
        await setImmediate();
      }
    }
  }

  #visit({ path, discarded }: Waiting): void {
    const listed = listDirectory(path);
    if ('refused' in listed) {
      if (listed.refused !== null) this.closed.push({ path, reason: listed.refused });
      return;
    }
    if (listed.isCut)
      this.closed.push({ path, reason: `it holds more than ${MAX_ENTRIES} entries; the rest were not looked at` });
    for (const name of listed.foreign) this.closed.push({ path: `${path}/${name}`, reason: 'its name is not UTF-8' });
    if (listed.links.includes('current')) this.#noteCurrent(`${path}/current`);
    const core = mayBeCore(listed.names) ? readCore(path, this.#options.files) : null;
    if (core !== null) this.roots.push({ root: path, core, discarded });
    else if (isLoose(path, listed.names)) {
      this.loose.push({ path, names: listed.names, discarded });
      // WordPress may have its settings one level above.
      if (!listed.names.has('wp-config.php')) return;
    } else if (this.#isPlatformPlace(path) && listed.directories.includes('vendor')) this.hollow.push(path);
    for (const name of listed.directories) {
      const below = `${path}/${name}`;
      if (name.startsWith('.') || NOT_ENTERED.has(name) || this.#options.others.has(below)) continue;
      if (core !== null && OF_CORE.has(name)) continue;
      this.#waiting.push({ path: below, discarded: discarded ?? this.#discardedAt(below) });
    }
  }

  #noteCurrent(link: string): void {
    const directory = directoryBeneath(link, this.#homes);
    if ('path' in directory) this.currents.push({ link, target: directory.path });
  }

  #discardedAt(path: string): string | null {
    return DISCARDED.get(path.slice(this.#home.length + 1)) ?? null;
  }

  /** `distro/NNN/<name>`, `static/<name>`, `platforms/<name>` */
  #isPlatformPlace(path: string): boolean {
    return /^(?:distro\/[^/]+|static|platforms)\/[^/]+$/.test(path.slice(this.#home.length + 1));
  }
}

function mayBeCore(names: ReadonlySet<string>): boolean {
  return ['core', 'includes', 'wp-includes'].some((name) => names.has(name));
}

// A file named settings.php alone is any program's.
function isLoose(path: string, names: ReadonlySet<string>): boolean {
  if (names.has('wp-config.php')) return true;
  const marks = ['drushrc.php', 'files', 'private'].filter((name) => names.has(name)).length;
  return names.has('settings.php') && (marks > 0 || /\/sites\/[^/]+$/.test(path));
}
