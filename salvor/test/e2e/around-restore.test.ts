/** What the hoster's policy has done around a restore: visitors kept out, hooks, PHP, the page that is asked. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RestoreDocument } from '@salvor/contract';
import { observeTree } from '../../../demo/observe-site.ts';
import type { PolicyChange } from '../../src/policies/settings.ts';
import { SALVOR } from '../cli/run-cli.ts';
import { EVERYTHING, type FaultHost, hasCode, openFaultHost } from '../fault/fault-host.ts';

describe('around a restore', () => {
  let test: FaultHost;
  let point: string;

  before(async () => {
    test = await openFaultHost();
    await using agent = await test.open();
    ({ point } = await agent.backup(test.site.uri, { reason: null }));
  });
  after(() => test[Symbol.asyncDispose]());

  const policies = (host: PolicyChange): object => ({ policies: { host, accounts: {}, sites: {} } });
  const lines: string[] = [];
  const restore = async (
    policy: PolicyChange,
    change: object = {},
    onLine = (_line: string): void => {},
  ): Promise<RestoreDocument> => {
    lines.length = 0;
    const say = (line: string): void => {
      lines.push(line);
      onLine(line);
    };
    await using agent = await test.open(say, policies(policy));
    return await agent.restore(test.site.uri, { ...EVERYTHING, point, ...change });
  };
  const undo = async (task: string | null, policy: PolicyChange = {}): Promise<readonly string[]> => {
    await using agent = await test.open((line) => lines.push(line), policies(policy));
    return (await agent.undo(task ?? '')).problems.map(({ code }) => code);
  };
  const codes = ({ problems }: RestoreDocument): readonly string[] => problems.map(({ code }) => code);
  const flag = (): string => join(test.site.path, '.maintenance');

  describe('maintenance', () => {
    it('keeps visitors out while parts change places and leaves no trace, of a whole restore, of tables, and of an undo', async () => {
      writeFileSync(join(test.site.path, 'files/pictures/2.png'), 'changed');
      const ruin = await test.observe();
      const seen: string[] = [];
      const look = (line: string): void => {
        if (line.endsWith('keeps visitors out')) seen.push(readFileSync(flag(), 'utf8'));
      };
      const restored = await restore({ maintenance: true }, {}, look);
      assert.deepEqual([restored.problems, restored.changedMeanwhile], [[], { files: 0, tables: 0 }]);
      assert.match(seen[0] ?? '', /^<\?php \$upgrading = \d{10}; \/\/ salvor [0-9a-z]{12}\n$/);
      assert.equal(existsSync(flag()), false);
      assert.deepEqual(await undo(restored.task, { maintenance: true }), []);
      await test.assertUntouched(ruin);

      const tables = await restore({ maintenance: true }, { tables: ['sessions'] }, look);
      assert.deepEqual(tables.problems, []);
      assert.equal(seen.length, 2);
      assert.deepEqual([...observeTree(test.site.path)], [...ruin.files]);
    });

    it('of somebody else stays, and is told', async () => {
      writeFileSync(flag(), '<?php $upgrading = 1;');
      assert.deepEqual(codes(await restore({ maintenance: true }, { only: 'databases' })), ['maintenance-not-set']);
      assert.equal(readFileSync(flag(), 'utf8'), '<?php $upgrading = 1;');
      const { plan } = await restore({ maintenance: true }, { dryRun: true });
      assert.equal(plan.around.maintenance, flag());
      assert.deepEqual(plan.notes, [], 'what an undo keeps is nobody’s stray');
      await restore({}, { only: 'files' });
    });

    it('ends with the next command where its task was killed in the switch', async () => {
      const config = join(test.config.state, '../killed.yaml');
      const { homes, state, local, staging, mariadb } = test.config;
      const text = {
        homes,
        state,
        local,
        staging,
        mariadb: { socket: mariadb.socket },
        policy: { restore: { maintenance: true } },
      };
      writeFileSync(config, JSON.stringify(text));
      const before = await test.observe();
      await using reader = await openTransaction();
      const child = spawn(SALVOR, ['restore', test.site.uri, point, '--config', config, '--yes'], { stdio: 'ignore' });
      const ended = once(child, 'exit');
      for (let waited = 0; !existsSync(flag()) && waited < 30_000; waited += 20) await sleep(20);
      assert.ok(lstatSync(flag()).isFile());
      child.kill('SIGKILL');
      await ended;
      assert.ok(existsSync(flag()));
      await reader[Symbol.asyncDispose]();
      {
        await using agent = await test.open();
        const { tasks } = await agent.status();
        assert.equal(tasks[0]?.state, 'rolled-back');
      }
      await test.assertUntouched(before);
    });

    /** One that has read each table: the rename waits for it. */
    async function openTransaction(): Promise<AsyncDisposable> {
      const { socket } = test.host.mariadb;
      const client = spawn(
        'mariadb',
        ['--no-defaults', `--socket=${socket}`, '--unbuffered', '-N', test.site.database],
        {
          stdio: ['pipe', 'pipe', 'ignore'],
        },
      );
      client.stdin.write('BEGIN; SELECT COUNT(*) FROM users; SELECT COUNT(*) FROM sessions;\n');
      await once(client.stdout, 'data');
      return {
        [Symbol.asyncDispose]: async () => {
          if (client.exitCode !== null) return;
          const gone = once(client, 'exit');
          client.stdin.end();
          await gone;
        },
      };
    }
  });

  describe('hooks', () => {
    const SHOW = ['sh', '-c', 'id -u; pwd; env | sort; echo to stderr >&2'];

    it('run before and after as the account’s user in the site’s directory, know the task and no secret, and speak in the log', async () => {
      const { task, problems } = await restore({ preRestore: SHOW, postRestore: SHOW }, { only: 'files' });
      assert.deepEqual(problems, []);
      for (const hook of ['preRestore', 'postRestore']) {
        const said = lines
          .filter((line) => line.startsWith(`hook ${hook}: `))
          .map((line) => line.slice(hook.length + 7));
        assert.ok(said.includes(String(test.host.account.uid)), said.join('\n'));
        assert.ok(said.includes(test.site.path));
        assert.ok(said.includes('to stderr'));
        const names = said
          .flatMap((line) => /^([A-Z_]+)=/.exec(line)?.[1] ?? [])
          .filter((name) => !/^(_|OLDPWD|PWD|SHLVL)$/.test(name));
        assert.deepEqual(names, [
          'HOME',
          'LANG',
          'LOGNAME',
          'PATH',
          'SALVOR_ACCOUNT',
          'SALVOR_CMS',
          'SALVOR_HOOK',
          'SALVOR_OPERATION',
          'SALVOR_PLATFORM',
          'SALVOR_SITE',
          'SALVOR_SITE_PATH',
          'SALVOR_TASK',
          'SALVOR_TREE',
          'USER',
        ]);
        assert.ok(said.includes(`SALVOR_TASK=${task ?? ''}`) && said.includes(`SALVOR_SITE=${test.site.uri}`));
      }
      assert.deepEqual(await undo(task, { postRestore: ['sh', '-c', 'echo $SALVOR_OPERATION'] }), []);
      assert.ok(lines.includes('hook postRestore: undo'));
    });

    it('that fails before stops the restore before anything is touched: there is not even a safety point', async () => {
      const before = await test.observe();
      await using agent = await test.open();
      const points = await agent.points(test.site.uri);
      await assert.rejects(restore({ preRestore: ['sh', '-c', 'echo not now >&2; exit 4'] }), (error: unknown) => {
        assert.ok(hasCode('hook-failed')(error));
        return assert.match(String(error), /it ended with 4: not now/) ?? true;
      });
      await test.assertUntouched(before);
      assert.deepEqual(await agent.points(test.site.uri), points);
    });
  });

  it('PHP is reloaded right after the switch, of a restore as of an undo, and before anything runs it; a reload or a hook that fails then warns', async () => {
    const said = join(test.host.directory, 'reloaded');
    const picture = join(test.site.path, 'files/pictures/2.png');
    const was = readFileSync(picture);
    writeFileSync(picture, 'changed');
    const policy = {
      reloadPhp: ['sh', '-c', `(echo reload; head -c 7 ${picture}) > ${said}`],
      postRestore: ['sh', '-c', 'echo $SALVOR_OPERATION'],
    };
    const order = (): readonly string[] =>
      lines
        .filter((line) => /^(switch: done|reload PHP: begins|hook postRestore: \w+$)/.test(line))
        .map((line) => line.split(' after ')[0] ?? '');
    const { task } = await restore(policy, { only: 'files' });
    assert.deepEqual(readFileSync(said), Buffer.concat([Buffer.from('reload\n'), was.subarray(0, 7)]));
    assert.deepEqual(order(), ['switch: done', 'reload PHP: begins', 'hook postRestore: restore']);
    lines.length = 0;
    assert.deepEqual(await undo(task, policy), []);
    assert.equal(readFileSync(said, 'utf8'), 'reload\nchanged', 'PHP finds what the undo has brought back');
    assert.deepEqual(order(), ['switch: done', 'reload PHP: begins', 'hook postRestore: undo']);
    writeFileSync(picture, was);
    const warned = await restore({ reloadPhp: ['false'], postRestore: ['false'] }, { only: 'files' });
    assert.deepEqual([warned.state, codes(warned)], ['warned', ['php-not-reloaded', 'hook-failed']]);
  });

  it('named tables come back without their rows, but for one that is asked for', async () => {
    const rows = async (table: string): Promise<number> =>
      Number(await test.host.mariadb.query(`SELECT COUNT(*) FROM \`${test.site.database}\`.\`${table}\``));
    const [sessions, users] = [await rows('sessions'), await rows('users')];
    assert.ok(sessions > 0 && users > 0);
    const { problems, plan } = await restore({ emptiedTables: ['sess*', 'x'] });
    assert.deepEqual([problems, plan.notes.map(({ code }) => code)], [[], ['tables-emptied']]);
    assert.deepEqual([await rows('sessions'), await rows('users')], [0, users]);
    await restore({ emptiedTables: ['sess*'] }, { tables: ['sessions'] });
    assert.equal(await rows('sessions'), sessions);
  });

  describe('the page', () => {
    /** Answers with the host that was asked for; `broken` times with a failure first. */
    async function serve(broken: number): Promise<AsyncDisposable & { readonly port: number; asked: number }> {
      const server = createServer((request, response) => {
        served.asked += 1;
        response.statusCode = served.asked <= broken ? 500 : 200;
        response.end(`<title>${request.headers.host ?? ''}</title>`);
      }).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const served = {
        port: (server.address() as AddressInfo).port,
        asked: 0,
        [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
      };
      return served;
    }
    const page = (port: number): PolicyChange => ({
      pageUrl: 'http://{uri}/',
      pageConnectTo: { host: '127.0.0.1', port },
      pageText: `<title>${test.site.uri}</title>`,
      pageWithinMs: 8000,
    });

    it('is asked where the policy says, by the site’s name, until it answers as it must', async () => {
      await using web = await serve(1);
      const restored = await restore(page(web.port), { only: 'files' });
      assert.deepEqual([restored.page, restored.problems, web.asked], ['well', [], 2]);
    });

    it('that is broken warns, or brings back what was there and keeps what was restored', async () => {
      writeFileSync(join(test.site.path, 'files/pictures/2.png'), 'changed');
      const ruin = await test.observe();
      await using web = await serve(0);
      const broken = { ...page(web.port), pageText: 'Welcome', pageWithinMs: 0 };
      const back = await restore({ ...broken, pageFailure: 'rollBack' });
      assert.deepEqual([back.state, back.page, back.undoUntil], ['rolled-back', 'broken', null]);
      assert.match(back.problems[0]?.message ?? '', /“Welcome” does not stand in it/);
      await test.assertUntouched(ruin);
      assert.ok(back.undoneBy !== null);
      await undo(back.undoneBy);
      assert.notEqual(readFileSync(join(test.site.path, 'files/pictures/2.png'), 'utf8'), 'changed');

      const short = { graceMs: 3_600_000 };
      const warned = await restore({ ...broken, ...short, pageStatus: 404, pageText: null }, { only: 'files' });
      assert.deepEqual([warned.state, codes(warned)], ['warned', ['page-broken']]);
      // And it is kept for as long as the policy says.
      const left = Date.parse(warned.undoUntil ?? '') - Date.now();
      assert.ok(left > 3_000_000 && left <= 3_600_000, String(left));
      const nobody = await restore({ pageUrl: 'http://127.0.0.1:9/', pageWithinMs: 0 }, { only: 'files' });
      assert.match(nobody.problems[0]?.message ?? '', /ECONNREFUSED/);
    });
  });
});
