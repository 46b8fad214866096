/** What is claimed of a host after a command was hit and another one came: looked at from outside, by other programs. */
import assert from 'node:assert/strict';
import type { DemoHost, DemoSite } from '../../../demo/host.ts';
import { StatusDocument } from '@salvor/contract';
import { differences } from '../../../demo/observe-site.ts';
import { runRestic, runSalvor } from '../../../demo/salvor-command.ts';
import { databasesOf } from './kill-further.ts';
import type { Operation } from './kill-command.ts';
import type { Target } from './kill-host.ts';
import { assertNothingLeft } from './kill-left.ts';
import { type Seen, differencesOf, lookAtSite, maskedOf } from './kill-look.ts';
import type { KillPages } from './kill-places.ts';
import { type ObservedRights, observeRights } from './kill-rights.ts';
import { RUINED } from './kill-ruin.ts';
import { NEW_URI, type Shape, type ShapeName, isMade } from './kill-shapes.ts';
import { ListedTasks } from './listed-tasks.ts';

/** `settled`: the new one, and nobody can take it back any more. */
export type SiteState = 'old' | 'new' | 'settled';

export type After = Target & {
  readonly definition: Shape;
  readonly before: SiteState;
  /** Snapshots that were there before. */
  readonly committed: readonly string[];
  /** Null where the command had ended. */
  readonly hitIn: string | null;
  /** Null where it was hit before it had one. */
  readonly task: string | null;
};

/** What a site is another one by. */
const TURNS: ReadonlySet<Operation> = new Set(['change', 'undo', 'enable']);
/** What takes the way back away. */
const SETTLES: ReadonlySet<Operation> = new Set(['settle', 'expire']);
/** Stock restic reads the whole repository: not after every hit. */
const CHECK_EVERY = 10;

export class KillClaims {
  readonly #host: DemoHost;
  /** By URI: where every command begins. */
  readonly #ruins = new Map<string, Seen>();
  /** By shape: what is there before, and what the task makes of it. */
  readonly #olds = new Map<ShapeName, Seen>();
  readonly #made = new Map<ShapeName, Seen>();
  /** By shape: what is left where it is confirmed, or its time is over. */
  readonly #settled = new Map<ShapeName, Seen>();
  readonly #pages: KillPages;
  #rights: ObservedRights = new Map();
  #looks = 0;

  constructor(host: DemoHost, pages: KillPages) {
    this.#host = host;
    this.#pages = pages;
  }

