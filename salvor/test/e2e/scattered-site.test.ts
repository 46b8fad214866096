/** Sites that do not lie in one piece: directories moved out of them with a link in their place, and mounts. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import { type ObservedTree, differences, observeTree } from '../../../demo/observe-site.ts';
import { EVERYTHING, type FaultHost, hasCode, openFaultHost } from '../fault/fault-host.ts';

const FILES_ONLY = { ...EVERYTHING, only: 'files' } as const;

/** All trees of a site: its directory, and what was moved out of it. */
type Look = { readonly site: ObservedTree; readonly files: ObservedTree };

describe('a site whose files were moved out of it', () => {
  let test: FaultHost;
  let target: string;
  let original: Look;
  let point: string;

  before(async () => {
    test = await openFaultHost();
    target = join(test.host.home, 'static/files/market.files');
    moveOut();
    original = look();
    await using agent = await test.open();
    const made = await agent.backup(test.site.uri, { reason: null });
    assert.deepEqual([made.state, made.problems], ['succeeded', []]);
    point = made.point;
  });
  after(() => test[Symbol.asyncDispose]());

  const within = (path: string): string => join(test.site.path, path);
  const own = (path: string): void => lchownSync(path, test.host.account.uid, test.host.account.gid);
  const moveOut = (): void => {
    mkdirSync(join(test.host.home, 'static/files'), { recursive: true });
    for (const path of ['static', 'static/files']) own(join(test.host.home, path));
    renameSync(within('files'), target);
    symlinkSync(target, within('files'));
    own(within('files'));
  };
  const look = (): Look => ({ site: observeTree(test.site.path), files: observeTree(target) });
  const assertLook = (wanted: Look): void => {
    const now = look();
    const isTouched = (name: string): boolean => name === '.';
    assert.deepEqual(differences(wanted.site, now.site, isTouched), []);
    assert.deepEqual(differences(wanted.files, now.files, isTouched), []);
  };
  const ruin = (): void => {
    rmSync(join(target, 'pictures'), { recursive: true });
    writeFileSync(join(target, 'stray.txt'), 'not in the point\n');
    rmSync(within('modules/custom'), { recursive: true });
  };

  it('holds them in its points, the link being a link', async () => {
    await using agent = await test.open();
    const top = await agent.ls(point, '/');
    assert.deepEqual(
      top.map(({ path }) => path),
      ['/databases', '/manifest.json', '/moved', '/site'],
    );
    assert.equal((await agent.ls(point, '/site/files'))[0]?.type, 'symlink');
    assert.ok((await agent.ls(point, '/moved/files')).some(({ path }) => path === '/moved/files/pictures'));
    const pieces: Uint8Array[] = [];
    for await (const piece of await agent.cat(point, '/manifest.json')) pieces.push(piece);
    const manifest = JSON.parse(Buffer.concat(pieces).toString()) as { moved: unknown };
    assert.deepEqual(manifest.moved, [{ link: 'files', target, place: '/moved/files', linked: true }]);
  });

  it('comes back whole, and undo brings the ruin back', async () => {
    ruin();
    const ruined = look();
    await using agent = await test.open();
    const restored = await agent.restore(test.site.uri, { ...EVERYTHING, point });
    assert.deepEqual([restored.state, restored.problems], ['succeeded', []]);
    assert.equal(restored.plan.switch.files, 'exchange');
    assertLook(original);
    await agent.undo(restored.task ?? '');
    assertLook(ruined);
    await agent.restore(test.site.uri, { ...EVERYTHING, point });
    assertLook(original);
  });

  it('comes back with a directory whose parents are gone too, and undo leaves none of it', async () => {
    rmSync(join(test.host.home, 'static'), { recursive: true });
    await using agent = await test.open();
    const restored = await agent.restore(test.site.uri, { ...FILES_ONLY, point });
    assertLook(original);
    assert.equal(lstatSync(join(test.host.home, 'static')).uid, test.host.account.uid);
    await agent.undo(restored.task ?? '');
    assert.equal(existsSync(join(test.host.home, 'static')), false);
    await agent.restore(test.site.uri, { ...FILES_ONLY, point });
    assertLook(original);
  });

  it('comes back after all of it went, and what lay behind a link that is gone is in the safety point', async () => {
    rmSync(test.site.path, { recursive: true });
    writeFileSync(join(target, 'kept.txt'), 'only here\n');
    await using agent = await test.open();
    const restored = await agent.restore(test.site.uri, { ...FILES_ONLY, point });
    assertLook(original);
    const kept = await agent.ls(restored.safetyPoint ?? '', '/moved/files');
    assert.ok(kept.some(({ path }) => path === '/moved/files/kept.txt'));
    await agent.undo(restored.task ?? '');
    assert.equal(readFileSync(join(target, 'kept.txt'), 'utf8'), 'only here\n');
    await agent.restore(test.site.uri, { ...FILES_ONLY, point });
    assertLook(original);
  });

  it('gets back a chosen path behind the link, and no other', async () => {
    ruin();
    const ruined = look();
    await using agent = await test.open();
    const { plan } = await agent.restore(test.site.uri, { ...EVERYTHING, point, paths: ['files/pictures'] });
    assert.equal(plan.files?.deleted, 0);
    const now = look();
    assert.deepEqual(differences(ruined.site, now.site), []);
    assert.ok(now.files.has('stray.txt'));
    for (const [name, file] of original.files)
      if (name.startsWith('pictures')) assert.deepEqual(now.files.get(name), file);
    await agent.restore(test.site.uri, { ...EVERYTHING, point, paths: ['files', 'modules'] });
    assertLook(original);
  });

  it('gets back a chosen path where it is now: behind a link that the point does not have, and the other way round', async () => {
    rmSync(within('files'));
    renameSync(target, within('files'));
    rmSync(within('files/pictures'), { recursive: true });
    await using agent = await test.open();
    await agent.restore(test.site.uri, { ...EVERYTHING, point, paths: ['files/pictures'] });
    assert.deepEqual(
      readdirSync(within('files/pictures')).toSorted(),
      [...original.files.keys()]
        .filter((name) => /^pictures\/[^/]*$/.test(name))
        .map((name) => name.slice(9))
        .toSorted(),
    );
    const inside = (await agent.backup(test.site.uri, { reason: null })).point;
    moveOut();
    rmSync(join(target, 'pictures'), { recursive: true });
    await agent.restore(test.site.uri, { ...EVERYTHING, point: inside, paths: ['files/pictures'] });
    assert.ok(existsSync(join(target, 'pictures')));
    // A whole restore brings the site's own shape back.
    await agent.restore(test.site.uri, { ...FILES_ONLY, point: inside });
    assert.ok(lstatSync(within('files')).isDirectory());
    await agent.restore(test.site.uri, { ...FILES_ONLY, point });
    assert.equal(readlinkSync(within('files')), target);
    assertLook(original);
  });

  it('is written with the rest by --to', async () => {
    const to = join(test.host.directory, 'written');
    await using agent = await test.open();
    await agent.restore(test.site.uri, { ...EVERYTHING, point, to });
    assert.deepEqual(differences(original.files, observeTree(join(to, 'moved/files'))), []);
    rmSync(to, { recursive: true });
  });

  it('what changed behind the link while the restore ran is in a safety point of the switch', async () => {
    let isWritten = false;
    await using agent = await test.open((line) => {
      if (line !== 'build: begins' || isWritten) return;
      isWritten = true;
      writeFileSync(join(target, 'late.txt'), 'late\n');
    });
    const restored = await agent.restore(test.site.uri, { ...FILES_ONLY, point });
    assert.equal(restored.changedMeanwhile?.files, 1);
    assert.deepEqual(restored.problems, []);
    const late = await agent.ls(restored.safetyPoint ?? '', '/moved/files');
    assert.ok(late.some(({ path }) => path === '/moved/files/late.txt'));
    assertLook(original);
  });

  describe('with a link that leads elsewhere', () => {
    const clear = (): void => {
      rmSync(within('private/temp'), { recursive: true, force: true });
      rmSync(join(test.host.directory, 'elsewhere'), { recursive: true, force: true });
    };
    beforeEach(clear);
    afterEach(clear);
    const link = (to: string): void => {
      symlinkSync(to, within('private/temp'));
      own(within('private/temp'));
    };

    it('out of the homes keeps the link alone, and says so', async () => {
      const outside = join(test.host.directory, 'elsewhere');
      mkdirSync(outside);
      writeFileSync(join(outside, 'secret'), 'not the tenant’s\n');
      link(outside);
      await using agent = await test.open();
      const made = await agent.backup(test.site.uri, { reason: null });
      assert.deepEqual(
        made.problems.map(({ code, path }) => [code, path]),
        [['directory-moved-out', within('private/temp')]],
      );
      assert.equal(made.state, 'warned');
      rmSync(within('private/temp'));
      await agent.restore(test.site.uri, { ...FILES_ONLY, point: made.point });
      assert.equal(readlinkSync(within('private/temp')), outside);
      assert.equal(readFileSync(join(outside, 'secret'), 'utf8'), 'not the tenant’s\n');
      await agent.restore(test.site.uri, { ...FILES_ONLY, point });
      assertLook(original);
    });

    it('to what is another site’s keeps the link alone, and is not replaced under that one', async () => {
      const harbour = test.host.site('harbour.example.org').path;
      link(join(harbour, 'files'));
      await using agent = await test.open();
      const made = await agent.backup(test.site.uri, { reason: null });
      assert.deepEqual(
        made.problems.map(({ code, path }) => [code, path]),
        [['directory-moved-out', within('private/temp')]],
      );
      rmSync(within('private/temp'));
      // The other one is linked to what this one has.
      symlinkSync(target, join(harbour, 'private/shared'));
      const { plan } = await agent.restore(test.site.uri, { ...FILES_ONLY, point, dryRun: true });
      assert.deepEqual(
        plan.obstacles.map(({ code, path }) => [code, path]),
        [['directory-shared', target]],
      );
      await assert.rejects(agent.restore(test.site.uri, { ...FILES_ONLY, point }), hasCode('restore-obstructed'));
      rmSync(join(harbour, 'private/shared'));
    });

    it('to the home or a platform is no directory of the site', async () => {
      for (const to of [test.host.home, join(test.site.path, '../..')]) {
        link(to);
        await using agent = await test.open();
        const made = await agent.backup(test.site.uri, { reason: null });
        assert.deepEqual(
          made.problems.map(({ code }) => code),
          ['directory-moved-out'],
        );
        rmSync(within('private/temp'));
      }
    });

    it('refuses to switch through a link that took the place of a directory on the way', async () => {
      const away = join(test.host.home, 'static/other');
      renameSync(join(test.host.home, 'static/files'), away);
      symlinkSync(away, join(test.host.home, 'static/files'));
      await using agent = await test.open();
      const { plan } = await agent.restore(test.site.uri, { ...FILES_ONLY, point, dryRun: true });
      assert.ok(
        plan.obstacles.some(({ code }) => code === 'link-in-the-way'),
        JSON.stringify(plan.obstacles),
      );
      rmSync(join(test.host.home, 'static/files'));
      renameSync(away, join(test.host.home, 'static/files'));
    });
  });
});

