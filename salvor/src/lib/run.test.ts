import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { NOBODY, openRun, run } from './run.ts';

const text = async (source: AsyncIterable<Uint8Array>): Promise<string> => {
  let all = '';
  for await (const bytes of source) all += Buffer.from(bytes).toString('utf8');
  return all;
};

test('a child gets two variables of ours and no more, and no shell looks at its arguments', async () => {
  const env = await run('env', { args: [] });
  assert.deepEqual(
    env
      .toString('utf8')
      .trim()
      .split('\n')
      .map((line) => line.split('=')[0])
      .toSorted((a, b) => String(a).localeCompare(String(b))),
    ['LANG', 'PATH'],
  );
  assert.equal((await run('echo', { args: ['$HOME; touch /x', '`id`'] })).toString('utf8'), '$HOME; touch /x `id`\n');
});

test('what goes in comes out, however much, and is asked for only as fast as it is taken', async () => {
  let given = 0;
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for (; given < 400; given += 1) yield Buffer.alloc(65_536, 97);
  };
  await using cat = openRun('cat', { args: [], stdin: source() });
  const reader = cat.stdout[Symbol.asyncIterator]();
  const first = await reader.next();
  for (let turns = 0; turns < 200; turns += 1) await new Promise(setImmediate);
  assert.ok(given < 40, `${given} pieces were taken while nobody read`);
  let bytes = first.value?.byteLength ?? 0;
  for (let next = await reader.next(); next.done !== true; next = await reader.next()) bytes += next.value.byteLength;
  assert.equal(bytes, 400 * 65_536);
});

test('what a child printed is read whole, also where it had ended before anybody looked, and so is its failure', async () => {
  for (const [script, failure] of [
    ['echo all of it', null],
    ['true', null],
    ['echo all of it; exit 3', 'command-failed'],
  ] as const) {
    await using child = openRun('sh', { args: ['-c', script] });
    await child.finished.catch(() => undefined);
    // Till the stream has had its turn to be thrown away.
    await new Promise((settle) => setImmediate(settle));
    let text = '';
    const reading = (async () => {
      for await (const bytes of child.stdout) text += Buffer.from(bytes).toString();
    })();
    if (failure === null) await reading;
    else await assert.rejects(reading, { code: failure });
    assert.equal(text, script === 'true' ? '' : 'all of it\n', script);
  }
});

test('a failure carries the exit and the last words, with secrets struck out', async () => {
  const command = {
    args: ['-c', 'head -c 100000 /dev/zero | tr "\\0" x >&2; echo "bad password hunter2!" >&2; exit 3'],
    secrets: ['hunter2'],
  };
  await assert.rejects(run('sh', command), (error: unknown) => {
    const { code, context } = error as { code: string; context: Record<string, string> };
    assert.equal(code, 'command-failed');
    assert.equal(context['outcome'], 'it ended with 3');
    assert.ok((context['words'] ?? '').length <= 8192 && context['words']?.endsWith('bad password ***!'));
    return true;
  });
  await assert.rejects(run('no-such-command', { args: [] }), { code: 'command-missing' });
  await assert.rejects(run('sh', { args: ['-c', 'kill -9 $$'] }), /killed by SIGKILL/);
});

test('a source that throws stops the child, and its own error is the outcome', async () => {
  const source = async function* (): AsyncGenerator<Uint8Array> {
    yield Buffer.from('x');
    throw new Error('the source broke');
  };
  await using cat = openRun('cat', { args: [], stdin: source() });
  await assert.rejects(text(cat.stdout), /the source broke/);
});

test('a child that ends before it read its input fails by its exit, not by the broken pipe', async () => {
  const source = async function* (): AsyncGenerator<Uint8Array> {
    for (let n = 0; n < 1000; n += 1) yield Buffer.alloc(65_536);
  };
  await assert.rejects(run('sh', { args: ['-c', 'exit 7'], stdin: source() }), /it ended with 7/);
});

test('an abort ends a child that does not want to end, and rejects with its reason', async () => {
  const stop = new AbortController();
  await using stubborn = openRun('sh', {
    args: ['-c', 'trap "" TERM; echo ready; while :; do read x < /dev/zero; done'],
    signal: stop.signal,
    killAfterMs: 50,
  });
  const reader = stubborn.stdout[Symbol.asyncIterator]();
  await reader.next();
  stop.abort(new Error('no longer wanted'));
  await assert.rejects(stubborn.finished, /no longer wanted/);
  await assert.rejects(access(`/proc/${stubborn.pid}`));
});

test('what must not be cut off goes on to its end when we are killed, and when nobody reads what it says', async (t) => {
  const directory = await mkdtemp('/tmp/salvor-run-');
  t.after(() => rm(directory, { recursive: true }));
  const line = `echo begun; until test -e ${directory}/go; do sleep 0.02; done; echo said; echo said >&2; touch ${directory}/done`;
  const source = `import { openRun } from ${JSON.stringify(import.meta.resolve('./run.ts'))};
    for await (const bytes of openRun('sh', { args: ['-c', process.argv[1]], livesOn: true }).stdout) process.stdout.write(bytes);`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', source, line], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(parent.stdout, 'data');
  const closed = once(parent, 'close');
  parent.kill('SIGKILL');
  await closed;
  await writeFile(`${directory}/go`, '');
  while (!existsSync(`${directory}/done`)) await sleep(10, undefined, { signal: AbortSignal.timeout(20_000) });
  await assert.rejects(run('no-such-command', { args: [], livesOn: true }), { code: 'command-missing' });
});

test('disposing stops and reaps', async () => {
  let pid = 0;
  {
    await using sleeper = openRun('sleep', { args: ['1000'] });
    pid = sleeper.pid;
    await access(`/proc/${pid}`);
  }
  await assert.rejects(access(`/proc/${pid}`));
});

test('a child of another user has its ids, no groups, no capabilities and no way to new ones', async () => {
  const status = (await run('cat', { args: ['/proc/self/status'], user: NOBODY })).toString('utf8');
  assert.match(status, /^Uid:\t65534\t65534\t65534\t65534$/m);
  assert.match(status, /^Gid:\t65534\t65534\t65534\t65534$/m);
  assert.match(status, /^Groups:\t *$/m);
  assert.match(status, /^Cap(Prm|Eff|Bnd):\t0+$/m);
  assert.match(status, /^NoNewPrivs:\t1$/m);
});
