import assert from 'node:assert/strict';
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { locateStaging, makeStaging, removeStaging } from './staging.ts';

test('the place lies at the top of the site’s own mount, or where the hoster says on the same one', () => {
  const locate = (configured: string | null): string =>
    locateStaging('/tmp/somewhere/x.test', 'o1', 'mwtud5ya6orn', configured);
  assert.match(locate(null), /\/\.salvor\/o1\/mwtud5ya6orn$/);
  assert.equal(locate('/tmp/staging'), '/tmp/staging/o1/mwtud5ya6orn');
  assert.equal(locate('/proc/staging'), locate(null));
});

test('the place is ours alone, and goes with the directories that it needed', async () => {
  const top = mkdtempSync(join(tmpdir(), 'salvor-staging-'));
  try {
    const place = join(top, 'root/o1/mwtud5ya6orn');
    await makeStaging(place);
    for (const path of [place, join(top, 'root/o1'), join(top, 'root')])
      assert.equal(lstatSync(path).mode & 0o777, 0o700);
    mkdirSync(join(place, 'site'));
    await removeStaging(place);
    assert.equal(existsSync(join(top, 'root')), false);
    await removeStaging(place);
  } finally {
    rmSync(top, { recursive: true });
  }
});

test('a place in a directory that others may write is refused', async () => {
  const top = mkdtempSync(join(tmpdir(), 'salvor-staging-'));
  try {
    mkdirSync(join(top, 'root'));
    chmodSync(join(top, 'root'), 0o777);
    await assert.rejects(makeStaging(join(top, 'root/o1/mwtud5ya6orn')), { code: 'staging-unsafe' });
  } finally {
    rmSync(top, { recursive: true });
  }
});
