import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { type Socket, createConnection, createServer } from 'node:net';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { readMessages } from './wire.ts';

const directory = mkdtempSync('/tmp/salvor-wire-');
after(() => rmSync(directory, { recursive: true, force: true }));

/** Both ends of a connection; nobody minds what becomes of it. */
async function connect(name: string): Promise<readonly [Socket, Socket, Disposable]> {
  const path = join(directory, name);
  const server = createServer().listen(path);
  await once(server, 'listening');
  const [near, [far]] = await Promise.all([
    Promise.resolve(createConnection(path)),
    once(server, 'connection') as Promise<[Socket]>,
  ]);
  for (const socket of [near, far]) socket.on('error', () => undefined);
  return [near, far, { [Symbol.dispose]: () => server.close() }];
}

async function readAll(socket: Socket): Promise<readonly unknown[]> {
  const messages: unknown[] = [];
  for await (const message of readMessages(socket)) messages.push(message);
  return messages;
}

describe('the messages of a connection', () => {
  test('end where the other end closes it, with all that it has said', async () => {
    const [near, far, server] = await connect('closed');
    using _ = server;
    far.end('{"n":1}\n{"n":2}\n');
    assert.deepEqual(await readAll(near), [{ n: 1 }, { n: 2 }]);
  });

  test('end where it is reset, as by an end that dies with something unread', async () => {
    const [near, far, server] = await connect('reset');
    using _ = server;
    const read = readAll(near);
    near.write('{"unread":true}\n'.repeat(1000));
    far.destroy();
    assert.deepEqual(await read, []);
  });

  test('end where our own end gives up waiting, before and while they are read', async () => {
    const [near, far, server] = await connect('given up');
    using _ = server;
    const read = readAll(near);
    setImmediate(() => near.destroy());
    assert.deepEqual(await read, []);
    assert.deepEqual(await readAll(near), []);
    far.destroy();
  });
});
