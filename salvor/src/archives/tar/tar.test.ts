import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { getXattr, setTimes, setXattr } from '@salvor/engine/libc';
import fc from 'fast-check';
import { ArchiveFault } from './archive-fault.ts';
import { type TarMember, bytesToName, textToName } from './tar-member.ts';
import { judge, memberOf, readAll, streamOf, tarOf } from './test-tar.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { isHole, readTar } from './read-tar.ts';
import { encodeEnd, encodeHeader, paxRecord } from './write-header.ts';

const top = mkdtempSync(join(tmpdir(), 'salvor-tar-'));
after(() => rmSync(top, { recursive: true, force: true }));

const LONG = 'a directory with a long name/'.repeat(12);

const AWKWARD: readonly TarMember[] = [
  memberOf({ name: './plain.txt' }),
  memberOf({ name: `./${LONG}long` }),
  memberOf({ name: `./${'n'.repeat(255)}` }),
  memberOf({ name: `./${'d'.repeat(140)}/${'e'.repeat(99)}` }),
  memberOf({ name: textToName('./Ærøskøbing/日本.txt') }),
  memberOf({ name: textToName(`./${'ø'.repeat(120)}`) }),
  memberOf({ name: bytesToName(Buffer.from([0x2e, 0x2f, 0xff, 0xfe, 0x41])) }),
  memberOf({ name: `./${bytesToName(Buffer.alloc(200, 0xe9))}` }),
  memberOf({ name: './with\nline end and \\ and "' }),
  memberOf({ name: './time', mtimeNs: 1_700_000_000_123_456_789n }),
  memberOf({ name: './old', mtimeNs: -1_500_000_000n }),
  memberOf({ name: './future', mtimeNs: 9_000_000_000_000_000_000n }),
  memberOf({ name: './ids', uid: 4_294_967_294, gid: 3_000_000 }),
  memberOf({ name: './names', user: textToName('møller'), group: 'g'.repeat(40) }),
  memberOf({ name: './mode', mode: 0o6751 }),
  memberOf({ name: './directory', type: 'directory', mode: 0o2775 }),
  memberOf({ name: `./${LONG}deep`, type: 'directory' }),
  memberOf({ name: './link', type: 'symlink', linkName: '../../somewhere else' }),
  memberOf({ name: './long link', type: 'symlink', linkName: `/${'x'.repeat(300)}` }),
  memberOf({ name: './bytes link', type: 'symlink', linkName: bytesToName(Buffer.alloc(300, 0xfe)) }),
  memberOf({ name: './hard', type: 'hardlink', linkName: './plain.txt' }),
  memberOf({
    name: './attributes',
    xattrs: [
      { name: 'user.a=b%c', value: Buffer.from([0, 1, 2, 10, 255]) },
      { name: 'user.empty', value: Buffer.alloc(0) },
    ],
  }),
];

