/** A server that is who it should be, and sends what it likes. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import ssh2 from 'ssh2';
import { openWorkplace } from '../../test/fixtures.ts';
import { EngineError } from '../errors.ts';
import { fingerprintOf } from './known-hosts.ts';
import { openSftpStorage } from './sftp-storage.ts';
import { CONFIG_FILE } from './storage.ts';

const { Server, utils } = ssh2;
const hostKey = utils.generateKeyPairSync('ed25519');
const userKey = utils.generateKeyPairSync('ed25519');
const parsed = utils.parseKey(hostKey.public);
assert.ok(!(parsed instanceof Error));
const trust = { hostKeys: [fingerprintOf(parsed.getPublicSSH())] };
const place = openWorkplace();
const privateKeyFile = join(place.path, 'key');
/** How often a client came as far as the SFTP channel. */
let channels = 0;
/** What the server answers in the SFTP channel, after or in place of its greeting. */
let answer: Uint8Array = new Uint8Array(0);

const server = new Server({ hostKeys: [hostKey.private] }, (client) => {
  client.on('error', () => undefined);
  client.on('authentication', (context) => context.accept());
  client.on('session', (accept) => {
    accept().on('subsystem', (acceptSubsystem) => {
      const channel = acceptSubsystem();
      channels += 1;
      channel.on('error', () => undefined);
      channel.on('data', () => undefined);
      channel.end(Buffer.from(answer));
    });
  });
});
before(async () => {
  writeFileSync(privateKeyFile, userKey.private, { mode: 0o600 });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
after(() => {
  server.close();
  place[Symbol.dispose]();
});

async function expectCoded(port: number): Promise<void> {
  await using storage = openSftpStorage({
    host: '127.0.0.1',
    port,
    user: 'backup',
    path: '/r',
    privateKeyFile,
    trust,
    connectTimeoutMs: 3000,
    connections: 1,
  });
  await assert.rejects(
    storage.load(CONFIG_FILE),
    (error) => error instanceof EngineError && error.code.startsWith('storage-'),
  );
}

/** Length, type, body. */
const packet = fc.tuple(fc.nat(0xff), fc.uint8Array({ maxLength: 60 })).map(([type, body]) => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length + 1);
  head[4] = type;
  return Buffer.concat([head, body]);
});
const VERSION_3 = Buffer.from([0, 0, 0, 5, 2, 0, 0, 0, 3]);

describe('an SFTP server that sends anything', () => {
  it('as its packets meets a coded error', async () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 100 }),
      fc.array(packet, { maxLength: 4 }).map((packets) => Buffer.concat(packets)),
      fc.array(packet, { maxLength: 4 }).map((packets) => Buffer.concat([VERSION_3, ...packets])),
      fc.constant(Buffer.from([0xff, 0xff, 0xff, 0xff, 2])),
    );
    await fc.assert(
      fc.asyncProperty(garbage, async (bytes) => {
        answer = bytes;
        await expectCoded((server.address() as AddressInfo).port);
      }),
      { numRuns: 20 },
    );
    assert.ok(channels >= 20);
  });

  it('instead of an SSH greeting meets a coded error', async () => {
    let greeting = Buffer.alloc(0);
    const garbled = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.end(greeting);
    }).listen(0, '127.0.0.1');
    await once(garbled, 'listening');
    try {
      await fc.assert(
        fc.asyncProperty(fc.uint8Array({ maxLength: 200 }), fc.boolean(), async (bytes, isSsh) => {
          greeting = Buffer.concat([Buffer.from(isSsh ? 'SSH-2.0-x\r\n' : ''), bytes]);
          await expectCoded((garbled.address() as AddressInfo).port);
        }),
        { numRuns: 25 },
      );
    } finally {
      garbled.close();
    }
  });
});
