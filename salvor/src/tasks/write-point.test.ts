import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { type SourceEntry, backup, findSnapshot, generateKey, initRepository, openLocalStorage } from '@salvor/engine';
import type { Problem } from '@salvor/contract';
import { getXattr, listXattrs, setXattr } from '@salvor/engine/libc';
import { STRANGER, TENANT, type TenantHome, makeTenantHome, swapping } from '../lib/beneath/test-tenant.ts';
import type { Account } from '../sites/account.ts';
import { type OpenPoint, openPoint } from '../points/open-point.ts';
import { NO_RATES } from './estimate-restore.ts';
import { planWrite, writePoint } from './write-point.ts';

const WEB_GID = Number(execFileSync('getent', ['group', 'www-data'], { encoding: 'utf8' }).split(':')[2]);
const EVERYTHING = { files: 'all', databases: [] } as const;

describe('a point written into a directory of the account', () => {
  let tenant: TenantHome;
  let point: OpenPoint;
  let site: string;
  before(async () => {
    tenant = await makeTenantHome();
    site = join(tenant.top, 'site');
    makeSite(site);
    const storage = openLocalStorage(join(tenant.top, 'repository'));
    const repository = await initRepository(storage, { kind: 'key', text: generateKey() });
    const manifest = JSON.stringify(manifestOf(tenant.home));
    const entries: SourceEntry[] = [
      { kind: 'tree', name: 'site', path: site },
      { kind: 'stream', name: 'manifest.json', mode: 0o600, open: () => bytesOf(manifest) },
    ];
    const { snapshots } = await backup({
      source: entries,
      repositories: [repository],
      paths: [site],
      host: 'h1',
      username: 'salvor',
      tags: ['point:x'],
      time: new Date('2026-01-02T03:04:05Z'),
    });
    point = await openPoint(repository, await findSnapshot(repository, snapshots[0]?.id ?? ''));
  });
  beforeEach(() => {
    for (const name of readdirSync(tenant.home)) rmSync(join(tenant.home, name), { recursive: true });
  });
  after(() => tenant[Symbol.asyncDispose]());

  const write = (target: string, signal = new AbortController().signal): Promise<readonly Problem[]> =>
    writePoint(point, EVERYTHING, target, accountOf(tenant.home), { signal, onProgress: () => {} });

  test('is what was stored, belongs to the account, to its web group where both know it, and to nobody else', async () => {
    const target = join(tenant.home, 'yesterday');
    assert.equal(
      (await planWrite(point, EVERYTHING, target, { account: accountOf(tenant.home), rates: NO_RATES })).target,
      target,
    );
    const problems = await write(target);
    const stat = (path: string): readonly bigint[] => {
      const { uid, gid, mode, mtimeNs } = lstatSync(join(target, path), { bigint: true });
      return [uid, gid, mode & 0o7777n, mtimeNs];
    };
    assert.deepEqual(stat('site/settings.php'), [61_001n, BigInt(WEB_GID), 0o440n, 1_600_000_000_000_000_000n]);
    assert.deepEqual(stat('site/files').slice(0, 3), [61_001n, BigInt(WEB_GID), 0o2770n]);
    assert.equal(stat('site')[3], 1_500_000_000_000_000_000n);
    assert.deepEqual(stat('site/roots').slice(0, 3), [61_001n, 61_001n, 0o755n]);
    assert.equal(readFileSync(join(target, 'site/settings.php'), 'utf8'), '<?php // settings\n');
    assert.equal(readlinkSync(join(target, 'site/link')), '/etc/shadow');
    assert.ok(readdirSync(join(target, 'site'), { encoding: 'buffer' }).some((name) => name.includes(0xff)));
    assert.equal(getXattr(join(target, 'site/settings.php'), 'user.note').toString(), 'n');
    assert.deepEqual(listXattrs(join(target, 'site/roots')), []);
    assert.equal(existsSync(join(target, 'site/device')), false);
    assert.equal(JSON.parse(readFileSync(join(target, 'manifest.json'), 'utf8')).format, 'salvor-point');
    assert.deepEqual(stat('manifest.json').slice(0, 3), [61_001n, 61_001n, 0o600n]);
    assert.deepEqual(
      problems.map(({ code, path }) => `${code} ${path}`).toSorted(),
      [
        'attribute-left-out yesterday/site/roots',
        'group-mapped yesterday/site/roots',
        'owner-mapped yesterday/site/roots',
        'owner-mapped yesterday/site/strangers',
        'group-mapped yesterday/site/strangers',
        'setuid-dropped yesterday/site/roots',
        'special-left-out yesterday/site/device',
      ].toSorted(),
    );
  });

  test('goes nowhere that the account could not write itself, follows no link, and takes no place of what is there', async () => {
    const foreign = tenant.observeForeign();
    symlinkSync(tenant.foreign, join(tenant.home, 'out'));
    tenant.put('full');
    tenant.put('full/mine', 'mine');
    mkdirSync(join(tenant.home, 'roots'), { mode: 0o700 });
    await assert.rejects(write(join(tenant.home, 'out/new')), { code: 'path-leads-out' });
    await assert.rejects(write(join(tenant.home, 'out')), { code: 'path-taken' });
    await assert.rejects(write(join(tenant.home, 'full')), { code: 'path-taken' });
    await assert.rejects(write(tenant.home), { code: 'path-taken' });
    await assert.rejects(write(join(tenant.home, 'roots/new')), { code: 'home-refused' });
    await assert.rejects(write(join(tenant.home, 'missing/new')), { code: 'path-missing' });
    assert.deepEqual(readdirSync(tenant.home).toSorted(), ['full', 'out', 'roots']);
    assert.equal(tenant.observeForeign(), foreign);
  });

  test('leaves nothing of itself where the account’s room ends, or the task is cancelled', async () => {
    const small = tenant.put('small');
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=200k,uid=${TENANT.uid},gid=${TENANT.gid}`, 'tmpfs', small]);
    try {
      await assert.rejects(write(join(small, 'new')), { code: 'disk-full' });
      assert.deepEqual(readdirSync(small), ['new']);
      assert.deepEqual(readdirSync(join(small, 'new')), []);
    } finally {
      execFileSync('umount', [small]);
    }
    const cancelling = new AbortController();
    const reason = new Error('enough');
    const writing = writePoint(point, EVERYTHING, join(tenant.home, 'c'), accountOf(tenant.home), {
      signal: cancelling.signal,
      onProgress: () => cancelling.abort(reason),
    });
    await assert.rejects(writing, reason);
    assert.deepEqual(readdirSync(join(tenant.home, 'c')), []);
  });

  test('is nowhere else when the tenant swaps the directory for a link while it is written', async () => {
    chmodSync(tenant.foreign, 0o777);
    const foreign = tenant.observeForeign().replaceAll(/ \d{19}/g, '');
    tenant.put('t');
    await using racer = await tenant.run(swapping('t/site', tenant.foreign, 'away'));
    const outcomes = new Map<string, number>();
    for (let i = 0; i < 4; i++) {
      const outcome = await write(join(tenant.home, 't')).then(
        () => 'written',
        (error: unknown) => String((error as { code?: unknown }).code),
      );
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      rmSync(join(tenant.home, 't/manifest.json'), { force: true });
    }
    assert.equal(racer.process.exitCode, null);
    for (const outcome of outcomes.keys())
      assert.ok(
        ['written', 'path-leads-out', 'path-missing', 'path-taken', 'file-foreign', 'not-a-file'].includes(outcome),
        outcome,
      );
    assert.equal(tenant.observeForeign().replaceAll(/ \d{19}/g, ''), foreign);
    chmodSync(tenant.foreign, 0o755);
  });
});

/** A site as a tenant has it, with what nobody should get back. */
function makeSite(site: string): void {
  mkdirSync(join(site, 'files'), { recursive: true });
  writeFileSync(join(site, 'settings.php'), '<?php // settings\n');
  setXattr(join(site, 'settings.php'), 'user.note', Buffer.from('n'));
  writeFileSync(join(site, 'files/large'), Buffer.alloc(600_000, 'large '));
  writeFileSync(Buffer.concat([Buffer.from(`${site}/name-`), Buffer.from([0xff])]), 'bytes');
  writeFileSync(join(site, 'roots'), '#!/bin/sh\n');
  writeFileSync(join(site, 'strangers'), 'x');
  symlinkSync('/etc/shadow', join(site, 'link'));
  execFileSync('mknod', [join(site, 'device'), 'c', '1', '3']);
  for (const name of readdirSync(site, { encoding: 'buffer' }))
    lchownSync(Buffer.concat([Buffer.from(`${site}/`), name]), TENANT.uid, TENANT.gid);
  lchownSync(join(site, 'files/large'), TENANT.uid, TENANT.gid);
  for (const name of ['settings.php', 'files']) chownSync(join(site, name), TENANT.uid, WEB_GID);
  chmodSync(join(site, 'settings.php'), 0o440);
  chmodSync(join(site, 'files'), 0o2770);
  chownSync(join(site, 'roots'), 0, 0);
  chmodSync(join(site, 'roots'), 0o6755);
  execFileSync('setcap', ['cap_net_raw+ep', join(site, 'roots')]);
  chownSync(join(site, 'strangers'), STRANGER.uid, STRANGER.gid);
  utimesSync(join(site, 'settings.php'), 1_600_000_000, 1_600_000_000);
  chownSync(site, TENANT.uid, TENANT.gid);
  utimesSync(site, 1_500_000_000, 1_500_000_000);
}

const accountOf = (home: string): Account => ({ name: 'o1', home, ...TENANT, logins: [], webGroup: null });

function manifestOf(home: string): object {
  const ids = (...list: number[]): object[] => list.map((id) => ({ id, name: null }));
  return {
    format: 'salvor-point',
    version: 1,
    point: 'ab'.repeat(16),
    time: '2026-01-02T03:04:05.678Z',
    origin: 'task',
    reason: null,
    safety: false,
    task: null,
    host: 'h1',
    account: { name: 'o1', home, ...TENANT },
    site: { uri: 'x.test', path: join(home, 'p/sites/x.test'), cms: 'drupal', version: null },
    platform: { name: 'p', root: join(home, 'p'), version: null },
    files: { count: 5, bytes: 1 },
    moved: [],
    databases: [],
    seconds: 0,
    owners: { users: ids(0, TENANT.uid, STRANGER.uid), groups: ids(0, TENANT.gid, STRANGER.gid, WEB_GID) },
    tools: {},
    complete: true,
    problems: [],
  };
}

async function* bytesOf(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}
