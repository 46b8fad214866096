/** The codecs of stored bytes: round trips, restic's own forms, and that no foreign bytes do more than fail. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { parseSnapshotId, parseTreeId } from '../ids.ts';
import { compress } from '../seal/compress.ts';
import { MasterKey } from '../seal/master-key.ts';
import { decodeConfig } from './config-file.ts';
import { goJsonString } from './go-json.ts';
import { quoteName, unquoteName } from './go-quote.ts';
import { decodeIndex, encodeIndex } from './index-file.ts';
import { decodeKeyFile, decodeMasterKey } from './key-file.ts';
import { decodeLock } from './lock-file.ts';
import { decodePackHeader, encodePackHeader } from './pack-header.ts';
import type { PackEntry } from './pack-header.ts';
import { decodeSnapshot, encodeSnapshot } from './snapshot-file.ts';
import { formatTime, parseTime } from './time.ts';
import { NO_CONTENT, decodeTree, encodeContent, encodeNodeHead, encodeSubtree, encodeTree } from './tree-node.ts';
import type { NodeFields } from './tree-node.ts';
import { openUnpacked, sealUnpacked } from './unpacked.ts';

const id = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes).toString('hex'));
const byteString = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const u32 = fc.integer({ min: 1, max: 0xffff_ffff });

describe('names', () => {
  it('survive quoting whatever their bytes are', () => {
    fc.assert(fc.property(byteString, (name) => assert.equal(unquoteName(quoteName(name)), name)));
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const name = Buffer.from(text).toString('latin1');
        assert.equal(unquoteName(quoteName(name)), name);
      }),
    );
  });

  it('are quoted as Go does it', () => {
    const rows: readonly [string, string][] = [
      ['plain.php', 'plain.php'],
      ['\xff', '\\xff'],
      ['"\\', '\\"\\\\'],
      ['\n\x01\x7f', '\\n\\x01\\x7f'],
      ['\xc2\xa0', '\\u00a0'],
      ['\xe2\x80\xa8', '\\u2028'],
      ['\xc3\xa9', 'é'],
      ['\xf0\x9f\x98\x80', '😀'],
      ['\xed\xa0\x80', '\\xed\\xa0\\x80'],
      ['\xee\x80\x80', '\\ue000'],
      ['\xf3\xa0\x80\x81', '\\U000e0001'],
      ['\xef\xbf\xbd', '\ufffd'],
    ];
    for (const [name, quoted] of rows) assert.equal(quoteName(name), quoted);
    assert.throws(() => unquoteName('\\q'), RangeError);
  });

  it('become JSON as Go writes it', () => {
    assert.equal(
      goJsonString('<a> & "b" \\ \n\t\u0001\u2028/'),
      '"\\u003ca\\u003e \\u0026 \\"b\\" \\\\ \\n\\t\\u0001\\u2028/"',
    );
    fc.assert(fc.property(fc.string(), (text) => assert.equal(JSON.parse(goJsonString(text)), text)));
  });
});

describe('times', () => {
  it('survive to the nanosecond, before 1970 too', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -62_000_000_000_000_000_000n, max: 253_000_000_000_000_000_000n }), (ns) =>
        assert.equal(parseTime(formatTime(ns)), ns),
      ),
    );
  });

  it('have as many digits as are needed, and are clamped to years that can be written', () => {
    assert.equal(formatTime(0n), '1970-01-01T00:00:00Z');
    assert.equal(formatTime(-1n), '1969-12-31T23:59:59.999999999Z');
    assert.equal(formatTime(1_500_000_000n), '1970-01-01T00:00:01.5Z');
    assert.match(formatTime(10n ** 21n), /^9999-12-31T23:59:59/);
    assert.equal(parseTime('2026-11-23T02:00:00.25+01:00'), parseTime('2026-11-23T01:00:00.25Z'));
    assert.throws(() => parseTime('yesterday'), RangeError);
  });
});

const node = (fields: Partial<NodeFields>): NodeFields => ({
  name: 'n',
  type: 'file',
  mode: 0o100644,
  mtimeNs: 0n,
  ctimeNs: 0n,
  uid: 0,
  gid: 0,
  user: '',
  group: '',
  inode: 0n,
  device: 0n,
  size: 0n,
  links: 1n,
  linkTarget: '',
  extendedAttributes: [],
  specialDevice: 0n,
  ...fields,
});

describe('listings', () => {
  it('are written field by field as restic writes them', () => {
    const file = node({
      name: 'a',
      uid: 33,
      user: 'www-data',
      inode: 18_446_744_073_709_551_615n,
      device: 64_768n,
      size: 5n,
      mode: 0o104755,
      mtimeNs: 1_500_000_000n,
    });
    assert.equal(
      encodeNodeHead(file) + encodeContent(['ab'.repeat(32)]),
      `{"name":"a","type":"file","mode":8389101,"mtime":"1970-01-01T00:00:01.5Z","atime":"1970-01-01T00:00:01.5Z","ctime":"1970-01-01T00:00:00Z","uid":33,"gid":0,"user":"www-data","inode":18446744073709551615,"device_id":64768,"size":5,"links":1,"content":["${'ab'.repeat(32)}"]}`,
    );
    assert.match(encodeNodeHead(node({ type: 'dir', mode: 0o040755 })), /"mode":2147484141/);
    assert.match(
      encodeNodeHead(node({ type: 'symlink', mode: 0o120777, linkTarget: 'x' })),
      /"mode":134218239.*"linktarget":"x"/,
    );
    assert.doesNotMatch(encodeNodeHead(node({ mode: 0o100000 })), /"mode"/);
    assert.equal(encodeTree([]), '{"nodes":[]}\n');
  });

  it('survive with numbers beyond 2^53 and names of any bytes', () => {
    fc.assert(
      fc.property(
        byteString.filter((name) => !/[/\0]/.test(name) && name !== '.' && name !== '..'),
        fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
        fc.array(id, { maxLength: 3 }),
        (name, inode, content) => {
          const fields = node({
            name,
            inode,
            size: 7n,
            extendedAttributes: [{ name: 'user.a', value: Buffer.from([1, 2]) }],
          });
          const [decoded] = decodeTree(Buffer.from(encodeTree([encodeNodeHead(fields) + encodeContent(content)])));
          assert.deepEqual(
            { ...decoded, extendedAttributes: decoded?.extendedAttributes.map((each) => [...each.value]) },
            { ...fields, extendedAttributes: [[1, 2]], content, subtree: null, error: '' },
          );
        },
      ),
    );
  });

  it('are refused where a name would lead elsewhere, or the order is wrong', () => {
    const tree = (...names: string[]): Buffer =>
      Buffer.from(encodeTree(names.map((name) => encodeNodeHead(node({ name })) + encodeContent([]))));
    for (const name of ['..', '.', '../x', 'a/b', '/etc', 'a\0b'])
      assert.throws(() => decodeTree(tree(name)), RangeError, name);
    assert.throws(() => decodeTree(tree('b', 'a')), RangeError);
    assert.throws(() => decodeTree(tree('a', 'a')), RangeError);
    assert.equal(decodeTree(tree('a', 'b')).length, 2);
    assert.throws(
      () => decodeTree(Buffer.from(encodeTree([encodeNodeHead(node({ type: 'dir', mode: 0o040755 })) + NO_CONTENT]))),
      RangeError,
    );
    assert.equal(
      decodeTree(
        Buffer.from(
          encodeTree([encodeNodeHead(node({ type: 'dir', mode: 0o040755 })) + encodeSubtree('cd'.repeat(32))]),
        ),
      )[0]?.subtree,
      'cd'.repeat(32),
    );
  });
});

describe('packs, indexes, snapshots', () => {
  const entries = fc.array(
    fc.record({
      type: fc.constantFrom('data' as const, 'tree' as const),
      id,
      length: u32,
      plainBytes: fc.option(u32, { nil: null }),
    }),
    { maxLength: 20 },
  );
  const placed = (list: readonly Omit<PackEntry, 'offset'>[]): PackEntry[] => {
    let offset = 0;
    return list.map((entry) => ({ ...entry, offset: (offset += entry.length) - entry.length }));
  };

  it('headers survive', () => {
    fc.assert(
      fc.property(entries, (list) => assert.deepEqual(decodePackHeader(encodePackHeader(placed(list))), placed(list))),
    );
  });

  it('index files survive, and what is unknown in them is passed over', () => {
    fc.assert(
      fc.property(
        entries.filter((list) => placed(list).every((entry) => entry.offset <= 0xffff_ffff)),
        id,
        (list, pack) => {
          const packs = [{ id: pack, blobs: placed(list) }];
          assert.deepEqual(decodeIndex(encodeIndex(packs)), packs);
        },
      ),
    );
    assert.deepEqual(decodeIndex('{"supersedes":["x"],"packs":[],"packs_to_delete":[]}'), []);
  });

  it('snapshots survive', () => {
    const snapshot = {
      time: '2026-11-23T02:00:00.5+01:00',
      tree: parseTreeId('ab'.repeat(32)),
      parent: null,
      paths: ['/a', '/<b>'],
      hostname: 'h',
      username: 'u',
      uid: 0,
      gid: 5,
      excludes: [],
      tags: ['salvor', 'point:1'],
      original: parseSnapshotId('cd'.repeat(32)),
      programVersion: 'p',
      summary: { files_new: 1 },
    };
    const snapshotId = parseSnapshotId('ef'.repeat(32));
    assert.deepEqual(decodeSnapshot(snapshotId, encodeSnapshot(snapshot)), { id: snapshotId, ...snapshot });
  });

  it('small files are read compressed and plain, and not when sealed with another key or of another form', () => {
    const key = MasterKey.generate();
    const json = '{"a":1}';
    assert.equal(openUnpacked(key, sealUnpacked(key, json), 1000), json);
    assert.equal(openUnpacked(key, key.seal(Buffer.from(json)), 1000), json);
    assert.throws(() => openUnpacked(MasterKey.generate(), sealUnpacked(key, json), 1000), RangeError);
    assert.throws(() => openUnpacked(key, key.seal(Buffer.from([3, 1, 2])), 1000), RangeError);
    assert.throws(
      () => openUnpacked(key, key.seal(Buffer.concat([Buffer.from([2]), compress(Buffer.alloc(100_000))])), 1000),
      RangeError,
      'a bomb',
    );
  });
});

describe('foreign bytes', () => {
  const parsers: readonly [string, (bytes: Buffer) => unknown][] = [
    ['config', (bytes) => decodeConfig(bytes.toString())],
    ['key file', (bytes) => decodeKeyFile(bytes.toString())],
    ['master key', (bytes) => decodeMasterKey(bytes.toString())],
    ['index', (bytes) => decodeIndex(bytes.toString())],
    ['snapshot', (bytes) => decodeSnapshot(parseSnapshotId('00'.repeat(32)), bytes.toString())],
    ['lock', (bytes) => decodeLock(bytes.toString())],
    ['listing', (bytes) => decodeTree(bytes)],
    ['pack header', (bytes) => decodePackHeader(bytes)],
  ];
  const keys = fc.constantFrom(
    'version',
    'id',
    'chunker_polynomial',
    'kdf',
    'N',
    'r',
    'p',
    'salt',
    'data',
    'mac',
    'k',
    'encrypt',
    'packs',
    'blobs',
    'type',
    'offset',
    'length',
    'nodes',
    'name',
    'mtime',
    'content',
    'subtree',
    'time',
    'tree',
    'paths',
    'pid',
  );
  const json = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      fc.constant(null),
      fc.boolean(),
      fc.double(),
      fc.integer(),
      fc.string(),
      id,
      fc.constantFrom('data', 'tree', 'file', 'dir', 'scrypt'),
      fc.array(tie('value'), { maxLength: 4 }),
      fc.dictionary(keys, tie('value'), { maxKeys: 8 }),
    ),
  })).value;

  for (const [name, parse] of parsers) {
    it(`read as a ${name} only ever fail as damage`, () => {
      const onlyDamage = (bytes: Buffer): void => {
        try {
          parse(bytes);
        } catch (error) {
          assert.ok(error instanceof RangeError, `${String(error)} from ${bytes.toString('hex')}`);
        }
      };
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => onlyDamage(Buffer.from(bytes))),
        { numRuns: 300 },
      );
      fc.assert(
        fc.property(json, (value) => onlyDamage(Buffer.from(JSON.stringify(value)))),
        { numRuns: 500 },
      );
    });
  }
});
