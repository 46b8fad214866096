/** Drush is a stand-in here, which writes down how it was called: what it calls is the tenant's Drupal, which tests have none of. */
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, beforeEach, describe, it } from 'node:test';
import { presetPolicy } from '../policies/policy.ts';
import type { Policy, PolicyChange } from '../policies/settings.ts';
import { type DatabaseUpdate, findDrush, updateDatabase } from './update-database.ts';

const isRoot = process.getuid?.() === 0;
const UID = isRoot ? 60_812 : (process.getuid?.() ?? 0);

describe('the updates of a database on other code', () => {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'salvor-drush-')));
  chmodSync(home, 0o755);
  after(() => rmSync(home, { recursive: true }));
  const account = { name: 'o9', home, uid: UID, gid: UID, logins: [], webGroup: null };
  const platform = join(home, 'static/p10/web');
  const record = join(home, 'calls');
  const place = {
    operation: 'restore',
    account,
    accountName: 'o9',
    uri: 'example.org',
    path: join(platform, 'sites/example.org'),
    platform,
    cms: 'drupal',
  } as const;
  const lines: string[] = [];

  const standIn = (path: string, last = 'exit 0'): string => {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(
      path,
      `#!/bin/sh\necho "stand-in for drush"\necho "$0 $* $(id -u) $(pwd) $HOME" >>'${record}'\n${last}\n`,
    );
    chmodSync(path, 0o755);
    return path;
  };
  const policyOf = (change: PolicyChange): Policy => ({ ...presetPolicy('standard'), ...change });
  const update = async (change: PolicyChange = {}, where: Partial<typeof place> = {}): Promise<DatabaseUpdate> => {
    const run = { id: 'ba9876543210' as never, say: (line: string): void => void lines.push(line) };
    return await updateDatabase({ ...place, ...where }, policyOf(change), run);
  };
  const calls = (): string => readFileSync(record, 'utf8');

  beforeEach(() => {
    for (const name of ['static', 'tools', 'hook']) rmSync(join(home, name), { recursive: true, force: true });
    mkdirSync(place.path, { recursive: true });
    writeFileSync(record, '');
    if (isRoot) chownSync(record, UID, UID);
    lines.length = 0;
  });

  it('are run by the Drush of the code base, as the account’s user, with its words in the log', async () => {
    const drush = standIn(join(home, 'static/p10/vendor/bin/drush'));
    assert.deepEqual(await update(), { drush, problem: null });
    assert.equal(calls(), `${drush} --root=${platform} --uri=example.org --yes updatedb ${UID} ${platform} ${home}\n`);
    assert.ok(lines.includes('drush: stand-in for drush'), lines.join('\n'));
  });

  it('are run by the nearest Drush: the policy’s, the platform’s, the project’s, the account’s', () => {
    const found = (change: PolicyChange = {}): unknown => findDrush(place, policyOf(change));
    const ofAccount = standIn(join(home, 'tools/drush/drush'));
    assert.deepEqual(found(), [ofAccount]);
    const ofProject = standIn(join(home, 'static/p10/vendor/bin/drush'));
    assert.deepEqual(found(), [ofProject]);
    const ofPlatform = standIn(join(platform, 'vendor/bin/drush'));
    assert.deepEqual(found(), [ofPlatform]);
    assert.deepEqual(found({ drush: ['php', '/opt/drush8'] }), ['php', '/opt/drush8']);
    const outside = { ...place, account: { ...account, home: platform } };
    rmSync(ofPlatform);
    assert.notDeepEqual(findDrush(outside, policyOf({})), [ofProject], 'one above the home is somebody else’s');
  });

  it('that fail, take too long or have no Drush are told with a code', async () => {
    standIn(join(platform, 'vendor/bin/drush'), 'echo "SQLSTATE[42S02]: no such table" >&2; exit 3');
    const failed = await update();
    assert.equal(failed.problem?.code, 'update-failed');
    assert.match(failed.problem.message, /ended with 3: SQLSTATE/);
    standIn(join(platform, 'vendor/bin/drush'), 'exec sleep 20');
    assert.match((await update({ updateWithinMs: 300 })).problem?.message ?? '', /did not end within 0.3 s/);
    assert.equal((await update({ drush: ['/no/such/drush'] })).problem?.code, 'update-failed');
    rmSync(join(home, 'static/p10/web/vendor'), { recursive: true });
    // A host that has one of its own would run that.
    if (findDrush(place, policyOf({})) === null)
      assert.deepEqual([(await update()).drush, (await update()).problem?.code], [null, 'drush-missing']);
  });

  it('that Drush ends with 0 are judged by what it said: an update that failed, or an error that a site may live with', async () => {
    const path = join(platform, 'vendor/bin/drush');
    standIn(path, 'echo " [error]  Update failed: node_update_8301" >&2; echo " [success] Finished"; exit 0');
    const failed = await update();
    assert.equal(failed.problem?.code, 'update-failed');
    assert.match(failed.problem.message, /ended with 0, and said: \[error\] {2}Update failed: node_update_8301/);
    standIn(path, 'seq 1000; echo " [error]  The library is missing" >&2; exit 0');
    const hook = ['sh', '-c', `echo "$SALVOR_UPDATE" >>'${record}'`];
    const doubtful = await update({ postUpdate: hook });
    assert.equal(doubtful.problem?.code, 'update-doubtful');
    assert.match(doubtful.problem.message, /ended well, and said: \[error\] {2}The library is missing/);
    assert.equal(calls().trimEnd().split('\n').at(-1), 'done');
    assert.equal((await update({ postUpdate: ['false'] })).problem?.code, 'hook-failed');
  });

  it('have the hoster’s hooks around them, which learn how it went', async () => {
    standIn(join(platform, 'vendor/bin/drush'), 'exit 1');
    const hook = (name: string): readonly string[] => [
      'sh',
      '-c',
      `echo "${name} $SALVOR_HOOK $SALVOR_UPDATE" >>'${record}'`,
    ];
    const done = await update({ preUpdate: hook('before'), postUpdate: hook('after') });
    assert.equal(done.problem?.code, 'update-failed');
    assert.deepEqual(
      calls()
        .trimEnd()
        .split('\n')
        .map((line) => line.replace(/^\S*drush .*/, 'drush')),
      ['before preUpdate ', 'drush', 'after postUpdate failed'],
    );
    writeFileSync(record, '');
    const stopped = await update({ preUpdate: ['false'] });
    assert.equal(stopped.problem?.code, 'hook-failed');
    assert.equal(calls(), '', 'a hook that fails keeps Drush from running');
  });

  it('are not run where the policy says so, or for another system', async () => {
    standIn(join(platform, 'vendor/bin/drush'));
    assert.deepEqual(await update({ runsUpdates: false }), { drush: null, problem: null });
    assert.deepEqual(await update({}, { cms: 'wordpress' as never }), { drush: null, problem: null });
    assert.equal(calls(), '');
  });

  it('never run as root', async () => {
    standIn(join(platform, 'vendor/bin/drush'));
    const { problem } = await update({}, { account: { ...account, uid: 0, gid: 0 } });
    assert.equal(problem?.code, 'update-failed');
    assert.equal(calls(), '');
  });
});
