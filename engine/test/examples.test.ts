import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { generateKey, initRepository, openLocalStorage } from '../src/index.ts';
import { openWorkplace } from './fixtures.ts';

const EXAMPLES = join(import.meta.dirname, '../examples');
const ran = new Set<string>();

/** Those that take a directory and do the rest themselves, and what they print. */
const ALONE: Readonly<Record<string, RegExp>> = {
  keys: /^1 key, 1 of them in use\n$/,
  prune: /^[1-9]\d* bytes were unused, [1-9]\d* bytes were freed\n$/,
  repair: /^1 pack dropped, snapshots mended, 0 errors left\n$/,
  unlock: /^0 removed, 1 left, held by this process\n$/,
};

describe('the examples, run one after another as a person would', () => {
  const place = openWorkplace();
  const source = join(place.path, 'source');
  const passwordFile = join(place.path, 'password');
  const repository = join(place.path, 'repository');
  before(async () => {
    mkdirSync(join(source, 'docs'), { recursive: true });
    writeFileSync(join(source, 'docs/letter.txt'), 'Dear reader');
    const key = generateKey();
    writeFileSync(passwordFile, key, { mode: 0o600 });
    // A key opens at once; the password of the first example would cost each of the others half a second.
    await initRepository(openLocalStorage(repository), { kind: 'key', text: key });
  });
  after(() => place[Symbol.dispose]());

  /** Runs an example on the repository, and gives what it prints. */
  async function example(name: string, ...args: readonly string[]): Promise<string> {
    return exampleOn(repository, name, ...args);
  }

  async function exampleOn(directory: string, name: string, ...args: readonly string[]): Promise<string> {
    ran.add(`${name}.ts`);
    const command = [join(EXAMPLES, `${name}.ts`), directory, passwordFile, ...args];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, command);
    assert.equal(stderr, '');
    return stdout;
  }

  it('create a repository and make two snapshots', async () => {
    assert.match(await exampleOn(join(place.path, 'other'), 'init'), /^created [0-9a-f]{64}, version 2\n$/);
    assert.match(await example('backup', source), /^saved [0-9a-f]{64}\n1 new files, \d+ bytes stored\n$/);
    appendFileSync(join(source, 'docs/letter.txt'), ', goodbye');
    assert.match(await example('backup', source), /^saved [0-9a-f]{64}\n0 new files/);
  });

  it('list, look for and compare', async () => {
    const lines = (await example('snapshots', 'example')).trim().split('\n');
    assert.equal(lines.length, 2);
    const [first = ''] = lines.map((line) => line.slice(0, 8));
    assert.match(await example('ls', 'latest', source), /^dir +0 .*\/docs\nfile +20 .*\/letter\.txt\n$/);
    assert.equal((await example('find', 'LETTER.*')).trim().split('\n').length, 2);
    assert.equal(await example('diff', first, 'latest'), `M ${source}/docs/letter.txt\n`);
    assert.match(await example('versions', `${source}/docs/letter.txt`), /^\w{8} 20 bytes.*\n\w{8} 11 bytes.*\n$/);
    assert.match(await example('stats'), /^2 snapshots of 31 bytes take \d+ bytes\n$/);
  });

  it('restore, check, pin and forget', async () => {
    const target = join(place.path, 'target');
    assert.equal(await example('restore', 'latest', target, source), 'restored 1 files, 20 bytes\n');
    assert.equal(readFileSync(join(target, 'docs/letter.txt'), 'utf8'), 'Dear reader, goodbye');
    assert.match(await example('check'), /^2 snapshots, \d+ packs, \d+ blobs\n$/);
    const [first = ''] = (await example('snapshots')).split(' ');
    // Unpinned, the older of two snapshots of one day would go.
    assert.match(await example('tag', first), / now: example,salvor-pin\n$/);
    assert.match(await example('forget'), /^DAY +TIME +daily.*pin\n[^]*\nremoved 0 snapshots\n$/);
  });

  it('copy into a second repository, and heal the first with it', async () => {
    const second = join(place.path, 'second');
    assert.match(await example('copy', second), /^copied 2 snapshots, 0 were there, [1-9]\d* bytes stored\n$/);
    const packs = readdirSync(join(repository, 'data'), { recursive: true, encoding: 'utf8' });
    for (const pack of packs.filter((name) => /[0-9a-f]{64}$/.test(name))) rmSync(join(repository, 'data', pack));
    assert.match(await example('heal', second), /^found [1-9]\d* problems, healed [1-9]\d* blobs\n$/);
    assert.match(await example('check'), /^2 snapshots, \d+ packs, \d+ blobs\n$/);
  });

  for (const [name, expected] of Object.entries(ALONE)) {
    it(`make a repository of their own and say what came of it: ${name}`, async () => {
      ran.add(`${name}.ts`);
      const directory = join(place.path, name);
      mkdirSync(directory);
      const { stdout } = await promisify(execFile)(process.execPath, [join(EXAMPLES, `${name}.ts`), directory]);
      assert.match(stdout, expected);
    });
  }

  it('are all run here', () => {
    assert.deepEqual(ran.symmetricDifference(new Set(readdirSync(EXAMPLES))), new Set());
  });
});
