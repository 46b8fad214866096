/** An nginx of the test's own: on a port of its own, with a directory of virtual hosts, and a FastCGI that tells what it was handed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { findFreePort } from '../../../demo/web-server.ts';

export type TestNginx = AsyncDisposable & {
  readonly port: number;
  readonly vhosts: string;
  /** Address of the FastCGI, as `webServer.php` has it. */
  readonly php: string;
  readonly test: readonly string[];
  readonly reload: readonly string[];
  ask(host: string, path: string): Promise<NginxAnswer>;
};

export type NginxAnswer = {
  readonly status: number;
  readonly body: string;
  /** Where a redirect sends to. */
  readonly location: string | null;
};

export async function openNginx(directory: string, vhosts = join(directory, 'vhost.d')): Promise<TestNginx> {
  await using made = new AsyncDisposableStack();
  const port = await findFreePort();
  const socket = join(directory, 'php.sock');
  mkdirSync(vhosts, { recursive: true });
  mkdirSync(join(directory, 'temp'), { recursive: true });
  const conf = join(directory, 'nginx.conf');
  copyFileSync('/etc/nginx/fastcgi_params', join(directory, 'fastcgi_params'));
  const temps = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${directory}/temp/${name};`,
  );
  writeFileSync(
    conf,
    `daemon off;\nworker_processes 1;\npid ${directory}/nginx.pid;\nerror_log ${directory}/error.log;\n${
      process.getuid?.() === 0 ? 'user root;\n' : ''
    }events {}\nhttp {\n  access_log off;\n${temps.join('\n')}
  server { listen 127.0.0.1:${port} default_server; server_name _; return 404; }
  include ${vhosts}/*;\n}\n`,
  );
  const nginx = (...args: string[]): string[] => [
    'nginx',
    '-p',
    directory,
    '-e',
    `${directory}/error.log`,
    '-c',
    conf,
    ...args,
  ];
  made.use(await openFastcgi(socket));
  const [program = '', ...args] = nginx();
  const server = spawn(program, args, { stdio: 'ignore' });
  made.defer(async () => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, 'exit');
    server.kill('SIGTERM');
    await gone;
  });
  const ask: TestNginx['ask'] = (host, path) =>
    new Promise((settle, fail) => {
      const asked = request({ host: '127.0.0.1', port, path, headers: { Host: host }, agent: false }, (response) => {
        let body = '';
        response.setEncoding('utf8').on('data', (piece: string) => (body += piece));
        response.on('end', () =>
          settle({ status: response.statusCode ?? 0, body, location: response.headers.location ?? null }),
        );
      });
      asked.on('error', fail);
      asked.end();
    });
  for (let tries = 0; ; tries++) {
    const answer = await ask('nobody.test', '/').catch(() => null);
    if (answer?.status === 404) break;
    if (tries > 400 || server.exitCode !== null) throw new Error(`nginx did not start: ${directory}/error.log`);
    await sleep(25);
  }
  const resources = made.move();
  return {
    port,
    vhosts,
    php: `unix:${socket}`,
    test: nginx('-t'),
    reload: ['sh', '-c', RELOAD, 'reload', String(server.pid), ...nginx('-s', 'reload')],
    ask,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Ends when the worker with the old configuration has: until then both answer. */
const RELOAD = `master=$1; shift; old=$(pgrep -P "$master"); "$@" || exit 1
while for pid in $old; do kill -0 "$pid" 2>/dev/null && break; done; do sleep 0.01; done`;

const HEADER_BYTES = 8;
const PARAMS = 4;

/** Answers each request with its parameters as JSON: what PHP would have in `$_SERVER`. */
async function openFastcgi(socket: string): Promise<AsyncDisposable> {
  const server = createServer((connection) => {
    let input = Buffer.alloc(0);
    let params = Buffer.alloc(0);
    connection.on('error', () => connection.destroy());
    connection.on('data', (piece: Buffer) => {
      input = Buffer.concat([input, piece]);
      while (input.length >= HEADER_BYTES) {
        const length = input.readUInt16BE(4);
        const whole = HEADER_BYTES + length + input.readUInt8(6);
        if (input.length < whole) return;
        const content = input.subarray(HEADER_BYTES, HEADER_BYTES + length);
        if (input.readUInt8(1) === PARAMS && length > 0) params = Buffer.concat([params, content]);
        else if (input.readUInt8(1) === PARAMS) connection.end(answerWith(JSON.stringify(readParams(params))));
        input = input.subarray(whole);
      }
    });
  }).listen(socket);
  await once(server, 'listening');
  return server;
}

function readParams(bytes: Buffer): Record<string, string> {
  const found: Record<string, string> = {};
  let at = 0;
  const readLength = (): number => {
    const first = bytes.readUInt8(at);
    const length = first < 128 ? first : bytes.readUInt32BE(at) & 0x7fff_ffff;
    at += first < 128 ? 1 : 4;
    return length;
  };
  while (at < bytes.length) {
    const name = readLength();
    const value = readLength();
    found[bytes.toString('utf8', at, at + name)] = bytes.toString('utf8', at + name, at + name + value);
    at += name + value;
  }
  return found;
}

function answerWith(body: string): Buffer {
  const content = Buffer.from(`Content-Type: application/json\r\n\r\n${body}`);
  const record = (type: number, bytes: Buffer): Buffer => {
    const header = Buffer.from([1, type, 0, 1, 0, 0, 0, 0]);
    header.writeUInt16BE(bytes.length, 4);
    return Buffer.concat([header, bytes]);
  };
  return Buffer.concat([record(6, content), record(6, Buffer.alloc(0)), record(3, Buffer.alloc(8))]);
}
