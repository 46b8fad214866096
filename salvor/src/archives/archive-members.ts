/**
 * The tar stream of a site's archive, as Aegir lays one out, and what was put into it.
 *
 *   ./  →  ./.salvor-archive.json  →  ./database.sql …  →  the site's files, settings without passwords
 *   →  ./drushrc.php where the site has none  →  ./.salvor-sha256  →  ./.salvor-manifest.json  →  end
 *
 * Knows nothing of how it is packed and where it goes. One pass over the source; what is held grows with nothing but
 * files of several names and, up to their limits, lists.
 */
import { createHash } from 'node:crypto';
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import {
  ABOUT_NAME,
  type AboutWanted,
  type ArchiveAbout,
  type ArchiveManifest,
  DRUSHRC_NAME,
  MANIFEST_NAME,
  MAX_LISTED_LINKS,
  MAX_LISTED_PROBLEMS,
  type Module,
  SUMS_NAME,
  dumpName,
  serialiseJson,
} from './archive-manifest.ts';
import type { ArchiveSource, SourceDatabase, SourceEntry } from './archive-source.ts';
import type { FileSums } from './file-sums.ts';
import { MemberSum } from './member-sum.ts';
import { readDrushrcFacts } from './read-drushrc.ts';
import { MAX_SETTINGS_BYTES, type Secrets, holdsPassword, isSettingsFile, stripPasswords } from './strip-passwords.ts';
import { type TarMember, paddingOf, showName, textToName } from './tar/tar-member.ts';
import { encodeEnd, encodeHeader } from './tar/write-header.ts';
import { type DrushrcFields, writeDrushrc } from './write-drushrc.ts';

export type MembersWanted = {
  readonly about: AboutWanted;
  /** Directories below the site's whose content is left out; they stay, empty. */
  readonly excludes: readonly string[];
  /** Tables whose rows are not in the dumps. */
  readonly rowless: readonly string[];
  /** Passwords of the site's databases, and its names and hosts, by which one that is no secret is known. */
  readonly secrets: Pick<Secrets, 'passwords' | 'open'>;
  /** Left out: nothing stands where a password stood. */
  readonly passwords: ArchiveAbout['passwords'];
  /** The site's modules; null where its `drushrc.php` alone is asked. */
  readonly modules: readonly Module[] | null;
  /** Written as `drushrc.php` where the site has none; its password is never written. */
  readonly drushrc: DrushrcFields;
};

export type MembersProgress = { readonly files: number; readonly bytes: number };

type Content = AsyncIterable<Uint8Array> | Uint8Array;

/** What stands where a password stood: no password of anybody. */
export const PASSWORD_REPLACED = 'password-removed-by-salvor';

const DUMP_MODE = 0o600;
const DRUSHRC_MODE = 0o440;
const OWN_MODE = 0o600;

export class ArchiveMembers {
  readonly problems: Problem[] = [];
  /** Of all members but the manifest. */
  readonly sum: MemberSum = new MemberSum();
  /** As it was written; null before. */
  manifest: ArchiveManifest | null = null;
  readonly #source: ArchiveSource;
  readonly #wanted: MembersWanted;
  readonly #sums: FileSums;
  readonly #onProgress: (progress: MembersProgress) => void;
  readonly #about: ArchiveAbout;
  readonly #secrets: Secrets;
  readonly #taken: ReadonlySet<string>;
  readonly #firstNames = new Map<string, string>();
  readonly #counts = { count: 0, bytes: 0, directories: 0, symlinks: 0, hardlinks: 0 };
  readonly #dumps: { member: string; bytes: number; sha256: string }[] = [];
  readonly #links: { path: string; target: string }[] = [];
  readonly #stripped: { path: string; places: number }[] = [];
  #moreLinks = 0;
  #modules: readonly Module[];
  #hasDrushrc = false;
  #owner: Pick<TarMember, 'uid' | 'gid' | 'user' | 'group'> = { uid: 0, gid: 0, user: '', group: '' };
  #written = 0;

