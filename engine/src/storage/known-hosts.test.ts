import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import fc from 'fast-check';
import { openWorkplace } from '../../test/fixtures.ts';
import { KnownHost } from './known-hosts.ts';

const place = openWorkplace();
const file = join(place.path, 'known_hosts');
after(() => place[Symbol.dispose]());

/** A key in SSH's form. */
function makeKey(type = 'ssh-ed25519'): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32BE(type.length);
  return Buffer.concat([length, Buffer.from(type), randomBytes(36)]);
}
const key = makeKey();
const line = (hosts: string): string => `${hosts} ssh-ed25519 ${key.toString('base64')}\n`;

function isTrusted(text: string | Buffer, host = 'backup.example.org', shown = key): boolean {
  writeFileSync(file, text);
  return KnownHost.read({ knownHostsFile: file }, host, 22).distrust(shown) === null;
}

describe('known_hosts', () => {
  it('fits names with stars and question marks, and what is denied not', () => {
    for (const hosts of [
      'backup.example.org',
      '*',
      '*.org',
      'b?ckup.*',
      '*e*e*.org',
      'x,*.example.org',
      'BACKUP.example.org',
    ])
      assert.ok(isTrusted(line(hosts)), hosts);
    for (const hosts of ['backup', '*.com', 'backup.example.org?', '*,!backup.*', 'backup?example', '@revoked *', ''])
      assert.equal(isTrusted(line(hosts)), false, hosts);
  });

  it('takes no longer for a pattern that is made to cost', () => {
    const began = performance.now();
    assert.equal(isTrusted(line('*a'.repeat(2000)), 'a'.repeat(250)), false);
    assert.equal(isTrusted(line(`${'*'.repeat(5000)}b`), 'a'.repeat(250)), false);
    assert.ok(performance.now() - began < 2000);
  });

  it('of any bytes trusts no key that stands nowhere in it, and fails for nothing', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => assert.equal(isTrusted(Buffer.from(bytes)), false)),
    );
    const part = fc.constantFrom(
      '@revoked',
      '@cert-authority',
      '|1|',
      '|1|AAAA|AAAA',
      '*',
      '!',
      ',',
      'ssh-ed25519',
      'AAAA',
      '#',
      ' ',
      '\n',
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 30 }), (parts) => assert.equal(isTrusted(parts.join('')), false)),
    );
  });

  it('shown any bytes as a key does not trust them, and says why', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
        writeFileSync(file, line('*'));
        const said = KnownHost.read({ knownHostsFile: file }, 'host', 22).distrust(Buffer.from(bytes));
        assert.match(said ?? '', /^its .* key SHA256:/);
      }),
    );
  });

  it('pinned to what is no key is refused (RangeError)', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 60 }), (pin) => {
        assert.throws(() => KnownHost.read({ hostKeys: [pin] }, 'host', 22), RangeError);
      }),
    );
  });
});
