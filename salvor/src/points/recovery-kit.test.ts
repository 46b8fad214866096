import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { renderSVG } from 'uqr';
import { backup, entriesOfPaths, generateKey, initRepository, listKeys, openLocalStorage } from '@salvor/engine';
import {
  RECOVERY_USER,
  ensureRecoveryAccess,
  ensureRecoveryKey,
  openWithRecoveryKey,
  recoveryPassword,
} from './recovery-key.ts';
import { type RecoveryKit, codePiecesOf, renderRecoveryKit } from './recovery-kit.ts';
import { proveRecovery, readRecoveryProofs } from './recovery-proofs.ts';
import { writeRecoveryKit } from './write-recovery-kit.ts';

const place = mkdtempSync(join(tmpdir(), 'salvor-kit-'));
after(() => rmSync(place, { recursive: true, force: true }));

const kit: RecoveryKit = {
  host: 'web1 <b>"&',
  date: new Date('2026-11-26T12:00:00Z'),
  recoveryKey: '0123456789abcdef'.repeat(4),
  places: [
    { copy: 'local', url: '/var/backups/salvor/repositories', login: null },
    {
      copy: 'remote',
      url: 'sftp:b@store.example:/srv',
      login: { privateKey: 'KEY\nLINES\n', hostKeys: ['store.example ssh-ed25519 AAAA'] },
    },
  ],
  repositories: [{ account: 'o1', url: '/var/backups/salvor/repositories/o1', id: 'ab'.repeat(32) }],
};

/** What a person types who follows the page: the account is named, the rest goes into one shell. */
function followByHand(page: string, account: string): string {
  const open = /<pre data-step="open">([^<]*)<\/pre>/.exec(page)?.[1] ?? '';
  const text = open.replaceAll('&quot;', '"').replaceAll('&gt;', '>').replaceAll('&lt;', '<').replaceAll('&amp;', '&');
  const script = `A=${account}\n${text} --json`;
  return execFileSync('sh', ['-ec', script], { cwd: place, encoding: 'utf8' });
}

describe('the recovery key', () => {
  it('opens a repository with stock restic, by what the printed page says and nothing else', async () => {
    const path = join(place, 'o1');
    const repository = await initRepository(openLocalStorage(path), { kind: 'key', text: generateKey() });
    const recoveryKey = ensureRecoveryKey(place);
    assert.equal(await ensureRecoveryAccess(repository, recoveryKey), true);
    assert.equal(await ensureRecoveryAccess(repository, recoveryKey), false, 'a second time it is there');
    mkdirSync(join(place, 'source'));
    await backup({ source: entriesOfPaths([join(place, 'source')]), repositories: [repository], paths: ['/source'] });
    const places = [{ copy: 'local', url: place, login: null }] as const;
    const page = renderRecoveryKit({ ...kit, places, recoveryKey });
    assert.equal((JSON.parse(followByHand(page, 'o1')) as unknown[]).length, 1);
    const secret = { kind: 'key', text: recoveryPassword(recoveryKey, repository.id) } as const;
    const { keys } = await listKeys(repository, secret);
    assert.deepEqual(
      keys.filter(({ isCurrent }) => isCurrent).map(({ username, hostname }) => [username, hostname]),
      [[RECOVERY_USER, repository.id]],
    );
  });

  it('is the same for ever, and another password for each repository', () => {
    assert.equal(ensureRecoveryKey(place), ensureRecoveryKey(place));
    assert.notEqual(
      recoveryPassword(kit.recoveryKey, 'ab'.repeat(32)),
      recoveryPassword(kit.recoveryKey, 'cd'.repeat(32)),
    );
  });

  it('is proven on each repository, and what does not open is told with when it last did', async () => {
    const state = join(place, 'proofs');
    const recoveryKey = ensureRecoveryKey(state);
    const places = { state, local: join(place, 'proven'), remote: null };
    const storage = openLocalStorage(join(places.local, 'o1'));
    await assert.rejects(openWithRecoveryKey(storage, recoveryKey), { code: 'repository-missing' });
    const repository = await initRepository(storage, { kind: 'key', text: generateKey() });
    await assert.rejects(openWithRecoveryKey(storage, recoveryKey), { code: 'recovery-key-refused' });
    await ensureRecoveryAccess(repository, recoveryKey);
    let now = new Date('2026-11-01T00:00:00Z');
    const prove = () => proveRecovery(places, ['o1'], { clock: () => now });
    assert.deepEqual(
      (await prove()).map(({ proven, problem }) => [proven, problem]),
      [[now.toISOString(), null]],
    );
    const { keys } = await listKeys(repository, {
      kind: 'key',
      text: recoveryPassword(recoveryKey, repository.id),
    });
    rmSync(join(places.local, 'o1', 'keys', keys.find(({ isCurrent }) => isCurrent)?.id ?? ''));
    const first = now;
    now = new Date('2026-12-01T00:00:00Z');
    const [proof] = await prove();
    assert.deepEqual([proof?.proven, proof?.problem?.code], [first.toISOString(), 'recovery-key-refused']);
    assert.deepEqual(readRecoveryProofs(state), [proof]);
  });

  it('that others can read is refused', () => {
    const state = join(place, 'open');
    mkdirSync(join(state, 'keys'), { recursive: true });
    writeFileSync(join(state, 'keys', '.recovery'), `${'ab'.repeat(32)}\n`, { mode: 0o644 });
    assert.throws(() => ensureRecoveryKey(state), { code: 'key-unreadable' });
  });
});

