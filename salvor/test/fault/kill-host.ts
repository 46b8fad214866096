/**
 * A site in two states, `whole` (in a point) and `ruined`, and a command that is killed at some instant between the
 * two. After each kill and one more command, whatever it is, the site must be exactly one of them, and nothing of the
 * killed one may be left but what a person can still use.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { BackupDocument, InitDocument, RestoreDocument, StatusDocument } from '@salvor/contract';
import { type DemoHost, type DemoSite, buildHost } from '../../../demo/host.ts';
import { type ObservedSite, differences, observePage, observeSite } from '../../../demo/observe-site.ts';
import { initFlags, runRestic, runSalvor, salvorPlaces } from '../../../demo/salvor-command.ts';
import { isUnfinishedArchive } from '../../src/archives/unfinished.ts';

const SALVOR = fileURLToPath(new URL('../../../bin/salvor', import.meta.url));
/** Files that the two states have with other content: a switch gives them its own time. */
const CHANGED_PHP = 'modules/custom/harbour/harbour.module';

export type Killed = 'backup' | 'restore' | 'undo';

export type KillSince = 'start' | 'switch';

/** What happens at that instant: SIGKILL of salvor, of the database server, all connections cut by the server, or Ctrl-C. */
export type KillKind = 'salvor' | 'server' | 'connections' | 'cancel';

export type KillHost = AsyncDisposable & {
  readonly host: DemoHost;
  /** How long the operation takes when nobody kills it. */
  readonly durationsMs: Readonly<Record<Killed, number>>;
  /**
   * Runs it from the state that it begins in, kills it after `afterMs`, lets one command recover and holds all to their
   * claims. `since` its start, or since its journal said that the switch begins, which lasts a fraction of a second.
   */
  killAt(operation: Killed, afterMs: number, since?: KillSince, kind?: KillKind): Promise<KillOutcome>;
};

export type KillOutcome = { readonly ended: boolean; readonly site: 'whole' | 'ruined' };

