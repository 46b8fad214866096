import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { RepoCopyDocument, RepoHealDocument } from '@salvor/contract';
import { spawnCli } from '../../../test/cli/run-cli.ts';

describe('repo copy and heal', () => {
  const place = mkdtempSync(join(tmpdir(), 'salvor-copies-'));
  const [one, two] = [join(place, 'one'), join(place, 'two')];
  const [key, otherKey] = [join(place, 'key'), join(place, 'other-key')];
  const into = ['--repo', two, '--password-file', otherKey, '--from-repo', one, '--from-password-file', key];

  before(async () => {
    writeFileSync(key, 'the first password\n');
    writeFileSync(otherKey, 'the other password\n');
    mkdirSync(join(place, 'site'));
    for (let i = 0; i < 30; i++) writeFileSync(join(place, 'site', `f${i}`), `file ${i}`);
    for (const args of [
      ['init', '--repo', one, '--password-file', key],
      ['backup', '--repo', one, '--password-file', key, join(place, 'site')],
      ['init', '--repo', two, '--password-file', otherKey],
    ]) {
      assert.equal((await spawnCli(['repo', ...args])).exit, 0);
    }
  });
  after(() => rmSync(place, { recursive: true, force: true }));

  it('copy brings what is not there yet, and nothing the second time', async () => {
    const first = await spawnCli(['repo', 'copy', ...into, '--json']);
    assert.equal(first.exit, 0, first.err);
    assert.equal(RepoCopyDocument.parse(JSON.parse(first.out)).copied.length, 1);
    const again = RepoCopyDocument.parse(JSON.parse((await spawnCli(['repo', 'copy', ...into, '--json'])).out));
    assert.deepEqual([again.copied.length, again.skipped, again.blobs], [0, 1, 0]);
    assert.match((await spawnCli(['repo', 'copy', ...into])).out, /1 were here already/);
  });

  it('heal mends this copy with the other one and says what it found', async () => {
    const packs = readdirSync(join(two, 'data'), { recursive: true, encoding: 'utf8' }).filter(
      (name) => name.length > 60,
    );
    assert.ok(packs.length > 0);
    for (const pack of packs) {
      chmodSync(join(two, 'data', pack), 0o600);
      writeFileSync(join(two, 'data', pack), 'damaged');
    }
    const { exit, out, err } = await spawnCli(['repo', 'heal', ...into, '--json']);
    assert.equal(exit, 0, err);
    const document = RepoHealDocument.parse(JSON.parse(out));
    assert.equal(document.found.length, packs.length);
    assert.deepEqual(document.left, []);
    const whole = await spawnCli(['repo', 'heal', ...into]);
    assert.match(whole.out, /Nothing was damaged\.\nThe repository is whole\./);
  });
});
