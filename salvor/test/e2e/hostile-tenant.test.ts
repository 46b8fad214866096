/**
 * A tenant who wants more than is his: he owns his home and everything in it, runs programs while we work, and may have
 * written what a point holds. He gets nothing, nothing of anybody else is touched, and each outcome has a code.
 */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type SourceEntry, backup, listSnapshots, openView } from '@salvor/engine';
import { type TenantHome, makeTenantHome, runProgram, swapping } from '../../src/lib/beneath/test-tenant.ts';
import { type Manifest, parseManifest, serialiseManifest } from '../../src/points/manifest.ts';
import { openAccountRepository } from '../../src/points/repositories.ts';
import { EVERYTHING, type FaultHost, openFaultHost } from '../fault/fault-host.ts';

describe('a hostile tenant', () => {
  let test: FaultHost;
  let others: TenantHome;
  let foreign: string;
  let honest: string;
  before(async () => {
    test = await openFaultHost();
    others = await makeTenantHome();
    foreign = others.observeForeign();
    await using agent = await test.open();
    ({ point: honest } = await agent.backup(test.site.uri, { reason: null }));
  });
  after(async () => {
    await others[Symbol.asyncDispose]();
    await test[Symbol.asyncDispose]();
  });

  const inSite = (...path: string[]): string => join(test.site.path, ...path);
  const tenant = (): { uid: number; gid: number } => test.host.account;
  const own = (path: string): void => lchownSync(path, tenant().uid, tenant().gid);
  const untouched = (): void => assert.equal(withoutTimes(others.observeForeign()), withoutTimes(foreign));
  const reset = async (): Promise<void> => {
    await using agent = await test.open();
    await agent.restore(test.site.uri, { ...EVERYTHING, point: honest });
  };

  /** Everything that any snapshot of the account holds, names and bytes of small files, as one text. */
  const readRepository = async (): Promise<string> => {
    await using copy = await openAccountRepository(test.config, test.host.account.name, 'local');
    const { repository } = copy;
    const pieces: string[] = [];
    for (const snapshot of (await listSnapshots(repository, {})).snapshots) {
      const view = await openView(repository, snapshot);
      for await (const { path, entry } of view.walk('/')) {
        pieces.push(path);
        if (entry.type !== 'file' || entry.size > 100_000) continue;
        for await (const bytes of view.readEntry(entry)) pieces.push(Buffer.from(bytes).toString('latin1'));
      }
    }
    return pieces.join('\n');
  };

  /** A point as somebody who could write the repository would make it. */
  const forge = async (
    change: (manifest: Manifest) => object,
    entries: (manifest: Manifest) => readonly SourceEntry[],
  ): Promise<string> => {
    await using agent = await test.open();
    const pieces: Uint8Array[] = [];
    for await (const bytes of await agent.cat(honest, '/manifest.json')) pieces.push(bytes);
    const { manifest } = parseManifest(Buffer.concat(pieces));
    assert.ok(manifest !== null);
    const point = createHash('sha256').update(String(Math.random())).digest('hex').slice(0, 32);
    const changed = { ...manifest, ...change(manifest), point } as Manifest;
    const text = serialiseManifest(changed);
    await using copy = await openAccountRepository(test.config, test.host.account.name, 'local');
    const { repository } = copy;
    const names = ['salvor', `point:${point}`, `account:${test.host.account.name}`, `site:${test.site.uri}`];
    await backup({
      source: [...entries(changed), { kind: 'stream', name: 'manifest.json', open: () => bytesOf(text) }],
      repositories: [repository],
      paths: [test.site.path],
      host: 'h',
      username: 'salvor',
      tags: [...names, 'origin:task'],
      time: new Date(),
    });
    return point;
  };

  it('gets nothing by links out, hard links and settings that are another one’s: no byte of them is in a point', async () => {
    symlinkSync(others.foreign, inSite('files/out'));
    symlinkSync(join(others.foreign, 'secret'), inSite('files/secret'));
    linkSync(join(others.foreign, 'secret'), inSite('files/hard'));
    symlinkSync('/etc', inSite('private-etc'));
    rmSync(inSite('private'), { recursive: true, force: true });
    symlinkSync(others.foreign, inSite('private'));
    {
      await using agent = await test.open();
      const { state, problems } = await agent.backup(test.site.uri, { reason: null });
      assert.equal(state, 'warned');
      const codes = new Set(problems.map(({ code }) => code));
      assert.ok(codes.has('foreign-link') && codes.has('directory-moved-out'), [...codes].join());
    }
    const kept = readFileSync(inSite('settings.php'));
    rmSync(inSite('settings.php'));
    linkSync(join(others.foreign, 'secret'), inSite('settings.php'));
    {
      await using agent = await test.open();
      await assert.rejects(agent.backup(test.site.uri, { reason: null }), { code: 'site-unsupported' });
    }
    rmSync(inSite('settings.php'));
    writeFileSync(inSite('settings.php'), kept);
    own(inSite('settings.php'));
    await reset();
    assert.doesNotMatch(await readRepository(), /root:secret|root:x:0/);
    rmSync(inSite('files/hard'), { force: true });
    foreign = others.observeForeign();
  });

  it('gets no code run by his settings', async () => {
    const loot = join(others.top, 'loot');
    mkdirSync(loot);
    chmodSync(loot, 0o777);
    appendFileSync(
      inSite('settings.php'),
      `\nsystem('touch ${loot}/a'); \`touch ${loot}/b\`; file_put_contents('${loot}/c', '');\n` +
        `$databases['default']['default']['password'] .= shell_exec('touch ${loot}/d; printf x');\n`,
    );
    await using agent = await test.open();
    const outcome = await agent.backup(test.site.uri, { reason: null }).then(
      ({ state }) => state,
      (error: unknown) => (error as { code: string }).code,
    );
    assert.ok(['site-unsupported', 'database-login-refused'].includes(outcome), outcome);
    assert.deepEqual(readdirSync(loot), []);
    await reset();
  });

  it('gains nothing by swapping directories for links while a backup and a restore run', async () => {
    chmodSync(others.foreign, 0o777);
    const pictures = inSite('files/pictures');
    assert.ok(existsSync(pictures));
    const outcomes: string[] = [];
    const turns: number[] = [];
    {
      await using racer = await runProgram(swapping(pictures, others.foreign, inSite('files/away')), '/', tenant());
      await using agent = await test.open();
      for (const work of [
        () => agent.backup(test.site.uri, { reason: null }),
        () => agent.restore(test.site.uri, { ...EVERYTHING, point: honest, only: 'files' }),
      ]) {
        const watched = watchTurns(pictures);
        outcomes.push(
          await work().then(
            ({ state }) => state,
            (error: unknown) => (error as { code?: string }).code ?? String(error),
          ),
        );
        turns.push(watched.end());
      }
      assert.equal(racer.process.exitCode, null);
    }
    assert.ok(
      turns.every((count) => count >= 10),
      `a race that was not run: it was seen to turn ${turns.join(' and ')} times`,
    );
    for (const outcome of outcomes) assert.match(outcome, /^(succeeded|warned|[a-z]+(-[a-z]+)+|E[A-Z]+)$/);
    chmodSync(others.foreign, 0o755);
    untouched();
    assert.doesNotMatch(await readRepository(), /root:secret/);
    await reset();
  });

  it('gets back no setuid bit, device or file capability that a point holds, and each is named', async () => {
    for (const name of ['suid', 'capable']) {
      writeFileSync(inSite('files', name), '#!/bin/sh\n');
      chownSync(inSite('files', name), 0, 0);
    }
    chmodSync(inSite('files/suid'), 0o6755);
    execFileSync('setcap', ['cap_setuid+ep', inSite('files/capable')]);
    execFileSync('mknod', ['-m', '666', inSite('files/disk'), 'b', '8', '0']);
    await using agent = await test.open();
    const { point } = await agent.backup(test.site.uri, { reason: null });
    for (const name of ['suid', 'capable', 'disk']) rmSync(inSite('files', name));
    const { state, problems } = await agent.restore(test.site.uri, { ...EVERYTHING, point });
    assert.equal(state, 'warned');
    const codes = new Set(problems.map(({ code }) => code));
    for (const code of ['setuid-dropped', 'attribute-left-out', 'special-left-out', 'owner-mapped'])
      assert.ok(codes.has(code), `${code} in ${[...codes].join()}`);
    assert.equal(existsSync(inSite('files/disk')), false);
    const { uid, mode } = lstatSync(inSite('files/suid'));
    assert.deepEqual([uid, mode & 0o7777], [tenant().uid, 0o755]);
    assert.equal(execFileSync('getcap', [inSite('files/capable')], { encoding: 'utf8' }), '');
    await reset();
  });

  it('leads nothing out by names and places in a point that he forged', async () => {
    const site = (name: string): SourceEntry => ({
      kind: 'directory',
      name: 'site',
      entries: [{ kind: 'stream', name, open: () => bytesOf(Buffer.from('evil')) }],
    });
    const before = await test.observe();
    // Our own engine writes no such name, and reads none: engine/src/format/codecs.test.ts.
    for (const name of ['../../../evil', '..', 'a/b'])
      await assert.rejects(
        forge(
          () => ({ databases: [] }),
          () => [site(name)],
        ),
        RangeError,
      );
    const place = '/moved/files';
    const moved = (target: string): object => ({
      databases: [],
      moved: [{ link: 'files', target, place, linked: true }],
    });
    const movedTree: SourceEntry = {
      kind: 'directory',
      name: 'moved',
      entries: [{ kind: 'directory', name: 'files', entries: [] }],
    };
    for (const target of [others.foreign, `${test.host.home}/../../../${others.foreign}`, '/etc', test.host.home]) {
      const point = await forge(
        () => moved(target),
        () => [site('index.txt'), movedTree],
      );
      await using agent = await test.open();
      await assert.rejects(
        agent.restore(test.site.uri, { ...EVERYTHING, point }),
        { code: 'restore-obstructed' },
        target,
      );
    }
    untouched();
    await test.assertUntouched(before);
  });

  it('runs nothing by a dump that is a program', async () => {
    const loot = join(others.top, 'dump-loot');
    mkdirSync(loot);
    chmodSync(loot, 0o777);
    const before = await test.observe();
    const users = await test.host.mariadb.query('SELECT User, Host FROM mysql.user ORDER BY 1, 2');
    const programs = [`\\! touch ${loot}/x`, 'DROP DATABASE mysql;'];
    for (const program of programs) {
      const sql = Buffer.from(`${program}\n`);
      const end = Buffer.from('-- Dump completed\n');
      const fileOf = (name: string, kind: string, table: string | null, bytes: Buffer): object => {
        const sha256 = createHash('sha256').update(bytes).digest('hex');
        return { name, kind, table, rows: table === null ? null : 0, bytes: bytes.length, sha256 };
      };
      const files = [
        fileOf('000000-head.sql', 'head', null, Buffer.alloc(0)),
        fileOf('000001-t.sql', 'table', 't', sql),
        fileOf('999999-tail.sql', 'tail', null, end),
      ];
      const stream = (name: string, bytes: Buffer): SourceEntry => ({
        kind: 'stream',
        name,
        open: () => bytesOf(bytes),
      });
      const point = await forge(
        (manifest) => ({ files: null, databases: [{ ...manifest.databases[0], views: [], files }] }),
        (manifest) => [
          {
            kind: 'directory',
            name: 'databases',
            entries: [
              {
                kind: 'directory',
                name: manifest.databases[0]?.name ?? '',
                entries: [
                  stream('000000-head.sql', Buffer.alloc(0)),
                  stream('000001-t.sql', sql),
                  stream('999999-tail.sql', end),
                ],
              },
            ],
          },
        ],
      );
      await using agent = await test.open();
      const restoring = agent.restore(test.site.uri, { ...EVERYTHING, point, only: 'databases' });
      await assert.rejects(restoring, (error: unknown) => {
        assert.match((error as { code: string }).code, /^(dump-refused|load-failed)$/, String(error));
        return true;
      });
    }
    assert.deepEqual(readdirSync(loot), []);
    assert.equal(await test.host.mariadb.query('SELECT User, Host FROM mysql.user ORDER BY 1, 2'), users);
    await test.assertUntouched(before);
  });

  it('has a line in the audit log for all that was done with more rights than his, and no secret in it', async () => {
    const { password } = test.site;
    const text = readFileSync(join(test.config.state, 'audit.log'), 'utf8');
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { action: string; result: string; who: string });
    for (const action of ['create-database', 'load-dump', 'restore-files', 'switch', 'drop-database'])
      assert.ok(
        lines.some((line) => line.action === action && line.result === 'done'),
        action,
      );
    assert.ok(lines.some(({ action, result }) => action === 'load-dump' && result === 'dump-refused'));
    assert.ok(!text.includes(password));
    assert.equal(lstatSync(join(test.config.state, 'audit.log')).mode & 0o7777, 0o600);
  });

  it('whose home vanishes from under a task fails it with a code, and the next command puts things right', async () => {
    const { home } = test.host;
    const kept = `${home}.kept`;
    const disk = `${home}.disk`;
    renameSync(home, kept);
    for (const directory of [home, disk]) mkdirSync(directory);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m,mode=755', 'tmpfs', disk]);
    try {
      execFileSync('cp', ['-a', `${kept}/.`, disk]);
      for (const step of ['back up', 'build the files', 'switch', 'undo']) {
        execFileSync('mount', ['--bind', disk, home]);
        let isGone = false;
        let isUndoing = false;
        let restored: string | null = null;
        {
          await using agent = await test.open((line) => {
            if (line !== (isUndoing ? 'switch: begins' : `${step}: begins`)) return;
            isGone = true;
            execFileSync('umount', ['-l', home]);
          });
          if (step === 'undo')
            restored = (await agent.restore(test.site.uri, { ...EVERYTHING, point: honest, only: 'files' })).task;
          isUndoing = restored !== null;
          const work =
            restored !== null
              ? agent.undo(restored)
              : step === 'back up'
                ? agent.backup(test.site.uri, { reason: null })
                : agent.restore(test.site.uri, {
                    ...EVERYTHING,
                    point: honest,
                    only: step === 'switch' ? null : 'files',
                  });
          await assert.rejects(work, (error: unknown) => {
            assert.match(String((error as { code?: unknown }).code), /^([a-z]+(-[a-z]+)+|E[A-Z]+)$/, String(error));
            return true;
          });
        }
        assert.ok(isGone);
        assert.deepEqual(readdirSync(home), []);
        // The disk is back: the next command clears up what the task left on it.
        execFileSync('mount', ['--bind', disk, home]);
        {
          await using agent = await test.open();
          assert.match((await agent.backup(test.site.uri, { reason: null })).state, /^(succeeded|warned)$/);
          // What was to be undone is kept, and still can be.
          if (restored !== null) await agent.confirm((await agent.undo(restored)).task ?? '');
        }
        assert.equal(existsSync(join(home, '.salvor')), false);
        execFileSync('umount', [home]);
      }
    } finally {
      for (const place of [home, disk]) spawnSync('umount', ['-l', place]);
    }
    for (const directory of [home, disk]) execFileSync('rmdir', [directory]);
    renameSync(kept, home);
    assert.deepEqual(readdirSync(join(test.config.state, 'scratch')), []);
    untouched();
  });
});

/** A name more or less of a file changes its times and the number of its names, which is no touch of it. */
function withoutTimes(text: string): string {
  return text.replaceAll(/ \d{19}/g, '').replaceAll(/ \d+:\d+ \d+/g, '');
}

async function* bytesOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** Looks every millisecond: how often what lies there was a directory and then none, or the other way round. */
function watchTurns(path: string): { readonly end: () => number } {
  let turns = 0;
  let last: boolean | null = null;
  const looking = setInterval(() => {
    const now = lstatSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
    if (last !== null && now !== last) turns += 1;
    last = now;
  }, 1);
  return {
    end: () => {
      clearInterval(looking);
      return turns;
    },
  };
}
