import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { generateKey, initRepository, openMemoryStorage } from '@salvor/engine';
import { bareSite } from '../sites/bare-site.ts';
import { openSitePoint, readAccountManifest } from './account-point.ts';
import { type CaptureAccountTools, type CapturedAccount, captureAccount, snapshotsIn } from './capture-account.ts';
import { type OpenPoint, readBackPoint } from './open-point.ts';

const ACCOUNT = { name: 'o1', home: '', uid: 0, gid: 0, logins: [], webGroup: null };

describe('a night of an account', () => {
  let home: string;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), 'salvor-capture-'));
    mkdirSync(join(home, 'sites/there.test/files'), { recursive: true });
    writeFileSync(join(home, 'sites/there.test/files/a'), 'a');
  });
  afterEach(() => rmSync(home, { recursive: true }));

  /** What a night of these sites gives, and the point of each read back. */
  async function capture(
    uris: readonly string[],
    tools: Partial<Pick<CaptureAccountTools, 'readSwitched' | 'frozen'>> = {},
  ): Promise<{ readonly captured: CapturedAccount; readonly points: readonly OpenPoint[] }> {
    const repository = await initRepository(openMemoryStorage(), { kind: 'key', text: generateKey() });
    const account = { ...ACCOUNT, home };
    const platform = { name: 'p', root: '/p', cms: 'drupal', version: null } as const;
    const sites = uris.map((uri) => {
      const site = bareSite({ uri, account, platform, path: join(home, 'sites', uri) });
      return { site, databases: [], cut: null, schema: null, movedOut: [], leftOut: [], problems: [], notes: [] };
    });
    const point = 'ab'.repeat(16);
    const captured = await captureAccount(
      { account, point, holds: 'all', task: null, homes: [home], exclude: [], sites, texts: [] },
      {
        repositories: [repository],
        scratch: home,
        workers: 1,
        clock: () => new Date(),
        frozen: { readFrom: () => null, timeOf: () => null, findSpoilt: () => Promise.resolve([]) },
        readSwitched: () => Promise.resolve(new Map()),
        signal: new AbortController().signal,
        onProgress: () => {},
        ...tools,
      },
    );
    const snapshots = await snapshotsIn(repository, captured);
    const manifest = await readAccountManifest(repository, snapshots);
    const points = await Promise.all(manifest.sites.map((site) => openSitePoint(repository, snapshots, site)));
    for (const each of points) await readBackPoint(each);
    return { captured, points };
  }

  it('goes on where a site went away since it was found: that one’s point says so, the other’s is whole', async () => {
    const { captured, points } = await capture(['there.test', 'gone.test']);
    assert.deepEqual(
      captured.problems.map(({ uri, problem }) => [uri, problem.code]),
      [['gone.test', 'source-missing']],
    );
    assert.deepEqual(
      points.map(({ manifest }) => [manifest.site.uri, manifest.complete, manifest.files?.count ?? null]),
      [
        ['there.test', true, 1],
        ['gone.test', false, null],
      ],
    );
  });

  it('calls no point whole of a site that a task switched meanwhile', async () => {
    mkdirSync(join(home, 'sites/switched.test'));
    const { captured, points } = await capture(['there.test', 'switched.test'], {
      readSwitched: () => Promise.resolve(new Map([['switched.test', 'a-task']])),
    });
    assert.deepEqual(
      captured.problems.map(({ uri, problem }) => [uri, problem.code]),
      [['switched.test', 'site-switched']],
    );
    assert.deepEqual(
      points.map(({ manifest }) => [manifest.complete, manifest.problems.map(({ code }) => code)]),
      [
        [true, []],
        [false, ['site-switched']],
      ],
    );
  });

  it('reads all files again, as they change, where what froze them gave way, and keeps nothing of before', async () => {
    const frozen = mkdtempSync(join(tmpdir(), 'salvor-frozen-'));
    try {
      mkdirSync(join(frozen, 'sites/there.test/files'), { recursive: true });
      // Of the other file nothing could be read.
      writeFileSync(join(frozen, 'sites/there.test/files/a'), 'of the instant');
      writeFileSync(join(home, 'sites/there.test/files/b'), 'b');
      let isSpoilt = false;
      const from = (path: string): string | null => (isSpoilt ? null : `${frozen}/./${relative(home, path)}`);
      const { captured, points } = await capture(['there.test'], {
        frozen: {
          readFrom: from,
          timeOf: (path) => (from(path) === null ? null : new Date(0)),
          findSpoilt: () => {
            const problems = isSpoilt ? [] : [{ code: 'snapshot-full', message: 'it ran full' }];
            isSpoilt = true;
            return Promise.resolve(problems);
          },
        },
      });
      assert.deepEqual(
        captured.problems.map(({ uri, problem }) => [uri, problem.code]),
        [[null, 'snapshot-full']],
      );
      assert.equal(captured.files?.files.new, 2 + 2, 'files of the site, and manifests');
      const [point] = points;
      assert.deepEqual([point?.manifest.complete, point?.manifest.files], [true, { count: 2, bytes: 2 }]);
    } finally {
      rmSync(frozen, { recursive: true });
    }
  });
});
