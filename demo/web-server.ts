import { spawn, type ChildProcess } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:net';
import type { DemoAccount } from './aegir-account.ts';
import { asAccount } from './run-as.ts';

/** PHP's own web server in front of one site. */
export type WebServer = AsyncDisposable & { readonly pid: number };

export type WebServerPlan = {
  readonly port: number;
  readonly root: string;
  /** Read by the account's user: a checkout may be closed to it. */
  readonly router: string;
  readonly vhost: string;
  readonly mariadbSocket: string;
};

/** How much of what the server says is kept for the message when it does not start. */
const MAX_LOG_CHARS = 4000;

/** Serves the site on the loopback address as the account's user; resolves when it listens. */
export async function openWebServer(plan: WebServerPlan, account: DemoAccount): Promise<WebServer> {
  const [file, ...args] = asAccount(account, [
    'php',
    '-d',
    `mysqli.default_socket=${plan.mariadbSocket}`,
    '-d',
    'display_errors=0',
    // By default compiled files are looked at again only after two seconds: too long for a show. What decides stays the
    // file's time, as on every host.
    '-d',
    'opcache.revalidate_freq=0',
    '-d',
    'memory_limit=256M',
    '-S',
    `127.0.0.1:${plan.port}`,
    '-t',
    plan.root,
    plan.router,
  ]);
  const server = spawn(file, args, {
    cwd: plan.root,
    env: { ...process.env, DEMO_VHOST: plan.vhost },
    stdio: ['ignore', 'ignore', 'pipe'],
    // In a group of its own: Ctrl-C at the terminal is ours to handle.
    detached: true,
  });
  await untilListening(server, plan);
  server.unref();
  (server.stderr as unknown as { unref(): void }).unref();
  return {
    pid: server.pid as number,
    async [Symbol.asyncDispose]() {
      if (server.exitCode !== null || server.signalCode !== null) return;
      server.ref();
      const exited = once(server, 'exit');
      server.kill('SIGTERM');
      await exited;
    },
  };
}

/**
 * A port of the loopback address that was free a moment ago; WordPress has to know it before it is served. It is below those
 * that the system gives to whoever connects or asks for any: one of them may be taken by the time it is served.
 */
export async function findFreePort(): Promise<number> {
  for (;;) {
    const port = randomInt(LEAST_PORT, FIRST_OF_SYSTEM);
    await using probe = createServer();
    const isFree = await new Promise<boolean>((settle) => {
      probe.once('error', () => settle(false));
      probe.listen(port, '127.0.0.1', () => settle(true));
    });
    if (isFree) return port;
  }
}

const LEAST_PORT = 15_000;
/** Of Linux, as it comes. */
const FIRST_OF_SYSTEM = 32_768;

function untilListening(server: ChildProcess, plan: WebServerPlan): Promise<void> {
  return new Promise((settle, fail) => {
    let log = '';
    server.on('error', fail);
    server.on('exit', (code, signal) => {
      fail(new Error(`php -S 127.0.0.1:${plan.port} ended (${signal ?? `exit code ${code}`}):\n${log.trim()}`));
    });
    server.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      log = (log + chunk).slice(-MAX_LOG_CHARS);
      if (/Development Server .* started/.test(log)) settle();
    });
  });
}
