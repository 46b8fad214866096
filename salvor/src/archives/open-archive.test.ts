import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { DEFAULT_LIMITS } from './limits.ts';
import { type OpenArchiveOptions, openArchive } from './open-archive.ts';
import type { TarMember } from './tar/tar-member.ts';
import { bytesOf, memberOf, streamOf, tarOf } from './tar/test-tar.ts';
import { PASSWORD, makeTestSite, writeTestArchive } from './test-archive.ts';
import { zipOf } from './test-zip.ts';

type Read = {
  readonly dumps: Map<string | null, string>;
  readonly paths: string[];
  readonly uri: string | null;
  readonly problems: Problem[];
};

async function read(source: AsyncIterable<Uint8Array>, told: Partial<OpenArchiveOptions> = {}): Promise<Read> {
  const found = {
    dumps: new Map<string | null, string>(),
    paths: [] as string[],
    uri: null as string | null,
    problems: [] as Problem[],
  };
  for await (const entry of openArchive(source, {
    name: 'a.tar',
    onProblem: (problem) => found.problems.push(problem),
    ...told,
  })) {
    if (entry.kind === 'about') found.uri = entry.about.uri;
    else if (entry.kind === 'dump') found.dumps.set(entry.database, (await bytesOf(entry.content)).toString());
    else found.paths.push(entry.member.path);
  }
  return found;
}

describe('an archive is read by its content, whatever its name:', () => {
  const packers = { tar: 'cat', 'tar.gz': 'gzip -c', 'tar.bz2': 'bzip2 -c', 'tar.zst': 'zstd -qc' };
  for (const [suffix, packer] of Object.entries(packers)) {
    test(`Aegir’s and BOA’s as ${suffix}, with uncloaked settings and database.sql`, async () => {
      using made = makeTestSite();
      execFileSync('sh', [
        '-c',
        `cd '${made.site}' && echo '-- the dump' > database.sql && tar cpf - . | ${packer} > '${made.out}/any'`,
      ]);
      const found = await read(createReadStream(join(made.out, 'any')));
      assert.equal(found.dumps.get(null), '-- the dump\n');
      assert.deepEqual(found.paths.includes('settings.php') && found.paths.includes('files/css/css_1.css'), true);
      assert.deepEqual([found.uri, found.problems], [null, []]);
    });
  }

  test('the dump in a zip file, deflated or stored; one that is cut off, changed or locked is not', async () => {
    const dump = Buffer.from(`-- MySQL dump\n${'INSERT INTO t VALUES (1);\n'.repeat(50_000)}`);
    async function* pieces(bytes: Buffer): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.length; at += 10_007) yield bytes.subarray(at, at + 10_007);
    }
    for (const isDeflated of [true, false]) {
      const zip = zipOf('site-2026.mysql', dump, isDeflated);
      // What follows the file is zip's own directory.
      const found = await read(pieces(Buffer.concat([zip, Buffer.from('PK\u0001\u0002 and so on')])));
      assert.ok(found.dumps.get(null) === dump.toString());
      await assert.rejects(read(pieces(zip.subarray(0, zip.length - 20))), { code: 'archive-damaged' });
      const locked = Buffer.from(zip);
      locked.writeUInt16LE(1, 6);
      await assert.rejects(read(pieces(locked)), { code: 'archive-unsupported' });
      const changed = Buffer.from(zip);
      changed.writeUInt32LE(7, 14);
      await assert.rejects(read(pieces(changed)), { code: 'archive-damaged' });
    }
  });

  test('ours, without its own members, compared with its manifest', async () => {
    using made = makeTestSite();
    for (const compression of ['gzip', 'none', 'zstd', 'bzip2'] as const) {
      const { name } = await writeTestArchive(made, { compression });
      const found = await read(createReadStream(join(made.out, name)));
      assert.equal(found.uri, 'example.com');
      assert.match(found.dumps.get(null) ?? '', /^-- a dump/);
      assert.deepEqual(
        found.paths.filter((path) => path.startsWith('.salvor')),
        [],
      );
      assert.equal(found.paths.length, 9 + 6 + 2 + 1);
    }
  });

  test('a plain dump, packed or not; and what is neither is told to be nothing that is known', async () => {
    const dump = Buffer.from('-- MySQL dump 10.13\nCREATE TABLE `a` (`b` int);\n');
    assert.equal((await read(streamOf(dump))).dumps.get(null), dump.toString());
    assert.equal((await read(streamOf(gzipSync(dump)))).dumps.get(null), dump.toString());
    await assert.rejects(read(streamOf(Buffer.from('%PDF-1.4'))), { code: 'archive-unknown' });
    await assert.rejects(read(streamOf(Buffer.alloc(0))), { code: 'archive-unknown' });
    await assert.rejects(read(streamOf(Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0, 0, 0]))), {
      code: 'archive-unsupported',
    });
  });
});

