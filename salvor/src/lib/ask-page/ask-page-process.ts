/** The process that asks (`ask-page.ts`). It gives up root's rights before it connects, and prints one JSON document. */
import { createHash } from 'node:crypto';
import { request as requestPlain } from 'node:http';
import { request as requestSecure } from 'node:https';
import { isIP } from 'node:net';
import type { OsUser } from '../run.ts';
import type { AskedPage } from './ask-page.ts';

const MAX_BYTES = 2 * 1024 * 1024;

if (process.getuid?.() === 0) {
  const { uid, gid } = JSON.parse(process.argv[3] ?? '') as OsUser;
  process.setgroups?.([]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

const asked = JSON.parse(process.argv[2] ?? '') as AskedPage;
const print = (answer: object): void => void process.stdout.write(JSON.stringify(answer), () => process.exit(0));
const fail = (error: Error): void => {
  const code = 'code' in error ? String(error.code) : '';
  print({ why: error.message === '' ? code : error.message });
};

const url = new URL(asked.url);
const isSecure = url.protocol === 'https:';
const name = url.hostname.replace(/^\[(.*)\]$/, '$1');
const request = (isSecure ? requestSecure : requestPlain)({
  host: asked.connectTo?.host ?? name,
  port: asked.connectTo?.port ?? (url.port === '' ? (isSecure ? 443 : 80) : Number(url.port)),
  path: `${url.pathname}${url.search}`,
  headers: { Host: url.host, 'User-Agent': 'salvor', Accept: '*/*', Connection: 'close' },
  // A certificate is of the name in the address, wherever the connection goes.
  ...(isSecure && isIP(name) === 0 ? { servername: name } : {}),
  signal: AbortSignal.timeout(asked.timeoutMs),
});
request.on('error', (error) =>
  fail(error.name === 'AbortError' ? new Error(`no answer within ${asked.timeoutMs / 1000} s`) : error),
);
request.on('response', (response) => {
  const pieces: Buffer[] = [];
  let length = 0;
  const end = (): void => {
    const body = Buffer.concat(pieces);
    const sha256 = createHash('sha256').update(body).digest('hex');
    print({ status: response.statusCode, hasText: asked.text === null || body.includes(asked.text), sha256 });
  };
  response.on('data', (piece: Buffer) => {
    pieces.push(piece);
    length += piece.length;
    if (length > MAX_BYTES) end();
  });
  response.on('error', fail);
  response.on('end', end);
});
request.end();
