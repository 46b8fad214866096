import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { placesOfKit } from './kit-places.ts';
import { readKit, readTypedKit } from './read-kit.ts';
import { type RecoveryKit, renderRecoveryKit } from './recovery-kit.ts';

const place = mkdtempSync(join(tmpdir(), 'salvor-read-kit-'));
after(() => rmSync(place, { recursive: true, force: true }));

const kit: RecoveryKit = {
  host: 'web1 </script><b>',
  date: new Date('2026-11-26T12:00:00Z'),
  recoveryKey: '0123456789abcdef'.repeat(4),
  places: [
    { copy: 'local', url: '/var/backups/salvor/repositories', login: null },
    {
      copy: 'remote',
      url: 'sftp:b@store:/srv',
      login: { privateKey: 'KEY\nLINES\n', hostKeys: ['store ssh-ed25519 A'] },
    },
  ],
  repositories: [{ account: 'o1', url: '/var/backups/salvor/repositories/o1', id: 'ab'.repeat(32) }],
};

describe('a recovery kit', () => {
  it('is read out of its page, and out of the data in it alone', () => {
    assert.deepEqual(readKit(renderRecoveryKit(kit), 'kit'), kit);
    assert.deepEqual(readKit(JSON.stringify(kit), 'kit'), kit);
  });

  it('that is cut off, damaged or something else is refused', () => {
    const page = renderRecoveryKit(kit);
    const broken = JSON.stringify({ ...kit, recoveryKey: 'ab' });
    for (const text of ['', 'no kit', page.slice(0, page.indexOf('id="kit"') + 60), broken])
      assert.throws(() => readKit(text, 'kit'), { code: 'kit-unreadable' }, text.slice(-60));
  });

  it('is typed off the paper: blanks and large letters do not matter, a letter too few does', () => {
    const [keyFile, hostKeysFile] = [join(place, 'id'), join(place, 'hosts')];
    writeFileSync(keyFile, 'KEY\nLINES\n');
    writeFileSync(hostKeysFile, '# note\nstore ssh-ed25519 A\n');
    const login = { keyFile, hostKeysFile };
    const recoveryKey = `${kit.recoveryKey.match(/.{8}/g)?.join(' ')}`.toUpperCase();
    const typed = readTypedKit({ url: 'sftp:b@store:/srv/', recoveryKey, login });
    assert.equal(typed.recoveryKey, kit.recoveryKey);
    assert.deepEqual(typed.places, [kit.places[1]]);
    assert.equal(readTypedKit({ url: '/mnt/b', recoveryKey, login: null }).places[0]?.copy, 'local');
    for (const wrong of [
      { url: '/mnt', recoveryKey: recoveryKey.slice(1), login: null },
      { url: 'sftp:b@store:/srv', recoveryKey, login: { ...login, keyFile: join(place, 'none') } },
    ])
      assert.throws(() => readTypedKit(wrong), { code: 'kit-unreadable' });
  });

  it('leads to its places, with a log-in in files of root’s alone', () => {
    const places = placesOfKit(kit, place);
    assert.equal(places.local, '/var/backups/salvor/repositories');
    assert.equal(places.remote?.url, 'sftp:b@store:/srv');
    assert.equal(statSync(places.remote?.identityFile ?? '').mode & 0o777, 0o600);
  });
});