  /** As somebody who asks for its page. */
  async visit(uri: string): Promise<void> {
    assertServed(new Map([[uri, await this.#pages.read(uri)]]), [uri]);
  }

  async rememberRuins(): Promise<void> {
    for (const site of this.#host.sites) this.#ruins.set(site.uri, await this.#see({ source: site, target: site }));
    this.#rights = await observeRights(this.#host, isNobodysOwn);
  }

  async rememberOld(name: ShapeName, shape: Shape): Promise<void> {
    const seen = await this.#see(shape);
    const isThere = shape.target.uri !== NEW_URI || shape.begins !== undefined;
    assertServed(seen.pages, [shape.source.uri, ...(isThere ? [shape.target.uri] : [])]);
    for (const page of seen.pages.values()) assert.ok(!page.startsWith('200') || page.includes(RUINED), page);
    this.#olds.set(name, seen);
  }

  async rememberNew(name: ShapeName, shape: Shape): Promise<void> {
    const seen = await this.#see(shape);
    assertServed(seen.pages, shape.served ?? [shape.source.uri, shape.target.uri]);
    if (shape.masked !== undefined) assert.match(maskedOf(seen, shape.masked), /^[1-9]\d*\t0\t0\t0\s*$/, 'masked');
    this.#made.set(name, seen);
  }

  async rememberSettled(name: ShapeName, shape: Shape): Promise<void> {
    const seen = await this.#see(shape);
    assert.deepEqual(differences(this.#madeOf(name).pages, seen.pages), [], 'a page that is another one when settled');
    this.#settled.set(name, seen);
  }

  async assertSettled(name: ShapeName, shape: Shape): Promise<void> {
    const settled = this.#settled.get(name) ?? assert.fail(`nobody has looked at what ${name} leaves`);
    assert.deepEqual(differencesOf(settled, await this.#see(shape)), [], 'said once more it is not done');
  }

  async assertOld(name: ShapeName, shape: Shape): Promise<void> {
    assert.deepEqual(differencesOf(this.#oldOf(name), await this.#see(shape)), [], 'an undo that was not hit');
  }

  /** Exactly one of the two. */
  async lookAt(name: ShapeName, shape: Shape): Promise<SiteState> {
    const now = await this.#see(shape);
    const fromOld = differencesOf(this.#oldOf(name), now);
    if (fromOld.length === 0) return 'old';
    const fromNew = differencesOf(this.#madeOf(name), now);
    if (fromNew.length === 0) return 'new';
    if (shape.mayLeaveDatabases === true && this.#hasLeftDatabases(name, now)) return 'new';
    const settled = this.#settled.get(name);
    if (settled !== undefined && differencesOf(settled, now).length === 0) return 'settled';
    return assert.fail(`the site is neither: from old ${fromOld.join('; ')}. From new ${fromNew.join('; ')}`);
  }

  async assertAll(after: After): Promise<SiteState> {
    const { document, complaint, exit } = await runSalvor(this.#host, ['status']);
    assert.ok(exit === 0 || exit === 3, complaint);
    const status = StatusDocument.parse(document);
    const unended = status.tasks.filter(({ state }) => state === 'running' || state === 'rollback-failed');
    assert.deepEqual(unended, [], `tasks have not ended: ${complaint}`);
    const site = await this.lookAt(after.shape, after.definition);
    if (after.operation === 'change' && after.definition.mayLeaveDatabases === true && site === 'new')
      await this.#assertLeftTold(after);
    if (SETTLES.has(after.operation)) assert.notEqual(site, 'old', `${after.operation} brought the old site back`);
    else if (!TURNS.has(after.operation)) assert.equal(site, after.before, `${after.operation} changed the site`);
    await this.#assertOthersUntouched(after.definition.target);
    this.#assertTold(after, site);
    await this.#assertNothingLost(after);
    await assertNothingLeft(this.#host, after.definition);
    return site;
  }

  /** The new one, but for its databases, which are where they were. */
  #hasLeftDatabases(name: ShapeName, now: Seen): boolean {
    const { database, rights } = this.#oldOf(name);
    return differencesOf({ ...this.#madeOf(name), database, rights }, now).length === 0;
  }

  /** But those of this point. */
  async listSnapshots(except: string | null): Promise<readonly string[]> {
    const snapshots = await this.#readSnapshots();
    return snapshots.filter(({ tags }) => !tags.includes(`point:${except}`)).map(({ id }) => id);
  }

  /** Of a task there are none. */
  async listSnapshotsOf(point: string): Promise<readonly string[]> {
    const snapshots = await this.#readSnapshots();
    return snapshots.filter(({ tags }) => tags.includes(`point:${point}`)).map(({ id }) => id);
  }

  async #assertOthersUntouched(target: DemoSite): Promise<void> {
    // What the home says of all of them is compared with the site.
    const own = (seen: Seen, uri: string): Seen => ({
      ...seen,
      home: new Map(),
      pages: new Map([[uri, seen.pages.get(uri) ?? '']]),
    });
    for (const other of this.#host.sites.filter(({ uri }) => uri !== target.uri)) {
      const seen = await this.#see({ source: other, target: other });
      const found = differencesOf(own(this.#ruinOf(other), other.uri), own(seen, other.uri));
      assert.deepEqual(found, [], `${other.uri} was touched`);
    }
    const ofOthers = await observeRights(
      this.#host,
      (database, user) => !databasesOf(target).includes(database) && isNobodysOwn(database, user),
    );
    const isOfTarget = (name: string): boolean => databasesOf(target).some((own) => name.includes(` ${own} `));
    const before = [...this.#rights].filter(([name]) => !isOfTarget(name));
    assert.deepEqual(differences(new Map(before), ofOthers), [], 'the rights of a user were changed');
  }

  /** The list of tasks says how it ended, as the site has it, and its log how it came to that. */
  #assertTold({ task, operation, before, hitIn, kind, definition }: After, site: SiteState): void {
    if (operation === 'expire') return;
    if (task === null) return assert.equal(site, before, 'the site changed without a task');
    using listed = new ListedTasks(this.#host);
    const { state, error } = listed.read(task);
    const isDone = state === 'succeeded' || state === 'warned';
    const lines = listed.lines(task);
    // What came of a command of Aegir's that was cut off Aegir knows: the old site or the new one, and the task failed.
    const isLeftToAegir = definition.handedOverBy !== undefined && !isDone && lines.includes('Aegir: begins');
    const expected = !TURNS.has(operation) ? before : isDone === (operation === 'change') ? 'new' : 'old';
    if (!SETTLES.has(operation) && !isLeftToAegir)
      assert.equal(site, expected, `the task is ${state}, and the site is the ${site} one`);
    const told = `${hitIn ?? 'not hit'}, ${state}, ${error}:\n${lines.join('\n')}`;
    // Killed while it waited for its turn it has done nothing.
    if (isDone || hitIn === 'start') return;
    assert.ok(error !== null && error !== '', `it failed without a reason: ${told}`);
    // The list of tasks has room for how it ended, which it keeps; its log may have found none.
    if (kind === 'state-full' || hitIn === null) return;
    assert.ok(lines.includes(`${hitIn}: begins`), `the log does not say how far it came: ${told}`);
    assert.ok(listed.hasEnd(task), `the log does not say how it ended: ${told}`);
  }

  /** The log of a delete names each database that is where it was, and no other. */
  async #assertLeftTold({ task, shape, definition }: After): Promise<void> {
    using listed = new ListedTasks(this.#host);
    const lines = task === null ? [] : listed.lines(task);
    const isLeft = this.#hasLeftDatabases(shape, await this.#see(definition));
    const { database } = definition.target;
    const isTold = lines.some((line) => line.includes('stays on its server as it is') && line.includes(database));
    assert.equal(isTold, isLeft, `its database stays, or not, without a word:\n${lines.join('\n')}`);
  }

  async #assertNothingLost({ committed, task }: After): Promise<void> {
    const now = await this.#readSnapshots();
    // One that is no longer pinned is another snapshot, which names the one that it was.
    const there = new Set(now.flatMap(({ id, original }) => [id, original]));
    assert.deepEqual(
      committed.filter((id) => !there.has(id)),
      [],
      'a committed snapshot is gone',
    );
    using listed = new ListedTasks(this.#host);
    if (task !== null && listed.lines(task).some((line) => line.startsWith('safety point: done'))) {
      const isSafety = ({ tags }: Snapshot): boolean => tags.includes(`task:${task}`) && tags.includes('salvor-pin');
      assert.ok(now.some(isSafety), `the safety point is gone: ${JSON.stringify(now.at(-1)?.tags)}`);
    }
    if (this.#looks++ % CHECK_EVERY !== 0) return;
    const checked = await runRestic(this.#host, ['check']);
    assert.equal(checked.exit, 0, checked.output + checked.complaint);
  }

  async #see(looked: Parameters<typeof lookAtSite>[2]): Promise<Seen> {
    return await lookAtSite(this.#host, this.#pages, looked);
  }

  #oldOf(name: ShapeName): Seen {
    return this.#olds.get(name) ?? assert.fail(`nobody has looked at what was there before ${name}`);
  }

  #madeOf(name: ShapeName): Seen {
    return this.#made.get(name) ?? assert.fail(`nobody has looked at what ${name} makes`);
  }

  #ruinOf({ uri }: DemoSite): Seen {
    return this.#ruins.get(uri) ?? assert.fail(uri);
  }

  async #readSnapshots(): Promise<readonly Snapshot[]> {
    const { output, exit, complaint } = await runRestic(this.#host, ['snapshots', '--json', '--no-lock']);
    assert.equal(exit, 0, complaint);
    return JSON.parse(output) as readonly Snapshot[];
  }
}

type Snapshot = { readonly id: string; readonly original?: string; readonly tags: readonly string[] };

function assertServed(pages: ReadonlyMap<string, string>, uris: readonly string[]): void {
  for (const [uri, page] of pages)
    assert.equal(page.startsWith('200 '), uris.includes(uri), `the page of ${uri} answers ${page}`);
}

/** Neither of ours nor of a clone. */
function isNobodysOwn(database: string, user: string): boolean {
  return ![database, user].some((name) => name.startsWith('salvor') || isMade(name));
}