  constructor(
    source: ArchiveSource,
    wanted: MembersWanted,
    sums: FileSums,
    onProgress: (progress: MembersProgress) => void,
  ) {
    this.#source = source;
    this.#wanted = wanted;
    this.#sums = sums;
    this.#onProgress = onProgress;
    this.#modules = wanted.modules ?? [];
    this.#secrets = { ...wanted.secrets, replacement: wanted.passwords === 'replaced' ? PASSWORD_REPLACED : '' };
    this.#about = describe(source, wanted);
    this.#taken = new Set(this.#about.databases.map(({ member }) => member));
  }

  /** Read once, to its end. Throws what the source throws. */
  async *bytes(): AsyncGenerator<Uint8Array> {
    let isRoot = true;
    for await (const entry of this.#source.entries()) {
      if (isRoot) {
        isRoot = false;
        yield* this.#putRoot(entry);
      } else yield* this.#put(entry);
    }
    if (isRoot) throw new Error('the source of an archive has no directory');
    yield* this.#putLast();
    const end = encodeEnd(this.#written);
    yield end;
  }

  async *#putRoot(root: SourceEntry): AsyncGenerator<Uint8Array> {
    const { uid, gid, user, group } = root;
    this.#owner = { uid, gid, user, group };
    this.#counts.directories += 1;
    yield* this.#member({ ...toMember(root), name: '.' }, EMPTY);
    yield* this.#own(ABOUT_NAME, serialiseJson(this.#about), OWN_MODE);
    for (const [index, database] of this.#source.databases.entries()) yield* this.#putDump(database, index);
  }

  async *#putDump(database: SourceDatabase, index: number): AsyncGenerator<Uint8Array> {
    const member = dumpName(database.name, index);
    const sha256 = yield* this.#own(member, database.open(), DUMP_MODE, database.bytes);
    this.#dumps.push({ member, bytes: database.bytes, sha256 });
  }

  async *#put(entry: SourceEntry): AsyncGenerator<Uint8Array> {
    const { path } = entry;
    // What an archive that was unpacked by hand has left in the site is no part of it.
    if (this.#isExcluded(entry) || OWN_NAMES.has(path)) return;
    if (this.#taken.has(path)) {
      this.#tell('archive-name-taken', `it was left out: what is called so in an archive is the archive's own`, path);
      return;
    }
    switch (entry.type) {
      case 'directory':
        this.#counts.directories += 1;
        yield* this.#member(toMember(entry), EMPTY);
        return;
      case 'symlink':
        this.#counts.symlinks += 1;
        this.#rememberLink(entry);
        yield* this.#member(toMember(entry), EMPTY);
        return;
      case 'file':
        yield* this.#putFile(entry);
        return;
      case 'other':
        this.#tell('special-file-left-out', 'it was left out: it is a pipe, a socket or a device', path);
        return;
      default:
        entry.type satisfies never;
    }
  }

