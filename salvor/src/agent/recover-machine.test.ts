/** What keeps a lost host from coming back, told before anything is changed; the whole way is in `test/recover/`. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { openAgentFor, recoverMachine } from '../compose.ts';
import { parseConfig } from '../config.ts';
import { HostPoints } from '../points/host-points.ts';
import type { RecoveryKit } from '../points/recovery-kit.ts';
import { ensureRecoveryKey } from '../points/recovery-key.ts';
import { openStore } from '../store/open-store.ts';
import { openSmallDisks } from '../../test/fault/small-disks.ts';
import type { RecoverWanted } from './recover-machine.ts';

const place = mkdtempSync(join(tmpdir(), 'salvor-machine-'));
after(() => rmSync(place, { recursive: true, force: true }));
let kit: RecoveryKit;

/** A host with a repository, and no night yet. */
before(async () => {
  const places = { state: join(place, 'lost'), local: join(place, 'repositories'), remote: null };
  await using store = await openStore(places.state);
  await using points = new HostPoints(places, store);
  const { repositories } = await points.repositories.ensure(['o1']);
  const recoveryKey = ensureRecoveryKey(places.state);
  kit = {
    host: 'lost',
    date: new Date(),
    recoveryKey,
    places: [{ copy: 'local', url: places.local, login: null }],
    repositories,
  };
});

async function recover(
  name: string,
  wanted: Partial<RecoverWanted> = {},
): Promise<Awaited<ReturnType<typeof recoverMachine>>> {
  const file = join(place, name, 'salvor.yaml');
  const all = { kit, from: null, account: null, site: null, only: null, dryRun: false, ...wanted };
  const signal = new AbortController().signal;
  return await recoverMachine(file, all, { clock: () => new Date(), signal, onProgress: () => {} });
}

