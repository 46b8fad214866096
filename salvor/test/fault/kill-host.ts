/**
 * A host on small disks whose sites can be restored in several shapes, and a command that is hit at some step of its
 * task. After each hit and one more command the site must be exactly the old or the new one, and `kill-claims.ts` holds
 * the rest of the host to what is claimed of it.
 *
 *   bring the site to where the command begins → run it, hit it when the list of tasks says that the step has begun
 *   → let it end → the next command recovers → claims → the site back to its ruin
 */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BackupDocument, InitDocument } from '@salvor/contract';
import { type DemoHost, type DemoSite, buildHost } from '../../../demo/host.ts';
import { initFlags, runSalvor, salvorPlaces } from '../../../demo/salvor-command.ts';
import { KillClaims, type SiteState } from './kill-claims.ts';
import { KillCommands, type Operation } from './kill-command.ts';
import { UNSAVED_URI, addFurther, ruinFurther, sitesFor } from './kill-further.ts';
import { isCopyThere } from './kill-left.ts';
import { ruin } from './kill-ruin.ts';
import { type Shape, type ShapeName, shapeOf } from './kill-shapes.ts';
import { addDisk, addPlatform, bindDefault, packAsAegir, platformsOf, scatter } from './kill-sites.ts';
import { type KillPages, openKillPages } from './kill-places.ts';
import { giveRights } from './kill-rights.ts';
import { ListedTasks, type Step } from './listed-tasks.ts';
import { type Blow, DISKS, EARLY, type KillDisks, Striker } from './kill-strike.ts';
import { openSmallDisks } from './small-disks.ts';

/** Nobody's tasks but ours, one file more that has to be gone at every end, virtual hosts of ours, and a PHP and a web server that take their time. */
const POLICY = `policy:
  adopt: instead
  restore: { maintenance: yes, reloadPhp: [sleep, '0.05'] }
  webServer: { kind: nginx, php: unix:/run/php.sock, test: [sleep, '0.02'], reload: [sleep, '0.05'] }
`;
/** Undone tasks whose old files lie on the disk at once. */
const MOST_KEPT = 15;

/** Places in time at which it is hit. */
const PLACES_OF_EARLY = 6;
const MAY_BE_SAID_AGAIN: ReadonlySet<Operation> = new Set(['confirm', 'backup-delete', 'settle', 'expire']);

export type Target = Blow & { readonly shape: ShapeName; readonly operation: Operation };

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

