import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { generateKey, initRepository, openMemoryStorage } from '@salvor/engine';
import { testSite } from '../sites/test-site.ts';
import { openSitePoint, readAccountManifest } from './account-point.ts';
import { type CaptureSite, captureAccount, snapshotsIn } from './capture-account.ts';
import { readBackPoint } from './open-point.ts';

const ACCOUNT = { name: 'o1', home: '', uid: 0, gid: 0, logins: [], webGroup: null };

function captureSite(path: string, uri: string): CaptureSite {
  const platform = { name: 'p', root: '/p', cms: 'drupal', version: null } as const;
  const site = testSite({ uri, account: ACCOUNT, platform, path });
  return { site, databases: [], cut: null, schema: null, movedOut: [], leftOut: [], problems: [], notes: [] };
}

describe('a night of an account', () => {
  it('goes on where a site went away since it was found: that one’s point says so, the other’s is whole', async () => {
    const home = mkdtempSync(join(tmpdir(), 'salvor-capture-'));
    try {
      mkdirSync(join(home, 'sites/there.test/files'), { recursive: true });
      writeFileSync(join(home, 'sites/there.test/files/a'), 'a');
      const repository = await initRepository(openMemoryStorage(), { kind: 'key', text: generateKey() });
      const sites = ['there.test', 'gone.test'].map((uri) => captureSite(join(home, 'sites', uri), uri));
      const account = { ...ACCOUNT, home };
      const wanted = {
        account,
        point: 'ab'.repeat(16),
        holds: 'all',
        task: null,
        homes: [home],
        exclude: [],
        sites,
        texts: [],
      } as const;
      const captured = await captureAccount(wanted, {
        repositories: [repository],
        scratch: home,
        workers: 1,
        clock: () => new Date(),
        signal: new AbortController().signal,
        onProgress: () => {},
      });
      assert.deepEqual(
        captured.problems.map(({ uri, problem }) => [uri, problem.code]),
        [['gone.test', 'source-missing']],
      );
      const snapshots = await snapshotsIn(repository, captured);
      const manifest = await readAccountManifest(repository, snapshots);
      const points = await Promise.all(manifest.sites.map((site) => openSitePoint(repository, snapshots, site)));
      for (const point of points) await readBackPoint(point);
      assert.deepEqual(
        points.map((point) => [point.manifest.site.uri, point.manifest.complete, point.manifest.files?.count ?? null]),
        [
          ['there.test', true, 1],
          ['gone.test', false, null],
        ],
      );
    } finally {
      rmSync(home, { recursive: true });
    }
  });
});
