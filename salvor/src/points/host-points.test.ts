import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type TestSshd, startSshd } from '../../../engine/test/storage/test-sshd.ts';
import { type Store, openStore } from '../store/open-store.ts';
import { HostPoints } from './host-points.ts';
import type { RepositoryPlaces } from './repositories.ts';

/** A remote place that does not answer is given up soon. */
const SOON = { firstRetryLimitMs: 20 };

describe('the points of two accounts whose remote place is away', () => {
  const directory = mkdtempSync(join(tmpdir(), 'salvor-host-points-'));
  const state = join(directory, 'state');
  let sshd: TestSshd;
  let store: Store;
  let places: RepositoryPlaces;

  before(async () => {
    sshd = await startSshd();
    mkdirSync(state);
    const { login, port } = sshd;
    const url = `sftp://${login.user}@127.0.0.1:${port}/${join(directory, 'remote')}`;
    const remote = { url, identityFile: join(directory, 'key'), knownHosts: join(directory, 'known_hosts') };
    cpSync(login.privateKeyFile, remote.identityFile);
    cpSync(login.trust.knownHostsFile, remote.knownHosts);
    places = { state, local: join(directory, 'local'), remote };
    store = await openStore(state);
    await using points = new HostPoints(places, store);
    assert.deepEqual((await points.repositories.ensure(['o1', 'o2'])).problems, []);
    // Nobody listens there from now on.
    await sshd[Symbol.asyncDispose]();
  });
  after(async () => {
    await store[Symbol.asyncDispose]();
    rmSync(directory, { recursive: true, force: true });
  });

  it('are listed out of the local copy without a word of the other', async () => {
    await using points = new HostPoints(places, store, () => SOON);
    assert.deepEqual(await points.listAll('o1'), { points: [], problems: [], localFault: null });
    const { spare, problem } = await points.repositories.openForNew('o1');
    assert.equal(problem, null);
    assert.notEqual(spare, null);
  });

  it('can be read in neither copy where the local one is gone, and the second account is not made to wait', async () => {
    rmSync(places.local, { recursive: true });
    await using points = new HostPoints(places, store, () => SOON);
    await assert.rejects(points.listAll('o1'), { code: 'copies-unreadable' });
    const began = performance.now();
    await assert.rejects(points.listAll('o2'), (error: Error) =>
      /There is no repository at .*local\/o2/.test(error.message),
    );
    assert.ok(performance.now() - began < 1000);
    await assert.rejects(points.repositories.openForNew('o1'), { code: 'repository-missing' });
    await assert.rejects(points.heldOf('o1', new Date()), { code: 'storage-unreachable' });
    assert.equal(points.isKnown('o1'), true);
  });
});
