import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { PASSWORD, openWorkplace, restic } from '../../test/fixtures.ts';
import { storageConformance } from '../../test/storage/storage-conformance.ts';
import { startSshd } from '../../test/storage/test-sshd.ts';
import type { TestSshd } from '../../test/storage/test-sshd.ts';
import { TestTimers } from '../../test/storage/test-timers.ts';
import { backup, entriesOfPaths, findSnapshot, initRepository, openRepository, restore } from '../index.ts';
import { openSftpStorage } from './sftp-storage.ts';
import type { SftpOptions } from './sftp-storage.ts';
import { CONFIG_FILE } from './storage.ts';
import type { Storage } from './storage.ts';
import { watchStorage } from './watch-storage.ts';

let sshd: TestSshd;
before(async () => {
  sshd = await startSshd();
});
after(async () => sshd[Symbol.asyncDispose]());

const pack = (digit: string): { readonly kind: 'data'; readonly id: string } => ({
  kind: 'data',
  id: digit.repeat(64),
});

storageConformance('SFTP', async () => {
  const place = openWorkplace();
  const stack = new AsyncDisposableStack();
  stack.defer(() => place[Symbol.dispose]());
  const open = (): Storage =>
    stack.use(openSftpStorage({ ...sshd.login, path: join(place.path, 'new', 'repository'), connections: 2 }));
  return { storage: open(), reopen: open, [Symbol.asyncDispose]: async () => stack.disposeAsync() };
});

/** What an attempt to use the storage ends with. */
async function attempt(options: Partial<SftpOptions>): Promise<unknown> {
  await using storage = openSftpStorage({ ...sshd.login, path: '/tmp', ...options });
  return await storage.size(CONFIG_FILE);
}

