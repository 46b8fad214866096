/**
 * A host on small disks whose sites can be restored in several shapes, and a command that is hit at some step of its
 * task. After each hit and one more command the site must be exactly the old or the new one, and `kill-claims.ts` holds
 * the rest of the host to what is claimed of it.
 *
 *   bring the site to where the command begins → run it, hit it when the list of tasks says that the step has begun
 *   → let it end → the next command recovers → claims → the site back to its ruin
 */
import { appendFileSync, existsSync, readdirSync, rmSync } from 'node:fs';
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BackupDocument, InitDocument } from '@salvor/contract';
import { type DemoHost, type DemoSite, buildHost } from '../../../demo/host.ts';
import { initFlags, runSalvor, salvorPlaces } from '../../../demo/salvor-command.ts';
import { KillClaims, type SiteState } from './kill-claims.ts';
import { isUnfinishedArchive } from '../../src/archives/unfinished.ts';
import {
  type Shape,
  type ShapeName,
  addDisk,
  addPlatform,
  bindDefault,
  ruin,
  scatter,
  shapeOf,
} from './kill-shapes.ts';
import { ListedTasks, type Step } from './listed-tasks.ts';
import { type SmallDisks, openSmallDisks } from './small-disks.ts';

const SALVOR = fileURLToPath(new URL('../../../bin/salvor', import.meta.url));

/**
 * What happens at that instant. `salvor` and `server`: SIGKILL. `connections`: the server cuts all of them. `cancel`:
 * Ctrl-C. The others: a file system without a byte left, of the site and its staging place, of the server, of salvor.
 */
export const KINDS = ['salvor', 'server', 'connections', 'cancel', 'site-full', 'server-full', 'state-full'] as const;
export type KillKind = (typeof KINDS)[number];
/** `change` is what the shape is: a restore, a clone, a rename, a delete … `undo` and `enable` take it back. */
export type Operation = 'change' | 'undo' | 'enable' | 'backup' | 'verify' | 'confirm' | 'backup-delete' | 'export';

/** MiB. What a run needs lies well below; what fills the rest costs memory. */
const DISKS = { data: 192, mariadb: 288, salvor: 192 } as const;
const DISK_OF = { 'site-full': 'data', 'server-full': 'mariadb', 'state-full': 'salvor' } as const;
/** A server whose disk is full waits for room for a minute at a time. */
const FULL_MS = 2500;
const MAX_END_MS = 300_000;
/** Undone tasks whose old files lie on the disk at once. */
const MOST_KEPT = 15;

export type Target = {
  readonly shape: ShapeName;
  readonly operation: Operation;
  readonly kind: KillKind;
  readonly step: string;
  readonly nth: number;
  /** After the step has begun. */
  readonly afterMs: number;
};

export type Outcome = {
  /** Where the command stood when it was hit; null where it had ended. */
  readonly hitIn: string | null;
  readonly task: string;
  readonly site: SiteState;
};

export type KillHost = AsyncDisposable & {
  /** What a task of this shape says of itself, in order: found by a run that is not hit. */
  stepsOf(shape: ShapeName, operation: Operation): Promise<readonly Step[]>;
  killAt(target: Target): Promise<Outcome>;
};

