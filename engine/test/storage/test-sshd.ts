/** A private sshd on a free port of the loopback, with keys of its own: Debian's OpenSSH, nothing of the machine's. */
import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { findFreePort } from '../../../demo/web-server.ts';
import type { SftpOptions } from '../../src/storage/sftp-storage.ts';

export type TestSshd = AsyncDisposable & {
  readonly directory: string;
  readonly port: number;
  /** Log-in, trust and address; the path is to be added. */
  readonly login: Omit<SftpOptions, 'path'> & { readonly trust: { readonly knownHostsFile: string } };
  /** As `ssh-keygen -l` prints it. */
  readonly fingerprint: string;
  readonly hostKey: string;
  /** A second one, of another type. */
  readonly otherHostKey: string;
  /** Kills the sessions, not the server: every connection is lost. */
  readonly dropConnections: () => void;
  /** Stops the sessions without a word: the lines stand still. */
  readonly freezeConnections: () => void;
};

/** `subsystem` is what serves SFTP, with its arguments. */
export async function startSshd(subsystem = 'internal-sftp'): Promise<TestSshd> {
  const directory = mkdtempSync(join(tmpdir(), 'salvor-sshd-'));
  // sshd leaves its rights in this directory and refuses to start without it.
  mkdirSync('/run/sshd', { recursive: true, mode: 0o755 });
  const hostKeyFile = join(directory, 'host');
  const userKeyFile = join(directory, 'user');
  for (const path of [hostKeyFile, userKeyFile])
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'test', '-f', path]);
  const otherHostKeyFile = join(directory, 'host-ecdsa');
  execFileSync('ssh-keygen', ['-q', '-t', 'ecdsa', '-N', '', '-C', 'test', '-f', otherHostKeyFile]);
  copyFileSync(`${userKeyFile}.pub`, join(directory, 'authorized'));
  chmodSync(join(directory, 'authorized'), 0o600);
  const port = await findFreePort();
  const config = {
    ListenAddress: '127.0.0.1',
    Port: port,
    HostKey: hostKeyFile,
    AuthorizedKeysFile: join(directory, 'authorized'),
    StrictModes: 'no',
    UsePAM: 'no',
    PasswordAuthentication: 'no',
    PermitRootLogin: 'yes',
    PidFile: 'none',
    Subsystem: `sftp ${subsystem}`,
  };
  const lines = Object.entries(config).map(([key, value]) => `${key} ${value}\n`);
  lines.push(`HostKey ${otherHostKeyFile}\n`);
  writeFileSync(join(directory, 'config'), lines.join(''));
  const server = spawn('/usr/sbin/sshd', ['-D', '-e', '-f', join(directory, 'config')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise<void>((resolve) => {
    server.on('exit', () => resolve());
  });
  await new Promise<void>((resolve, reject) => {
    let said = '';
    server.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
      if (said.includes('Server listening')) resolve();
    });
    server.on('exit', () => reject(new Error(`sshd did not start: ${said}`)));
  });
  const hostKey = readFileSync(`${hostKeyFile}.pub`, 'utf8').trim();
  const knownHostsFile = join(directory, 'known_hosts');
  writeFileSync(knownHostsFile, `# a comment\nother.example ${hostKey}\n[127.0.0.1]:${port} ${hostKey}\n`);
  return {
    directory,
    port,
    hostKey,
    otherHostKey: readFileSync(`${otherHostKeyFile}.pub`, 'utf8').trim(),
    fingerprint:
      execFileSync('ssh-keygen', ['-l', '-f', `${hostKeyFile}.pub`], { encoding: 'utf8' }).split(' ')[1] ?? '',
    login: {
      host: '127.0.0.1',
      port,
      user: userInfo().username,
      privateKeyFile: userKeyFile,
      trust: { knownHostsFile },
    },
    dropConnections: () => signalSessions(server.pid ?? 0, 'SIGKILL'),
    freezeConnections: () => signalSessions(server.pid ?? 0, 'SIGSTOP'),
    [Symbol.asyncDispose]: async () => {
      signalSessions(server.pid ?? 0, 'SIGKILL');
      server.kill('SIGTERM');
      await ended;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function signalSessions(server: number, signal: NodeJS.Signals): void {
  const children = readFileSync(`/proc/${server}/task/${server}/children`, 'utf8').trim().split(' ');
  for (const pid of children.filter((text) => text !== '')) {
    try {
      process.kill(Number(pid), signal);
    } catch (error) {
      // It has ended by itself since it was listed.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}
