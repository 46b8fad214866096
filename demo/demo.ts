/**
 * `npm run demo`: builds a host, backs a real WordPress up, breaks it and brings it back, and stays up for a look.
 *
 *   --once   end after the show; exit code 0 only if every claim was checked and held
 *   --json   one line of JSON on stdout when ready, everything else on stderr
 *
 * Everything lies in one temporary directory, which goes with the demo. Needs root, or sudo, for owners of files.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { buildHost, type DemoHost } from './host.ts';
import { Narrator } from './narrator.ts';
import { salvorPlaces } from './salvor-command.ts';
import { runShow } from './show.ts';

type Flags = { readonly once: boolean; readonly json: boolean };

const SAME_KEY_MS = 300;
const EXIT_OF_SIGNAL = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

process.exitCode = await main();

async function main(): Promise<number> {
  const flags = readFlags();
  if (flags === null) return 2;
  if (process.getuid?.() !== 0) return runThroughSudo();

  const stop = new AbortController();
  let stoppedBy: keyof typeof EXIT_OF_SIGNAL | null = null;
  let stoppedAt = 0;
  for (const signal of Object.keys(EXIT_OF_SIGNAL) as (keyof typeof EXIT_OF_SIGNAL)[]) {
    process.on(signal, () => {
      // Asked again: at once. What was started dies with us, and the directory is swept. One Ctrl-C comes twice, from
      // the terminal and from npm.
      if (stoppedBy !== null && Date.now() - stoppedAt > SAME_KEY_MS) process.exit(EXIT_OF_SIGNAL[signal]);
      if (stoppedBy !== null) return;
      stoppedBy = signal;
      stoppedAt = Date.now();
      stop.abort();
    });
  }
  const exit = await present(flags, stop.signal);
  return exit ?? (stoppedBy === null ? 0 : EXIT_OF_SIGNAL[stoppedBy]);
}

/** The exit code, or null where a signal ended it before the show was over. */
async function present(flags: Flags, signal: AbortSignal): Promise<number | null> {
  const say = new Narrator(flags.json ? process.stderr : process.stdout);
  say.title('Salvor demo', 'A host with three sites is backed up, one of them is broken, and brought back.');
  try {
    const directory = await showAndStay(say, flags, signal);
    if (!flags.once) say.plain();
    say.plain(`All of it lay in ${directory}, which is removed.`);
    return 0;
  } catch (error) {
    if (signal.aborted) {
      say.plain();
      say.plain('Interrupted: everything was ended and removed.');
      return null;
    }
    say.failure(`The demo failed: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  }
}

/** Resolves when all of it was ended and removed, with the directory that it lay in. */
async function showAndStay(say: Narrator, flags: Flags, signal: AbortSignal): Promise<string> {
  await using resources = new AsyncDisposableStack();
  say.step('Build a host of its own');
  const host = resources.use(await buildTicked(say, signal));
  await runShow({ host, say, signal });
  signal.throwIfAborted();
  tellWhere(say, host, flags);
  if (flags.json) process.stdout.write(`${JSON.stringify(readyDocument(host))}\n`);
  if (flags.once) return host.directory;
  // A timer keeps the process; servers do not.
  using _ = keepAlive();
  await once(signal, 'abort');
  return host.directory;
}

async function buildTicked(say: Narrator, signal: AbortSignal): Promise<DemoHost> {
  // The builder tells each step as it begins; a tick is the time until the next one.
  let end: (() => void) | null = null;
  let ticked: Promise<void> = Promise.resolve();
  const onStep = (step: string): void => {
    end?.();
    const previous = ticked;
    const { promise, resolve } = Promise.withResolvers<void>();
    end = resolve;
    ticked = previous.then(() => say.tick(step, () => promise));
  };
  try {
    const host = await buildHost({ onStep, files: 120, nodes: 150 });
    if (signal.aborted) {
      await host[Symbol.asyncDispose]();
      signal.throwIfAborted();
    }
    onStep('PHP’s web server in front of each');
    await host.serve();
    return host;
  } finally {
    (end as (() => void) | null)?.();
    await ticked;
  }
}

function tellWhere(say: Narrator, host: DemoHost, { once: isOnce }: Flags): void {
  const { config, stateDir, repository, keyFile } = salvorPlaces(host);
  say.plain();
  say.plain(say.bold('Every claim was checked and held.'));
  say.plain();
  for (const site of host.sites) say.pair(site.uri, site.url);
  say.pair('home', host.home);
  say.pair('configuration', config);
  say.pair('state', stateDir);
  say.pair('repository', `${repository}  (key: ${keyFile})`);
  say.pair('MariaDB', `mariadb --socket=${host.mariadb.socket} --user=root`);
  say.plain();
  if (isOnce) return;
  say.plain('Try yourself, in another terminal:');
  say.plain();
  say.plain(`  export SALVOR_CONFIG=${config}`);
  say.plain('  bin/salvor status');
  say.plain('  bin/salvor restore harbour.example.org --dry-run');
  say.plain(`  restic --repo ${repository} --password-file ${keyFile} snapshots`);
  say.plain();
  say.plain(`Ctrl-C ends everything and removes ${host.directory}`);
}

function readyDocument(host: DemoHost): object {
  const { config, stateDir } = salvorPlaces(host);
  return {
    home: host.home,
    config,
    stateDir,
    sites: host.sites.map(({ uri, url }) => ({ uri, url })),
    mariadb: { socket: host.mariadb.socket },
  };
}

function keepAlive(): Disposable {
  const timer = setInterval(() => {}, 1 << 30);
  return { [Symbol.dispose]: () => clearInterval(timer) };
}

function readFlags(): Flags | null {
  try {
    const { values } = parseArgs({
      options: { once: { type: 'boolean', default: false }, json: { type: 'boolean', default: false } },
    });
    return values;
  } catch (error) {
    process.stderr.write(`demo: ${(error as Error).message}\nUsage: npm run demo -- [--once] [--json]\n`);
    return null;
  }
}

/** The same demo as root: files get owners of their own and servers users of their own. */
async function runThroughSudo(): Promise<number> {
  if (spawnSync('sudo', ['--version'], { stdio: 'ignore' }).error !== undefined) {
    process.stderr.write(
      "demo: needs root: the sites' files belong to a user of their own, and MariaDB runs as its own.\n" +
        'This user is not root and there is no sudo. Run it as root: npm run demo\n',
    );
    return 1;
  }
  process.stderr.write("demo: needs root for the owners of the sites' files: asking sudo\n");
  const ask = process.stdin.isTTY ? [] : ['--non-interactive'];
  const self = [process.execPath, ...process.execArgv, import.meta.filename, ...process.argv.slice(2)];
  const child = spawn('sudo', [...ask, '--', ...self], { stdio: 'inherit' });
  // The signal reaches sudo's child through sudo; we only wait for its end.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => child.kill(signal));
  const [code] = (await once(child, 'exit')) as [number | null];
  if (code !== 0 && code !== null && ask.length > 0) {
    process.stderr.write('demo: if sudo asked for a password: run it in a terminal, or as root\n');
  }
  return code ?? 1;
}