  async *#putFile(entry: SourceEntry): AsyncGenerator<Uint8Array> {
    const first = entry.identity === null ? undefined : this.#firstNames.get(entry.identity);
    if (first !== undefined) {
      this.#counts.hardlinks += 1;
      yield* this.#member({ ...toMember(entry), type: 'hardlink', size: 0, linkName: first }, EMPTY);
      return;
    }
    const content = await this.#contentOf(entry);
    if (content === null) return;
    const size = content instanceof Uint8Array ? content.length : entry.size;
    const member = { ...toMember(entry), size };
    if (entry.identity !== null) this.#firstNames.set(entry.identity, member.name);
    if (entry.path === DRUSHRC_NAME) this.#hasDrushrc = true;
    this.#counts.count += 1;
    this.#counts.bytes += size;
    const known = content instanceof Uint8Array ? null : entry.sha256;
    await this.#sums.add(member.name, yield* this.#member(member, content, { known }));
    this.#onProgress({ files: this.#counts.count, bytes: this.#counts.bytes });
  }

  /** What is written of a file: itself, or without its passwords; null where it is left out. */
  async #contentOf(entry: SourceEntry): Promise<Content | null> {
    const { path, size } = entry;
    const name = path.slice(path.lastIndexOf('/') + 1);
    const isSettings = isSettingsFile(name);
    if (size > MAX_SETTINGS_BYTES || (!isSettings && path.includes('/'))) return entry.open();
    const bytes = await collect(entry.open(), MAX_SETTINGS_BYTES);
    if (!isSettings) {
      if (holdsPassword(bytes, this.#secrets))
        this.#tell('password-elsewhere', 'it holds a password of the site’s database, and is no settings file', path);
      return bytes;
    }
    if (path === DRUSHRC_NAME)
      this.#modules = joinModules(this.#wanted.modules, readDrushrcFacts(bytes)?.modules ?? []);
    const stripped = stripPasswords(name, bytes, this.#secrets);
    switch (stripped.kind) {
      case 'clean':
        return bytes;
      case 'stripped':
        this.#stripped.push({ path: showName(path), places: stripped.places });
        return stripped.bytes;
      case 'left':
        this.#tell('settings-left-out', `it was left out of the archive: ${stripped.why}`, path);
        return null;
      default:
        return stripped satisfies never;
    }
  }

  async *#putLast(): AsyncGenerator<Uint8Array> {
    if (!this.#hasDrushrc) {
      const fields = {
        ...this.#wanted.drushrc,
        ...('db_name' in this.#wanted.drushrc ? { db_passwd: this.#secrets.replacement } : {}),
      };
      yield* this.#own(DRUSHRC_NAME, writeDrushrc(fields), DRUSHRC_MODE);
    }
    const { lines, bytes } = this.#sums;
    yield* this.#own(SUMS_NAME, this.#sums.read(), OWN_MODE, bytes);
    this.manifest = {
      about: this.#about,
      members: { count: this.sum.count, sha256: this.sum.digest() },
      sums: { lines, bytes, sha256: this.#sums.digest() },
      files: { ...this.#counts },
      dumps: this.#dumps,
      links: { out: this.#links, more: this.#moreLinks },
      modules: this.#modules,
      stripped: this.#stripped,
      problems: this.problems
        .slice(0, MAX_LISTED_PROBLEMS)
        .map(({ code, message, path }) => ({ code, message, path: path ?? null })),
    };
    yield* this.#own(MANIFEST_NAME, serialiseJson(this.manifest), OWN_MODE);
  }

  /** A member of ours, which belongs to whoever the site's directory belongs to. Returns the SHA-256 of its content. */
  async *#own(name: string, content: Content, mode: number, size?: number): AsyncGenerator<Uint8Array, string> {
    const member: TarMember = {
      ...this.#owner,
      name: `./${name}`,
      type: 'file',
      mode,
      size: content instanceof Uint8Array ? content.length : (size ?? 0),
      mtimeNs: BigInt(Date.parse(this.#about.time)) * 1_000_000n,
      linkName: '',
      xattrs: [],
    };
    return yield* this.#member(member, content, { isExact: true });
  }

  /** `known`: the content's sum, which is taken where it comes in one piece as long as was said. What is read back proves it. */
  async *#member(
    member: TarMember,
    content: Content,
    { isExact = false, known = null }: { readonly isExact?: boolean; readonly known?: string | null } = {},
  ): AsyncGenerator<Uint8Array, string> {
    const header = encodeHeader(member);
    this.#written += header.length + member.size + paddingOf(member.size);
    yield header;
    const hash = createHash('sha256');
    let isKnown = known !== null;
    let left = member.size;
    for await (const bytes of content instanceof Uint8Array ? [content] : content) {
      // A file that grows is taken as long as it was when it was looked at.
      const piece = bytes.length <= left ? bytes : bytes.subarray(0, left);
      if (isExact && piece !== bytes) throw wrongLength(member.name);
      if (piece.length === 0) continue;
      left -= piece.length;
      isKnown &&= bytes.length === member.size;
      if (!isKnown) hash.update(piece);
      yield piece;
      if (left === 0 && !isExact) break;
    }
    if (left > 0 && isExact) throw wrongLength(member.name);
    isKnown &&= left === 0;
    if (left > 0)
      this.#tell(
        'file-shrank',
        `it became ${left} bytes shorter while it was read; zeros stand for them`,
        member.name.slice(2),
      );
    for (; left > 0; left -= Math.min(left, ZEROS.length)) {
      const zeros = ZEROS.subarray(0, Math.min(left, ZEROS.length));
      hash.update(zeros);
      yield zeros;
    }
    const padding = paddingOf(member.size);
    if (padding > 0) yield ZEROS.subarray(0, padding);
    const sha256 = isKnown && known !== null ? known : hash.digest('hex');
    this.sum.add(member, member.type === 'file' ? sha256 : null);
    return sha256;
  }

  #isExcluded({ path, type }: SourceEntry): boolean {
    return this.#wanted.excludes.some((exclude) => {
      const name = textToName(exclude);
      return path.startsWith(`${name}/`) || (path === name && type !== 'directory');
    });
  }

  #rememberLink({ path, linkTarget }: SourceEntry): void {
    if (!leadsOut(path, linkTarget)) return;
    if (this.#links.length >= MAX_LISTED_LINKS) this.#moreLinks += 1;
    else this.#links.push({ path: showName(path), target: showName(linkTarget) });
  }

  #tell(code: string, message: string, path: string): void {
    this.problems.push({ code, message, path: showName(path) });
  }
}