describe('a recovery', () => {
  it('with another key, of an account that the host had not, or of no site of it changes nothing', async () => {
    mkdirSync(join(place, 'one'));
    writeFileSync(join(place, 'one/salvor.yaml'), `state: ${place}/one/state\nlocal: ${place}/one/local\n`);
    const list = (): ReadonlySet<string> => new Set(readdirSync(place, { recursive: true }).map(String));
    const before = list();
    const wrong = { ...kit, recoveryKey: 'ab'.repeat(32) };
    await assert.rejects(recover('one', { kit: wrong }), { code: 'recovery-key-refused' });
    await assert.rejects(recover('one', { account: 'o9' }), { code: 'repository-missing' });
    assert.deepEqual(list(), before);
  });

  it('of an account without a night says so; configuration and keys come back all the same', async () => {
    const file = join(place, 'two', 'salvor.yaml');
    mkdirSync(join(place, 'two'));
    const kept = `state: ${join(place, 'two/state')}\nlocal: ${join(place, 'repositories')}\nhomes: [${place}/none]\n`;
    writeFileSync(file, kept);
    const document = await recover('two');
    assert.equal(document.state, 'warned');
    assert.ok(document.problems.some(({ code, path }) => code === 'recovery-point-missing' && path === 'o1'));
    assert.equal(readFileSync(file, 'utf8'), kept);
    assert.equal(ensureRecoveryKey(join(place, 'two/state')), kit.recoveryKey);
    assert.ok(existsSync(join(place, 'two/state/keys/o1')));
    const kitAgain = readFileSync(join(place, 'two/state/recovery-kit.html'), 'utf8');
    assert.ok(kitAgain.includes(kit.recoveryKey));
  });

  it('on a machine that has a host of its own is refused', async () => {
    mkdirSync(join(place, 'three'));
    const state = join(place, 'three/state');
    ensureRecoveryKey(state);
    writeFileSync(join(place, 'three/salvor.yaml'), `state: ${state}\nlocal: ${place}/three/local\n`);
    await assert.rejects(recover('three', { dryRun: true }), { code: 'machine-in-use' });
  });

  it('for which a disk is too small says how much is missing where, and changes nothing; with room it is done', async () => {
    using disks = openSmallDisks({ homes: 16 });
    const homes = join(disks.directory, 'homes');
    const home = join(homes, 'large');
    mkdirSync(home);
    writeFileSync(join(home, 'large.bin'), randomBytes(3 * 1024 ** 2));
    const text = (name: string): string =>
      `state: ${place}/${name}/state\nlocal: ${place}/kept\nhomes: [${home}]\nmariadb: { socket: ${place}/none.sock }\n`;
    const write = (name: string): string => {
      mkdirSync(join(place, name));
      writeFileSync(join(place, name, 'salvor.yaml'), text(name));
      return join(place, name, 'salvor.yaml');
    };
    {
      const file = write('before');
      await using agent = await openAgentFor(parseConfig(text('before'), file), { clock: () => new Date() });
      assert.equal((await agent.daily({ account: 'large' })).state, 'succeeded');
    }
    const recoveryKey = ensureRecoveryKey(join(place, 'before/state'));
    const saved = { ...kit, recoveryKey, places: [{ copy: 'local', url: join(place, 'kept'), login: null }] } as const;
    const wanted = { kit: { ...saved, repositories: [] }, from: 'local', account: 'large' } as const;
    rmSync(home, { recursive: true });
    disks.fill('homes');
    write('after');
    const before = readdirSync(place, { recursive: true });
    const planned = await recover('after', { ...wanted, dryRun: true });
    const [tight] = planned.problems.filter(({ code }) => code === 'space-missing');
    assert.match(
      tight?.message ?? '',
      new RegExp(`^the recovery needs 31\\d{5} bytes on the disk of ${homes}, and \\d+ are free$`),
    );
    await assert.rejects(recover('after', wanted), { code: 'recovery-space-missing' });
    assert.deepEqual(readdirSync(place, { recursive: true }), before);
    assert.deepEqual(readdirSync(homes), ['.ballast']);
    disks.free();
    const [account] = (await recover('after', wanted)).accounts;
    assert.deepEqual([account?.state, account?.files], ['succeeded', 1]);
  });

  it('from a saved disk alone brings a home back, without what the host wrote down of itself, and twice is no more than once', async () => {
    const home = join(place, 'disk/acct');
    mkdirSync(join(home, 'notes'), { recursive: true });
    writeFileSync(join(home, 'notes/one.txt'), 'one');
    const file = join(place, 'old/salvor.yaml');
    const local = join(place, 'saved');
    mkdirSync(join(place, 'old'));
    writeFileSync(file, `state: ${place}/old/state\nlocal: ${local}\nhomes: [${home}]\n`);
    const clock = (): Date => new Date();
    {
      await using agent = await openAgentFor(parseConfig(readFileSync(file, 'utf8'), file), { clock });
      assert.equal((await agent.daily({ account: 'acct' })).state, 'succeeded');
    }
    const recoveryKey = ensureRecoveryKey(join(place, 'old/state'));
    renameSync(join(place, 'disk'), join(place, 'lost-disk'));
    rmSync(join(place, 'old'), { recursive: true });
    const saved = { ...kit, recoveryKey, places: [{ copy: 'local', url: local, login: null }] } as const;
    // Found in the directory: the kit may be older than the account.
    const repositories: RecoveryKit['repositories'] = [];
    // A configuration that says where the state is to lie: without one it would be the system's own place.
    mkdirSync(join(place, 'new'));
    const text = `state: ${place}/new/state\nlocal: ${local}\nhomes: [${home}]\n`;
    writeFileSync(join(place, 'new/salvor.yaml'), text);
    for (const run of [1, 2]) {
      const document = await recover('new', { kit: { ...saved, repositories }, from: 'local' });
      const [account] = document.accounts;
      assert.deepEqual(
        [account?.state, account?.homes[0]?.state],
        ['succeeded', 'recovered'],
        JSON.stringify(document),
      );
      assert.equal(account?.files, run === 1 ? 1 : 0);
      assert.deepEqual(
        [...new Set(document.problems.map(({ path }) => path))].filter((path) => !path?.includes('@host')),
        [],
      );
    }
    assert.equal(readFileSync(join(home, 'notes/one.txt'), 'utf8'), 'one');
    // It is lost once more, and what was noted of the first recovery counts for nothing.
    rmSync(join(place, 'disk'), { recursive: true });
    const again = await recover('new', { kit: { ...saved, repositories }, from: 'local' });
    assert.equal(again.accounts[0]?.files, 1);
  });
});