describe('the recovery kit', () => {
  it('has addresses, log-in, host keys, codes for a camera, and no mark-up of a name in it', () => {
    const page = renderRecoveryKit(kit);
    for (const part of [
      'sftp:b@store.example:/srv',
      'KEY\nLINES',
      'store.example ssh-ed25519 AAAA',
      '01234567 89abcdef',
    ])
      assert.ok(page.includes(part), part);
    assert.equal(page.match(/<svg/g)?.length, 2);
    assert.ok(!page.includes('<b>'));
    const data: unknown = JSON.parse(/<script type="application\/json" id="kit">(.*)<\/script>/.exec(page)?.[1] ?? '');
    assert.deepEqual(data, { ...kit, date: kit.date.toISOString() });
  });

  it('has a key that is too long for one code in several, which say their turn and are the key together', () => {
    const body = Array.from({ length: 49 }, (_, at) => `${String(at).padStart(2, '0')}${'x'.repeat(62)}\n`).join('');
    // As long as OpenSSH's own of 4096 bits.
    const privateKey = `-----BEGIN TEST KEY-----\n${body}-----END TEST KEY-----\n`;
    const places = [{ copy: 'remote', url: 'sftp:b@store.example:/srv', login: { privateKey, hostKeys: [] } }] as const;
    const page = renderRecoveryKit({ ...kit, places });
    const pieces = codePiecesOf(privateKey);
    assert.equal(pieces.join(''), privateKey);
    assert.deepEqual(page.match(/Code \d of \d/g), ['Code 1 of 4', 'Code 2 of 4', 'Code 3 of 4', 'Code 4 of 4']);
    const at = pieces.map((piece) => page.indexOf(renderSVG(piece, { ecc: 'M' })));
    assert.ok(
      at.every((each, turn) => each > (at[turn - 1] ?? 0)),
      at.join(),
    );
    assert.equal(codePiecesOf('x'.repeat(5001)).join(''), 'x'.repeat(5001));
  });

  it('is written for root alone, with the keys of the server that is meant', () => {
    const state = join(place, 'state');
    mkdirSync(state);
    writeFileSync(join(place, 'id'), 'PRIVATE');
    writeFileSync(join(place, 'known'), '# note\nother.example ssh-rsa AAAA\n[store.example]:22022 ssh-ed25519 BBBB\n');
    const remote = {
      url: 'sftp://b@store.example:22022//srv',
      identityFile: join(place, 'id'),
      knownHosts: join(place, 'known'),
    };
    const file = writeRecoveryKit({ state, local: '/l', remote }, kit);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    const page = readFileSync(file, 'utf8');
    assert.ok(page.includes('ssh-ed25519 BBBB') && !page.includes('ssh-rsa AAAA') && page.includes('PRIVATE'));
  });
});
