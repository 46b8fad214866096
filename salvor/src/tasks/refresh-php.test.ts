import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { findChangedPhp, refreshTimes } from './refresh-php.ts';

test('PHP files of another content are found though size and time are the same, and no other file is', async () => {
  const top = mkdtempSync(join(tmpdir(), 'salvor-php-'));
  try {
    const write = (side: string, path: string, content: string): void => {
      mkdirSync(join(top, side, path, '..'), { recursive: true });
      writeFileSync(join(top, side, path), content);
      utimesSync(join(top, side, path), 1_700_000_000, 1_700_000_000);
    };
    for (const [path, now, next] of [
      ['index.php', '<?php 1;', '<?php 2;'],
      ['modules/a/a.module', 'x', 'longer'],
      ['same.php', 'same', 'same'],
      ['style.css', 'a', 'b'],
    ] as const) {
      write('now', path, now);
      write('next', path, next);
    }
    write('next', 'only-new.php', '<?php');
    write('now', 'only-old.php', '<?php');
    // Whoever owns the site may put a link in a file's place: it is no file and is not followed.
    symlinkSync('/etc/passwd', join(top, 'now/link.php'));
    write('next', 'link.php', '<?php');

    const changed = await findChangedPhp(join(top, 'now'), join(top, 'next'));
    assert.deepEqual(changed, ['index.php', 'modules/a/a.module']);
    const built = { staging: top, staged: join(top, 'next'), paths: changed, shown: changed };
    refreshTimes(built, new Date('2026-05-06T07:08:09.123Z'));
    const time = (path: string): number => lstatSync(join(top, 'next', path)).mtimeMs;
    assert.equal(time('index.php'), Date.parse('2026-05-06T07:08:09.123Z'));
    assert.equal(time('same.php'), 1_700_000_000_000);
  } finally {
    rmSync(top, { recursive: true });
  }
});

test('of one restored file its own change is found', async () => {
  const top = mkdtempSync(join(tmpdir(), 'salvor-php-'));
  try {
    writeFileSync(join(top, 'a.php'), '1');
    writeFileSync(join(top, 'b.php'), '2');
    assert.deepEqual(await findChangedPhp(join(top, 'a.php'), join(top, 'b.php')), ['']);
  } finally {
    rmSync(top, { recursive: true });
  }
});
