/** A daemon that does all it can to live on writes a line every few milliseconds: after the end no line comes. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { endTree, namespaceWords } from './process-tree.ts';
import { NOBODY, type RunOptions, openRun, run } from './run.ts';

const isRoot = process.getuid?.() === 0;
const room = mkdtempSync(join(tmpdir(), 'salvor-tree-'));
chmodSync(room, 0o777);
after(() => rmSync(room, { recursive: true }));

/** Deaf, in a session of its own, of no parent, and as `env -i` also without our mark. */
const daemon = (file: string, env: string): string =>
  `(${env} setsid sh -c 'trap "" TERM HUP; while :; do echo x >>${file}; sleep 0.005; done' </dev/null >/dev/null 2>&1 &)`;
const nameFile = (name: string, way: string): string => join(room, `${name}-${way.replaceAll(' ', '-')}`);
const sizeOf = (file: string): number => statSync(file, { throwIfNoEntry: false })?.size ?? 0;
const hasWritten = async (file: string): Promise<void> => {
  for (let waited = 0; sizeOf(file) < 6; waited += 5) {
    assert.ok(waited < 10_000, 'it never wrote');
    await sleep(5);
  }
};
/** Ten times as long as it waits between two lines. */
const assertSilent = async (file: string): Promise<void> => {
  const size = sizeOf(file);
  await sleep(60);
  assert.equal(sizeOf(file), size);
};

/** As root, for another user in a namespace; else, and for root itself, by mark and session. */
const WAYS: readonly (readonly [string, RunOptions['user'], string])[] = isRoot
  ? [
      ['in a namespace', NOBODY, 'env -i'],
      ['by its mark', undefined, ''],
    ]
  : [['by its mark', undefined, '']];

describe('all that a command has started', { concurrency: 1 }, () => {
  for (const [way, user, env] of WAYS) {
    const rights = user === undefined ? {} : { user };

    it(`ends ${way} with a command that ends, before that is told, and so do its pipes`, async () => {
      const file = nameFile('ended', way);
      const script = `${daemon(file, env)}; sleep 1000 & while [ ! -s ${file} ]; do sleep 0.01; done; echo done`;
      const began = performance.now();
      const words = await run('sh', { args: ['-c', script], tree: `ended ${way}`, ...rights });
      assert.equal(words.toString(), 'done\n');
      await assertSilent(file);
      assert.ok(performance.now() - began < 30_000);
    });

    it(`ends ${way} when the command is aborted, after it was asked to end`, async () => {
      const file = nameFile('aborted', way);
      const asked = nameFile('asked', way);
      const stop = new AbortController();
      const script = `trap 'echo asked >${asked}' TERM; ${daemon(file, env)}; while :; do sleep 0.01; done`;
      const options = { args: ['-c', script], tree: `aborted ${way}`, signal: stop.signal, killAfterMs: 300 };
      await using child = openRun('sh', { ...options, ...rights });
      await hasWritten(file);
      stop.abort(new Error('no longer wanted'));
      await assert.rejects(child.finished, /no longer wanted/);
      await assertSilent(file);
      assert.equal(readFileSync(asked, 'utf8'), 'asked\n');
    });

    it(`is ended ${way} by whoever takes over when we are killed`, async () => {
      const file = nameFile('killed', way);
      const mark = `killed ${way}`;
      const options = { args: ['-c', `${daemon(file, env)}; sleep 1000`], tree: mark, ...rights };
      const us = spawn(
        process.execPath,
        [
          '--input-type=module',
          '-e',
          `
        import { openRun } from ${JSON.stringify(new URL('./run.ts', import.meta.url).href)};
        await openRun('sh', ${JSON.stringify(options)}).finished;`,
        ],
        { stdio: ['ignore', 'ignore', 'inherit'] },
      );
      await hasWritten(file).finally(() => us.kill('SIGKILL'));
      await once(us, 'exit');
      await endTree(mark);
      await assertSilent(file);
      assert.equal(await endTree(mark), 0);
    });
  }

  it('ends by its mark and its session where root may make no namespace, and its rights are another user’s', async () => {
    if (!isRoot) return assert.equal(namespaceWords(), null);
    const file = nameFile('contained', 'by mark');
    // Each hides in one way: it has left its parent and session, or cleared its environment.
    const bare = `(env -i sh -c 'trap "" TERM; while :; do echo x >>${file}; sleep 0.005; done' </dev/null >/dev/null 2>&1 &)`;
    const script = `${daemon(file, '')}; ${bare}; while [ ! -s ${file} ]; do sleep 0.01; done; sleep 0.1; echo done`;
    const options = { args: ['-c', script], tree: 'contained', user: NOBODY };
    const text = `
      import { namespaceWords } from ${JSON.stringify(new URL('./process-tree.ts', import.meta.url).href)};
      import { run } from ${JSON.stringify(new URL('./run.ts', import.meta.url).href)};
      console.log(namespaceWords(), String(await run('sh', ${JSON.stringify(options)})).trim());`;
    const args = ['--inh-caps=-all', '--bounding-set=-sys_admin', process.execPath, '--input-type=module', '-e', text];
    assert.equal((await run('setpriv', { args })).toString(), 'null done\n');
    await assertSilent(file);
  });

  it('that the kernel does not end is told with a code, and is waited for no longer than said', async () => {
    const mark = 'stubborn';
    const stop = new AbortController();
    await using child = openRun('sleep', { args: ['1000'], tree: mark, signal: stop.signal });
    await assert.rejects(endTree(mark, { withinMs: 50, kill: () => undefined }), (error: unknown) => {
      const { code, message } = error as { code: string; message: string };
      assert.equal(code, 'command-still-runs');
      return assert.match(message, new RegExp(`\\b${child.pid}\\b`)) ?? true;
    });
    assert.equal(await endTree(mark), 1);
    await assert.rejects(child.finished, /killed by SIGKILL/);
  });

  it('in a namespace has ids and a /proc of its own, the exit, signals and descriptors of any child', async () => {
    if (namespaceWords() === null || !isRoot) return assert.ok(!isRoot, 'root has no namespace here');
    const apart = { user: NOBODY, tree: 'apart' };
    const show =
      'ls -d /proc/[0-9]* | wc -l; readlink /proc/self | grep -c . ; id -u; grep -E "Sig(Ign|Blk)|NoNewPrivs" /proc/self/status';
    const shown = (await run('sh', { args: ['-c', show], ...apart })).toString().split('\n');
    assert.ok(Number(shown[0]) < 8, `${shown[0]} processes are seen within`);
    const plain = (await run('sh', { args: ['-c', show], user: NOBODY })).toString().split('\n');
    assert.deepEqual(shown.slice(1), plain.slice(1));
    await assert.rejects(run('sh', { args: ['-c', 'echo why >&2; exit 3'], ...apart }), /it ended with 3. why/);
    await assert.rejects(run('sh', { args: ['-c', 'kill -9 $$'], ...apart }), /it ended with 137, as what SIGKILL/);
    await assert.rejects(run('no-such-command', { args: [], ...apart }), { code: 'command-missing' });
  });
});
