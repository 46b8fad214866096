/**
 * What an encrypted connection is made with: who the server must be vouched for by, and what we show it. Paths come from
 * a tenant's settings, so that a file is read only if the tenant himself could read it: one in his homes, reached without
 * being led out, or one of root that everybody or one of his groups may read.
 */
import { readdirSync, realpathSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { getCACertificates } from 'node:tls';
import { SalvorError } from '../../errors.ts';
import { openFileAt, readPieces } from '../../lib/beneath/read-file.ts';
import { openSpot } from '../../lib/beneath/spot.ts';
import { errnoOf } from '../../lib/errno.ts';

/** How a connection to a server is to be secured; absolute paths. */
export type DatabaseTls = {
  /** Certificates of the authorities, in one file or a directory of files; neither: those that the host trusts. */
  readonly ca: string | null;
  readonly caPath: string | null;
  /** What we show the server, where it asks. */
  readonly cert: string | null;
  readonly key: string | null;
  /** False where the settings say not to look at the server's certificate; null, where they say nothing, is true as in PHP. */
  readonly verify: boolean | null;
  /** On whose word the files are read; null for root's own. */
  readonly reader: TlsReader | null;
};

export type TlsReader = { readonly homes: readonly string[]; readonly gids: readonly number[] };

/** PEM texts. */
export type TlsMaterial = {
  readonly ca: string;
  readonly cert: string | null;
  readonly key: string | null;
  readonly isVerified: boolean;
};

/** A chain with all authorities of the world takes a quarter of it. */
const MAX_FILE_BYTES = 1024 * 1024;
const MAX_AUTHORITY_FILES = 2000;

/** Throws 'database-tls-failed', naming the file that can't be used. */
export function readTlsMaterial(tls: DatabaseTls, server: string): TlsMaterial {
  const read = (path: string | null): string | null => (path === null ? null : readPem(path, tls.reader, server));
  const named = [read(tls.ca), tls.caPath === null ? null : readAuthorities(tls.caPath, tls.reader, server)];
  const own = named.filter((pem) => pem !== null).join('\n');
  return {
    ca: own === '' ? getCACertificates('system').join('\n') : own,
    cert: read(tls.cert),
    key: read(tls.key),
    isVerified: tls.verify !== false,
  };
}

function readAuthorities(directory: string, reader: TlsReader | null, server: string): string {
  let names: readonly string[];
  try {
    names = readdirSync(directory).filter((name) => /\.(?:pem|crt|cer|\d)$/.test(name));
  } catch (error) {
    throw refused(server, directory, errnoOf(error) ?? 'it can not be read');
  }
  if (names.length === 0 || names.length > MAX_AUTHORITY_FILES)
    throw refused(server, directory, `it holds ${names.length} certificates`);
  // A hashed directory has each certificate twice.
  return [...new Set(names.map((name) => readPem(join(directory, name), reader, server)))].join('\n');
}

function readPem(path: string, reader: TlsReader | null, server: string): string {
  try {
    const real = realpathSync(path);
    const home = reader?.homes.find((root) => real.startsWith(`${root}/`));
    if (reader !== null && home === undefined) requireReadable(real, reader);
    using spot = openSpot(home ?? '/', real);
    using file = openFileAt(spot);
    if (file === null) throw new Error('it is not there');
    // A hard link in a home is a way to somebody else's file.
    if (home !== undefined && file.stat.nlink > 1n) throw new Error('it has several names');
    if (file.stat.size > MAX_FILE_BYTES) throw new Error(`it is larger than ${MAX_FILE_BYTES} bytes`);
    const bytes = Buffer.concat([...readPieces(file)]);
    if (bytes.includes('-----BEGIN ')) return bytes.toString('latin1');
    throw new Error('it holds no certificate or key in PEM');
  } catch (error) {
    const errno = errnoOf(error);
    throw refused(server, path, errno ?? (error instanceof Error ? error.message : String(error)));
  }
}

/** Outside of the homes: what anybody, or the tenant's groups, may read by the modes of all that leads there. */
function requireReadable(path: string, { gids }: TlsReader): void {
  const stat = statSync(path);
  const isReadable = (stat.mode & 0o004) !== 0 || ((stat.mode & 0o040) !== 0 && gids.includes(stat.gid));
  let isReached = true;
  for (let at = dirname(path); at !== '/'; at = dirname(at)) {
    const { mode, gid } = statSync(at);
    isReached &&= (mode & 0o001) !== 0 || ((mode & 0o010) !== 0 && gids.includes(gid));
  }
  if (stat.uid !== 0 || !isReadable || !isReached)
    throw new Error('it lies outside of the home and is no file of root that the site may read');
}

function refused(server: string, path: string, why: string): SalvorError {
  return new SalvorError('database-tls-failed', { server, why: `${path}: ${why}` });
}