const EMPTY = new Uint8Array(0);
/** Whoever writes one gets them anew; a dump's name may be a file's of the site too, and that one is told. */
const OWN_NAMES: ReadonlySet<string> = new Set([ABOUT_NAME, SUMS_NAME, MANIFEST_NAME]);
const ZEROS = Buffer.alloc(256 * 1024);

function describe(
  { databases, moved }: ArchiveSource,
  { about, excludes, rowless, passwords }: MembersWanted,
): ArchiveAbout {
  return {
    format: 'salvor-archive',
    version: 1,
    ...about,
    databases: databases.map(({ name, bytes, server, charset, collation, tables }, index) => ({
      member: dumpName(name, index),
      name,
      bytes,
      server,
      charset,
      collation,
      tables,
    })),
    moved,
    excludes,
    rowless,
    passwords,
  };
}

function toMember(entry: SourceEntry): TarMember {
  const { mode, uid, gid, user, group, mtimeNs, xattrs, type, linkTarget } = entry;
  return {
    name: `./${entry.path}`,
    type: type === 'other' ? 'fifo' : type,
    mode,
    uid,
    gid,
    user,
    group,
    size: 0,
    mtimeNs,
    linkName: linkTarget,
    xattrs,
  };
}

/** Whether a link leads out of the site's directory, read as text: what is followed on the way is not known here. */
export function leadsOut(path: string, target: string): boolean {
  if (target.startsWith('/')) return true;
  let depth = path.split('/').length - 1;
  for (const part of target.split('/')) {
    if (part === '..') depth -= 1;
    else if (part !== '' && part !== '.') depth += 1;
    if (depth < 0) return true;
  }
  return false;
}

function wrongLength(member: string): SalvorError {
  return new SalvorError('archive-differs', {
    archive: 'The new archive',
    why: `${member} is not as long as was said`,
  });
}

async function collect(source: AsyncIterable<Uint8Array>, most: number): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const bytes of source) {
    pieces.push(Uint8Array.from(bytes));
    length += bytes.length;
    if (length >= most) break;
  }
  return Buffer.concat(pieces).subarray(0, most);
}

/** What Aegir lists is of the last time that it verified the site: of modules that are known better it tells the version alone. */
function joinModules(known: readonly Module[] | null, ofAegir: readonly Module[]): readonly Module[] {
  if (known === null) return ofAegir;
  const versions = new Map(ofAegir.map(({ name, version }) => [name, version]));
  return known.map((module) => ({ ...module, version: module.version ?? versions.get(module.name) ?? null }));
}