/** With all that these shapes need. */
export async function openKillHost(shapes: readonly ShapeName[]): Promise<KillHost> {
  await using made = new AsyncDisposableStack();
  const disks = made.use(openSmallDisks(DISKS));
  const host = made.use(
    await buildHost({ directory: disks.directory, ...sitesFor(shapes), posts: 3, nodes: 25, files: 30 }),
  );
  made.use(scatter(host, host.site('market.example.org')));
  await addFurther(host, shapes);
  await addPlatform(host);
  made.use(await addDisk(host));
  await host.serve();
  const pages = made.use(await openKillPages(host, platformsOf(host)));
  const run = new KillRun(host, disks, pages);
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
  readonly #disks: KillDisks;
  readonly #claims: KillClaims;
  readonly #commands: KillCommands;
  /** Archives, by the point that they are of. */
  readonly #written = new Map<string, string>();
  readonly #steps = new Map<string, readonly Step[]>();
  #configured = '';
  #listed!: ListedTasks;
  #striker!: Striker;

  constructor(host: DemoHost, disks: KillDisks, pages: KillPages) {
    this.#host = host;
    this.#disks = disks;
    this.#claims = new KillClaims(host, pages);
    this.#commands = new KillCommands(host);
  }

  async prepare(): Promise<void> {
    InitDocument.parse(await this.#run(['init', ...initFlags(this.#host)]));
    this.#configured = readFileSync(salvorPlaces(this.#host).config, 'utf8');
    this.#follow(POLICY);
    // A database that others read can't be deleted: theirs is a site that no shape deletes.
    await giveRights(this.#host, this.#host.site('market.example.org'));
    for (const site of this.#host.sites) {
      await bindDefault(this.#host, site);
      // What a WordPress writes down at its first page is there in the point too.
      await this.#claims.visit(site.uri);
      if (site.uri !== UNSAVED_URI) {
        const { point } = BackupDocument.parse(await this.#run(['backup', site.uri]));
        this.#commands.points.set(site.uri, point);
      }
      if (site.uri === 'harbour.example.org') await this.#export(site);
      await ruin(this.#host, site);
      await ruinFurther(this.#host, site);
    }
    await this.#claims.rememberRuins();
    this.#listed = new ListedTasks(this.#host);
    this.#striker = new Striker(this.#host, this.#disks, this.#listed);
  }

  async #export(site: DemoSite): Promise<void> {
    const point = this.#commands.points.get(site.uri) ?? '';
    await this.#run(['export', site.uri, point, '--output', this.#commands.archiveOf(site)]);
    packAsAegir(this.#host, site, this.#commands.oldArchiveOf(site));
  }

  #follow(policy: string): void {
    writeFileSync(salvorPlaces(this.#host).config, `${this.#configured}${policy}`);
  }

  async stepsOf(name: ShapeName, operation: Operation): Promise<readonly Step[]> {
    const known = this.#steps.get(`${name} ${operation}`);
    if (known !== undefined) return known;
    const shape = shapeOf(this.#host, name);
    await this.#begin(shape);
    const last = this.#listed.last();
    if (operation === 'change' || operation === 'undo') {
      await this.#claims.rememberOld(name, shape);
      const changed = await this.#change(shape);
      await this.#claims.rememberNew(name, shape);
      await this.#takeBack(name, shape, changed);
      await this.#dropUndone(shape);
      this.#steps.set(`${name} undo`, this.#listed.steps(this.#listed.last('undo')));
      this.#steps.set(`${name} change`, this.#listed.steps(changed));
    } else if (operation === 'settle' || operation === 'expire') {
      const subject = await this.#makeReady(name, shape, operation);
      const args = this.#commands.argsOf(shape, operation, subject);
      const begun = performance.now();
      await this.#run(args);
      const ms = performance.now() - begun;
      assert.ok(!this.#listed.isUndoable(subject ?? ''), `${operation} leaves a way back`);
      await this.#claims.rememberSettled(name, shape);
      // What is over goes before the command has a task of its own.
      const steps = operation === 'settle' ? this.#listed.steps(this.#listed.last()) : shareOut(ms);
      this.#steps.set(`${name} ${operation}`, steps);
    } else {
      await this.#run(this.#commands.argsOf(shape, operation, await this.#makeReady(name, shape, operation)));
      if (operation === 'export') await this.#commands.takeExported(null);
      this.#steps.set(`${name} ${operation}`, this.#listed.steps(this.#listed.last()));
    }
    assert.notEqual(this.#listed.last(), last);
    await this.#end(shape, operation);
    return await this.stepsOf(name, operation);
  }

  async killAt(target: Target): Promise<Outcome> {
    const { operation, kind } = target;
    const shape = shapeOf(this.#host, target.shape);
    // What the shape makes of the site is known from then on.
    await this.stepsOf(target.shape, operation);
    await this.#begin(shape);
    const subject = await this.#makeReady(target.shape, shape, operation);
    const before = await this.#claims.lookAt(target.shape, shape);
    const committed = await this.#claims.listSnapshots(operation === 'backup-delete' ? subject : null);
    const last = this.#listed.last();

    const args = this.#commands.argsOf(shape, operation, subject);
    const hitIn = await this.#striker.hit(args, target);
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
    if (MAY_BE_SAID_AGAIN.has(operation)) await this.#finish(args, subject ?? '');
    if (isSettling(operation)) await this.#claims.assertSettled(target.shape, shape);
    if (operation === 'export') await this.#commands.takeExported(target.kind);
    const standing = shape.handedOverBy === undefined ? this.#listed.undoable() : task;
    if (site === 'new' && !isSettling(operation)) await this.#takeBack(target.shape, shape, standing);
    await this.#end(shape, operation);
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
      case 'settle':
        return await this.#change(shape);
      case 'expire':
        return this.#makeOver(await this.#change(shape));
      case 'confirm':
        await this.#takeBack(name, shape, await this.#change(shape));
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

  /** As if the time of its undo had passed. */
  #makeOver(task: string): string {
    const file = join(salvorPlaces(this.#host).stateDir, 'journals', `${task}.json`);
    const journal = JSON.parse(readFileSync(file, 'utf8')) as object;
    // A grace of no length: what a clock jumped ahead would not count.
    const undoUntil = new Date(Date.now() - 1000).toISOString();
    writeFileSync(file, JSON.stringify({ ...journal, undoUntil, graceHours: 0 }));
    return task;
  }

  /** What the shape takes for granted. */
  async #begin({ begins, target, handedOverBy }: Shape): Promise<void> {
    this.#follow(handedOverBy ?? POLICY);
    if (begins === undefined || existsSync(target.path)) return;
    await this.#run(begins);
    await this.#run(['confirm', this.#listed.last()]);
  }

  /** A site that nobody can take back any more is deleted. */
  async #end({ begins, target }: Shape, operation: Operation): Promise<void> {
    if ((begins === undefined && !isSettling(operation)) || !existsSync(target.path)) return;
    await this.#run(['delete', target.uri, '--confirm', target.uri, '--yes']);
    await this.#run(['confirm', this.#listed.last()]);
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

  async #change(shape: Shape): Promise<string> {
    await this.#run(this.#commands.argsOf(shape, 'change', null));
    return this.#listed.last();
  }

  async #takeBack(name: ShapeName, shape: Shape, task: string | null): Promise<void> {
    if (shape.handedOverBy !== undefined) {
      assert.ok(task === null || !this.#listed.isUndoable(task), 'what Aegir has done can be undone');
      await this.#run(this.#commands.argsOf(shape, 'enable', null));
    } else {
      assert.ok(task !== null, 'no task can be undone, and the site is the new one');
      await this.#run(['undo', task, '--yes']);
    }
    await this.#claims.assertOld(name, shape);
  }

  /**
   * What undone tasks have left: of a clone its database, which would keep the next one from having its name; of a copy its
   * room; of all others, now and then, the files that they keep, which fill the disk after fifty hits.
   */
  async #dropUndone(shape: Shape): Promise<void> {
    const { database, isOnSmallDisk } = shape;
    const undone = this.#listed.undone();
    if (database === undefined && isOnSmallDisk === undefined && undone.length < MOST_KEPT) return;
    for (const id of undone) await this.#run(['confirm', id]);
    if (database === undefined || isCopyThere(shape)) return;
    assert.equal(await this.#host.mariadb.query(`SHOW DATABASES LIKE '${database}%'`), '');
    assert.equal(await this.#host.mariadb.query(`SELECT User FROM mysql.user WHERE User LIKE '${database}%'`), '');
  }

  async #run(args: readonly string[]): Promise<unknown> {
    const { exit, document, output, complaint } = await runSalvor(this.#host, args);
    // Three means that something is named: with several homes of one site on several mounts it may be.
    assert.ok(exit === 0 || exit === 3, `salvor ${args.join(' ')}: ${exit}\n${complaint}\n${output}`);
    return document;
  }
}

function isSettling(operation: Operation): boolean {
  return operation === 'settle' || operation === 'expire';
}

function shareOut(ms: number): readonly Step[] {
  return Array.from({ length: PLACES_OF_EARLY }, (_, at) => ({
    name: EARLY,
    nth: at + 1,
    ms: (ms * (at + 1)) / PLACES_OF_EARLY,
  }));
}