describe('a site with mounts in it', () => {
  let test: FaultHost;
  let point: string;
  let original: ObservedTree;
  const mounted: string[] = [];

  before(async () => {
    test = await openFaultHost();
    for (const path of ['files', 'private/files']) mount(path);
    original = observe();
    await using agent = await test.open();
    const made = await agent.backup(test.site.uri, { reason: null });
    assert.deepEqual(made.problems, []);
    point = made.point;
  });
  after(async () => {
    for (const path of mounted.toReversed()) execFileSync('umount', [path]);
    await test[Symbol.asyncDispose]();
  });

  const within = (path: string): string => join(test.site.path, path);
  /** Puts a file system of its own under what is there. */
  const mount = (path: string): void => {
    const at = within(path);
    const { uid, gid, mode } = lstatSync(at);
    renameSync(at, `${at}.aside`);
    mkdirSync(at);
    own(at);
    execFileSync('mount', [
      '-t',
      'tmpfs',
      '-o',
      `size=32m,uid=${uid},gid=${gid},mode=${(mode & 0o7777).toString(8)}`,
      'tmpfs',
      at,
    ]);
    mounted.push(at);
    execFileSync('cp', ['-a', `${at}.aside/.`, at]);
    rmSync(`${at}.aside`, { recursive: true });
  };
  const own = (path: string): void => lchownSync(path, test.host.account.uid, test.host.account.gid);
  /** What is ours is not the site's. */
  const observe = (): ObservedTree =>
    new Map([...observeTree(test.site.path)].filter(([name]) => !name.split('/').includes('.salvor')));
  /** A directory in which an entry was exchanged has the time of that. */
  const assertSame = (wanted: ObservedTree): void =>
    assert.deepEqual(
      differences(wanted, observe(), (name) => name === '.'),
      [],
    );
  /** Whether restores before this one keep something on the mount. */
  const kept = (path: string): boolean =>
    readdirSync(join(test.config.state, 'journals')).some((name) =>
      readFileSync(join(test.config.state, 'journals', name), 'utf8').includes(`"${path}/.salvor/`),
    );
  const ruin = (): void => {
    rmSync(within('files/pictures'), { recursive: true });
    writeFileSync(within('files/stray.txt'), 'not in the point\n');
    writeFileSync(within('private/files/stray.txt'), 'not in the point\n');
    writeFileSync(within('private/stray.txt'), 'not in the point\n');
    rmSync(within('modules/custom'), { recursive: true });
    chmodSync(within('files'), 0o700);
  };

  it('is restored entry by entry, the mounts staying where they are, and undone as well', async () => {
    ruin();
    let ruined = observe();
    const late = ['late.txt', 'files/late.txt'];
    await using agent = await test.open((line) => {
      if (line !== 'build: begins' || ruined.has('late.txt')) return;
      for (const path of late) writeFileSync(within(path), 'written while the restore ran\n');
      ruined = observe();
    });
    const restored = await agent.restore(test.site.uri, { ...EVERYTHING, point });
    assert.deepEqual([restored.state, restored.problems, restored.plan.switch.files], ['succeeded', [], 'entries']);
    assertSame(original);
    assert.equal(restored.changedMeanwhile?.files, late.length);
    const to = join(test.host.directory, 'safety');
    await agent.restore(test.site.uri, { ...EVERYTHING, point: restored.safetyPoint ?? '', to });
    assert.deepEqual(
      // The directory of a mount does not leave: it has the time that it had when the first of the two points was taken.
      differences(ruined, observeTree(join(to, 'site')), (name) => name === '.' || name === 'files'),
      [],
      'the safety point is the site as it left',
    );
    rmSync(to, { recursive: true });
    for (const path of mounted) assert.equal(execFileSync('mountpoint', ['-q', path]).length, 0);
    writeFileSync(within('files/since.txt'), 'made after the restore\n');
    await agent.undo(restored.task ?? '');
    assertSame(ruined);
    await agent.restore(test.site.uri, { ...EVERYTHING, point });
    assertSame(original);
  });

  it('is not undone while a mount is away, and is when it is back', async () => {
    ruin();
    const ruined = observe();
    await using agent = await test.open();
    const { task } = await agent.restore(test.site.uri, { ...FILES_ONLY, point });
    const restored = observe();
    const at = mounted[0] ?? '';
    const disk = `${test.host.directory}/disk`;
    mkdirSync(disk);
    execFileSync('mount', ['--move', at, disk]);
    await assert.rejects(agent.undo(task ?? ''), (error: unknown) => {
      assert.ok(hasCode('nothing-to-undo')(error));
      return assert.match(String(error), /is its file system mounted/) ?? true;
    });
    await assert.rejects(agent.restore(test.site.uri, { ...FILES_ONLY, point: 'beef' }), hasCode('point-unknown'));
    execFileSync('mount', ['--move', disk, at]);
    assertSame(restored);
    await agent.undo(task ?? '');
    assertSame(ruined);
    await agent.restore(test.site.uri, { ...EVERYTHING, point });
  });

  it('keeps its staging places out of points, and leaves none when their time is over', async () => {
    await using agent = await test.open(
      () => {},
      {},
      () => new Date(Date.now() + 73 * 3_600_000),
    );
    const made = await agent.backup(test.site.uri, { reason: null });
    const names = (await agent.ls(made.point, '/site/files')).map(({ path }) => path);
    assert.ok(!names.includes('/site/files/.salvor'));
    assertSame(original);
    for (const path of mounted) assert.equal(existsSync(join(path, '.salvor')), false);
  });

  it('gets back a chosen path in a mount by one exchange', async () => {
    ruin();
    let isWritten = false;
    await using agent = await test.open((line) => {
      if (line !== 'build: begins' || isWritten) return;
      isWritten = true;
      writeFileSync(within('modules/late.txt'), 'written while the restore ran\n');
    });
    const chosen = await agent.restore(test.site.uri, { ...EVERYTHING, point, paths: ['files/pictures', 'modules'] });
    assert.deepEqual([chosen.problems, chosen.changedMeanwhile], [[], { files: 1, tables: 0 }]);
    assert.equal(existsSync(within('modules/late.txt')), false);
    const holds = async (path: string): Promise<boolean> =>
      (await agent.ls(chosen.safetyPoint ?? '', dirname(`/site/${path}`))).some((one) => one.path === `/site/${path}`);
    assert.ok((await holds('modules/late.txt')) && (await holds('files/stray.txt')));
    assert.ok(existsSync(within('files/stray.txt')));
    assert.ok(existsSync(within('files/pictures')));
    await agent.restore(test.site.uri, { ...EVERYTHING, point, paths: ['private', 'files'] });
    assert.equal(existsSync(within('private/stray.txt')), false);
    assert.equal(existsSync(within('private/files/stray.txt')), false);
    assertSame(original);
  });

  it('stays as it is where a mount is full before all of it is built, and nothing is left there', async () => {
    const ballast = within('files/ballast');
    const before = observe();
    await using agent = await test.open((line) => {
      if (line !== 'build the files: begins') return;
      try {
        for (let i = 0; ; i++) writeFileSync(`${ballast}${i}`, Buffer.alloc(1024 * 1024));
      } catch {
        // As full as it gets.
      }
    });
    await assert.rejects(agent.restore(test.site.uri, { ...EVERYTHING, point }), hasCode('disk-full'));
    for (const name of readdirSync(within('files'))) if (name.startsWith('ballast')) rmSync(within(`files/${name}`));
    assert.deepEqual(
      differences(before, observe(), (name) => name === 'files' || name === '.'),
      [],
    );
    for (const path of mounted) assert.equal(existsSync(join(path, '.salvor', test.host.account.name)), kept(path));
    assert.ok((await agent.status()).tasks.some(({ state }) => state === 'rolled-back'));
  });

  it('is not mixed up by a point that has no such directory: the mount is emptied and stays', async () => {
    await using agent = await test.open();
    const [files] = mounted;
    execFileSync('umount', [files ?? '']);
    rmSync(files ?? '', { recursive: true });
    const without = (await agent.backup(test.site.uri, { reason: null })).point;
    mkdirSync(files ?? '');
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', files ?? '']);
    writeFileSync(within('files/stray.txt'), 'not in the point\n');
    const restored = await agent.restore(test.site.uri, { ...FILES_ONLY, point: without });
    assert.deepEqual(
      restored.problems.map(({ code }) => code),
      ['mount-emptied'],
    );
    assert.deepEqual(
      readdirSync(files ?? '').filter((name) => name !== '.salvor'),
      [],
    );
  });
});
