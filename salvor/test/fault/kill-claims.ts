/** What is claimed of a host after a command was hit and another one came: looked at from outside, by other programs. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { StatusDocument } from '@salvor/contract';
import type { DemoHost, DemoSite } from '../../../demo/host.ts';
import {
  type ObservedDatabase,
  type ObservedFile,
  type ObservedTree,
  differences,
  observeDatabase,
  observeTree,
} from '../../../demo/observe-site.ts';
import { runRestic, runSalvor, salvorPlaces } from '../../../demo/salvor-command.ts';
import { isUnfinishedArchive } from '../../src/archives/unfinished.ts';
import type { Operation, Target } from './kill-host.ts';
import { ListedTasks } from './listed-tasks.ts';
import { type KillPages, type ObservedHome, observeHome } from './kill-places.ts';
import { type ObservedRights, observeRights } from './kill-rights.ts';
import {
  NEW_DATABASE,
  NEW_URI,
  RUINED,
  type Shape,
  type ShapeName,
  TIMED_BY_TASK,
  apartDiskOf,
  movedFilesOf,
} from './kill-shapes.ts';

/** `settled`: the new one, and nobody can take it back any more. */
export type SiteState = 'old' | 'new' | 'settled';

type Seen = {
  readonly files: ObservedTree;
  readonly database: ObservedDatabase;
  /** What others are told of it. */
  readonly home: ObservedHome;
  /** In its databases and of its users. */
  readonly rights: ObservedRights;
  /** By URI. */
  readonly pages: ReadonlyMap<string, string>;
};

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