test('an archive of ours in which a file was changed is told at its end', async () => {
  using made = makeTestSite();
  const { name } = await writeTestArchive(made, { compression: 'none' });
  const tar = readFileSync(join(made.out, name));
  const changed = Buffer.from(tar);
  const at = changed.indexOf("$conf['colour'] = 'navy'");
  assert.ok(at > 0);
  changed.write('gray', at + "$conf['colour'] = '".length);
  await assert.rejects(read(streamOf(changed)), { code: 'archive-differs' });
  await assert.rejects(read(streamOf(tar.subarray(0, tar.length >> 1))), { code: 'archive-damaged' });
  assert.equal(tar.includes(PASSWORD), false);
});

describe('a hostile archive', () => {
  const file = (name: string, told: Partial<TarMember> = {}): TarMember => memberOf({ name, ...told });
  const link = (name: string, linkName: string): TarMember => memberOf({ name, type: 'symlink', linkName });
  const refused: readonly (readonly [string, readonly TarMember[]])[] = [
    ['with a name above its directory', [file('./../../etc/cron.d/x')]],
    ['with .. in the middle of a name', [file('./files/../../x')]],
    ['with an absolute name', [file('/etc/passwd')]],
    ['with a directory of no name', [file('./a//../b')]],
    ['with a name that no file system takes', [file(`./${'n'.repeat(256)}`)]],
    ['with a file below a link', [link('./files', '/etc'), file('./files/passwd')]],
    ['with a file deep below a link', [link('./files', '/etc'), file('./files/a/b/c')]],
    ['with a link in the place of a directory that holds files', [file('./files/a'), link('./files', '/etc')]],
    ['with a file in the place of a link', [link('./settings.php', '/etc/shadow'), file('./settings.php')]],
    ['with a file twice', [file('./a'), file('./a')]],
    ['with a file below a file', [file('./a'), file('./a/b')]],
    ['with a hard link out of it', [memberOf({ name: './a', type: 'hardlink', linkName: '/etc/shadow' })]],
    ['with a hard link above it', [memberOf({ name: './a', type: 'hardlink', linkName: '../../etc/shadow' })]],
    [
      'with a hard link to a link',
      [link('./l', '/etc/shadow'), memberOf({ name: './a', type: 'hardlink', linkName: './l' })],
    ],
    ['with a hard link to itself', [memberOf({ name: './a', type: 'hardlink', linkName: './a' })]],
    ['whose own directory is a link', [link('.', '/etc')]],
    ['whose dump is a link', [link('./database.sql', '/etc/shadow')]],
    [
      'whose dump is a hard link',
      [file('./a'), memberOf({ name: './database.sql', type: 'hardlink', linkName: './a' })],
    ],
    ['whose link leads nowhere', [link('./a', '')]],
  ];
  for (const [what, members] of refused) {
    test(`${what} is refused before that member is given out`, async () => {
      const tar = tarOf(members.map((member) => ({ member })));
      const given: string[] = [];
      const reading = async (): Promise<void> => {
        for await (const entry of openArchive(streamOf(tar), { name: 'a.tar', onProblem: () => undefined }))
          given.push(entry.kind === 'member' ? entry.member.path : entry.kind);
      };
      await assert.rejects(reading(), { code: 'archive-hostile' });
      assert.ok(given.length < members.length, given.join());
    });
  }

  test('with devices and pipes gives the rest, and names them; setuid bits are taken away', async () => {
    const members = [
      memberOf({ name: './null', type: 'character-device' }),
      memberOf({ name: './disk', type: 'block-device' }),
      memberOf({ name: './pipe', type: 'fifo' }),
      memberOf({ name: './suid', mode: 0o6755 }),
      memberOf({ name: './dir', type: 'directory', mode: 0o6775 }),
    ];
    const problems: string[] = [];
    const modes: string[] = [];
    const options = { name: 'a.tar', onProblem: ({ code, path }: Problem) => problems.push(`${code} ${path}`) };
    for await (const entry of openArchive(streamOf(tarOf(members.map((member) => ({ member })))), options))
      if (entry.kind === 'member') modes.push(`${entry.member.path} ${entry.member.mode.toString(8)}`);
    assert.deepEqual(modes, ['suid 755', 'dir 2775']);
    assert.deepEqual(problems, [
      'special-file-left-out null',
      'special-file-left-out disk',
      'special-file-left-out pipe',
      'rights-dropped suid',
      'rights-dropped dir',
    ]);
  });

  test('may give links that lead anywhere, as Aegir’s sites have them: they are data', async () => {
    const tar = tarOf([{ member: link('./files', '/data/disk/o1/static/files/x.files') }, { member: file('./a') }]);
    assert.deepEqual((await read(streamOf(tar))).paths, ['files', 'a']);
  });

  test('of a million tiny members, of one endless one, or a bomb ends at its limit', async () => {
    const tiny = tarOf(Array.from({ length: 50 }, (_, i) => ({ member: file(`./${i}`) })));
    await assert.rejects(read(streamOf(tiny), { limits: { ...DEFAULT_LIMITS, maxMembers: 40 } }), {
      code: 'archive-too-large',
    });
    const bomb = gzipSync(tarOf([{ member: file('./zeros'), content: Buffer.alloc(8_000_000) }]));
    await assert.rejects(read(streamOf(bomb), { limits: { ...DEFAULT_LIMITS, maxBytes: 1_000_000 } }), {
      code: 'archive-too-large',
    });
    await assert.rejects(read(streamOf(bomb), { limits: { ...DEFAULT_LIMITS, ratioFromBytes: 1_000_000 } }), {
      code: 'archive-too-large',
    });
    const sparse = execFileSync('sh', [
      '-c',
      'd=$(mktemp -d); truncate -s 1T $d/s; tar -C $d -cSf - --format=posix ./s; rm -r $d',
    ]);
    await assert.rejects(read(streamOf(sparse), { limits: { ...DEFAULT_LIMITS, maxBytes: 2 ** 30 } }), {
      code: 'archive-too-large',
    });
  });

  test('that is cut off or changed in its packing is damaged', async () => {
    const packed = gzipSync(tarOf([{ member: file('./a'), content: Buffer.from('abc'.repeat(5000)) }]));
    await assert.rejects(read(streamOf(packed.subarray(0, packed.length - 20))), { code: 'archive-damaged' });
  });

  test('of any bytes and any change of good ones gives entries or a coded error (seed 2026)', async () => {
    const good = tarOf([
      { member: memberOf({ name: '.', type: 'directory' }) },
      { member: file('./database.sql'), content: Buffer.from('-- dump') },
      { member: link('./l', '../x') },
      { member: file(`./${'long/'.repeat(60)}x`), content: Buffer.from('content') },
      { member: memberOf({ name: './h', type: 'hardlink', linkName: './database.sql' }) },
    ]);
    const changes = fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { maxLength: 8 });
    await fc.assert(
      fc.asyncProperty(changes, fc.boolean(), async (list, isPacked) => {
        const bytes = Buffer.from(good);
        for (const [at, to] of list) bytes[at] = to;
        try {
          await read(streamOf(isPacked ? gzipSync(bytes) : bytes));
        } catch (error) {
          assert.ok(error instanceof SalvorError && error.code.startsWith('archive-'), String(error));
        }
      }),
      { seed: 2026, numRuns: 200 },
    );
  });
});
