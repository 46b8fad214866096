/** The same commands with an agent on the host and without one: the same documents, messages and exit codes. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { watch } from 'node:fs/promises';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import { BackupDocument, ErrorDocument, StatusDocument, TasksDocument } from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import { connectAgent } from '../../src/agent/socket/connect-agent.ts';
import { openCallListener } from '../../src/agent/socket/listen-calls.ts';
import { decodeFault, encodeFault } from '../../src/agent/socket/wire.ts';
import { SalvorError } from '../../src/errors.ts';
import { runCli, SALVOR, type Ran } from '../cli/run-cli.ts';
import { openTestHost, type TestHost } from './open-test-host.ts';

describe('the local socket of an agent', () => {
  let test: TestHost;
  let site: DemoSite;
  let config: string;
  let state: string;
  let agent: ChildProcess | null = null;

  before(async () => {
    test = await openTestHost({ withoutWordPress: true, nodes: 5, files: 5 });
    const [first] = test.host.sites;
    assert.ok(first !== undefined);
    site = first;
    ({ config, stateDir: state } = salvorPlaces(test.host));
    // A night of now: none begins by itself while it is looked at what a command does.
    const store = new DatabaseSync(join(state, 'salvor.sqlite'));
    const now = new Date().toISOString();
    for (const account of ['o1', '@host'])
      store
        .prepare(
          `INSERT INTO tasks (id, operation, account, uri, state, priority, queued, started, ended, wish, pid, process_start, attempt, attempts, problems)
           VALUES (?, 'daily', ?, '', 'succeeded', 1, ?, ?, ?, '{"job":"nightly"}', 1, 'gone', 1, 1, 0)`,
        )
        .run(`mw00000000${account.slice(-2)}`, account, now, now, now);
    store.close();
  });
  after(async () => {
    // One that waits for something must not keep what is below it.
    agent?.kill('SIGKILL');
    await test[Symbol.asyncDispose]();
  });

  const salvor = (...args: readonly string[]): Promise<Ran> => runCli([...args, '--config', config]);

  async function startAgent(): Promise<ChildProcess> {
    const started = spawn(SALVOR, ['agent', '--config', config], { stdio: ['ignore', 'ignore', 'pipe'] });
    agent = started;
    for await (const line of started.stderr) if (String(line).includes('serves with')) break;
    started.stderr.resume();
    return started;
  }

  /** What differs from run to run: ids, times, sizes of the moment, and whether an agent runs. */
  const settle = (document: string): string =>
    document
      .replaceAll(/\b[0-9a-f]{64}\b|\b[0-9a-f]{32}\b|\b[0-9a-f]{12}\b/g, 'ID')
      .replaceAll(/\b[0-9a-z]{12}\b/g, 'TASK')
      .replaceAll(/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+Z?)?/g, 'TIME')
      .replaceAll(/^\d\d:\d\d:\d\d/gm, 'TIME')
      .replaceAll(/-\d{8}\.\d{6}\./g, '-TIME.')
      .replaceAll(/"(bytes\w*|expectedSeconds|process|size)":\d+/g, '"$1":0')
      .replaceAll(/\(in [^)]*\)|[\d.]+ (B|[KM]iB|s|min)\b/g, 'SO MUCH')
      .replaceAll(/"agent":(null|\{[^}]*\})|.*(no agent serves this host|the agent runs).*/g, 'AGENT');

  /** Commands that look, change and fail, in an order in which each finds the same both times. */
  async function runAll(): Promise<readonly (readonly string[])[]> {
    const results: (readonly string[])[] = [];
    const keep = async (...args: readonly string[]): Promise<Ran> => {
      const ran = await salvor(...args);
      results.push([args[0] ?? '', String(ran.exit), settle(ran.out), settle(ran.err)]);
      return ran;
    };
    await keep('sites', '--json');
    await keep('backup', site.uri, '--dry-run', '--json');
    const made = await keep('backup', site.uri, '--json');
    const { point, task } = BackupDocument.parse(JSON.parse(made.out));
    await keep('ls', point, '/site', '--json');
    await keep('cat', point, '/site/settings.php');
    await keep('cat', point, '/no/such/file');
    await keep('task', 'log', task);
    await keep('restore', site.uri, point, '--dry-run');
    const restored = await keep('restore', site.uri, point, '--only', 'files', '--yes', '--json');
    const { task: done } = JSON.parse(restored.out) as { task: string };
    await keep('undo', done, '--dry-run');
    await keep('undo', done, '--yes', '--json');
    await keep('confirm', done, '--dry-run', '--json');
    const exported = join(test.host.directory, 'exported.tar.gz');
    await keep('export', site.uri, point, '--output', exported, '--dry-run');
    await keep('export', site.uri, point, '--output', exported, '--json');
    rmSync(exported);
    await keep('backup-delete', point, '--dry-run', '--json');
    await keep('backup', 'none.example.org', '--json');
    await keep('backup', 'none.example.org');
    await keep('task', 'cancel', task, '--json');
    await keep('policy', 'show', '--account', 'o1', '--json');
    return results;
  }

  it('gives the same documents, texts, messages and exit codes as no agent', async () => {
    const alone = await runAll();
    const started = await startAgent();
    const served = await runAll();
    assert.deepEqual(served, alone);
    const status = StatusDocument.parse(JSON.parse((await salvor('status', '--json')).out));
    assert.equal(status.agent?.process, nodeOf(started));
  });

  /** `bin/salvor` becomes Node: one process. */
  const nodeOf = (child: ChildProcess): number => child.pid ?? 0;

  it('is root’s alone, and an agent of another version is not asked', async () => {
    assert.equal(statSync(join(state, 'agent.sock')).mode & 0o777, 0o600);
    assert.equal(statSync(state).mode & 0o777, 0o700);
    const asked = await connectAgent(join(state, 'agent.sock'), { version: 'another', config });
    assert.equal(asked, null);
  });

  let holds = 0;

  async function awaitFile(path: string, changes: AsyncIterable<unknown>): Promise<void> {
    for await (const change of changes) if (change !== null && existsSync(path)) return;
  }

  /** A restore that stands in its hook until somebody ends it. */
  async function holdRestore(): Promise<{ child: ChildProcess; task: string; out: Promise<string> }> {
    const marks = join(test.host.directory, 'marks');
    mkdirSync(marks, { recursive: true });
    chmodSync(marks, 0o777);
    holds += 1;
    const mark = join(marks, `begun-${holds}`);
    const text0 = readFileSync(config, 'utf8').replace(/ hooks: \{.*?\} *,/, '');
    const hook = ` hooks: { preRestore: [sh, -c, "touch ${mark}; exec sleep 60"] },`;
    writeFileSync(config, text0.replace('policy: {', `policy: {${hook}`));
    const args = ['restore', site.uri, '--only', 'files', '--yes', '--json', '--config', config];
    const stopping = new AbortController();
    const begun = awaitFile(mark, watch(marks, { signal: stopping.signal }));
    const child = spawn(SALVOR, args, { stdio: ['ignore', 'pipe', 'ignore'] });
    const out = text(child.stdout);
    await Promise.race([begun, out.then((said) => assert.fail(`it did not wait: ${said}`))]);
    stopping.abort();
    const [task] = TasksDocument.parse(JSON.parse((await salvor('tasks', '--state', 'running', '--json')).out));
    assert.equal(task?.process, agent?.pid, 'the agent does it');
    assert.ok(task !== undefined);
    return { child, task: task.id, out };
  }

  it('cancels what a command had begun when that is told to stop, and the command says what stands', async () => {
    const { child, task, out } = await holdRestore();
    child.kill('SIGINT');
    await once(child, 'close');
    assert.equal(child.exitCode, 1);
    assert.equal(ErrorDocument.parse(JSON.parse(await out)).error.code, 'cancelled');
    const tasks = TasksDocument.parse(JSON.parse((await salvor('tasks', '--json')).out));
    assert.equal(tasks.find(({ id }) => id === task)?.state, 'rolled-back');
  });

  it('cancels it too when the command is killed', async () => {
    const { child, task } = await holdRestore();
    child.kill('SIGKILL');
    await salvor('task', 'log', task, '--follow');
    const tasks = TasksDocument.parse(JSON.parse((await salvor('tasks', '--json')).out));
    assert.equal(tasks.find(({ id }) => id === task)?.state, 'rolled-back');
  });

  it('that ends takes back what it does, and the command says so; the next one works alone', async () => {
    const { child, out } = await holdRestore();
    assert.ok(agent !== null);
    const ended = once(agent, 'close');
    agent.kill('SIGTERM');
    await Promise.all([ended, once(child, 'close')]);
    assert.equal(ErrorDocument.parse(JSON.parse(await out)).error.code, 'cancelled');
    assert.equal(existsSync(join(state, 'agent.sock')), false);
    assert.equal((await salvor('sites', '--json')).exit, 0);
  });

  it('whose agent is killed ends the command with agent-lost', async () => {
    const started = await startAgent();
    const { child, out } = await holdRestore();
    started.kill('SIGKILL');
    await once(child, 'close');
    assert.equal(ErrorDocument.parse(JSON.parse(await out)).error.code, 'agent-lost');
    const tasks = TasksDocument.parse(JSON.parse((await salvor('tasks', '--json')).out));
    assert.ok(
      tasks.every(({ state: each }) => each !== 'running'),
      'the next command finishes or undoes it',
    );
  });

  it('refuses whoever is neither root nor of its own user, as the kernel names him', async () => {
    const room = mkdtempSync('/tmp/salvor-socket-');
    const path = join(room, 'agent.sock');
    chmodSync(room, 0o755);
    await using listener = await openCallListener({
      path,
      version: '1',
      config: () => '/x',
      open: () => Promise.reject(new Error('nobody gets here')),
      onIdle: () => {},
    });
    assert.ok(listener);
    chmodSync(path, 0o666);
    const code = `require('node:net').createConnection('${path}').on('data', (d) => process.stdout.write(d)).write('{"hello":{"version":"1","config":"/x"}}\\n')`;
    const asked = spawn(process.execPath, ['-e', code], {
      uid: 65_534,
      gid: 65_534,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    assert.match(await text(asked.stdout), /"refused":"user 65534 may not/);
    assert.notEqual(await connectAgent(path, { version: '1', config: '/x' }), null);
    assert.equal(await connectAgent(path, { version: '1', config: '/y' }), null);
    rmSync(room, { recursive: true, force: true });
  });

  it('carries errors with their code, hint and context, and faults with their stack', () => {
    const error = new SalvorError('site-unknown', { site: 'x', near: ['y'] });
    const relayed = decodeFault(
      JSON.parse(JSON.stringify(encodeFault(new SuppressedError(new Error('later'), error)))),
    );
    const { code, hint, context, message } = relayed as SalvorError;
    assert.deepEqual([code, hint, context, message], [error.code, error.hint, error.context, error.message]);
    const fault = new TypeError('ours');
    assert.equal(decodeFault(encodeFault(fault)).stack, fault.stack);
  });
});
