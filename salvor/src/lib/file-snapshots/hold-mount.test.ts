import assert from 'node:assert/strict';
import { closeSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openMounted } from './hold-mount.ts';

test('what is mounted is reached at the descriptor alone, can’t be written, and is no mount of anybody', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'salvor-hold-'));
  const signal = new AbortController().signal;
  const place = join(directory, 'place');
  mkdirSync(place);
  writeFileSync(join(place, 'below'), '');
  try {
    const before = readFileSync('/proc/self/mountinfo', 'utf8');
    const fd = await openMounted('none', { type: 'tmpfs', options: ['size=1m'], place }, signal);
    try {
      assert.deepEqual(readdirSync(`/proc/self/fd/${fd}`), []);
      assert.throws(() => mkdirSync(`/proc/self/fd/${fd}/new`), { code: 'EROFS' });
      assert.deepEqual(readdirSync(place), ['below']);
      assert.equal(readFileSync('/proc/self/mountinfo', 'utf8'), before);
    } finally {
      closeSync(fd);
    }
    await assert.rejects(openMounted('/nowhere', { type: 'ext4', options: [], place }, signal), {
      code: 'command-failed',
    });
  } finally {
    rmSync(directory, { recursive: true });
  }
});
