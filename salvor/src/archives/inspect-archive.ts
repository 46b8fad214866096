/**
 * Looks at a file and says what it is, for listings: by its content, within bounds, whatever its size. What was not seen
 * within them is not known (null), and never guessed. Nothing is unpacked anywhere, and nothing that is wrong with the
 * file is thrown: it is a problem.
 */
import type { Problem } from '@salvor/contract';
import { ABOUT_NAME, type ArchiveAbout, DRUSHRC_NAME, DUMP_NAME, parseAbout } from './archive-manifest.ts';
import { parseArchiveName } from './archive-name.ts';
import { type Compression, compressionOf } from './compress/compression.ts';
import { decompress } from './compress/decompress.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { isDump } from './open-archive.ts';
import { type DrushrcFacts, readDrushrcFacts } from './read-drushrc.ts';
import { ArchiveFault } from './tar/archive-fault.ts';
import { readTar } from './tar/read-tar.ts';

/** A file that can be read at any place. */
export type InspectedFile = {
  /** Its name without directories. */
  readonly name: string;
  readonly bytes: number;
  read(offset: number, length: number): Promise<Uint8Array>;
};

export type ArchiveLook = {
  /** `site-export`: Backup and Migrate's whole site, with MANIFEST.ini. `mydumper`: recognised, and not restored by us. */
  readonly kind: 'site-archive' | 'site-export' | 'dump' | 'mydumper' | 'unknown';
  readonly compression: Compression;
  readonly uri: string | null;
  readonly time: Date | null;
  readonly holds: { readonly files: boolean | null; readonly databases: boolean | null };
  /** Where the site lay, as the archive itself says. */
  readonly platform: { readonly name: string; readonly root: string } | null;
  readonly description: string | null;
  /** Of archives that we wrote. */
  readonly about: ArchiveAbout | null;
  readonly problems: readonly Problem[];
};

/** Read of a file, and taken of what comes out of that. */
const MAX_READ_BYTES = 1024 * 1024;
const MAX_UNPACKED_BYTES = 8 * 1024 * 1024;
const MAX_DRUSHRC_BYTES = 1024 * 1024;

/** `zone` is the one whose clock names are written by; `info` the text of Backup and Migrate's `.info` beside the file. */
export async function inspectArchive(
  file: InspectedFile,
  options: { readonly zone?: string; readonly info?: string | null } = {},
): Promise<ArchiveLook> {
  const head = await file.read(0, MAX_READ_BYTES);
  const compression = compressionOf(head);
  const named = parseArchiveName(file.name, options.zone);
  const info = parseInfo(options.info ?? '');
  const seen = await lookInto(head, compression, file.bytes > head.length);
  const { about, drushrc } = seen;
  const stamp = Number(info.get('datestamp') ?? Number.NaN);
  const ofName = named?.time ?? null;
  const told = about === null ? (Number.isFinite(stamp) ? new Date(stamp * 1000) : ofName) : new Date(about.time);
  return {
    kind: seen.kind,
    compression,
    uri: about?.uri ?? drushrc?.uri ?? hostOf(info.get('siteurl')) ?? named?.uri ?? null,
    time: told,
    holds: seen.holds,
    platform: platformOf(about, drushrc),
    description: about?.reason ?? info.get('description') ?? null,
    about,
    problems: seen.problems,
  };
}

type Seen = Pick<ArchiveLook, 'kind' | 'holds' | 'about' | 'problems'> & { readonly drushrc: DrushrcFacts | null };

const UNKNOWN = { holds: { files: null, databases: null }, about: null, drushrc: null };

