import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, realpath, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A directory that is removed when it is disposed, and also when this process dies before that. */
export type TemporaryDirectory = AsyncDisposable & { readonly path: string };

/**
 * Waits till its standard input ends, which it does however the process at the other end dies, then removes `$1`. The
 * second try is for what a server that dies at the same moment wrote meanwhile.
 */
const SWEEPER = `trap '' INT TERM HUP; read -r keep; [ "$keep" = keep ] || rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }`;

/** Makes `<system's temporary directory>/<prefix>-XXXXXX`, which every user may pass through: what lies in it has modes of its own. */
export async function makeTemporaryDirectory(prefix: string): Promise<TemporaryDirectory> {
  const path = await realpath(await mkdtemp(join(tmpdir(), `${prefix}-`)));
  await chmod(path, 0o755);
  // In a session of its own: Ctrl-C at the terminal reaches the whole process group.
  const sweeper = spawn('sh', ['-c', SWEEPER, 'sweeper', path], {
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
    cwd: '/',
  });
  await once(sweeper, 'spawn');
  sweeper.stdin.on('error', () => {});
  sweeper.unref();
  (sweeper.stdin as unknown as { unref(): void }).unref();
  return {
    path,
    async [Symbol.asyncDispose]() {
      await rm(path, { recursive: true, force: true, maxRetries: 3 });
      if (sweeper.exitCode !== null) return;
      sweeper.ref();
      const ended = once(sweeper, 'exit');
      sweeper.stdin.end('keep\n');
      await ended;
    },
  };
}
