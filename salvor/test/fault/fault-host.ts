/** A demo host with an agent in this process, whose tasks can be met at any of their steps. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type DemoHost, type DemoSite, buildHost } from '../../../demo/host.ts';
import { type ObservedSite, differences, observeSite } from '../../../demo/observe-site.ts';
import { type Agent, openAgent } from '../../src/agent/agent.ts';
import { type Config, parseConfig } from '../../src/config.ts';

/** A restore of all that the newest point holds. */
export const EVERYTHING = {
  point: null,
  only: null,
  paths: [],
  tables: [],
  to: null,
  into: null,
  dryRun: false,
} as const;

export type FaultHost = AsyncDisposable & {
  readonly host: DemoHost;
  readonly site: DemoSite;
  readonly config: Config;
  /** Opens the agent; `onLine` is told what tasks say, while they wait. */
  open(
    onLine?: (line: string) => void,
    change?: Partial<Config>,
    clock?: () => Date,
    chance?: (count: number) => Uint8Array,
  ): Promise<Agent>;
  observe(): Promise<ObservedSite>;
  /** Asserts that the site is exactly what was observed, and that no task left anything but what undo needs. */
  assertUntouched(before: ObservedSite): Promise<void>;
};

export async function openFaultHost(): Promise<FaultHost> {
  await using made = new AsyncDisposableStack();
  const host = made.use(await buildHost({ withoutWordPress: true, nodes: 15, files: 15 }));
  const config = configOf(host, host.home);
  const site = host.site('market.example.org');
  const open: FaultHost['open'] = (onLine = () => {}, change = {}, clock = () => new Date(), chance = randomBytes) =>
    openTestAgent({ ...config, ...change }, { clock, say: onLine, randomBytes: (count) => chance(count) });
  {
    await using agent = await open();
    await agent.init();
  }
  const observe = (): Promise<ObservedSite> => observeSite(host, site);
  const resources = made.move();
  return {
    host,
    site,
    config,
    open,
    observe,
    assertUntouched: async (before) => {
      const now = await observe();
      assert.deepEqual(differences(before.files, now.files), []);
      assert.deepEqual(differences(before.database, now.database), []);
      const left = await host.mariadb.query("SELECT User FROM mysql.user WHERE User LIKE 'salvor%'");
      assert.equal(left, '');
      assert.deepEqual(readdirSync(join(config.state, 'scratch')), []);
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** Of one home, with all that is Salvor's in a directory of the host. Nobody looks at archives: none is written. */
export function configOf({ directory, mariadb }: DemoHost, home: string): Config {
  const own = join(directory, 'salvor');
  mkdirSync(own);
  return parseConfig(
    JSON.stringify({
      homes: [home],
      state: join(own, 'state'),
      local: join(own, 'repositories'),
      staging: join(own, 'staging'),
      mariadb: { socket: mariadb.socket },
      policy: { archives: { format: 'none' } },
    }),
    join(own, 'salvor.yaml'),
  );
}

/** An agent in this process. */
export async function openTestAgent(
  config: Config,
  change: Partial<Parameters<typeof openAgent>[1]> = {},
): Promise<Agent> {
  return await openAgent(config, {
    clock: () => new Date(),
    who: 'the test',
    random: Math.random,
    randomBytes: (count) => randomBytes(count),
    say: () => {},
    uptime: () => ({ boot: 'one', seconds: 0 }),
    ...change,
  });
}

/** Whether an error of any of our classes has this code. */
export function hasCode(...codes: readonly string[]): (error: unknown) => boolean {
  return (error) => {
    const code = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    assert.ok(codes.includes(code), `${code}: ${error instanceof Error ? (error.stack ?? '') : ''}`);
    assert.ok(error instanceof Error && 'hint' in error && String(error.hint).length > 0);
    return true;
  };
}
