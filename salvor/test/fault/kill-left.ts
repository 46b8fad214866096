/** What a task may leave behind: nothing but what `undo` can bring back. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DemoHost } from '../../../demo/host.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import { isUnfinishedArchive } from '../../src/archives/unfinished.ts';
import { linesOf } from './kill-look.ts';
import { observeRights } from './kill-rights.ts';
import { NEW_URI, type Shape, isMade } from './kill-shapes.ts';
import { apartDiskOf } from './kill-sites.ts';

type KeptJournal = {
  readonly phase: string;
  /** What it keeps is being dropped: some of that may be gone. */
  readonly dropBegan?: string;
  readonly stagings: readonly string[];
  readonly made?: readonly { readonly name: string }[];
  readonly drops?: readonly { readonly name: string }[];
  readonly switch: { readonly tables: readonly { readonly plan: { readonly old: string } }[] } | null;
};

/** Of a shape that makes a site. */
export function isCopyThere({ target }: Shape): boolean {
  return target.uri === NEW_URI && existsSync(target.path);
}

/** What stays is what `undo` can bring back, each of it in a journal. */
export async function assertNothingLeft(host: DemoHost, shape: Shape): Promise<void> {
  const { stateDir } = salvorPlaces(host);
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
  await assertNoDatabaseLeft(host, shape, journals);
  const stagingsOf = ({ stagings }: KeptJournal): readonly string[] => stagings;
  assertKept(listStagings(host), journals, stagingsOf);
  assert.deepEqual(readdirSync(join(stateDir, 'scratch')), []);
  const archives = join(host.home, 'backups');
  assert.deepEqual(readdirSync(archives).filter(isUnfinishedArchive), []);
  assert.deepEqual(
    readdirSync(join(stateDir, 'locks')).filter((name) => name.endsWith('.lock')),
    [],
  );
}

async function assertNoDatabaseLeft(host: DemoHost, shape: Shape, journals: readonly KeptJournal[]): Promise<void> {
  const oldsOf = (journal: KeptJournal): readonly string[] => journal.switch?.tables.map(({ plan }) => plan.old) ?? [];
  const kept = journals.flatMap(oldsOf);
  const databases = await host.mariadb.query(
    "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'salvor%' ORDER BY 1",
  );
  assertKept(linesOf(databases), journals, oldsOf);
  // A deleted site's own stays as it was, empty, until the grace period ends.
  const madeOf = ({ made: own = [], drops = [] }: KeptJournal): readonly string[] =>
    [...own, ...drops].map(({ name }) => name).filter((name) => isMade(name));
  // A copy that was confirmed is in no journal any more.
  const confirmed = isCopyThere(shape) ? [shape.database ?? ''] : [];
  const named = async (column: string, table: string): Promise<readonly string[]> =>
    linesOf(await host.mariadb.query(`SELECT ${column} FROM ${table} ORDER BY 1`)).filter((name) => isMade(name));
  assertKept(await named('SCHEMA_NAME', 'information_schema.SCHEMATA'), journals, madeOf, confirmed);
  assertKept(await named('User', 'mysql.user'), journals, madeOf, confirmed);
  const isOurs = (name: string, user: string): boolean =>
    user.startsWith('salvor') || (name.startsWith('salvor') && !kept.includes(name));
  assert.deepEqual([...(await observeRights(host, isOurs)).keys()], [], 'rights to nothing are left');
  const users = await host.mariadb.query("SELECT User FROM mysql.user WHERE User LIKE 'salvor%'");
  assert.deepEqual(linesOf(users), []);
}

/** All that journals keep is there and nothing else, but for what is being dropped, which may be gone. */
function assertKept(
  found: readonly string[],
  journals: readonly KeptJournal[],
  namesOf: (journal: KeptJournal) => readonly string[],
  further: readonly string[] = [],
): void {
  const standing = journals.filter(({ dropBegan }) => dropBegan === undefined).flatMap(namesOf);
  const leaving = journals.filter(({ dropBegan }) => dropBegan !== undefined).flatMap(namesOf);
  const wanted = [...standing, ...further, ...leaving.filter((name) => found.includes(name))];
  assert.deepEqual(found.toSorted(), [...new Set(wanted)].toSorted());
}

/** On each mount that holds something of a site. */
function listStagings(host: DemoHost): readonly string[] {
  const { directory, account } = host;
  const roots = [
    salvorPlaces(host).staging,
    join(directory, 'data/.salvor'),
    join(apartDiskOf(host), '.salvor'),
    ...host.sites.map(({ path }) => join(path, 'private/.salvor')),
  ];
  return roots
    .map((root) => join(root, account.name))
    .filter((place) => existsSync(place))
    .flatMap((place) => readdirSync(place).map((name) => join(place, name)));
}
