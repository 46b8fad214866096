import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { SalvorError } from '../errors.ts';
import { Locks } from './locks.ts';

const SITE = { account: 'o1', uri: 'example.test' };

test('a second task on one site is refused and told who holds it', () => {
  const directory = mkdtempSync(join(tmpdir(), 'salvor-locks-'));
  try {
    using locks = new Locks(directory);
    const held = locks.lockSite(SITE, 'task1');
    assert.throws(
      () => locks.lockSite(SITE, 'task2'),
      (error) =>
        error instanceof SalvorError &&
        error.code === 'site-busy' &&
        error.context['task'] === 'task1' &&
        error.context['process'] === process.pid,
    );
    locks.lockSite({ ...SITE, uri: 'other.test' }, 'task3')[Symbol.dispose]();
    held[Symbol.dispose]();
    locks.lockSite(SITE, 'task4')[Symbol.dispose]();
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('the lock of a process that was killed falls with it', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'salvor-locks-'));
  try {
    const script = `import { Locks } from ${JSON.stringify(join(import.meta.dirname, 'locks.ts'))};
      new Locks(${JSON.stringify(directory)}).lockSite(${JSON.stringify(SITE)}, 'killed'); console.log('held'); setInterval(() => {}, 1000);`;
    const child = spawn(process.execPath, ['--input-type=module-typescript', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await once(child.stdout, 'data');
    using locks = new Locks(directory);
    assert.throws(() => locks.lockSite(SITE, 'mine'), { code: 'site-busy' });
    child.kill('SIGKILL');
    await once(child, 'exit');
    locks.lockSite(SITE, 'mine')[Symbol.dispose]();
    locks.sweep();
    assert.deepEqual(
      readdirSync(join(directory, 'locks')).filter((name) => name.includes('lock')),
      [],
    );
  } finally {
    rmSync(directory, { recursive: true });
  }
});