describe('SFTP storage', () => {
  it('knows the host by a hashed name, a fingerprint or a whole key', async () => {
    const hashed = join(sshd.directory, 'hashed');
    writeFileSync(hashed, readFileSync(sshd.login.trust.knownHostsFile));
    execFileSync('ssh-keygen', ['-q', '-H', '-f', hashed], { stdio: 'ignore' });
    assert.match(readFileSync(hashed, 'utf8'), /\|1\|/);
    for (const trust of [
      { knownHostsFile: hashed },
      { hostKeys: [sshd.fingerprint] },
      { hostKeys: ['SHA256:'.padEnd(50, 'A'), sshd.hostKey] },
      // The server has two keys and shows the one that is asked for.
      { hostKeys: [sshd.hostKey] },
      { hostKeys: [sshd.otherHostKey] },
    ])
      assert.equal(await attempt({ trust }), null);
  });

  it('talks to no host whose key is unknown, another or revoked, and names the key that it saw', async () => {
    const known = (lines: string): SftpOptions['trust'] => {
      const path = join(sshd.directory, 'doubtful');
      writeFileSync(path, lines);
      return { knownHostsFile: path };
    };
    const other = join(sshd.directory, 'other');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other]);
    const name = `[127.0.0.1]:${sshd.port}`;
    const another = readFileSync(`${other}.pub`, 'utf8').trim();
    for (const [trust, message] of [
      [known(''), /not in/],
      [{ hostKeys: [] }, /not among/],
      [{ hostKeys: ['MD5:00:11'] }, /can't be read/],
      [{ knownHostsFile: '/nowhere/known_hosts' }, /can't be read/],
    ] as const)
      await assert.rejects(attempt({ trust }), { code: 'storage-untrusted', message });
    for (const [lines, message] of [
      [`127.0.0.1 ${sshd.hostKey}\n`, /not in/],
      [`${name} ${another}\n`, /another than/],
      [`${name} ${sshd.hostKey}\n@revoked * ${sshd.hostKey}\n`, /revoked/],
      [`!${name},* ${sshd.hostKey}\n`, /not in/],
    ] as const) {
      await assert.rejects(attempt({ trust: known(lines) }), { code: 'storage-untrusted', message });
      await assert.rejects(attempt({ trust: known(lines) }), (error: Error) =>
        error.message.includes(sshd.fingerprint),
      );
    }
    rmSync(other);
  });

  it('says what it was that refused: the key, the user, the path', async () => {
    const stranger = join(sshd.directory, 'stranger');
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', stranger]);
    await assert.rejects(attempt({ privateKeyFile: stranger }), { code: 'storage-refused', message: /this key/ });
    await assert.rejects(attempt({ privateKeyFile: '/nowhere' }), { code: 'storage-refused', message: /private key/ });
    await assert.rejects(attempt({ privateKeyFile: sshd.login.trust.knownHostsFile }), { code: 'storage-refused' });
    await assert.rejects(attempt({ user: 'nobody-by-this-name' }), { code: 'storage-refused' });
    await using storage = openSftpStorage({ ...sshd.login, path: '/proc/nothing/here' });
    await assert.rejects(storage.create(), { code: 'storage-failed' });
    await assert.rejects(storage.save(CONFIG_FILE, randomBytes(3)), { code: 'storage-failed' });
  });

  it('says that nobody answers', async () => {
    await assert.rejects(attempt({ port: 1, trust: { hostKeys: [sshd.fingerprint] } }), {
      code: 'storage-unreachable',
      message: /ECONNREFUSED/,
    });
    await assert.rejects(attempt({ host: 'host.invalid', trust: { hostKeys: [sshd.fingerprint] } }), {
      code: 'storage-unreachable',
    });
  });

  it('saves nothing on a server that can not sync or not replace, or that serves no SFTP', async () => {
    using place = openWorkplace();
    for (const [subsystem, message] of [
      ['internal-sftp -P fsync', /fsync/],
      ['internal-sftp -P posix-rename', /posix-rename/],
    ] as const) {
      await using lacking = await startSshd(subsystem);
      await using storage = openSftpStorage({ ...lacking.login, path: place.path });
      await assert.rejects(storage.save(CONFIG_FILE, randomBytes(3)), { code: 'storage-unsuited', message });
      assert.deepEqual(readdirSync(place.path), []);
    }
    await using none = await startSshd('/bin/false');
    await using storage = openSftpStorage({ ...none.login, path: place.path });
    await assert.rejects(storage.size(CONFIG_FILE), { code: 'storage-unsuited' });
  });

  it('says that the disk is full, and leaves nothing of the file', async () => {
    using place = openWorkplace();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', place.path]);
    try {
      await using storage = openSftpStorage({ ...sshd.login, path: place.path });
      await assert.rejects(storage.save(pack('a'), randomBytes(2_000_000)), { code: 'storage-full' });
      assert.deepEqual(readdirSync(join(place.path, 'data', 'aa')), []);
      await storage.save(pack('b'), randomBytes(200_000));
    } finally {
      execFileSync('umount', [place.path]);
    }
  });

  it('fails a call whose connection is lost, and connects anew for the next', async () => {
    using place = openWorkplace();
    await using storage = openSftpStorage({ ...sshd.login, path: place.path });
    await storage.save(pack('a'), randomBytes(1000));
    let moved = 0;
    const onBytes = (count: number): void => {
      moved += count;
      if (moved === 1_048_576) sshd.dropConnections();
    };
    await assert.rejects(storage.save(pack('b'), randomBytes(8_000_000), { onBytes }), { code: 'storage-unreachable' });
    assert.deepEqual(await storage.list('data'), [{ id: pack('a').id, bytes: 1000 }]);
    await storage.save(pack('b'), randomBytes(8_000_000));
    assert.equal(await storage.size(pack('b')), 8_000_000);
  });

  it('is freed by the watch from a line that stands still, and goes on over another', async () => {
    using place = openWorkplace();
    const timers = new TestTimers();
    await using bare = openSftpStorage({ ...sshd.login, path: place.path, connections: 1 });
    const storage = watchStorage(bare, { timers });
    await storage.save(pack('a'), randomBytes(1000));
    const frozen = Promise.withResolvers<void>();
    let moved = 0;
    const onBytes = (count: number): void => {
      moved += count;
      if (moved !== 1_048_576) return;
      sshd.freezeConnections();
      frozen.resolve();
    };
    const over = new AbortController();
    const saving = storage.save(pack('b'), randomBytes(8_000_000), { onBytes }).finally(() => over.abort());
    const outcome = assert.rejects(saving, { code: 'storage-stalled' });
    await frozen.promise;
    // What was under way when the line stopped is progress still; then time passes and nothing else.
    while (!over.signal.aborted) await timers.advance(60_000);
    await outcome;
    assert.equal(await storage.size(pack('a')), 1000);
    assert.equal(await storage.size(pack('b')), null);
  });

  it('leaves files that nobody may write in directories for the owner alone', async () => {
    using place = openWorkplace();
    await using storage = openSftpStorage({ ...sshd.login, path: join(place.path, 'r') });
    await storage.create();
    await storage.save(pack('a'), randomBytes(10));
    const directory = join(place.path, 'r', 'data', 'aa');
    assert.deepEqual(readdirSync(directory), [pack('a').id]);
    assert.equal(statSync(join(directory, pack('a').id)).mode & 0o777, 0o400);
    assert.equal(statSync(directory).mode & 0o777, 0o700);
  });

  it('carries a repository that stock restic reads on the server, and restores from it', async () => {
    using place = openWorkplace();
    const source = join(place.path, 'source');
    mkdirSync(source);
    writeFileSync(join(source, 'large'), randomBytes(9_000_000));
    writeFileSync(join(source, 'small'), 'small');
    await using storage = openSftpStorage({ ...sshd.login, path: join(place.path, 'repository') });
    await initRepository(storage, { kind: 'password', text: PASSWORD });
    const repository = await openRepository(storage, PASSWORD);
    await backup({ source: entriesOfPaths([source]), repositories: [repository], paths: [source] });
    assert.match(restic(join(place.path, 'repository'), ['check', '--read-data']), /no errors/);
    const target = join(place.path, 'target');
    await restore({ repository, snapshot: await findSnapshot(repository, 'latest'), target });
    execFileSync('diff', ['-r', source, join(target, source)]);
  });

  it('keeps no process alive that has nothing more to do', () => {
    const script = `import { openSftpStorage } from ${JSON.stringify(join(import.meta.dirname, 'sftp-storage.ts'))};
      const storage = openSftpStorage(${JSON.stringify({ ...sshd.login, path: '/tmp' })});
      await storage.size({ kind: 'config', id: '' });`;
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { timeout: 10_000 });
  });
});
