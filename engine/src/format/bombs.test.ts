/** Stored bytes that are made to cost: each parser has an end of its patience, and says that it is damage. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { parseSnapshotId } from '../ids.ts';
import { MAX_PACK_HEADER_BYTES, MAX_SMALL_FILE_BYTES } from '../limits.ts';
import { MasterKey } from '../seal/master-key.ts';
import { decodeConfig, encodeConfig } from './config-file.ts';
import { decodeIndex, encodeIndex } from './index-file.ts';
import { decodeKeyFile, encodeKeyFile } from './key-file.ts';
import { decodeLock, encodeLock } from './lock-file.ts';
import { decodePackHeader, encodePackHeader } from './pack-header.ts';
import { decodeSnapshot } from './snapshot-file.ts';
import { decodeTree } from './tree-node.ts';
import { openUnpacked } from './unpacked.ts';
import { randomPolynomial } from '../chunk/polynomial.ts';

const id = 'ab'.repeat(32);
const entry = { type: 'data' as const, id, offset: 0, length: 100, plainBytes: 50 };
const NODE = `{"name":"n","type":"file","mode":420,"mtime":"2026-01-01T00:00:00Z","uid":0,"gid":0,"size":5,"content":["${id}"]}`;

/** Parser and a valid text. */
const PARSERS: readonly [string, (text: string) => unknown, string][] = [
  ['config', decodeConfig, encodeConfig({ version: 2, id, polynomial: randomPolynomial() })],
  [
    'key',
    decodeKeyFile,
    encodeKeyFile({
      created: '2026-01-01T00:00:00Z',
      username: 'u',
      hostname: 'h',
      N: 1024,
      r: 8,
      p: 1,
      salt: Buffer.alloc(64, 1),
      data: Buffer.alloc(160, 2),
    }),
  ],
  ['index', decodeIndex, encodeIndex([{ id, blobs: [entry] }])],
  [
    'snapshot',
    (text) => decodeSnapshot(parseSnapshotId(id), text),
    `{"time":"2026-01-01T00:00:00Z","tree":"${id}","paths":["/a"],"hostname":"h","tags":["t"]}`,
  ],
  [
    'lock',
    decodeLock,
    encodeLock({ time: '2026-01-01T00:00:00Z', exclusive: true, hostname: 'h', username: 'u', pid: 5 }),
  ],
  ['listing', (text) => decodeTree(Buffer.from(text)), `{"nodes":[${NODE}]}\n`],
];
const SMALL = new Set(['config', 'key', 'snapshot', 'lock']);

function onlyDamage(parse: (text: string) => unknown, text: string): void {
  try {
    parse(text);
  } catch (error) {
    assert.ok(error instanceof RangeError, `${String(error)} from ${JSON.stringify(text.slice(0, 400))}`);
  }
}

describe('a parser of stored bytes', () => {
  for (const [name, parse, valid] of PARSERS) {
    it(`takes a valid ${name}, and one with any of its characters changed, cut or doubled only as damage or right`, () => {
      parse(valid);
      const change = fc.tuple(fc.nat(valid.length - 1), fc.constantFrom('cut', 'put', 'drop', 'twice'), fc.nat(0x7f));
      fc.assert(
        fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
          let text = valid;
          for (const [at, how, code] of changes) {
            if (how === 'cut') text = text.slice(0, at);
            else if (how === 'put') text = text.slice(0, at) + String.fromCharCode(code) + text.slice(at + 1);
            else if (how === 'drop') text = text.slice(0, at) + text.slice(at + 1);
            else text = text.slice(0, at) + text.slice(at >> 1);
          }
          onlyDamage(parse, text);
        }),
        { numRuns: 400 },
      );
    });

    it(`takes numbers of any size in a ${name} only as damage or right`, () => {
      for (const number of ['1e308', '1e999', '-1', '0.5', '18446744073709551616', '9'.repeat(400), '-0'])
        onlyDamage(parse, valid.replaceAll(/(?<=":)\d+/g, number));
    });

    it(`gives up a ${name} that is nested deep, at once`, () => {
      const began = performance.now();
      for (const [open, close] of [
        ['[', ']'],
        ['{"a":', '}'],
      ] as const) {
        const deep = `${open.repeat(400_000)}1${close.repeat(400_000)}`;
        assert.throws(() => parse(`{"packs":${deep},"nodes":[${deep}],"paths":${deep}}`), RangeError);
        assert.throws(() => parse(open.repeat(1_000_000)), RangeError);
      }
      assert.ok(performance.now() - began < 10_000);
    });

    if (SMALL.has(name)) {
      it(`refuses a ${name} of more than 16 MiB`, () => {
        const padded = valid.replace('{', `{"padding":"${'x'.repeat(MAX_SMALL_FILE_BYTES)}",`);
        assert.throws(() => parse(padded), /too large/);
      });
    }
  }

  it('takes a pack header with any byte changed only as damage or right, and none that is too long', () => {
    const valid = encodePackHeader([entry, { ...entry, type: 'tree', offset: 100 }]);
    fc.assert(
      fc.property(fc.nat(valid.length - 1), fc.nat(255), fc.nat(valid.length), (at, byte, end) => {
        const bytes = Buffer.from(valid);
        bytes[at] = byte;
        try {
          decodePackHeader(bytes.subarray(0, end));
        } catch (error) {
          assert.ok(error instanceof RangeError);
        }
      }),
    );
    assert.throws(() => decodePackHeader(Buffer.alloc(MAX_PACK_HEADER_BYTES + 1)), RangeError);
  });

  it('opens no frame that claims or holds more than it may, however small it is', () => {
    const key = MasterKey.generate();
    const frames: readonly [string, Buffer][] = [
      ['64 MiB of zeros', zstdCompressSync(Buffer.alloc(64 * 2 ** 20))],
      // Magic number, 8 bytes of content size in one segment: 2^40 bytes.
      ['a claim of a TiB', Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0])],
    ];
    const before = process.memoryUsage().rss;
    for (const [name, frame] of frames) {
      assert.ok(frame.length < 10_000, name);
      const sealed = key.seal(Buffer.concat([Buffer.from([2]), frame]));
      assert.throws(() => openUnpacked(key, sealed, MAX_SMALL_FILE_BYTES), RangeError, name);
    }
    assert.ok(process.memoryUsage().rss - before < 200 * 2 ** 20);
    const plain = key.seal(Buffer.from(`{"a":"${'x'.repeat(2000)}"}`));
    assert.throws(() => openUnpacked(key, plain, 1000), RangeError, 'plain JSON has the same end');
  });

  it('reads a listing of a million names', () => {
    const nodes = Array.from({ length: 1_000_000 }, (_, n) => `{"name":"${String(n).padStart(7, '0')}","type":"fifo"}`);
    assert.equal(decodeTree(Buffer.from(`{"nodes":[${nodes.join(',')}]}`)).length, 1_000_000);
  });
});