export async function openKillHost(): Promise<KillHost> {
  await using made = new AsyncDisposableStack();
  const disks = made.use(openSmallDisks(DISKS));
  const host = made.use(await buildHost({ directory: disks.directory, withoutWordPress: true, nodes: 25, files: 30 }));
  made.use(scatter(host, host.site('market.example.org')));
  await addPlatform(host);
  made.use(await addDisk(host));
  await host.serve();
  const run = new KillRun(host, disks);
  await run.prepare();
  const resources = made.move();
  return {
    stepsOf: (shape, operation) => run.stepsOf(shape, operation),
    killAt: (target) => run.killAt(target),
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

class KillRun {
  readonly #host: DemoHost;
  readonly #disks: SmallDisks<keyof typeof DISKS>;
  readonly #claims: KillClaims;
  /** By the site that it is of. */
  readonly #points = new Map<string, string>();
  /** Archives, by the point that they are of. */
  readonly #written = new Map<string, string>();
  readonly #steps = new Map<string, readonly Step[]>();
  #listed!: ListedTasks;

  constructor(host: DemoHost, disks: SmallDisks<keyof typeof DISKS>) {
    this.#host = host;
    this.#disks = disks;
    this.#claims = new KillClaims(host);
  }

  async prepare(): Promise<void> {
    InitDocument.parse(await this.#run(['init', ...initFlags(this.#host)]));
    // One file more that has to be gone at every end.
    appendFileSync(salvorPlaces(this.#host).config, 'policy: { restore: { maintenance: yes } }\n');
    for (const site of this.#host.sites) {
      await bindDefault(this.#host, site);
      const { point } = BackupDocument.parse(await this.#run(['backup', site.uri]));
      this.#points.set(site.uri, point);
      await this.#run(['export', site.uri, point, '--output', this.#archiveOf(site)]);
      await ruin(this.#host, site);
    }
    await this.#claims.rememberRuins();
    this.#listed = new ListedTasks(this.#host);
  }

  async stepsOf(name: ShapeName, operation: Operation): Promise<readonly Step[]> {
    const known = this.#steps.get(`${name} ${operation}`);
    if (known !== undefined) return known;
    const shape = shapeOf(this.#host, name);
    const last = this.#listed.last();
    if (operation === 'change' || operation === 'undo') {
      await this.#claims.rememberOld(name, shape);
      const changed = await this.#change(shape);
      await this.#claims.rememberNew(name, shape);
      await this.#undo(name, shape, changed);
      this.#steps.set(`${name} undo`, this.#listed.steps(this.#listed.last('undo')));
      this.#steps.set(`${name} change`, this.#listed.steps(changed));
    } else {
      await this.#run(this.#argsOf(shape, operation, await this.#makeReady(name, shape, operation)));
      if (operation === 'export') await this.#takeExported(null);
      this.#steps.set(`${name} ${operation}`, this.#listed.steps(this.#listed.last()));
    }
    assert.notEqual(this.#listed.last(), last);
    return await this.stepsOf(name, operation);
  }

  async killAt(target: Target): Promise<Outcome> {
    const { operation, kind } = target;
    const shape = shapeOf(this.#host, target.shape);
    // What the shape makes of the site is known from then on.
    await this.stepsOf(target.shape, operation);
    const subject = await this.#makeReady(target.shape, shape, operation);
    const before = await this.#claims.lookAt(target.shape, shape);
    const committed = await this.#claims.listSnapshots(operation === 'backup-delete' ? subject : null);
    const last = this.#listed.last();

    const args = this.#argsOf(shape, operation, subject);
    const hitIn = await this.#hit(args, target);
    this.#disks.free();
    if (kind === 'server') {
      // A database that is still dead when the next command comes keeps nobody from asking how things stand.
      const status = await runSalvor(this.#host, ['status']);
      assert.ok(status.exit === 0 || status.exit === 3, `salvor status without a server: ${status.complaint}`);
    }
    await this.#host.mariadb.start();
    const task = this.#listed.last();

    const site = await this.#claims.assertAll({
      ...target,
      definition: shape,
      before,
      committed,
      hitIn,
      task: task === last ? null : task,
    });
    if (operation === 'confirm' || operation === 'backup-delete') await this.#finish(args, subject ?? '');
    if (operation === 'export') await this.#takeExported(target.kind);
    if (site === 'new')
      await this.#undo(
        target.shape,
        shape,
        this.#listed.undoable() ?? assert.fail('no task can be undone, and the site is the new one'),
      );
    await this.#dropUndone(shape);
    if (kind === 'server-full') await this.#restartServer();
    this.#removeArchives();
    return { hitIn, task, site };
  }

  /** As a hoster's purge does: those of a hundred hits would fill the small disk. */
  #removeArchives(): void {
    const place = join(this.#host.home, 'backups');
    for (const name of readdirSync(place)) rmSync(join(place, name));
  }

  /**
   * A MariaDB that had no room for a table's file keeps the file in its log, and if it is killed before the next checkpoint
   * it does not start again (10.11.19; docs/databases.md): this hit would be found at a later one.
   */
  async #restartServer(): Promise<void> {
    await this.#host.mariadb.kill('SIGTERM');
    await this.#host.mariadb.start();
  }

  /** What the command is about: a task that stands or was undone, a point. */
  async #makeReady(name: ShapeName, shape: Shape, operation: Operation): Promise<string | null> {
    switch (operation) {
      case 'undo':
      case 'enable':
        return await this.#change(shape);
      case 'confirm':
        await this.#undo(name, shape, await this.#change(shape));
        return this.#listed.last('undo');
      case 'backup-delete': {
        const { point, archive } = BackupDocument.parse(await this.#run(['backup', shape.source.uri]));
        this.#written.set(point, archive?.path ?? assert.fail('a backup without an archive'));
        // The newest one stays: there has to be another.
        await this.#run(['backup', shape.source.uri]);
        return point;
      }
      default:
        return null;
    }
  }

  /** Said once more it is done, wherever it was hit, and then nothing is left of what it was about. */
  async #finish(args: readonly string[], subject: string): Promise<void> {
    const again = await runSalvor(this.#host, args);
    assert.ok(
      again.exit === 0 || again.exit === 3 || /\((?:nothing-to-confirm|point-unknown)\)/.test(again.complaint),
      again.complaint,
    );
    assert.ok(!this.#listed.isUndoable(subject), 'it is confirmed, and can be undone');
    assert.deepEqual(await this.#claims.listSnapshotsOf(subject), []);
    assert.ok(!existsSync(this.#written.get(subject) ?? ''), 'its archive is still there');
  }

  #argsOf({ source, command }: Shape, operation: Operation, subject: string | null): readonly string[] {
    switch (operation) {
      case 'backup':
      case 'verify':
      case 'enable':
        return [operation, source.uri];
      case 'undo':
      case 'backup-delete':
        return [operation, subject ?? '', '--yes'];
      case 'confirm':
        return [operation, subject ?? ''];
      case 'export':
        return ['export', source.uri, this.#points.get(source.uri) ?? '', '--output', this.#exported];
      case 'change':
        return this.#wordsOf(source, command);
      default:
        return operation satisfies never;
    }
  }

  #wordsOf(source: DemoSite, command: readonly string[]): readonly string[] {
    const stands: Readonly<Record<string, string | undefined>> = {
      POINT: this.#points.get(source.uri),
      ARCHIVE: this.#archiveOf(source),
    };
    return command.map((word) => stands[word] ?? word);
  }

  /** In the account's home, where another user writes. */
  get #exported(): string {
    return join(this.#host.home, 'exported.tar.gz');
  }

  /** Whole or absent, and nothing beside it that has no name; then it goes. Of one that nobody hit it is there. */
  async #takeExported(kind: KillKind | null): Promise<void> {
    assert.deepEqual(readdirSync(this.#host.home).filter(isUnfinishedArchive), []);
    if (!existsSync(this.#exported)) return assert.notEqual(kind, null, 'an export that nobody hit wrote nothing');
    const { stdout } = await promisify(execFile)('tar', ['-tzf', this.#exported]);
    assert.ok(stdout.split('\n').includes('./.salvor-manifest.json'), 'the exported archive is cut off');
    rmSync(this.#exported);
  }

  #archiveOf({ uri }: DemoSite): string {
    return join(this.#host.directory, `${uri}.tar.gz`);
  }

  async #change(shape: Shape): Promise<string> {
    await this.#run(this.#argsOf(shape, 'change', null));
    return this.#listed.last();
  }

  async #undo(name: ShapeName, shape: Shape, task: string): Promise<void> {
    await this.#run(['undo', task, '--yes']);
    await this.#claims.assertOld(name, shape);
    await this.#dropUndone(shape);
  }

  /**
   * What undone tasks have left: of a clone its database, which would keep the next one from having its name; of a copy its
   * room; of all others, now and then, the files that they keep, which fill the disk after fifty hits.
   */
  async #dropUndone({ database, isOnSmallDisk }: Shape): Promise<void> {
    const undone = this.#listed.undone();
    if (database === undefined && isOnSmallDisk === undefined && undone.length < MOST_KEPT) return;
    for (const id of undone) await this.#run(['confirm', id]);
    if (database === undefined) return;
    assert.equal(await this.#host.mariadb.query(`SHOW DATABASES LIKE '${database}%'`), '');
    assert.equal(await this.#host.mariadb.query(`SELECT User FROM mysql.user WHERE User LIKE '${database}%'`), '');
  }

  /** Gives the step in which it was hit; null where it ended before. */
  async #hit(args: readonly string[], { kind, step, nth, afterMs }: Target): Promise<string | null> {
    const last = this.#listed.last();
    const child = spawn(SALVOR, [...args, '--json'], {
      env: { ...process.env, HOME: this.#host.directory, SALVOR_CONFIG: salvorPlaces(this.#host).config },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    await this.#waitForStep(child, step, nth, last);
    const late = new AbortController();
    void exited.then(() => late.abort());
    await sleep(afterMs, undefined, { signal: late.signal }).catch(() => undefined);
    if (child.exitCode !== null || child.signalCode !== null) return await this.#endedBefore(exited, args);
    const task = this.#listed.last();
    const hitIn = task === last ? 'start' : (this.#listed.stepOf(task) ?? 'start');
    await this.#strike(child, kind);
    const freed = sleep(FULL_MS).then(() => this.#disks.free());
    const slow = setTimeout(() => child.kill('SIGABRT'), MAX_END_MS);
    const [code, signal] = await exited;
    clearTimeout(slow);
    await freed;
    // Told to stop or cut off it says so by its exit code; nothing else ends it.
    const isKilled = kind === 'salvor' && signal === 'SIGKILL';
    // At the very end of a process nobody is there any more who would hear of it.
    const isLate = kind === 'cancel' && signal === 'SIGINT';
    assert.ok(
      isKilled || isLate || code === 0 || code === 1 || code === 3 || code === 130,
      `${args[0]} ended with ${code} ${signal}`,
    );
    return hitIn;
  }

  async #endedBefore(exited: Promise<[number | null, NodeJS.Signals | null]>, args: readonly string[]): Promise<null> {
    const [code, signal] = await exited;
    const told = this.#listed.read(this.#listed.last());
    assert.ok(
      code === 0 || code === 3,
      `${args[0]} failed without being hit: ${code} ${signal}, ${JSON.stringify(told)}`,
    );
    return null;
  }

  async #strike(child: ChildProcess, kind: KillKind): Promise<void> {
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
        for (const kill of others.split('\n').filter((line) => line !== ''))
          await this.#host.mariadb.query(kill).catch(() => '');
        return;
      }
      case 'site-full':
      case 'server-full':
      case 'state-full':
        this.#disks.fill(DISK_OF[kind]);
        return;
      default:
        kind satisfies never;
    }
  }

  /** Looks every millisecond; a step may last no longer. Ends with the process too. */
  async #waitForStep(child: ChildProcess, step: string, nth: number, last: string): Promise<void> {
    while (child.exitCode === null && child.signalCode === null) {
      const task = this.#listed.last();
      if (task !== last && this.#listed.hasBegun(task, step, nth)) return;
      await sleep(1);
    }
  }

  async #run(args: readonly string[]): Promise<unknown> {
    const { exit, document, output, complaint } = await runSalvor(this.#host, args);
    // Three means that something is named: with several homes of one site on several mounts it may be.
    assert.ok(exit === 0 || exit === 3, `salvor ${args.join(' ')}: ${exit}\n${complaint}\n${output}`);
    return document;
  }
}
