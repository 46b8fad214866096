/** Processes that a hoster's command has left behind: nothing of them touches a site that has been put back. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Agent } from '../../src/agent/agent.ts';
import type { PolicyChange } from '../../src/policies/settings.ts';
import type { ObservedSite } from '../../../demo/observe-site.ts';
import { SALVOR } from '../cli/run-cli.ts';
import { type FaultHost, hasCode, openFaultHost } from '../fault/fault-host.ts';
import { NEXT_PLATFORM, addPlatform } from '../fault/kill-sites.ts';

const AS_IT_IS = { newUri: null, platform: null, mask: false, dryRun: false } as const;

describe(
  'what Drush or a hook has started writes nothing more when the site has been put back',
  { concurrency: 1, timeout: 300_000 },
  () => {
    let test: FaultHost;
    let was: ObservedSite;
    let room: string;
    let next: string;

    before(async () => {
      test = await openFaultHost();
      await addPlatform(test.host);
      next = join(dirname(dirname(dirname(test.site.path))), NEXT_PLATFORM);
      room = mkdtempSync(join(tmpdir(), 'salvor-left-processes-'));
      chmodSync(room, 0o777);
      was = await test.observe();
    });
    after(async () => {
      rmSync(room, { recursive: true, force: true });
      await test[Symbol.asyncDispose]();
    });

    const withAgent = async <T>(host: PolicyChange, body: (agent: Agent) => Promise<T>): Promise<T> => {
      const policies = { host: { archiveFormat: 'tar', ...host }, accounts: {}, sites: {} } as const;
      await using agent = await test.open(() => undefined, { policies });
      return await body(agent);
    };

    /** A stand-in for Drush, whose daemon writes a table, and a file where the site was, for as long as it lives. */
    const writer = (): { readonly words: readonly string[]; readonly mark: string } => {
      const mark = join(room, `written-${Date.now()}`);
      const { path, user, password, database } = test.site;
      const sql = `CREATE TABLE IF NOT EXISTS written_late (n INT); INSERT INTO written_late VALUES (1);`;
      const client = `MYSQL_PWD='${password}' mariadb --socket=${test.config.mariadb.socket} -f -n -u ${user} ${database}`;
      const loop = `trap "" TERM HUP PIPE; while :; do echo "${sql}"; test -d ${path} && echo x >>${path}/written-late; date +%s%N >${mark}; sleep 0.01; done`;
      const daemon = `(setsid sh -c '${loop}' 2>/dev/null </dev/null | setsid sh -c "trap '' TERM; ${client}" >/dev/null 2>&1 &)`;
      return { words: ['sh', '-c', `${daemon}; sleep 60`, 'drush'], mark };
    };
    const hasTable = (): Promise<string> =>
      test.host.mariadb.query(
        `SELECT COUNT(*) FROM information_schema.TABLES WHERE TABLE_NAME = 'written_late' AND TABLE_SCHEMA = '${test.site.database}'`,
      );
    /** Only then is there something to be ended. */
    const hasBegun = async ({ mark }: ReturnType<typeof writer>): Promise<void> => {
      for (let waited = 0; !existsSync(mark) || (await hasTable()).trim() !== '1'; waited += 20) {
        assert.ok(waited < 20_000, 'Drush never wrote');
        await sleep(20);
      }
    };
    const assertSilent = async ({ mark }: ReturnType<typeof writer>): Promise<void> => {
      const last = readFileSync(mark, 'utf8');
      await test.assertUntouched(was);
      await sleep(100);
      assert.equal(readFileSync(mark, 'utf8'), last);
      await test.assertUntouched(was);
    };

    it('when it was cancelled, or took too long', async () => {
      const migrate = (agent: Agent, signal?: AbortSignal): Promise<unknown> =>
        agent.migrate(test.site.uri, { ...AS_IT_IS, platform: next, ...(signal === undefined ? {} : { signal }) });
      const late = writer();
      await assert.rejects(withAgent({ drush: late.words, updateWithinMs: 1500 }, migrate), hasCode('update-failed'));
      await assertSilent(late);
      const cancelled = writer();
      const cancel = new AbortController();
      const running = withAgent({ drush: cancelled.words }, (agent) => migrate(agent, cancel.signal));
      await Promise.race([hasBegun(cancelled), running]);
      cancel.abort();
      await assert.rejects(running, hasCode('cancelled'));
      await assertSilent(cancelled);
    });

    it('when our process was killed, also where it is root’s and no namespace holds it', async () => {
      const killed = writer();
      const config = join(test.config.state, '../drush.yaml');
      const { homes, state, local, staging, mariadb } = test.config;
      const policy = {
        archives: { format: 'none' },
        updates: { drush: killed.words },
        ...(process.getuid?.() === 0 ? { hooks: { user: 'root' } } : {}),
      };
      writeFileSync(
        config,
        JSON.stringify({ homes, state, local, staging, mariadb: { socket: mariadb.socket }, policy }),
      );
      const child = spawn(SALVOR, ['migrate', test.site.uri, '--platform', next, '--config', config, '--yes'], {
        stdio: 'ignore',
      });
      const ended = once(child, 'exit');
      await Promise.race([hasBegun(killed), ended]).finally(() => child.kill('SIGKILL'));
      await ended;
      const task = await withAgent({}, async (agent) => (await agent.status()).tasks[0] ?? assert.fail());
      assert.equal(task.state, 'rolled-back');
      await assertSilent(killed);
    });
  },
);
