/** Addresses of storages, written as restic writes them. Pure. */
import { EngineError } from '../errors.ts';

/** Where a storage lies, taken apart. */
export type StorageAddress =
  | { readonly kind: 'local'; readonly path: string }
  | {
      readonly kind: 'sftp';
      readonly host: string;
      readonly port?: number;
      readonly user?: string;
      /** Where it does not begin with `/`, below the user's home. */
      readonly path: string;
    };

/** Schemes with a storage to come, and those that nobody planned: an address is never taken for a directory's name. */
const SCHEME = /^(?<scheme>[a-z][a-z0-9+]{1,15}):/;

/**
 * `/path`, `local:path`, `file:///path`; `sftp:user@host:/path` or `sftp:user@host:path` (below the home);
 * `sftp://user@host:port//path` or, below the home, `sftp://user@host:port/path`.
 * @throws EngineError `storage-url`; its message never repeats what may be a password.
 */
export function parseStorageUrl(url: string): StorageAddress {
  const scheme = SCHEME.exec(url)?.groups?.['scheme'];
  switch (scheme) {
    case undefined:
      return local(url);
    case 'local':
      return local(url.slice('local:'.length));
    case 'file':
      if (!url.startsWith('file:///')) throw refuse('file: is followed by three slashes and a path');
      return local(url.slice('file://'.length));
    case 'sftp':
      return url.startsWith('sftp://') ? sftpUrl(url) : sftpShort(url);
    default:
      throw refuse(`storages of the kind "${scheme}:" are not known`);
  }
}

function local(path: string): StorageAddress {
  if (path === '' || path.includes('\0')) throw refuse('the path is missing');
  return { kind: 'local', path };
}

function sftpUrl(text: string): StorageAddress {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw refuse('after sftp:// come user@host:port and a path');
  }
  if (url.password !== '') throw refuse('a password has no place in an address: log in with a key');
  if (url.search !== '' || url.hash !== '') throw refuse('a path with ? or # must have them as %3F and %23');
  return sftp(
    url.hostname.replace(/^\[(.*)\]$/, '$1'),
    decode(url.username),
    decode(url.pathname.slice(1)),
    url.port === '' ? undefined : Number(url.port),
  );
}

function sftpShort(text: string): StorageAddress {
  const parts = /^sftp:(?:(?<user>[^@/]*)@)?(?<host>\[[^\]]+\]|[^:/@]+):(?<path>.*)$/s.exec(text)?.groups;
  if (parts === undefined) throw refuse('after sftp: come user@host: and a path');
  if (parts['user']?.includes(':') === true) throw refuse('a password has no place in an address: log in with a key');
  return sftp((parts['host'] ?? '').replace(/^\[(.*)\]$/, '$1'), parts['user'] ?? '', parts['path'] ?? '', undefined);
}

function sftp(host: string, user: string, path: string, port: number | undefined): StorageAddress {
  if (host === '' || host.startsWith('-')) throw refuse('the host is missing');
  if (path === '' || path.includes('\0')) throw refuse('the path is missing');
  return {
    kind: 'sftp',
    host,
    path,
    ...(user === '' ? {} : { user }),
    ...(port === undefined ? {} : { port }),
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refuse('the address has a % that is not followed by two digits');
  }
}

function refuse(reason: string): EngineError {
  return new EngineError('storage-url', { reason });
}
