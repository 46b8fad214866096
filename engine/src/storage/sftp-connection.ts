/** One SSH connection with its SFTP channel: the calls as promises, and the truth about why one failed. */
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import type { Client, FileEntryWithStats, SFTPWrapper, Stats } from 'ssh2';
import { EngineError, reasonOf, systemCode } from '../errors.ts';
import { KnownHost } from './known-hosts.ts';
import type { HostTrust } from './known-hosts.ts';

export type SftpAddress = {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** For messages. */
  readonly location: string;
};

export type SftpLogin = {
  readonly privateKey: Buffer;
  readonly passphrase?: string | undefined;
  readonly trust: HostTrust;
  readonly connectTimeoutMs: number;
};

/** Status codes of SFTP (draft-ietf-secsh-filexfer-02, section 7). */
export const NO_SUCH_FILE = 2;
export const PERMISSION_DENIED = 3;
export const FAILURE = 4;

/** Fast on machines with AES instructions, and in Node's own crypto. */
const CIPHERS = ['aes128-gcm@openssh.com', 'aes256-gcm@openssh.com', 'aes128-ctr', 'aes256-ctr'] as const;
const HOST_KEY_TYPES = [
  'ssh-ed25519',
  'ecdsa-sha2-nistp256',
  'ecdsa-sha2-nistp384',
  'ecdsa-sha2-nistp521',
  'rsa-sha2-512',
  'rsa-sha2-256',
] as const;

type Callback<T> = (error: Error | null | undefined, value?: T) => void;

export class SftpConnection {
  readonly #location: string;
  readonly #client: Client;
  readonly #socket: Socket;
  readonly #sftp: SFTPWrapper;
  readonly #waiting = new Set<(error: EngineError) => void>();
  /** Calls that use it now. */
  load = 0;
  /** Takes no new calls: one of its calls was given up, which may be the line's fault. */
  isRetired = false;
  isLost = false;

  private constructor(location: string, client: Client, socket: Socket, sftp: SFTPWrapper) {
    this.#location = location;
    this.#client = client;
    this.#socket = socket;
    this.#sftp = sftp;
    const lose = (): void => this.#lose();
    client.on('close', lose).on('end', lose);
    sftp.on('close', lose).on('end', lose);
    sftp.on('error', lose);
  }

  /** @throws EngineError `storage-untrusted`, `storage-refused`, `storage-unreachable`, `storage-unsuited`. */
  static async open(address: SftpAddress, login: SftpLogin): Promise<SftpConnection> {
    const { location } = address;
    const known = readKnownHost(address, login.trust);
    // Its 50 ms of loading are for those who connect, not for every command.
    const ssh2 = await import('ssh2');
    const client = new ssh2.Client();
    const socket = connect({ host: address.host, port: address.port, noDelay: true, keepAlive: true });
    const hostKey: { fault: string | null } = { fault: null };
    try {
      await new Promise<void>((resolve, reject) => {
        client.once('ready', resolve).on('error', reject);
        client.once('close', () => reject(new Error('the server closed the connection')));
        client.connect({
          sock: socket,
          username: address.user,
          privateKey: login.privateKey,
          ...(login.passphrase === undefined ? {} : { passphrase: login.passphrase }),
          readyTimeout: login.connectTimeoutMs,
          algorithms: { cipher: [...CIPHERS], serverHostKey: keyTypes(known) },
          hostVerifier: (key: Buffer) => {
            hostKey.fault = known.distrust(key);
            return hostKey.fault === null;
          },
        });
      });
      // Made as soon as there is a channel: what is lost before anybody listens would never be missed.
      return await openChannel(client, location, (sftp) => new SftpConnection(location, client, socket, sftp));
    } catch (error) {
      socket.destroy();
      if (hostKey.fault !== null)
        throw new EngineError('storage-untrusted', { location, reason: hostKey.fault }, { cause: error });
      throw explainOpening(address, error);
    }
  }

  async openFile(path: string, flags: 'r' | 'wx', mode = 0): Promise<Buffer> {
    return this.#ask<Buffer>((done) => this.#sftp.open(path, flags, { mode }, done));
  }

  async close(handle: Buffer): Promise<void> {
    await this.#ask((done) => this.#sftp.close(handle, done));
  }

  /** Gives how many bytes came: 0 at the end of the file. */
  async read(handle: Buffer, into: Buffer, at: number, length: number, position: number): Promise<number> {
    return (await this.#ask<number>((done) => this.#sftp.read(handle, into, at, length, position, done))) ?? 0;
  }

  async write(handle: Buffer, bytes: Buffer, at: number, length: number, position: number): Promise<void> {
    await this.#ask((done) => this.#sftp.write(handle, bytes, at, length, position, done));
  }

  /** @throws EngineError `storage-unsuited` where the server can't. */
  async sync(handle: Buffer): Promise<void> {
    await this.#askExtension('fsync@openssh.com', (done) => this.#sftp.ext_openssh_fsync(handle, done));
  }

  /** Takes the place of what is there. @throws EngineError `storage-unsuited` where the server can't. */
  async rename(from: string, to: string): Promise<void> {
    await this.#askExtension('posix-rename@openssh.com', (done) => this.#sftp.ext_openssh_rename(from, to, done));
  }

  async remove(path: string): Promise<void> {
    await this.#ask((done) => this.#sftp.unlink(path, done));
  }

  async makeDirectory(path: string, mode: number): Promise<void> {
    await this.#ask((done) => this.#sftp.mkdir(path, { mode }, done));
  }

  async stat(target: string | Buffer): Promise<Stats> {
    return this.#ask<Stats>((done) =>
      typeof target === 'string' ? this.#sftp.stat(target, done) : this.#sftp.fstat(target, done),
    );
  }

