/** The hoster's commands before and after the steps of tasks: each step that a task says of itself, and what a failure does. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent } from '../../src/agent/agent.ts';
import type { Config } from '../../src/config.ts';
import type { PolicyChange } from '../../src/policies/settings.ts';
import { STEPS_OF, STEP_NAMES, type SteppedOperation } from '../../src/policies/task-steps.ts';
import type { ObservedSite } from '../../../demo/observe-site.ts';
import { SALVOR } from '../cli/run-cli.ts';
import { EVERYTHING, type FaultHost, hasCode, openFaultHost } from '../fault/fault-host.ts';
import { NEXT_PLATFORM, addPlatform } from '../fault/kill-sites.ts';

const NEW = 'second.example.org';
const AS_IT_IS = { newUri: null, platform: null, mask: false, dryRun: false } as const;

describe('hooks around steps', { concurrency: 1, timeout: 300_000 }, () => {
  let test: FaultHost;
  let was: ObservedSite;
  let point: string;
  let room: string;
  let record: string;
  let next: string;

  before(async () => {
    test = await openFaultHost();
    await addPlatform(test.host);
    next = join(dirname(dirname(dirname(test.site.path))), NEXT_PLATFORM);
    room = mkdtempSync(join(tmpdir(), 'salvor-hooks-'));
    chmodSync(room, 0o777);
    record = join(room, 'record');
    was = await test.observe();
    ({ point } = await withAgent({}, (agent) => agent.backup(test.site.uri, { reason: null })));
  });
  after(async () => {
    rmSync(room, { recursive: true, force: true });
    await test[Symbol.asyncDispose]();
  });

  const lines: string[] = [];
  const withAgent = async <T>(
    host: PolicyChange,
    body: (agent: Agent) => Promise<T>,
    change: Partial<Config> = {},
  ): Promise<T> => {
    lines.length = 0;
    rmSync(record, { force: true });
    const policies = { host: { archiveFormat: 'tar', ...host }, accounts: {}, sites: {} };
    await using agent = await test.open((line) => void lines.push(line), { policies, ...change });
    return await body(agent);
  };
  const shell = (text: string): readonly string[] => ['sh', '-c', text];
  const writing = (text: string): readonly string[] => shell(`echo "${text}" >>'${record}'`);
  const recorded = (): readonly string[] =>
    existsSync(record) ? readFileSync(record, 'utf8').trimEnd().split('\n') : [];
  const failing = shell('echo not now >&2; exit 4');
  const codes = ({ problems }: { readonly problems: readonly { readonly code: string }[] }): readonly string[] =>
    problems.map(({ code }) => code);
  const nobodysRestore = (agent: Agent): Promise<unknown> =>
    agent.restore(test.site.uri, { ...EVERYTHING, point, only: 'files' });

  /** What there is to do with one site, each taken back by the next. */
  const TASKS: Readonly<Record<string, (agent: Agent) => Promise<string | null>>> = {
    backup: async (agent) => (await agent.backup(test.site.uri, { reason: null })).task,
    restore: async (agent) => (await agent.restore(test.site.uri, { ...EVERYTHING, point })).task,
    clone: async (agent) => (await agent.clone(test.site.uri, { ...AS_IT_IS, newUri: NEW, mask: true })).task,
    rename: async (agent) => (await agent.rename(test.site.uri, { ...AS_IT_IS, newUri: NEW })).task,
    migrate: async (agent) => (await agent.migrate(test.site.uri, { ...AS_IT_IS, platform: next })).task,
    delete: async (agent) => (await agent.delete(test.site.uri, { dryRun: false })).task,
    disable: async (agent) => (await agent.switchSite(test.site.uri, 'off', { dryRun: false })).task,
    enable: async (agent) => (await agent.switchSite(test.site.uri, 'on', { dryRun: false })).task,
    verify: async (agent) => (await agent.verify(test.site.uri)).task,
    export: async (agent) =>
      (await agent.export(test.site.uri, { point, output: join(test.host.home, 'out.tar') })).task,
  };
  const CHANGING = ['restore', 'clone', 'rename', 'migrate', 'delete'] as const;

  it('each step that a task says is one of the list, and has its hooks before and after, in the order of the log', async () => {
    const told = '$SALVOR_OPERATION $SALVOR_HOOK $SALVOR_STEP $SALVOR_STEP_STATE';
    const everywhere = Object.fromEntries(STEP_NAMES.map((name) => [name, writing(told)]));
    const policy: PolicyChange = {
      reloadPhp: ['true'],
      drush: ['true'],
      pageUrl: 'http://{uri}/',
      pageConnectTo: { host: '127.0.0.1', port: 9 },
      pageWithinMs: 1,
    };
    const hooked = { ...policy, hooksBefore: everywhere, hooksAfter: everywhere };
    const said = new Map<string, Set<string>>();
    const perform = async (
      agent: Agent,
      operation: SteppedOperation,
      body: (agent: Agent) => Promise<string | null>,
    ): Promise<string> => {
      const isHooked = HOOKED.has(operation);
      lines.length = 0;
      rmSync(record, { force: true });
      const task = await body(agent);
      const steps = lines.flatMap((line) => /^([^:]+): begins$/.exec(line)?.[1]?.replace(/ \(.*\)$/, '') ?? []);
      said.set(operation, new Set([...(said.get(operation) ?? []), ...steps]));
      const ran = (when: string): readonly string[] =>
        recorded().flatMap((line) => line.split(`${operation} ${when} `)[1]?.trim() ?? []);
      if (!isHooked) return task ?? '';
      assert.deepEqual(ran('before'), steps, operation);
      assert.deepEqual(ran('after').toSorted(), steps.map((step) => `${step} done`).toSorted(), operation);
      return task ?? '';
    };
    const takeBack = async (agent: Agent, operation: string, task: string): Promise<void> => {
      if (operation === 'restore') await perform(agent, 'confirm', async () => (await agent.confirm(task)).task);
      else if (CHANGING.some((name) => name === operation))
        await perform(agent, 'undo', async () => (await agent.undo(task)).task);
    };
    const all = Object.entries(TASKS) as readonly (readonly [
      SteppedOperation,
      (agent: Agent) => Promise<string | null>,
    ])[];
    await withAgent(policy, async (agent) => {
      for (const [operation, body] of all)
        if (!HOOKED.has(operation)) await takeBack(agent, operation, await perform(agent, operation, body));
    });
    for (const [operation, body] of all) {
      if (!HOOKED.has(operation)) continue;
      const task = await withAgent(hooked, (agent) => perform(agent, operation, body));
      await withAgent(policy, (agent) => takeBack(agent, operation, task));
    }
    await withAgent(hooked, (agent) =>
      perform(agent, 'daily', async () => {
        const { accounts } = await agent.daily({ account: test.host.account.name });
        return accounts[0]?.task ?? null;
      }),
    );
    for (const [operation, steps] of said) {
      const listed: readonly string[] = STEPS_OF[operation as SteppedOperation];
      assert.deepEqual(
        [...steps].filter((step) => !listed.includes(step)),
        [],
        operation,
      );
      assert.deepEqual(
        [operation, listed.filter((step) => !steps.has(step))],
        [operation, NOT_COME_TO[operation] ?? []],
      );
    }
    await test.assertUntouched(was);
  });

  it('know the task and the step, run as the account’s user in the site’s directory, and hold no secret', async () => {
    const show = shell('id -u; pwd; env | sort');
    const { task, plan } = await withAgent({ hooksAfter: { 'rename/build the database': show } }, (agent) =>
      agent.rename(test.site.uri, { ...AS_IT_IS, newUri: NEW }),
    );
    const title = 'hook after build the database: ';
    const shown = lines.filter((line) => line.startsWith(title)).map((line) => line.slice(title.length));
    assert.deepEqual(shown.slice(1, 3), [String(test.host.account.uid), test.site.path]);
    const told = shown.filter((line) => line.startsWith('SALVOR_'));
    assert.deepEqual(told, [
      `SALVOR_ACCOUNT=${test.host.account.name}`,
      'SALVOR_CMS=drupal',
      'SALVOR_HOOK=after',
      `SALVOR_NEW_PATH=${join(dirname(test.site.path), NEW)}`,
      `SALVOR_NEW_URI=${NEW}`,
      'SALVOR_OPERATION=rename',
      `SALVOR_PLATFORM=${dirname(dirname(test.site.path))}`,
      `SALVOR_SITE=${test.site.uri}`,
      `SALVOR_SITE_PATH=${test.site.path}`,
      'SALVOR_STEP=build the database',
      `SALVOR_STEP_OF=${plan.databases[0]?.newName ?? ''}`,
      'SALVOR_STEP_STATE=done',
      `SALVOR_TASK=${task ?? ''}`,
      `SALVOR_TREE=${task ?? ''}`,
      'SALVOR_TRY=1',
    ]);
    assert.ok(shown.every((line) => !line.includes(test.site.password)));
    await withAgent({}, (agent) => agent.undo(task ?? ''));
  });

  for (const [operation, policy] of [
    ['restore', { hooksBefore: { switch: failing } }],
    ['rename', { hooksBefore: { 'rename/switch': failing } }],
    ['delete', { hooksBefore: { switch: failing } }],
    ['clone', { hooksAfter: { 'clone/build': failing } }],
    ['migrate', { hooksAfter: { 'sync the disks': failing } }],
  ] as const)
    it(`one that fails ${'hooksBefore' in policy ? 'before the switch' : 'after a step before it'} stops a ${operation} and all goes back`, async () => {
      await assert.rejects(withAgent(policy, TASKS[operation] ?? assert.fail()), (error: unknown) => {
        assert.ok(hasCode('hook-failed')(error));
        return assert.match(String(error), /it ended with 4: not now/) ?? true;
      });
      await test.assertUntouched(was);
      assert.ok(!existsSync(join(dirname(test.site.path), NEW)));
    });

  it('one that fails after the switch is a problem of the task, which stands; of a move whose updates are to come all goes back', async () => {
    const policy = { hooksAfter: { switch: failing }, hooksBefore: { keep: failing } };
    for (const operation of ['clone', 'delete'] as const) {
      const perform = TASKS[operation] ?? assert.fail();
      const task = await withAgent(policy, perform);
      assert.equal(lines.filter((line) => line.startsWith('hook ') && line.endsWith(': not now')).length, 2, operation);
      const { state, problems } = await withAgent({}, async (agent) => {
        const [row] = await agent.tasks({ site: null, states: [], count: 1 });
        return row ?? assert.fail();
      });
      assert.deepEqual([operation, state, problems >= 2], [operation, 'warned', true]);
      await withAgent({}, (agent) => agent.undo(task ?? ''));
    }
    const migrate = TASKS['migrate'] ?? assert.fail();
    await assert.rejects(withAgent(policy, migrate), hasCode('hook-failed'));
    await test.assertUntouched(was);
  });

  it('one that hangs is ended at its time limit and counts as failed', async () => {
    const hanging = { switch: shell('exec sleep 60') };
    const began = Date.now();
    await assert.rejects(
      withAgent({ hooksBefore: hanging, hookWithinMs: 300 }, nobodysRestore),
      hasCode('hook-failed'),
    );
    await test.assertUntouched(was);
    const { problems } = await withAgent({ hooksAfter: hanging, hookWithinMs: 300 }, (agent) =>
      agent.restore(test.site.uri, { ...EVERYTHING, point, only: 'files' }),
    );
    assert.match(problems[0]?.message ?? '', /did not end within 0.3 s/);
    assert.ok(Date.now() - began < 30_000);
  });

  it('of a backup: one that fails before stops it, one that fails after is a problem, and a step that failed has its after', async () => {
    const backUp = TASKS['backup'] ?? assert.fail();
    await assert.rejects(withAgent({ hooksBefore: { 'back up': failing } }, backUp), hasCode('hook-failed'));
    const warned = await withAgent({ hooksAfter: { 'back up': failing }, hooksBefore: { archive: failing } }, (agent) =>
      agent.backup(test.site.uri, { reason: null }),
    );
    assert.deepEqual([warned.state, warned.archive, codes(warned)], ['warned', null, ['hook-failed', 'hook-failed']]);
    const after = { build: writing('$SALVOR_STEP $SALVOR_STEP_STATE'), switch: writing('never') };
    const stopped = withAgent(
      { hooksBefore: { 'build the files': failing }, hooksAfter: { ...after, 'build the files': writing('never') } },
      nobodysRestore,
    );
    await assert.rejects(stopped, hasCode('hook-failed'));
    assert.deepEqual(recorded(), ['build failed']);
  });

  it('a task that is cancelled while one runs before the switch goes back at once', async () => {
    const cancel = new AbortController();
    const mark = join(room, 'begun');
    const began = Date.now();
    const running = withAgent({ hooksBefore: { switch: shell(`touch '${mark}'; sleep 60`) } }, (agent) =>
      agent.restore(test.site.uri, { ...EVERYTHING, point, only: 'files', signal: cancel.signal }),
    );
    for (let waited = 0; !existsSync(mark) && waited < 30_000; waited += 20) await sleep(20);
    cancel.abort();
    await assert.rejects(running, hasCode('cancelled'));
    assert.ok(Date.now() - began < 40_000);
    await test.assertUntouched(was);
  });

  it('what is said for one task goes before what is said for all, and a level takes away with nothing', async () => {
    const policies = {
      host: { archiveFormat: 'none', hooksBefore: { switch: writing('all'), build: writing('build') } },
      accounts: { [test.host.account.name]: { hooksBefore: { 'restore/switch': writing('restore') } } },
      sites: { [test.site.uri]: { hooksBefore: { build: null }, hooksAfter: { keep: writing('kept') } } },
    };
    const { plan } = await withAgent(
      {},
      (agent) => agent.restore(test.site.uri, { ...EVERYTHING, point, dryRun: true }),
      { policies },
    );
    assert.deepEqual(
      plan.hooks.map(({ when, step }) => `${when} ${step}`),
      ['before switch', 'after keep'],
    );
    await withAgent({}, nobodysRestore, { policies });
    assert.deepEqual(recorded(), ['restore', 'kept']);
    const plans = await withAgent(
      {},
      async (agent) => [
        (await agent.clone(test.site.uri, { ...AS_IT_IS, newUri: NEW, dryRun: true })).plan,
        (await agent.delete(test.site.uri, { dryRun: true })).plan,
        (await agent.switchSite(test.site.uri, 'off', { dryRun: true })).plan,
      ],
      { policies },
    );
    for (const { hooks } of plans)
      assert.deepEqual(
        hooks.map(({ when, step, command }) => [when, step, command.length]),
        [
          ['before', 'switch', 3],
          ['after', 'keep', 3],
        ],
      );
  });

  it('is not run again by the recovery of a task that was killed in it, which says so', async () => {
    const config = join(test.config.state, '../hooked.yaml');
    const mark = join(room, 'killed-in');
    const { homes, state, local, staging, mariadb } = test.config;
    const policy = {
      archives: { format: 'none' },
      hooks: { after: { switch: shell(`echo begun >>'${mark}'; exec sleep 60`) } },
    };
    writeFileSync(
      config,
      JSON.stringify({ homes, state, local, staging, mariadb: { socket: mariadb.socket }, policy }),
    );
    const child = spawn(SALVOR, ['restore', test.site.uri, point, '--config', config, '--yes'], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    for (let waited = 0; !existsSync(mark) && waited < 30_000; waited += 20) await sleep(20);
    child.kill('SIGKILL');
    await ended;
    const task = await withAgent({ hooksAfter: { switch: writing('again') } }, async (agent) => {
      const [row] = (await agent.status()).tasks;
      return row ?? assert.fail();
    });
    assert.equal(task.state, 'succeeded');
    assert.ok(
      lines.some((line) => line.includes('no hook runs now')),
      lines.join('\n'),
    );
    assert.deepEqual([recorded(), readFileSync(mark, 'utf8')], [[], 'begun\n']);
    await test.assertUntouched(was);
  });

  it('the table of the document is the list', () => {
    const text = readFileSync(new URL('../../../docs/hooks.md', import.meta.url), 'utf8');
    for (const [operation, steps] of Object.entries(STEPS_OF)) {
      const row = text.split('\n').find((line) => line.startsWith(`| \`${operation}\``));
      assert.ok(
        row?.includes(` ${steps.map((step) => `\`${step}\``).join(', ')} `),
        `${operation}: ${steps.join(', ')}`,
      );
    }
  });
});

/** A process or two for each step of each: enough are enough. */
const HOOKED: ReadonlySet<string> = new Set(['backup', 'migrate', 'delete', 'daily']);

/** Steps that these runs have no reason for. */
const NOT_COME_TO: Readonly<Record<string, readonly string[]>> = {
  daily: ['catch up'],
  // Its platform lies on the same file system.
  migrate: ['build the files', 'look for late files'],
};
