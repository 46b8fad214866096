/**
 * How a password reaches the stock client: an option file that has no name any more when the client
 * starts, handed over as descriptor 3 and read as `/dev/fd/3`. Nothing stands in the argument list, the
 * environment or a directory, and a crash leaves nothing behind: the name exists only between two calls.
 *
 * A pipe would do for our own uid only: opening `/dev/fd/3` asks for rights on what lies behind it, and
 * the pipe of root is closed to `nobody`. A file can be given to the client's user.
 */
import { randomUUID } from 'node:crypto';
import { closeSync, constants, fchownSync, openSync, unlinkSync, writeSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { OsUser } from '../../lib/run.ts';
import { type DatabaseLogin, describeAddress } from './connect.ts';
import { readTlsMaterial, type TlsMaterial } from './tls.ts';

export type DefaultsFile = Disposable & {
  /** For the child's descriptors from 3 on, in this order. */
  readonly descriptors: readonly number[];
  /** Must be the client's first argument. */
  readonly argument: string;
};

/**
 * Makes the file in `directory` (made with 0700 where it is missing) for a client that runs as `user`. Certificates and key
 * are files of the same kind: the client may not read what lies in a home, and must not be led elsewhere there.
 */
export async function openDefaultsFile(
  login: DatabaseLogin,
  options: {
    readonly directory: string;
    readonly user?: OsUser | undefined;
    /** For the dump tool alone: names and values. */
    readonly dumpOptions?: readonly (readonly [string, string])[];
  },
): Promise<DefaultsFile> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const { address } = login;
  const tls = 'tls' in address && address.tls !== undefined ? address.tls : null;
  const material = tls === null ? null : readTlsMaterial(tls, describeAddress(address));
  const pems = material === null ? [] : pemsOf(material).map(({ pem }) => pem);
  using opened = new DisposableStack();
  const descriptors = [renderDefaults(login, material) + renderDumpOptions(options.dumpOptions ?? []), ...pems].map(
    (text) => opened.adopt(writeNameless(text, options), closeSync),
  );
  const files = opened.move();
  return { descriptors, argument: `--defaults-file=/dev/fd/${FIRST}`, [Symbol.dispose]: () => files.dispose() };
}

/** Of the child's descriptors. */
const FIRST = 3;

const PEM_OPTIONS = [
  ['ca', 'ssl-ca'],
  ['cert', 'ssl-cert'],
  ['key', 'ssl-key'],
] as const;

/** An authority that is named makes the client look at the server's certificate, whatever else is said. */
function pemsOf(tls: TlsMaterial): { readonly option: string; readonly pem: string }[] {
  return PEM_OPTIONS.filter(([field]) => field !== 'ca' || tls.isVerified).flatMap(([field, option]) => {
    const pem = tls[field];
    return pem === null ? [] : [{ option, pem }];
  });
}

function writeNameless(
  text: string,
  options: { readonly directory: string; readonly user?: OsUser | undefined },
): number {
  const path = join(options.directory, `.client-${randomUUID()}`);
  const descriptor = openSync(
    path,
    constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    unlinkSync(path);
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length;) at += writeSync(descriptor, bytes, at);
    if (options.user !== undefined) fchownSync(descriptor, options.user.uid, options.user.gid);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** The option file's text: quoted values, with the escapes that the client's reader undoes. */
function renderDefaults(login: DatabaseLogin, tls: TlsMaterial | null): string {
  const lines = ['[client]', `user=${quoteOption(login.user)}`, `password=${quoteOption(login.password)}`];
  if ('socket' in login.address) lines.push('protocol=socket', `socket=${quoteOption(login.address.socket)}`);
  else lines.push('protocol=tcp', `host=${quoteOption(login.address.host)}`, `port=${login.address.port}`);
  lines.push(...renderTls(tls));
  return `${lines.join('\n')}\n`;
}

function renderDumpOptions(options: readonly (readonly [string, string])[]): string {
  const lines = options.map(([name, value]) => `${name}=${quoteOption(value)}\n`);
  return lines.length === 0 ? '' : `[mariadb-dump]\n${lines.join('')}`;
}

function renderTls(tls: TlsMaterial | null): string[] {
  // Newer clients try it unasked, and end where the server's certificate is one of its own making.
  if (tls === null) return ['skip-ssl'];
  return [
    'ssl',
    ...pemsOf(tls).map(({ option }, index) => `${option}=/dev/fd/${FIRST + 1 + index}`),
    tls.isVerified ? 'ssl-verify-server-cert' : 'skip-ssl-verify-server-cert',
  ];
}

function quoteOption(value: string): string {
  const escapes: Readonly<Record<string, string>> = {
    '\\': '\\\\',
    // A quote within quotes would end them for the reader’s search for a comment.
    '"': '\\"',
    "'": "\\'",
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\b': '\\b',
  };
  return `"${value.replace(/[\\"'\n\r\t\b]/g, (character) => escapes[character] ?? character)}"`;
}