describe('a member that is written', () => {
  test('is read back as it was, whatever its name, numbers and attributes are', async () => {
    const read = await readAll(tarOf(AWKWARD.map((member) => ({ member }))));
    assert.deepEqual(read.map(normal), AWKWARD.map(normal));
  });

  test('is unpacked by GNU tar with the same name, type, mode, owner, time, link and attributes, without a word', () => {
    const directory = mkdtempSync(join(top, 'gnu-'));
    const members = AWKWARD.filter(({ name }) => name !== './names');
    const args = ['-xpf', '-', '-C', directory, '--numeric-owner', '--xattrs', '--same-owner'];
    const run = spawnSync('tar', args, { input: tarOf(members.map((member) => ({ member }))), encoding: 'utf8' });
    // What lies in the past or the future is worth a warning to it.
    const words = run.stderr.split('\n').filter((line) => !/time stamp|implausibly/.test(line));
    assert.deepEqual([run.status, words.join('')], [0, '']);
    for (const member of members) {
      const path = Buffer.concat([Buffer.from(`${directory}/`), Buffer.from(member.name.slice(2), 'latin1')]);
      const stat = lstatSync(path, { bigint: true });
      if (member.type === 'hardlink') {
        assert.equal(stat.ino, lstatSync(join(directory, 'plain.txt'), { bigint: true }).ino);
        continue;
      }
      const seen = { uid: Number(stat.uid), gid: Number(stat.gid), mtimeNs: stat.mtimeNs };
      const { uid, gid, mtimeNs } = member;
      assert.deepEqual(seen, { uid, gid, mtimeNs }, JSON.stringify(member.name));
      if (member.type === 'symlink') assert.equal(bytesToName(readlinkSync(path, 'buffer')), member.linkName);
      else assert.equal(Number(stat.mode) & 0o7777, member.mode, JSON.stringify(member.name));
      for (const { name, value } of member.xattrs) assert.deepEqual(getXattr(path, name), Buffer.from(value));
    }
  });

  test('may have more than eight gigabytes: GNU tar says its size and finds what follows it', async () => {
    const size = 9 * 2 ** 30 + 5;
    const file = join(top, 'huge.tar');
    const fd = openSync(file, 'w');
    const header = encodeHeader(memberOf({ name: './huge', size }));
    const next = encodeHeader(memberOf({ name: './next', size: 0 }));
    const after = Math.ceil((header.length + size) / 512) * 512;
    writeSync(fd, header, 0, header.length, 0);
    writeSync(fd, next, 0, next.length, after);
    const end = encodeEnd(after + next.length);
    writeSync(fd, end, 0, end.length, after + next.length);
    closeSync(fd);
    const listed = execFileSync('tar', ['-tvf', file], {
      encoding: 'utf8',
      env: { PATH: process.env['PATH'], TZ: 'UTC' },
    });
    assert.match(listed, new RegExp(` ${size} .* \\./huge\n.* 0 .* \\./next\n$`));
    const stream = streamOf(header);
    const first = await readTar(stream, DEFAULT_LIMITS).next();
    assert.equal(first.value?.size, size);
  });

  const seed = 20_261_126;
  test(`of random fields is read back as it was (seed ${seed})`, async () => {
    const bytes = (most: number): fc.Arbitrary<string> =>
      fc
        .uint8Array({ minLength: 1, maxLength: most })
        .map((array) => bytesToName(array.map((byte) => (byte === 0 || byte === 47 ? 97 : byte))));
    const member = fc.record({
      name: bytes(400).map((name) => `./${name}`),
      mode: fc.integer({ min: 0, max: 0o7777 }),
      uid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      gid: fc.integer({ min: 0, max: 2 ** 32 - 1 }),
      mtimeNs: fc.bigInt({ min: -(10n ** 19n), max: 10n ** 19n }),
      content: fc.uint8Array({ maxLength: 2000 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(member, { minLength: 1, maxLength: 5 }), async (list) => {
        const members = list.map(({ content, ...told }) => ({
          member: memberOf({ ...told, size: content.length }),
          content,
        }));
        const read = await readAll(tarOf(members));
        assert.deepEqual(
          read,
          members.map(({ member: one, content }) => ({ ...one, bytes: Buffer.from(content) })),
        );
      }),
      { seed, numRuns: 150 },
    );
  });
});

describe('an archive of another program is read as what was packed:', () => {
  const source = join(top, 'source');
  mkdirSync(join(source, LONG), { recursive: true });
  writeFileSync(join(source, 'file'), 'content\n');
  chmodSync(join(source, 'file'), 0o640);
  chownSync(join(source, 'file'), 1001, 33);
  writeFileSync(join(source, LONG, 'deep'), 'deep\n');
  writeFileSync(join(source, 'blåbær'), '');
  symlinkSync('file', join(source, 'link'));
  linkSync(join(source, 'file'), join(source, 'zweiter'));
  setXattr(join(source, 'file'), 'user.colour', Buffer.from('navy'));
  setTimes(join(source, 'file'), 0n, 1_600_000_000_987_654_321n);
  const sparse = openSync(join(source, 'sparse'), 'w');
  writeSync(sparse, 'front', 0);
  writeSync(sparse, 'middle', 3 * 2 ** 20);
  writeSync(sparse, 'end', 9 * 2 ** 20);
  closeSync(sparse);

  for (const [name, ...flags] of [
    ['GNU tar', '--format=gnu'],
    ['GNU tar, sparse', '--format=gnu', '-S'],
    ['ustar', '--format=ustar', '--exclude=./a directory*'],
    ['PAX with attributes', '--format=posix', '--xattrs'],
    ['PAX, sparse 0.0', '--format=posix', '-S', '--sparse-version=0.0'],
    ['PAX, sparse 0.1', '--format=posix', '-S', '--sparse-version=0.1'],
    ['PAX, sparse 1.0', '--format=posix', '-S', '--sparse-version=1.0'],
    ['Unix V7', '--format=v7', '--exclude=./a directory*'],
  ] as const) {
    test(name, async () => {
      const tar = judge('tar', ['-cf', '-', '-C', source, ...flags, '.']);
      const read = await readAll(tar);
      const file = read.find((member) => member.name === './file' || member.name === './zweiter');
      const other = read.find((member) => member.type === 'hardlink');
      assert.deepEqual(
        [file?.mode, file?.uid, file?.gid, file?.bytes.toString(), other?.linkName],
        [0o640, 1001, 33, 'content\n', file?.name],
      );
      const isExact = flags[0] === '--format=posix';
      assert.equal(file?.mtimeNs, isExact ? 1_600_000_000_987_654_321n : 1_600_000_000_000_000_000n);
      assert.equal(
        file?.xattrs.find((attribute) => attribute.name === 'user.colour')?.value.toString(),
        name.endsWith('attributes') ? 'navy' : undefined,
      );
      assert.equal(read.find((member) => member.type === 'symlink')?.linkName, 'file');
      assert.ok(read.some((member) => member.name === textToName('./blåbær')));
      const holes = read.find((member) => member.name === './sparse');
      assert.equal(holes?.bytes.equals(readFileSync(join(source, 'sparse'))), true);
      assert.equal(holes.size, 9 * 2 ** 20 + 3);
      const deep = read.find((member) => member.name.endsWith('/deep'));
      assert.equal(deep?.bytes.toString(), flags.some((flag) => flag.startsWith('--exclude')) ? undefined : 'deep\n');
      assert.deepEqual(read[0]?.name, '.');
    });
  }

  test('the holes of a sparse file come as such', async () => {
    const tar = judge('tar', ['-cSf', '-', '-C', source, '--format=posix', './sparse']);
    let holes = 0;
    for await (const member of readTar(streamOf(tar), DEFAULT_LIMITS)) {
      assert.equal(member.isSparse, true);
      for await (const bytes of member.content) if (isHole(bytes)) holes += bytes.length;
    }
    assert.ok(holes > 8 * 2 ** 20, `${holes} bytes of holes`);
    assert.equal(readdirSync(source).includes('sparse'), true);
  });
});

describe('an archive that is not what it says', () => {
  const good = tarOf([
    { member: memberOf({ name: './one' }), content: Buffer.from('content of one') },
    { member: memberOf({ name: './two' }), content: Buffer.alloc(3000, 'x') },
  ]);

  async function faultOf(tar: Uint8Array): Promise<string> {
    try {
      await readAll(tar);
    } catch (error) {
      assert.ok(error instanceof ArchiveFault, String(error));
      return error.kind;
    }
    return 'none';
  }

  test('is damaged wherever it is cut off before its end', async () => {
    const end = good.length - encodeEnd(good.length).length;
    for (const at of [0, 100, 512, 520, 1024, 1500, 2048, 4000, end - 9216]) {
      assert.equal(await faultOf(good.subarray(0, at)), 'damaged', `cut off at ${at}`);
    }
  });

  test('is read where one empty block ends it, as some programs write', async () => {
    const used = Math.ceil((512 + 14) / 512) * 512 + 512 + 3072;
    assert.equal(await faultOf(good.subarray(0, used + 512)), 'none');
  });

  test('is damaged where a header is changed', async () => {
    for (const at of [0, 105, 130, 157, 300]) {
      const changed = Buffer.from(good);
      changed[at] = (changed[at] ?? 0) ^ 0x41;
      assert.equal(await faultOf(changed), 'damaged', `byte ${at}`);
    }
  });

  /** A header with other bytes in it and a right sum. */
  function forged(change: (block: Buffer) => void, told: Partial<TarMember> = {}): Buffer {
    const block = Buffer.from(encodeHeader(memberOf({ name: './forged', ...told })));
    change(block);
    block.write('        ', 148, 'latin1');
    const sum = block.reduce((total, byte) => total + byte, 0);
    block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return block;
  }

  function pax(...records: readonly (readonly [string, string])[]): Buffer {
    const body = Buffer.concat(records.map(([key, value]) => paxRecord(key, value)));
    return Buffer.concat([
      forged((block) => block.write('x', 156), { size: body.length }),
      body,
      Buffer.alloc((512 - (body.length % 512)) % 512),
    ]);
  }

  const file = forged(() => undefined);
  const cases: readonly (readonly [string, Buffer, string])[] = [
    ['a size below zero', forged((block) => block.fill(0xff, 124, 136)), 'hostile'],
    [
      'a size of 2^70',
      forged((block) => {
        block[124] = 0x80;
        block[126] = 0x40;
      }),
      'hostile',
    ],
    ['a size in an extended header that is no number', Buffer.concat([pax(['size', '-5']), file]), 'hostile'],
    ['a size in an extended header beyond the end', Buffer.concat([pax(['size', '99999999']), file]), 'damaged'],
    [
      'a record that is longer than its header',
      Buffer.concat([
        forged((b) => b.write('x', 156), { size: 10 }),
        Buffer.from('99 path=ab'),
        Buffer.alloc(502),
        file,
      ]),
      'damaged',
    ],
    [
      'a record without end',
      Buffer.concat([forged((b) => b.write('x', 156), { size: 512 }), Buffer.alloc(512, '9'), file]),
      'damaged',
    ],
    [
      'a name for all members',
      Buffer.concat([forged((b) => b.write('g', 156), { size: 9 }), Buffer.from('9 path=x\n'.padEnd(512, '\0')), file]),
      'hostile',
    ],
    [
      'an extended header of a gigabyte',
      Buffer.concat([forged((b) => b.write('x', 156), { size: 2 ** 30 }), file]),
      'too-large',
    ],
    [
      'a long name of a megabyte',
      Buffer.concat([forged((b) => b.write('L', 156), { size: 2 ** 20 }), Buffer.alloc(2 ** 20, 'n'), file]),
      'too-large',
    ],
    ['a symbolic link with content', forged((b) => b.write('2', 156), { size: 5 }), 'hostile'],
    ['a type that nobody knows', forged((b) => b.write('?', 156)), 'unsupported'],
    ['one volume of several', forged((b) => b.write('M', 156)), 'unsupported'],
    [
      'sparse pieces that overlap',
      Buffer.concat([
        pax(['GNU.sparse.size', '100'], ['GNU.sparse.numblocks', '2'], ['GNU.sparse.map', '0,10,5,10']),
        forged(() => undefined, { size: 20 }),
        Buffer.alloc(512),
      ]),
      'hostile',
    ],
    [
      'a sparse piece beyond the end',
      Buffer.concat([
        pax(['GNU.sparse.size', '10'], ['GNU.sparse.map', '5,10']),
        forged(() => undefined, { size: 10 }),
        Buffer.alloc(512),
      ]),
      'hostile',
    ],
    [
      'sparse pieces that are not what is stored',
      Buffer.concat([
        pax(['GNU.sparse.size', '100'], ['GNU.sparse.map', '0,10']),
        forged(() => undefined, { size: 500 }),
        Buffer.alloc(512),
      ]),
      'hostile',
    ],
    [
      'a sparse list that never ends',
      Buffer.concat([
        pax(['GNU.sparse.major', '1'], ['GNU.sparse.minor', '0'], ['GNU.sparse.realsize', '10']),
        forged(() => undefined, { size: 512 }),
        Buffer.from('99999999\n'.padEnd(512, '1')),
      ]),
      'too-large',
    ],
    [
      'a sparse list without numbers',
      Buffer.concat([
        pax(['GNU.sparse.major', '1'], ['GNU.sparse.minor', '0'], ['GNU.sparse.realsize', '10']),
        forged(() => undefined, { size: 512 }),
        Buffer.alloc(512, 'x'),
      ]),
      'hostile',
    ],
  ];
  for (const [what, tar, kind] of cases) {
    test(`is ${kind}: ${what}`, async () => {
      const whole = Buffer.concat([tar, encodeEnd(tar.length)]);
      assert.equal(await faultOf(whole), kind);
    });
  }

  test('may have no more members than are allowed', async () => {
    await assert.rejects(readAll(good, { ...DEFAULT_LIMITS, maxMembers: 1 }), { kind: 'too-large' });
  });

  const seed = 4711;
  test(`gives members or a fault, and nothing else, for any bytes and any change of good ones (seed ${seed})`, async () => {
    const rich = tarOf(
      AWKWARD.map((member) => ({
        member,
        content: member.type === 'file' ? Buffer.from('content') : new Uint8Array(0),
      })),
    );
    const change = fc.record({ at: fc.nat(rich.length - 1), to: fc.nat(255), count: fc.integer({ min: 1, max: 600 }) });
    const mutated = fc.array(change, { minLength: 1, maxLength: 6 }).map((changes) => {
      const bytes = Buffer.from(rich);
      for (const { at, to, count } of changes) bytes.fill(to, at, Math.min(at + count, bytes.length));
      return bytes;
    });
    const random = fc.uint8Array({ maxLength: 4096 }).map((bytes) => Buffer.from(bytes));
    const repaired = mutated.map(withRightSums);
    await fc.assert(
      fc.asyncProperty(fc.oneof(mutated, random, repaired), async (bytes) => {
        await faultOf(bytes);
      }),
      { seed, numRuns: 400 },
    );
  });
});

/** Changed headers that pass for good ones. */
function withRightSums(bytes: Buffer): Buffer {
  for (let at = 0; at + 512 <= bytes.length; at += 512) {
    if (bytes.toString('latin1', at + 257, at + 262) !== 'ustar') continue;
    bytes.write('        ', at + 148, 'latin1');
    const sum = bytes.subarray(at, at + 512).reduce((total, byte) => total + byte, 0);
    bytes.write(`${sum.toString(8).padStart(6, '0')}\0 `, at + 148, 'latin1');
  }
  return bytes;
}

function normal({ name, type, mode, uid, gid, user, group, size, mtimeNs, linkName, xattrs }: TarMember): unknown {
  const attributes = xattrs.map(({ name: key, value }) => [key, Buffer.from(value).toString('hex')]);
  return { name, type, mode, uid, gid, user, group, size, mtimeNs, linkName, attributes };
}
