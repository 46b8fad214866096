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
import type { DatabaseLogin } from './connect.ts';

export type DefaultsFile = Disposable & {
  /** For the child's descriptor 3, the first of `descriptors`. */
  readonly descriptor: number;
  /** Must be the client's first argument. */
  readonly argument: string;
};

/** Makes the file in `directory` (made with 0700 where it is missing) for a client that runs as `user`. */
export async function openDefaultsFile(
  login: DatabaseLogin,
  options: { readonly directory: string; readonly user?: OsUser | undefined },
): Promise<DefaultsFile> {
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  const path = join(options.directory, `.client-${randomUUID()}`);
  const descriptor = openSync(
    path,
    constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW,
    0o600,
  );
  try {
    unlinkSync(path);
    writeSync(descriptor, renderDefaults(login));
    if (options.user !== undefined) fchownSync(descriptor, options.user.uid, options.user.gid);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
  let isOpen = true;
  return {
    descriptor,
    argument: '--defaults-file=/dev/fd/3',
    [Symbol.dispose]: () => {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
    },
  };
}

/** The option file's text: quoted values, with the escapes that the client's reader undoes. */
export function renderDefaults(login: DatabaseLogin): string {
  const lines = ['[client]', `user=${quoteOption(login.user)}`, `password=${quoteOption(login.password)}`];
  if ('socket' in login.address) lines.push('protocol=socket', `socket=${quoteOption(login.address.socket)}`);
  else lines.push('protocol=tcp', `host=${quoteOption(login.address.host)}`, `port=${login.address.port}`);
  return `${lines.join('\n')}\n`;
}

function quoteOption(value: string): string {
  const escapes: Readonly<Record<string, string>> = {
    '\\': '\\\\',
    '\n': '\\n',
    '\r': '\\r',
    '\t': '\\t',
    '\b': '\\b',
  };
  return `"${value.replace(/[\\\n\r\t\b]/g, (character) => escapes[character] ?? character)}"`;
}