  async readDirectory(path: string): Promise<readonly FileEntryWithStats[]> {
    return this.#ask<FileEntryWithStats[]>((done) => this.#sftp.readdir(path, done));
  }

  /** Bytes that this user may still write at the path; null where the server does not tell. */
  async freeBytes(path: string): Promise<number | null> {
    try {
      const facts = await this.#ask<{ f_frsize: number | bigint; f_bavail: number | bigint }>((done) =>
        this.#sftp.ext_openssh_statvfs(path, done),
      );
      return Number(facts.f_frsize) * Number(facts.f_bavail);
    } catch {
      return null;
    }
  }

  /** An idle connection keeps no process alive. */
  holdProcess(isHeld: boolean): void {
    if (isHeld) this.#socket.ref();
    else this.#socket.unref();
  }

  /** Resolves when it is closed. */
  async end(): Promise<void> {
    if (this.isLost && this.#socket.closed) return;
    const closed = new Promise<void>((resolve) => {
      this.#socket.once('close', () => resolve());
    });
    this.holdProcess(true);
    this.#client.end();
    // A server that does not answer is not waited for.
    const force = setTimeout(() => this.destroy(), 1000);
    await closed;
    clearTimeout(force);
  }

  destroy(): void {
    this.#socket.destroy();
    this.#lose();
  }

  async #ask<T>(start: (done: Callback<T>) => void): Promise<T> {
    if (this.isLost) throw this.#lost();
    return new Promise<T>((resolve, reject) => {
      this.#waiting.add(reject);
      try {
        start((error, value) => {
          this.#waiting.delete(reject);
          // Without a status it is not the server's answer but the line that failed.
          if (error === null || error === undefined) resolve(value as T);
          else reject(statusOf(error) === null ? this.#lost(error) : error);
        });
      } catch (error) {
        this.#waiting.delete(reject);
        throw error;
      }
    });
  }

  async #askExtension(name: string, start: (done: Callback<unknown>) => void): Promise<void> {
    await this.#ask((done) => {
      try {
        start(done);
      } catch (error) {
        const reason = `the server does not offer ${name}`;
        throw new EngineError('storage-unsuited', { location: this.#location, reason }, { cause: error });
      }
    });
  }

  #lose(): void {
    this.isLost = true;
    for (const reject of this.#waiting) reject(this.#lost());
    this.#waiting.clear();
  }

  #lost(cause?: unknown): EngineError {
    const context = { location: this.#location, reason: 'the connection was lost' };
    return new EngineError('storage-unreachable', context, { cause });
  }
}

/** The server's status, where the error is its answer. */
export function statusOf(error: unknown): number | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : null;
}

function readKnownHost({ host, port, location }: SftpAddress, trust: HostTrust): KnownHost {
  try {
    return KnownHost.read(trust, host, port);
  } catch (error) {
    const reason = `what is known of it can't be read (${reasonOf(error)})`;
    throw new EngineError('storage-untrusted', { location, reason }, { cause: error });
  }
}

function keyTypes(known: KnownHost): (typeof HOST_KEY_TYPES)[number][] {
  const types = known.keyTypes;
  const fitting = HOST_KEY_TYPES.filter((type) => types === null || types.includes(type));
  return fitting.length > 0 ? fitting : [...HOST_KEY_TYPES];
}

async function openChannel<T>(client: Client, location: string, use: (sftp: SFTPWrapper) => T): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    client.sftp((error, sftp) => {
      if (error === undefined || error === null) resolve(use(sftp));
      else
        reject(
          new EngineError(
            'storage-unsuited',
            { location, reason: `it opens no SFTP session (${error.message})` },
            { cause: error },
          ),
        );
    });
  });
}

function explainOpening({ location, user }: SftpAddress, error: unknown): EngineError {
  if (error instanceof EngineError) return error;
  const level = error instanceof Error && 'level' in error ? error.level : '';
  // A host with several addresses fails with an error that has a code and no words.
  const reason = reasonOf(error) === '' ? systemCode(error) : reasonOf(error);
  const isKeyUnreadable = /privateKey|private key|passphrase/i.test(reason);
  if (level === 'client-authentication' || isKeyUnreadable)
    return new EngineError(
      'storage-refused',
      {
        location,
        action: `log in as ${user}`,
        reason: isKeyUnreadable
          ? "the private key can't be read, or its passphrase is wrong"
          : 'it does not take this key',
      },
      { cause: error },
    );
  return new EngineError('storage-unreachable', { location, reason }, { cause: error });
}
