import assert from 'node:assert/strict';
import { appendFileSync } from 'node:fs';
import { buildHost, type BuildHostOptions, type DemoHost, type DemoSite } from '../../../demo/host.ts';
import {
  differences,
  observePage,
  observeSite,
  type ObservedPage,
  type ObservedSite,
} from '../../../demo/observe-site.ts';
import { initFlags, parseDocument, salvorPlaces, type SalvorRun } from '../../../demo/salvor-command.ts';
import { readEnvironment } from '../../src/config.ts';
import { runCli } from '../cli/run-cli.ts';
import { BackupDocument, InitDocument, RestoreDocument, UndoDocument } from '@salvor/contract';

type Schema<T> = { parse(value: unknown): T };

/**
 * A demo host that Salvor was taken into service on, and the command, in this process: to begin one costs a processor most of a
 * second. Tests that kill one begin it themselves.
 */
export type TestHost = AsyncDisposable & {
  readonly host: DemoHost;
  /** Runs a command that must succeed without a problem; gives its document, which must be of its schema. */
  run<T>(args: readonly string[], schema: Schema<T>): Promise<T>;
  /** Runs a command whatever becomes of it. */
  attempt(args: readonly string[]): Promise<SalvorRun>;
  backUp(site: DemoSite): Promise<BackupDocument>;
  restore(site: DemoSite, ...args: string[]): Promise<RestoreDocument>;
  undo(task: string | null): Promise<UndoDocument>;
};

/** Archives of tasks cost half a second each: where nobody looks at them none is written. */
export async function openTestHost(
  options: BuildHostOptions & {
    readonly archives?: true;
    /** With a second copy in another directory. */
    readonly withRemote?: boolean;
  },
): Promise<TestHost> {
  await using made = new AsyncDisposableStack();
  const host = made.use(await buildHost(options));
  await host.serve();
  const attempt = async (args: readonly string[]): Promise<SalvorRun> => {
    const environment = { configFile: salvorPlaces(host).config, variable: readEnvironment().variable };
    const { exit, out, err } = await runCli([...args, '--json'], { environment });
    return { exit, document: parseDocument(out), output: out, complaint: err };
  };
  const run = async <T>(args: readonly string[], schema: Schema<T>): Promise<T> => {
    const { exit, document, output, complaint } = await attempt(args);
    assert.equal(exit, 0, `salvor ${args.join(' ')}: exit code ${exit}\n${complaint}\n${output}`);
    return schema.parse(document);
  };
  const flags = initFlags(host);
  const remote = options.withRemote === true ? ['--remote', salvorPlaces(host).remote] : [];
  if (options.archives !== true) appendFileSync(salvorPlaces(host).config, 'policy: { archives: { format: none } }\n');
  await run(['init', ...flags, ...remote], InitDocument);
  const resources = made.move();
  return {
    host,
    run,
    attempt,
    backUp: (site) => run(['backup', site.uri], BackupDocument),
    restore: (site, ...args) => run(['restore', site.uri, ...args, '--yes'], RestoreDocument),
    undo: (task) => run(['undo', task ?? '', '--yes'], UndoDocument),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

/** A site as it is: the page first, because a visit may fill a cache. */
export type Look = { readonly page: ObservedPage; readonly site: ObservedSite };

export async function lookAt(host: DemoHost, site: DemoSite): Promise<Look> {
  await observePage(site.url);
  return { page: await observePage(site.url), site: await observeSite(host, site) };
}

/**
 * Asserts that the site is exactly as it was. `refreshed` are the PHP files that a switch says it gave the time of
 * now, which is `since` or later: all else of them is as it was.
 */
export async function assertSame(
  host: DemoHost,
  site: DemoSite,
  before: Look,
  switched: { readonly refreshed: readonly string[]; readonly since: Date } = { refreshed: [], since: new Date() },
): Promise<void> {
  assertSameSite(before.site, await observeSite(host, site), switched);
  const page = await observePage(site.url);
  assert.equal(page.status, before.page.status);
  assert.equal(page.body, before.page.body);
}

export function assertSameSite(
  before: ObservedSite,
  after: ObservedSite,
  switched: { readonly refreshed: readonly string[]; readonly since: Date } = { refreshed: [], since: new Date() },
): void {
  assertSameTree(before.files, after.files, switched);
  assert.deepEqual(differences(before.database, after.database), []);
}

export function assertSameTree(
  before: ObservedSite['files'],
  after: ObservedSite['files'],
  switched: { readonly refreshed: readonly string[]; readonly since: Date } = { refreshed: [], since: new Date() },
): void {
  const fresh = new Set(switched.refreshed);
  const found = differences(before, after, (name, was, is) => {
    const isOfSwitch = is.mtimeNs >= BigInt(switched.since.getTime() - 10) * 1_000_000n;
    return (
      fresh.has(name) && isOfSwitch && is.content === was.content && is.mode === was.mode && is.owner === was.owner
    );
  });
  assert.deepEqual(found, []);
}