/** A switch gives a PHP file whose content it changes a time of its own, and a directory of chosen paths the system does. */
const PHP_FILE = /\.(?:php|inc|module|install|theme|profile|engine)$/;
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
    if (shape.masked !== undefined)
      assert.match(seen.database.get(`checksum clone.${shape.masked}`) ?? '', /^[1-9]\d*\t0\t0\t0\s*$/, 'masked');
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
    if (SETTLES.has(after.operation)) assert.notEqual(site, 'old', `${after.operation} brought the old site back`);
    else if (!TURNS.has(after.operation)) assert.equal(site, after.before, `${after.operation} changed the site`);
    await this.#assertOthersUntouched(after.definition.target);
    this.#assertTold(after, site);
    await this.#assertNothingLost(after);
    await this.#assertNothingLeft(after.definition);
    return site;
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
      (database, user) => database !== target.database && isNobodysOwn(database, user),
    );
    const before = [...this.#rights].filter(([name]) => !name.includes(` ${target.database} `));
    assert.deepEqual(differences(new Map(before), ofOthers), [], 'the rights of a user were changed');
  }

  /** The list of tasks says how it ended, as the site has it, and its log how it came to that. */
  #assertTold({ task, operation, before, hitIn, kind }: After, site: SiteState): void {
    if (operation === 'expire') return;
    if (task === null) return assert.equal(site, before, 'the site changed without a task');
    using listed = new ListedTasks(this.#host);
    const { state, error } = listed.read(task);
    const isDone = state === 'succeeded' || state === 'warned';
    const expected = !TURNS.has(operation) ? before : isDone === (operation === 'change') ? 'new' : 'old';
    if (!SETTLES.has(operation)) assert.equal(site, expected, `the task is ${state}, and the site is the ${site} one`);
    const lines = listed.lines(task);
    const told = `${hitIn ?? 'not hit'}, ${state}, ${error}:\n${lines.join('\n')}`;
    // Killed while it waited for its turn it has done nothing.
    if (isDone || hitIn === 'start') return;
    assert.ok(error !== null && error !== '', `it failed without a reason: ${told}`);
    // The list of tasks has room for how it ended, which it keeps; its log may have found none.
    if (kind === 'state-full' || hitIn === null) return;
    assert.ok(lines.includes(`${hitIn}: begins`), `the log does not say how far it came: ${told}`);
    assert.ok(listed.hasEnd(task), `the log does not say how it ended: ${told}`);
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

  /** What stays is what `undo` can bring back, each of it in a journal. */
  async #assertNothingLeft({ target, database: copied }: Shape): Promise<void> {
    const { stateDir } = salvorPlaces(this.#host);
    const names = readdirSync(join(stateDir, 'journals'));
    assert.deepEqual(
      names.filter((name) => !name.endsWith('.json')),
      [],
    );
    const journals = names.map(
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
    const made = journals
      .flatMap(({ made: own = [], drops = [] }) => [...own, ...drops].map(({ name }) => name))
      // A deleted site's own stays as it was, empty, until the grace period ends.
      .filter((name) => name.startsWith('second'));
    // A copy that was confirmed is in no journal any more.
    if (copied !== undefined && existsSync(target.path)) made.push(NEW_DATABASE);
    const second = await this.#host.mariadb.query(
      "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'second%' ORDER BY 1",
    );
    assert.deepEqual(linesOf(second), [...new Set(made)].toSorted());
    const theirs = await this.#host.mariadb.query("SELECT User FROM mysql.user WHERE User LIKE 'second%' ORDER BY 1");
    assert.deepEqual(linesOf(theirs), [...new Set(made)].toSorted());
    const isOurs = (name: string, user: string): boolean =>
      user.startsWith('salvor') || (name.startsWith('salvor') && !kept.includes(name));
    assert.deepEqual([...(await observeRights(this.#host, isOurs)).keys()], [], 'rights to nothing are left');
    const users = await this.#host.mariadb.query("SELECT User FROM mysql.user WHERE User LIKE 'salvor%'");
    assert.deepEqual(linesOf(users), []);
    assert.deepEqual(this.#listStagings().toSorted(), journals.flatMap(({ stagings }) => stagings).toSorted());
    assert.deepEqual(readdirSync(join(stateDir, 'scratch')), []);
    const archives = join(this.#host.home, 'backups');
    assert.deepEqual(readdirSync(archives).filter(isUnfinishedArchive), []);
    assert.deepEqual(
      readdirSync(join(stateDir, 'locks')).filter((name) => name.endsWith('.lock')),
      [],
    );
  }

  /** On each mount that holds something of a site. */
  #listStagings(): readonly string[] {
    const { directory, account } = this.#host;
    const roots = [
      salvorPlaces(this.#host).staging,
      join(directory, 'data/.salvor'),
      join(apartDiskOf(this.#host), '.salvor'),
      ...this.#host.sites.map(({ path }) => join(path, 'private/.salvor')),
    ];
    return roots
      .map((root) => join(root, account.name))
      .filter((place) => existsSync(place))
      .flatMap((place) => readdirSync(place).map((name) => join(place, name)));
  }

  async #see({
    source,
    target: site,
    places,
    database: second,
    masked,
  }: Pick<Shape, 'source' | 'target' | 'places' | 'database' | 'masked'>): Promise<Seen> {
    const trees = (places ?? [site.path]).map(
      (path) => [path, existsSync(path) ? observeTree(path) : new Map()] as const,
    );
    const files: ObservedTree =
      places === undefined
        ? (trees[0]?.[1] ?? new Map())
        : new Map(trees.flatMap(([path, tree]) => [...tree].map(([name, file]) => [`${path}/${name}`, file] as const)));
    const database =
      second === undefined
        ? await observeDatabase(this.#host.mariadb, site.database)
        : await this.#seeSecond(second, { masked, origin: source.database });
    const moved = movedFilesOf(this.#host);
    const isScattered = files.get('files')?.type === 'link';
    const outside = isScattered
      ? [...observeTree(moved)].map(([name, file]) => [`${moved}/${name}`, file] as const)
      : [];
    const inside = [...files].filter(([name]) => !name.startsWith('private/.salvor'));
    const pages = new Map<string, string>();
    for (const uri of new Set([source.uri, site.uri, NEW_URI])) pages.set(uri, await this.#pages.read(uri));
    // An undone clone's user stays for as long as its database: which these are, the journals say.
    const isCopy = second !== undefined && database.size > 0;
    const isOfSite = (name: string, user: string): boolean =>
      name === site.database || (isCopy && (name.startsWith(NEW_DATABASE) || user.startsWith(NEW_DATABASE)));
    return {
      files: new Map([...inside, ...outside]),
      database,
      home: observeHome(this.#host, NEW_DATABASE),
      rights: withoutNames(await observeRights(this.#host, isOfSite)),
      pages,
    };
  }

  /**
   * The database of a clone, whatever number its name has; nothing where none has a table. Of a masked table: how many rows
   * it has, and how many of the origin's values.
   */
  async #seeSecond(
    beginning: string,
    { masked, origin }: { readonly masked: string | undefined; readonly origin: string },
  ): Promise<ObservedDatabase> {
    const names = await this.#host.mariadb.query(
      `SELECT DISTINCT TABLE_SCHEMA FROM information_schema.TABLES WHERE TABLE_SCHEMA LIKE '${beginning}%'`,
    );
    const [name, ...others] = linesOf(names);
    assert.deepEqual(others, [], 'more than one database of a clone has tables');
    if (name === undefined) return new Map();
    const seen = new Map(await observeDatabase(this.#host.mariadb, name));
    const sum = `checksum ${name}.${masked}`;
    if (masked !== undefined && seen.has(sum)) {
      const counts = ['name', 'mail', 'pass'].map(
        (column) =>
          `(SELECT COUNT(*) FROM ${name}.${masked} c JOIN ${origin}.${masked} o ON c.${column} = o.${column} AND o.${column} <> '')`,
      );
      seen.set(sum, await this.#host.mariadb.query(`SELECT COUNT(*), ${counts.join(', ')} FROM ${name}.${masked}`));
    }
    return new Map([...seen].map(([key, value]) => [key.replaceAll(name, 'clone'), value.replaceAll(name, 'clone')]));
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

type KeptJournal = {
  readonly phase: string;
  readonly stagings: readonly string[];
  readonly made?: readonly { readonly name: string }[];
  readonly drops?: readonly { readonly name: string }[];
  readonly switch: { readonly tables: readonly { readonly plan: { readonly old: string } }[] } | null;
};

function differencesOf(before: Seen, now: Seen): readonly string[] {
  const isRefreshed = (name: string, was: ObservedFile, is: ObservedFile): boolean =>
    (PHP_FILE.test(name) || TIMED_BY_TASK.has(name)) &&
    // A clone has a password of its own in it each time.
    (was.content === is.content || name === 'drushrc.php') &&
    was.mode === is.mode &&
    was.owner === is.owner &&
    was.type === is.type;
  return [
    ...differences(before.files, now.files, isRefreshed),
    ...differences(before.database, now.database),
    ...differences(before.home, now.home),
    ...differences(before.rights, now.rights),
    ...differences(before.pages, now.pages).map((line) => `page of ${line}`),
  ];
}

function assertServed(pages: ReadonlyMap<string, string>, uris: readonly string[]): void {
  for (const [uri, page] of pages)
    assert.equal(page.startsWith('200 '), uris.includes(uri), `the page of ${uri} answers ${page}`);
}

/** Neither of ours nor of a clone. */
function isNobodysOwn(database: string, user: string): boolean {
  return ![database, user].some((name) => name.startsWith('salvor') || name.startsWith(NEW_DATABASE));
}

/** A clone's password is another each time, and given at another time. */
const PASSWORD_OF_USER = /"authentication_string":"[^"]*"|"password_last_changed":\d+/g;

function withoutNames(rights: ObservedRights): ObservedRights {
  const plain = (text: string): string =>
    text.replaceAll(new RegExp(`${NEW_DATABASE}\\w*`, 'g'), 'clone').replaceAll(PASSWORD_OF_USER, '');
  return new Map([...rights].map(([name, may]) => [plain(name), plain(may)]));
}

function linesOf(text: string): readonly string[] {
  return text.split('\n').filter((line) => line !== '');
}
