import assert from 'node:assert/strict';
import { existsSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { openDirectory, openRoot } from './open-directory.ts';
import { openFileAt, readFileBeneath, readPieces } from './read-file.ts';
import { parseSafePath } from './safe-path.ts';
import {
  createFileAt,
  exchangeSpots,
  lookAt,
  makeDirectoryAt,
  makeLinkAt,
  moveSpot,
  openSpot,
  readLinkAt,
  spotBeneath,
  spotIn,
} from './spot.ts';
import { type TenantHome, makeTenantHome, swapping } from './test-tenant.ts';

describe('names in open directories', () => {
  let tenant: TenantHome;
  let foreignBefore: string;
  before(async () => {
    tenant = await makeTenantHome();
    foreignBefore = tenant.observeForeign();
  });
  beforeEach(() => {
    rmSync(join(tenant.home, 'd'), { recursive: true, force: true });
    tenant.put('d');
    tenant.put('d/f', 'mine');
  });
  after(() => tenant[Symbol.asyncDispose]());

  test('a link anywhere in a path is refused, by name, and so is a way up', () => {
    using root = openRoot(tenant.home);
    symlinkSync(tenant.foreign, join(tenant.home, 'd/out'));
    symlinkSync('f', join(tenant.home, 'd/in'));
    assert.throws(() => openDirectory(root, parseSafePath('d/out')), { code: 'path-leads-out' });
    assert.throws(() => openDirectory(root, parseSafePath('d/out/inner')), { code: 'path-leads-out' });
    assert.throws(() => openSpot(tenant.home, join(tenant.home, 'd/out/secret')), { code: 'path-leads-out' });
    assert.throws(() => openSpot(tenant.home, join(tenant.home, '../foreign/secret')), { code: 'path-unsafe' });
    assert.throws(() => openSpot(tenant.home, tenant.home), { code: 'path-unsafe' });
    assert.throws(() => openRoot(join(tenant.home, 'd/out')), { code: 'ENOTDIR' });
    using spot = spotBeneath(root, parseSafePath('d/in'));
    assert.throws(() => openFileAt(spot), { code: 'path-leads-out' });
    assert.equal(lookAt(spot)?.isSymbolicLink(), true);
    assert.equal(readLinkAt(spot).toString(), 'f');
  });

  test('what was opened stays what it was when another thing takes its name', () => {
    using root = openRoot(tenant.home);
    using directory = openDirectory(root, parseSafePath('d'));
    renameSync(join(tenant.home, 'd'), join(tenant.home, 'moved'));
    symlinkSync(tenant.foreign, join(tenant.home, 'd'));
    makeDirectoryAt(spotIn(directory, 'made'), 0o700);
    makeLinkAt(spotIn(directory, 'link'), '/etc/passwd');
    assert.ok(existsSync(join(tenant.home, 'moved/made')));
    assert.equal(tenant.observeForeign(), foreignBefore);
    rmSync(join(tenant.home, 'd'));
    renameSync(join(tenant.home, 'moved'), join(tenant.home, 'd'));
  });

  test('nothing that is there is written over or replaced', () => {
    using root = openRoot(tenant.home);
    using directory = openDirectory(root, parseSafePath('d'));
    symlinkSync(join(tenant.foreign, 'secret'), join(tenant.home, 'd/trap'));
    symlinkSync(join(tenant.foreign, 'new'), join(tenant.home, 'd/dangling'));
    for (const name of ['f', 'trap', 'dangling']) {
      const spot = spotIn(directory, name);
      assert.throws(() => createFileAt(spot, 0o600), { code: 'EEXIST' }, name);
      assert.throws(() => makeDirectoryAt(spot, 0o700), { code: 'EEXIST' }, name);
      assert.throws(() => makeLinkAt(spot, 'x'), { code: 'EEXIST' }, name);
      if (name !== 'f') assert.throws(() => moveSpot(spotIn(directory, 'f'), spot), { code: 'EEXIST' }, name);
    }
    assert.throws(() => spotIn(directory, 'a/b'), { code: 'path-unsafe' });
    assert.equal(tenant.observeForeign(), foreignBefore);
  });

  test('pipes, devices and directories are not read and not waited for; files are, to their end', async () => {
    using root = openRoot(tenant.home);
    using directory = openDirectory(root, parseSafePath('d'));
    const { execFileSync } = await import('node:child_process');
    execFileSync('mkfifo', [join(tenant.home, 'd/pipe')]);
    execFileSync('mknod', [join(tenant.home, 'd/zero'), 'c', '1', '5']);
    mkdirSync(join(tenant.home, 'd/e'));
    for (const name of ['pipe', 'zero', 'e'])
      assert.throws(() => openFileAt(spotIn(directory, name)), { code: 'not-a-file' }, name);
    assert.equal(openFileAt(spotIn(directory, 'gone')), null);
    const long = Buffer.alloc(700_001, 'abc');
    writeFileSync(join(tenant.home, 'd/long'), long);
    using file = openFileAt(spotIn(directory, 'long'));
    assert.ok(file !== null);
    assert.deepEqual(Buffer.concat([...readPieces(file)]), long);
    const pieces: Buffer[] = [];
    for await (const piece of readFileBeneath(tenant.home, 'd/long')) pieces.push(piece);
    assert.deepEqual(Buffer.concat(pieces), long);
  });

  test('names that are no UTF-8 are found by their bytes', () => {
    using root = openRoot(tenant.home);
    const name = Buffer.from([0x66, 0xff, 0xfe]);
    writeFileSync(Buffer.concat([Buffer.from(`${tenant.home}/d/`), name]), 'bytes');
    using spot = spotBeneath(root, parseSafePath(Buffer.concat([Buffer.from('d/'), name])));
    using file = openFileAt(spot);
    assert.ok(file !== null);
    assert.equal(Buffer.concat([...readPieces(file)]).toString(), 'bytes');
  });

  test('two change places, and one moves into an empty place', () => {
    using one = openSpot(tenant.home, join(tenant.home, 'd'));
    tenant.put('other');
    tenant.put('other/g', 'other');
    using other = openSpot(tenant.home, join(tenant.home, 'other'));
    using third = openSpot(tenant.home, join(tenant.home, 'third'));
    exchangeSpots(one, other);
    assert.equal(readFileSync(join(tenant.home, 'd/g'), 'utf8'), 'other');
    moveSpot(other, third);
    assert.equal(readFileSync(join(tenant.home, 'third/f'), 'utf8'), 'mine');
    rmSync(join(tenant.home, 'third'), { recursive: true });
  });

  test('a tenant who swaps a directory for a link all the time never leads us out of his home', async () => {
    linkSync(join(tenant.home, 'd/f'), join(tenant.home, 'd/secret'));
    await using racer = await tenant.run(swapping('d', tenant.foreign));
    const seen = { in: 0, refused: 0, gone: 0 };
    const begun = Date.now();
    const isRun = (): boolean => Date.now() > begun + 700 && seen.in > 0 && seen.refused + seen.gone > 0;
    while (!isRun() && Date.now() < begun + 20_000) {
      try {
        using spot = openSpot(tenant.home, join(tenant.home, 'd/secret'));
        using file = openFileAt(spot);
        assert.ok(file !== null);
        assert.equal(Buffer.concat([...readPieces(file)]).toString(), 'mine');
        seen.in += 1;
      } catch (error) {
        const code = String((error as { code?: unknown }).code);
        assert.ok(['path-leads-out', 'ENOENT'].includes(code), String(error));
        seen[code === 'ENOENT' ? 'gone' : 'refused'] += 1;
      }
    }
    assert.equal(racer.process.exitCode, null);
    assert.ok(isRun(), `a race whose states were not all met: ${JSON.stringify(seen)}`);
    assert.equal(tenant.observeForeign(), foreignBefore);
  });
});