export async function openKillHost(): Promise<KillHost> {
  await using made = new AsyncDisposableStack();
  const host = made.use(await buildHost({ withoutWordPress: true, nodes: 25, files: 30 }));
  const site = host.site('harbour.example.org');
  await host.serve();
  const run = new KillRun(host, site);
  await run.prepare();
  const resources = made.move();
  return {
    host,
    durationsMs: run.durationsMs,
    killAt: (operation, afterMs, since = 'start', kind = 'salvor') => run.killAt(operation, afterMs, since, kind),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

class KillRun {
  readonly durationsMs: Record<Killed, number> = { backup: 0, restore: 0, undo: 0 };
  readonly #host: DemoHost;
  readonly #site: DemoSite;
  readonly #pages = { whole: 0, ruined: 0 };
  #point = '';
  #whole!: ObservedSite;
  #ruined!: ObservedSite;
  /** The restore that can be undone, while the site is whole. */
  #restored: string | null = null;
  #state: 'whole' | 'ruined' = 'whole';

  constructor(host: DemoHost, site: DemoSite) {
    this.#host = host;
    this.#site = site;
  }

  async prepare(): Promise<void> {
    InitDocument.parse(await this.#run(['init', ...initFlags(this.#host)]));
    this.#whole = await observeSite(this.#host, this.#site);
    this.#pages.whole = (await observePage(this.#site.url)).status;
    const began = performance.now();
    this.#point = BackupDocument.parse(await this.#run(['backup', this.#site.uri])).point;
    this.durationsMs.backup = performance.now() - began;
    await this.#ruin();
    this.#ruined = await observeSite(this.#host, this.#site);
    this.#pages.ruined = (await observePage(this.#site.url)).status;
    this.durationsMs.restore = await this.#restore();
    this.durationsMs.undo = await this.#undo();
    assert.equal(await this.#look(), 'ruined');
  }

  async killAt(operation: Killed, afterMs: number, since: KillSince, kind: KillKind): Promise<KillOutcome> {
    if (operation === 'undo' && this.#state === 'ruined') await this.#restore();
    if (operation === 'restore' && this.#state === 'whole') await this.#undo();
    const before = this.#state;
    const committed = await this.#listSnapshots();

    const ended = await this.#kill(this.#argsOf(operation), afterMs, since, kind);
    await this.#host.mariadb.start();

    const status = StatusDocument.parse(await this.#run(['status']));
    this.#state = await this.#look();
    assert.equal((await observePage(this.#site.url)).status, this.#pages[this.#state], 'the page answers otherwise');
    if (operation === 'backup') assert.equal(this.#state, before, 'a backup changed the site');
    assert.ok(
      status.tasks.every((task) => task.state !== 'running' && task.state !== 'rollback-failed'),
      `tasks: ${status.tasks.map(({ operation: name, state }) => `${name} ${state}`).join(', ')}`,
    );
    await this.#assertNothingLost(committed);
    await this.#assertNothingLeft();
    this.#restored = this.#state === 'whole' ? (this.#findUndoable(status) ?? this.#restored) : null;
    return { ended, site: this.#state };
  }

  #argsOf(operation: Killed): readonly string[] {
    if (operation === 'backup') return ['backup', this.#site.uri];
    if (operation === 'restore') return ['restore', this.#site.uri, this.#point, '--yes'];
    return ['undo', this.#restored ?? '', '--yes'];
  }

  /** Files go, come and change; tables go, come and change; views and a trigger's table too. */
  async #ruin(): Promise<void> {
    const { path, database } = this.#site;
    rmSync(join(path, 'files/pictures'), { recursive: true, force: true });
    writeFileSync(join(path, 'stray.txt'), 'not in the point\n');
    renameSync(join(path, 'modules/custom'), join(path, 'modules/moved'));
    renameSync(join(path, 'modules/moved'), join(path, 'modules/custom'));
    appendFileSync(join(path, CHANGED_PHP), '// changed\n');
    await this.#host.mariadb.query(
      `USE \`${database}\`; DELETE FROM sessions; DROP TABLE watchdog; DROP VIEW recent_content;
       CREATE TABLE stray (id INT PRIMARY KEY, text TEXT); INSERT INTO stray VALUES (1, 'not in the point');`,
    );
  }

  async #restore(): Promise<number> {
    const began = performance.now();
    const document = await this.#run(['restore', this.#site.uri, this.#point, '--yes']);
    this.#restored = RestoreDocument.parse(document).task;
    this.#state = await this.#look();
    assert.equal(this.#state, 'whole');
    return performance.now() - began;
  }

  async #undo(): Promise<number> {
    const began = performance.now();
    await this.#run(['undo', this.#restored ?? '', '--yes']);
    this.#restored = null;
    this.#state = await this.#look();
    assert.equal(this.#state, 'ruined');
    return performance.now() - began;
  }

  /** True where the command had ended well, before it could be hit or in spite of it. */
  async #kill(args: readonly string[], afterMs: number, since: KillSince, kind: KillKind): Promise<boolean> {
    const child: ChildProcess = spawn(SALVOR, [...args, '--json'], {
      env: { ...process.env, HOME: this.#host.directory, SALVOR_CONFIG: salvorPlaces(this.#host).config },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    if (since === 'switch') await this.#waitForSwitch(child);
    const late = new AbortController();
    const hit = sleep(afterMs, undefined, { signal: late.signal }).then(
      async () => {
        await this.#hit(child, kind);
        return true;
      },
      () => false,
    );
    const [code, signal] = await exited;
    late.abort();
    const wasHit = await hit;
    // Killed at its last instant it has ended all the same; told to stop or cut off it says so by its exit code.
    assert.ok(
      code === 0 || code === 3 || (code === null && signal === 'SIGKILL') || wasHit,
      `${args[0]} failed: ${code}`,
    );
    return code === 0 || code === 3;
  }

  async #hit(child: ChildProcess, kind: KillKind): Promise<void> {
    switch (kind) {
      case 'salvor':
        child.kill('SIGKILL');
        return;
      case 'cancel':
        child.kill('SIGINT');
        return;
      case 'server':
        await this.#host.mariadb.kill('SIGKILL');
        return;
      case 'connections': {
        const others = await this.#host.mariadb.query(
          "SELECT CONCAT('KILL ', ID, ';') FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND USER NOT IN ('system user', 'event_scheduler')",
        );
        // One by one: a connection may have ended by itself meanwhile.
        for (const kill of linesOf(others)) await this.#host.mariadb.query(kill).catch(() => '');
        return;
      }
      default:
        kind satisfies never;
    }
  }

  /** Looks every millisecond: the switch is over soon. Ends with the process too. */
  async #waitForSwitch(child: ChildProcess): Promise<void> {
    const directory = join(salvorPlaces(this.#host).stateDir, 'journals');
    while (child.exitCode === null && child.signalCode === null) {
      const isSwitching = readdirSync(directory).some((name) => {
        // One that is not whole yet has not taken its name: nothing has switched.
        if (!name.endsWith('.json')) return false;
        try {
          return readFileSync(join(directory, name), 'utf8').includes('"phase": "switching"');
        } catch {
          return false;
        }
      });
      if (isSwitching) return;
      await sleep(1);
    }
  }

  /** Exactly one of the two; the time of a PHP file that a switch has changed is the switch's. */
  async #look(): Promise<'whole' | 'ruined'> {
    const now = await observeSite(this.#host, this.#site);
    const fromWhole = differencesOf(this.#whole, now);
    if (fromWhole.length === 0) return 'whole';
    const fromRuined = differencesOf(this.#ruined, now);
    if (fromRuined.length === 0) return 'ruined';
    return assert.fail(`the site is neither: from whole ${fromWhole.join('; ')}. From ruined ${fromRuined.join('; ')}`);
  }

  async #listSnapshots(): Promise<readonly string[]> {
    const { output, exit, complaint } = await runRestic(this.#host, ['snapshots', '--json', '--no-lock']);
    assert.equal(exit, 0, complaint);
    return (JSON.parse(output) as readonly { id: string }[]).map(({ id }) => id);
  }

  async #assertNothingLost(committed: readonly string[]): Promise<void> {
    const now = new Set(await this.#listSnapshots());
    assert.deepEqual(
      committed.filter((id) => !now.has(id)),
      [],
      'a committed snapshot is gone',
    );
    const checked = await runRestic(this.#host, ['check']);
    assert.equal(checked.exit, 0, checked.output + checked.complaint);
  }

  /** What stays is what `undo` can bring back, each of it in a journal. */
  async #assertNothingLeft(): Promise<void> {
    const { stateDir } = salvorPlaces(this.#host);
    const journals = readdirSync(join(stateDir, 'journals')).map(
      (name) => JSON.parse(readFileSync(join(stateDir, 'journals', name), 'utf8')) as KeptJournal,
    );
    assert.deepEqual(
      journals.map(({ phase }) => phase).filter((phase) => phase !== 'kept'),
      [],
      'a journal is not over',
    );
    const kept = journals.flatMap((journal) => journal.switch?.tables.map(({ plan }) => plan.old) ?? []);
    const databases = await this.#host.mariadb.query(
      "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'salvor%' ORDER BY 1",
    );
    assert.deepEqual(linesOf(databases), kept.toSorted());
    assert.deepEqual(
      linesOf(await this.#host.mariadb.query("SELECT User FROM mysql.user WHERE User LIKE 'salvor%'")),
      [],
    );
    const staging = join(this.#host.directory, 'salvor/staging', this.#host.account.name);
    const staged = existsSync(staging) ? readdirSync(staging).map((name) => join(staging, name)) : [];
    assert.deepEqual(staged.toSorted(), journals.flatMap((journal) => journal.stagings).toSorted());
    assert.deepEqual(readdirSync(join(stateDir, 'scratch')), []);
    const archives = join(this.#host.home, 'backups');
    assert.deepEqual(existsSync(archives) ? readdirSync(archives).filter(isUnfinishedArchive) : [], []);
    assert.deepEqual(
      readdirSync(join(stateDir, 'locks')).filter((name) => name.endsWith('.lock')),
      [],
    );
  }

  #findUndoable(status: StatusDocument): string | null {
    return status.tasks.find(({ undoUntil, operation }) => undoUntil !== null && operation === 'restore')?.id ?? null;
  }

  async #run(args: readonly string[]): Promise<unknown> {
    const { exit, document, output, complaint } = await runSalvor(this.#host, args);
    // Three means that something is named, which the status of a killed task may be.
    assert.ok(
      exit === 0 || (exit === 3 && args[0] === 'status'),
      `salvor ${args.join(' ')}: ${exit}\n${complaint}\n${output}`,
    );
    return document;
  }
}

type KeptJournal = {
  readonly phase: string;
  readonly stagings: readonly string[];
  readonly switch: { readonly tables: readonly { readonly plan: { readonly old: string } }[] } | null;
};

function differencesOf(before: ObservedSite, now: ObservedSite): readonly string[] {
  return [
    ...differences(before.files, now.files, (name, was, is) => {
      const isSame =
        was.content === is.content && was.mode === is.mode && was.owner === is.owner && was.type === is.type;
      return name === CHANGED_PHP && isSame;
    }),
    ...differences(before.database, now.database),
  ];
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}
