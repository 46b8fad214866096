import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { presetPolicy } from '../policies/policy.ts';
import type { PolicyChange } from '../policies/settings.ts';
import { runHook } from './run-hook.ts';

const isRoot = process.getuid?.() === 0;
const UID = isRoot ? 60_811 : (process.getuid?.() ?? 0);

describe('a hook', () => {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'salvor-hook-')));
  after(() => rmSync(path, { recursive: true }));
  const lines: string[] = [];
  const place = {
    operation: 'restore',
    account: { name: 'o9', home: '/home/o9', uid: UID, gid: UID, logins: [], webGroup: null },
    accountName: 'o9',
    uri: 'example.org',
    path: '/',
    platform: '/platform',
    cms: 'drupal',
  } as const;
  const hook = async (change: PolicyChange, where: Partial<typeof place> = {}): Promise<string | null> => {
    lines.length = 0;
    const run = { id: '0123456789ab' as never, say: (line: string): void => void lines.push(line) };
    return await runHook('postRestore', { ...place, ...where }, { ...presetPolicy('standard'), ...change }, run);
  };

  it('that is none, or ends well, has nothing to say', async () => {
    assert.deepEqual([await hook({}), lines], [null, []]);
    assert.equal(await hook({ postRestore: ['true', '$HOME; `id`'] }), null);
    assert.deepEqual(lines, ['hook postRestore: true $HOME; `id`']);
  });

  it('runs as the account’s user, who can’t get back what was dropped', async () => {
    assert.equal(await hook({ postRestore: ['sh', '-c', 'id -u; id -G; grep NoNewPrivs /proc/self/status'] }), null);
    assert.deepEqual(lines.slice(1, isRoot ? 4 : 2), [
      `hook postRestore: ${UID}`,
      ...(isRoot ? [`hook postRestore: ${UID}`, 'hook postRestore: NoNewPrivs:\t1'] : []),
    ]);
  });

  it('that fails says how, with its last word', async () => {
    assert.equal(await hook({ postRestore: ['sh', '-c', 'echo a; echo b >&2; exit 4'] }), 'it ended with 4: b');
    assert.match((await hook({ postRestore: ['no-such-program'] })) ?? '', /No such file/);
  });

  it('that takes too long is ended, with whatever it has started', async () => {
    const began = Date.now();
    const mine = `sleep 5${process.pid}.5`;
    const why = await hook({ postRestore: ['sh', '-c', `${mine} & ${mine}`], hookWithinMs: 300 });
    assert.equal(why, 'it did not end within 0.3 s');
    assert.ok(Date.now() - began < 15_000);
    const all = execFileSync('ps', ['-eo', 'args'], { encoding: 'utf8' });
    assert.ok(!all.split('\n').includes(mine));
  });

  it('says no more in the log than a person reads', async () => {
    await hook({ postRestore: ['sh', '-c', 'seq 1000; head -c 100000 /dev/zero | tr "\\0" x'] });
    assert.equal(lines.at(-1), 'hook postRestore: … and 801 more lines');
    assert.ok(lines.every((line) => line.length < 600));
  });

  it('runs as the user that is named, and as root only where that is root', async () => {
    assert.match((await hook({ postRestore: ['id'], hookUser: 'nobody-of-here' })) ?? '', /no user nobody-of-here/);
    if (!isRoot) return assert.match((await hook({ postRestore: ['id'], hookUser: 'root' })) ?? '', /only root/);
    const roots = { ...place.account, uid: 0, gid: 0 } as never;
    assert.match((await hook({ postRestore: ['id'] }, { account: roots })) ?? '', /name the user of its hooks/);
    assert.match((await hook({ postRestore: ['id'] }, { account: null as never })) ?? '', /none of this host/);
    for (const user of ['nobody', 'root']) {
      assert.equal(await hook({ postRestore: ['id', '-un'], hookUser: user }), null);
      assert.equal(lines.at(-1), `hook postRestore: ${user}`);
    }
  });

  it('is in the site’s directory', async () => {
    const own = isRoot ? { hookUser: 'root' } : {};
    assert.equal(await hook({ postRestore: ['pwd'], ...own }, { path: path as never }), null);
    assert.equal(lines.at(-1), `hook postRestore: ${path}`);
  });
});