async function lookInto(head: Uint8Array, compression: Compression, isCut: boolean): Promise<Seen> {
  const bounds = {
    maxBytes: MAX_UNPACKED_BYTES,
    maxRatio: DEFAULT_LIMITS.maxRatio,
    ratioFromBytes: MAX_UNPACKED_BYTES,
  };
  const pieces: Buffer[] = [];
  let fault: ArchiveFault | null = null;
  try {
    for await (const bytes of decompress(once(head), compression, bounds)) pieces.push(Buffer.from(bytes));
  } catch (error) {
    if (!(error instanceof ArchiveFault)) throw error;
    fault = error;
  }
  const plain = Buffer.concat(pieces);
  if (isDump(plain)) return { ...UNKNOWN, kind: 'dump', holds: { files: false, databases: true }, problems: [] };
  const members = await lookIntoTar(plain);
  if (members.kind !== 'unknown') {
    // The bounds cut it, and not its writer.
    const isOurCut = isCut || fault?.kind === 'too-large';
    const wrong = members.fault ?? fault;
    if (wrong === null) return members;
    const holds = { files: members.holds.files ?? null, databases: members.holds.databases === true ? true : null };
    return { ...members, holds, problems: isOurCut && wrong.kind !== 'hostile' ? [] : [problemOf(wrong)] };
  }
  return {
    ...UNKNOWN,
    kind: 'unknown',
    problems: [problemOf(fault ?? new ArchiveFault('unsupported', 'it is neither a tar file nor a dump'))],
  };
}

async function lookIntoTar(plain: Uint8Array): Promise<Seen & { readonly fault: ArchiveFault | null }> {
  const names: string[] = [];
  let about: ArchiveAbout | null = null;
  let drushrc: DrushrcFacts | null = null;
  let fault: ArchiveFault | null = null;
  try {
    for await (const { name, size, content } of readTar(once(plain), DEFAULT_LIMITS)) {
      const path = name.replace(/^\.\//, '');
      names.push(path);
      if (path === ABOUT_NAME && size <= MAX_UNPACKED_BYTES) about = parseAbout(await collect(content));
      if (path === DRUSHRC_NAME && size <= MAX_DRUSHRC_BYTES) drushrc = readDrushrcFacts(await collect(content));
    }
  } catch (error) {
    if (!(error instanceof ArchiveFault)) throw error;
    fault = error;
  }
  const kind = kindOf(names);
  const isSite = kind === 'site-archive' || kind === 'site-export';
  const holds = {
    files: isSite ? names.some((name) => !OWN_NAMES.test(name)) : false,
    databases: kind === 'mydumper' || names.includes(DUMP_NAME),
  };
  return { kind, holds, about, drushrc, fault, problems: kind === 'mydumper' ? [MYDUMPER] : [] };
}

const OWN_NAMES = /^(?:\.|database.*\.sql|\.salvor-[^/]*|MANIFEST\.ini)$/;

const MYDUMPER: Problem = {
  code: 'archive-unsupported',
  message: 'it is a database in mydumper’s pieces: load it with myloader, or ask for a plain dump',
};

function kindOf(names: readonly string[]): ArchiveLook['kind'] {
  if (names.length === 0) return 'unknown';
  if (names.includes('MANIFEST.ini')) return 'site-export';
  if (
    names.some((name) =>
      /(?:^|\/)(?:metadata|[^/]+-schema-create\.sql(?:\.gz)?|[^/]+-schema\.sql(?:\.gz)?)$/.test(name),
    ) &&
    names.every((name) => name.split('/').length <= 3 && name !== 'settings.php')
  )
    return 'mydumper';
  return 'site-archive';
}

function platformOf(about: ArchiveAbout | null, drushrc: DrushrcFacts | null): ArchiveLook['platform'] {
  if (about !== null) return { name: about.platform.name, root: about.platform.root };
  if (drushrc?.root == null) return null;
  return { name: drushrc.platform ?? '', root: drushrc.root };
}

/** `key = value` lines, as in an INI file. */
function parseInfo(text: string): ReadonlyMap<string, string> {
  const pairs = text
    .slice(0, 64 * 1024)
    .split('\n')
    .map((line) => /^\s*(\w+)\s*=\s*"?(.*?)"?\s*$/.exec(line))
    .filter((match) => match !== null);
  return new Map(pairs.map((match) => [match[1] ?? '', match[2] ?? '']));
}

function hostOf(url: string | undefined): string | null {
  return url !== undefined && URL.canParse(url) ? new URL(url).hostname : null;
}

function problemOf(fault: ArchiveFault): Problem {
  return { code: `archive-${fault.kind}`, message: fault.message };
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const bytes of source) pieces.push(Buffer.from(bytes));
  return Buffer.concat(pieces);
}
