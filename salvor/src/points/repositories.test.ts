import assert from 'node:assert/strict';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type TestSshd, startSshd } from '../../../engine/test/storage/test-sshd.ts';
import { openStore } from '../store/open-store.ts';
import { HostPoints } from './host-points.ts';
import { type RepositoryPlaces, keyFileOf, repositoryUrlOf } from './repositories.ts';

const place = mkdtempSync(join(tmpdir(), 'salvor-repositories-'));
let sshd: TestSshd;
before(async () => {
  sshd = await startSshd();
});
after(async () => {
  await sshd[Symbol.asyncDispose]();
  rmSync(place, { recursive: true, force: true });
});

/** The places of a host of its own; the remote one on the test's server. */
function placesOf(name: string, remote: RepositoryPlaces['remote'] = remoteOf(name)): RepositoryPlaces {
  const state = join(place, name, 'state');
  mkdirSync(state, { recursive: true });
  return { state, local: join(place, name, 'local'), remote };
}

function remoteOf(name: string): RepositoryPlaces['remote'] {
  const url = `sftp://${sshd.login.user}@127.0.0.1:${sshd.port}/${join(place, name, 'remote')}`;
  return { url, identityFile: sshd.login.privateKeyFile, knownHosts: sshd.login.trust.knownHostsFile };
}

async function ensure(
  places: RepositoryPlaces,
  accounts: readonly string[],
): Promise<Awaited<ReturnType<HostPoints['repositories']['ensure']>>> {
  await using store = await openStore(places.state);
  await using points = new HostPoints(places, store);
  return await points.repositories.ensure(accounts);
}

describe("the accounts' repositories", () => {
  it('are two of each account, with keys of their own, all cut alike; a second time they are found', async () => {
    const places = placesOf('two');
    const made = await ensure(places, ['o1', 'o2']);
    assert.deepEqual(made.problems, []);
    assert.deepEqual(
      made.repositories.map(({ account, copy, created }) => [account, copy, created]),
      [
        ['o1', 'local', true],
        ['o2', 'local', true],
        ['o1', 'remote', true],
        ['o2', 'remote', true],
      ],
    );
    const keys = made.repositories.map(({ keyFile }) => readFileSync(keyFile, 'utf8'));
    assert.equal(new Set(keys).size, 4);
    for (const { keyFile } of made.repositories) assert.equal(statSync(keyFile).mode & 0o777, 0o600);
    const again = await ensure(places, ['o1', 'o2']);
    assert.deepEqual(
      again.repositories.map(({ id, created }) => [id, created]),
      made.repositories.map(({ id }) => [id, false]),
    );
    await using store = await openStore(places.state);
    await using points = new HostPoints(places, store);
    const local = await points.repositories.open('o2');
    const remote = await points.repositories.open('o1', 'remote');
    assert.equal(local.polynomial, remote.polynomial);
    assert.notEqual(local.id, remote.id);
  });

  it('are written and read in the remote place as fast as may be, and no faster', async () => {
    const places = {
      ...placesOf('slow'),
      remote: { url: join(place, 'slow/remote'), identityFile: null, knownHosts: null },
    };
    await ensure(places, ['o1']);
    await using store = await openStore(places.state);
    const rates = { uploadBytesPerSecond: 2_000_000, downloadBytesPerSecond: 4_000_000 };
    await using points = new HostPoints(places, store, (account) => (account === 'o1' ? rates : {}));
    const { storage } = await points.repositories.open('o1', 'remote');
    const file = { kind: 'data', id: 'a'.repeat(64) } as const;
    const began = performance.now();
    await storage.save(file, Buffer.alloc(1_000_000));
    const saved = performance.now();
    assert.equal((await storage.load(file)).length, 1_000_000);
    // The first piece, of at most 256 KiB, goes at once.
    const waits = [saved - began, performance.now() - saved];
    assert.ok((waits[0] ?? 0) >= 365 && (waits[1] ?? 0) >= 180, waits.join());
  });

  it('are made locally where the remote place is away, which is told, and there when it is back', async () => {
    const away = { url: 'sftp://b@127.0.0.1:1//x', identityFile: sshd.login.privateKeyFile, knownHosts: '/dev/null' };
    const made = await ensure(placesOf('away', away), ['o1', 'o2']);
    assert.deepEqual(
      made.repositories.map(({ copy }) => copy),
      ['local', 'local'],
    );
    assert.equal(made.problems.length, 1);
    assert.match(made.problems[0]?.path ?? '', /127\.0\.0\.1:1/);
    const back = await ensure(placesOf('away'), ['o1', 'o2']);
    assert.equal(back.repositories.filter(({ copy, created }) => copy === 'remote' && created).length, 2);
  });

  it('that were half made at the remote place are made again', async () => {
    const places = placesOf('half', { url: join(place, 'half', 'remote'), identityFile: null, knownHosts: null });
    const keyFile = keyFileOf(places, 'o1', 'remote');
    mkdirSync(join(places.state, 'remote-keys'), { recursive: true, mode: 0o700 });
    writeFileSync(keyFile, `${'ab'.repeat(32)}\n`, { mode: 0o600 });
    const remote = repositoryUrlOf(places, 'o1', 'remote');
    mkdirSync(join(remote, 'keys'), { recursive: true });
    writeFileSync(join(remote, 'keys', 'cd'.repeat(32)), 'left by a crash');
    const made = await ensure(places, ['o1']);
    assert.deepEqual(made.problems, []);
    assert.equal(made.repositories[1]?.created, true);
  });

  it('that were there and are gone are not begun anew in an empty place: their disk may not be mounted', async () => {
    const places = placesOf('gone', { url: join(place, 'gone', 'remote'), identityFile: null, knownHosts: null });
    await ensure(places, ['o1']);
    const remote = repositoryUrlOf(places, 'o1', 'remote');
    rmSync(remote, { recursive: true });
    const away = await ensure(places, ['o1']);
    assert.deepEqual(
      away.problems.map(({ code, path }) => [code, path]),
      [['repository-gone', remote]],
    );
    assert.equal(existsSync(remote), false);
    rmSync(repositoryUrlOf(places, 'o1', 'local'), { recursive: true });
    await assert.rejects(ensure(places, ['o1']), { code: 'repository-gone' });
    const elsewhere = { ...places, local: join(place, 'gone', 'another') };
    assert.equal((await ensure(elsewhere, ['o1'])).repositories[0]?.created, true);
  });
});
