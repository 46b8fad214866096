import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { getPriority, tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import { once } from 'node:events';
import { readIoPriority } from '@salvor/engine/libc';
import { giveWay } from './give-way.ts';

/** Field 19 of /proc/self/task/THREAD/stat, counted behind the name. */
function nicesOfThreads(): readonly number[] {
  return readdirSync('/proc/self/task').map((thread) => {
    const stat = readFileSync(`/proc/self/task/${thread}/stat`, 'latin1');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
  });
}

describe('a process that gives way', () => {
  it('does so with all of its threads and with what it starts, and not any more when that is over', async () => {
    const before = { nice: getPriority(0), io: readIoPriority(0) };
    {
      using _ = giveWay();
      const worker = new Worker('setInterval(() => {}, 1000)', { eval: true });
      await once(worker, 'online');
      assert.deepEqual([...new Set(nicesOfThreads())], [10]);
      assert.equal(execFileSync('nice', { encoding: 'utf8' }).trim(), '10');
      assert.equal(
        execFileSync('ionice', ['-p', String(process.pid)], { encoding: 'utf8' }).trim(),
        'best-effort: prio 7',
      );
      await worker.terminate();
    }
    assert.deepEqual([...new Set(nicesOfThreads())], [before.nice]);
    assert.equal(readIoPriority(0), before.io);
  });

  it('gives a service of ours a tenth of the weight of others, its own session less, and both back', () => {
    const directory = mkdtempSync(join(tmpdir(), 'salvor-way-'));
    try {
      const [proc, cgroup] = [join(directory, 'proc'), join(directory, 'cgroup')];
      const own = join(cgroup, 'system.slice/salvor-agent.service');
      mkdirSync(proc);
      mkdirSync(own, { recursive: true });
      writeFileSync(join(proc, 'cgroup'), '0::/system.slice/salvor-agent.service\n');
      writeFileSync(join(proc, 'stat'), `${process.pid} (a) b) S 1 ${process.pid} ${process.pid} 0`);
      writeFileSync(join(proc, 'autogroup'), '/autogroup-7 nice -2\n');
      writeFileSync(join(own, 'cpu.weight'), '100\n');
      writeFileSync(join(own, 'io.weight'), 'default 200\n');
      const look = (): readonly string[] =>
        [join(own, 'cpu.weight'), join(own, 'io.weight'), join(proc, 'autogroup')].map((file) =>
          readFileSync(file, 'utf8'),
        );
      const given = giveWay({ proc, cgroup });
      assert.deepEqual(look(), ['10', '10', '10']);
      given[Symbol.dispose]();
      assert.deepEqual(look(), ['100', '200', '-2']);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });

  it('leaves the cgroup and the session of somebody else alone', () => {
    const directory = mkdtempSync(join(tmpdir(), 'salvor-way-'));
    try {
      writeFileSync(join(directory, 'cgroup'), '0::/user.slice/session-2.scope\n');
      writeFileSync(join(directory, 'stat'), `${process.pid} (node) S 1 1 1 0`);
      writeFileSync(join(directory, 'autogroup'), '/autogroup-7 nice 0\n');
      using _ = giveWay({ proc: directory, cgroup: directory });
      assert.equal(readFileSync(join(directory, 'autogroup'), 'utf8'), '/autogroup-7 nice 0\n');
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
