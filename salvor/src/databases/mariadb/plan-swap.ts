/**
 * Decides how the tables of a live database change places with those of a scratch one. Pure: facts in, plan out, and the
 * plan is plain data that can be shown, written into a journal and read back after a crash.
 *
 *   live.t → old.t, scratch.t → live.t      for all tables in one statement
 *
 * Triggers and views do not move with tables: the plan holds how to make them again on either side.
 */
import { SalvorError } from '../../errors.ts';
import { type BoundDefault, moveSequences, sequencesIn } from './bound-defaults.ts';
import { type DatabaseAccount, quoteAccount, quoteName } from './connect.ts';
import { type DatabaseObject, redefine } from './objects.ts';
import { isOwnName, type NamePrefixes } from './own-names.ts';
import type { DatabaseProblem } from './probe.ts';
import type { FoundDefiner } from './rewrite-definers.ts';
import { NO_STUBS, type SwapStubs } from './stubs.ts';

/** Which tables take part: all, those of a site that shares its database, or chosen ones. */
export type SwapScope =
  | { readonly prefix: string }
  | { readonly tables: readonly string[] }
  | {
      readonly names: NamePrefixes;
      /** Views that are the site's by their names and stay all the same (`reaching-views.ts`). */
      readonly stays: readonly string[];
    };

export const WHOLE_DATABASE: SwapScope = { prefix: '' };

/** A foreign key across the border of what moves. */
export type ForeignKey = {
  readonly name: string;
  readonly database: string;
  readonly table: string;
  readonly refersToDatabase: string;
  readonly refersToTable: string;
};

/** What `readSwapFacts` found. */
export type SwapFacts = {
  readonly liveTables: readonly string[];
  readonly scratchTables: readonly string[];
  /** Of both databases. */
  readonly partitioned: readonly string[];
  readonly liveObjects: readonly DatabaseObject[];
  readonly scratchObjects: readonly DatabaseObject[];
  /** Of the scratch database: defaults that name its sequences. */
  readonly scratchDefaults: readonly BoundDefault[];
  /** All in which one of the two databases takes part, but for the dangling ones. */
  readonly foreignKeys: readonly ForeignKey[];
  /** Those within one of the two databases whose parent is missing there: it was dropped with the checks off. */
  readonly danglingKeys: readonly ForeignKey[];
};

export type SwapWish = {
  readonly live: string;
  readonly scratch: string;
  /** Where the live tables go: `salvor_<id>_old`. Made by the switch. */
  readonly old: string;
  readonly scope: SwapScope;
  /** The site's own account: defines what is made in the live database. */
  readonly definer: DatabaseAccount;
  /** Who defined what in the dump, from `loadDump`. */
  readonly definers: readonly FoundDefiner[];
};

export type TableMove = {
  readonly table: string;
  /** It is live now, and goes. */
  readonly leaves: boolean;
  /** It is in the scratch database, and comes. */
  readonly comes: boolean;
};

/** A table that holds the very same on both sides (`equal-tables.ts`). */
export type EqualTable = {
  readonly table: string;
  /** What its rows sum up to; null where whatever is written to it gives it another stamp, unless the server forgets that. */
  readonly checksum: string | null;
  /** When the live one was made and last written to. */
  readonly stamp: string;
};

export type SwapPlan = {
  readonly live: string;
  readonly scratch: string;
  readonly old: string;
  readonly scope: SwapScope;
  readonly moves: readonly TableMove[];
  /** What is made in the live database when the tables have come, and when they have gone back. */
  readonly incoming: readonly DatabaseObject[];
  readonly outgoing: readonly DatabaseObject[];
  /** Triggers as they stand on the incoming tables: they go before the tables can move. */
  readonly scratchTriggers: readonly DatabaseObject[];
  /** What incoming tables take from sequences, as it is when they are live. Not in journals of before they were restored. */
  readonly defaults?: readonly BoundDefault[];
  /** Tables that a server killed in the middle of the switch may leave torn (tried: MariaDB 10.11.19). */
  readonly partitioned: readonly string[];
  /** Not in a plan of a journal that was written before there were any: ask `stubsOf`. */
  readonly stubs?: SwapStubs;
  /** Of the tables that leave and come those that need not, unless they are written to before the switch. */
  readonly mayStay?: readonly EqualTable[];
  readonly problems: readonly DatabaseProblem[];
};

/**
 * Throws 'swap-foreign-key' where a key would tie tables that part, 'swap-obstructed' where a chosen table is missing or
 * a name would be taken twice.
 */
export function planSwap(facts: SwapFacts, wish: SwapWish): SwapPlan {
  const { live, scratch, old, scope } = wish;
  const leaving = new Set(facts.liveTables.filter((table) => isInScope(table, scope)));
  const coming = new Set(facts.scratchTables.filter((table) => isInScope(table, scope)));
  if ('tables' in scope) {
    const missing = scope.tables.filter((table) => !coming.has(table));
    if (missing.length > 0) throw obstructed(live, `there is no table ${missing.join(', ')} to put in place`);
  }
  requireNoBorderKeys(facts.foreignKeys, wish, leaving, coming);
  const stubs = findStubs(facts, wish, { leaving, coming });
  const arriving = facts.scratchObjects.filter((object) => belongs(object, scope, coming));
  const outgoing = withoutBroken(
    facts.liveObjects.filter((object) => belongs(object, scope, leaving)),
    new Set([...coming, ...arriving.filter(isView).map((view) => view.name)]),
  );
  requireFreeNames(facts, wish, coming, arriving, outgoing);
  const named = new Set([...leaving, ...coming]);
  const partitioned = [...new Set(facts.partitioned)].filter((table) => named.has(table));
  return {
    live,
    scratch,
    old,
    scope,
    moves: [...named].toSorted().map((table) => ({ table, leaves: leaving.has(table), comes: coming.has(table) })),
    incoming: arriving
      .map((object) => (isView(object) ? { ...object, body: moveSequences(object.body, scratch, live) } : object))
      .map((object) => redefine(object, wish.definer, wasEnabled(object, wish.definers))),
    outgoing,
    scratchTriggers: arriving.filter((object) => object.kind === 'trigger'),
    defaults: planDefaults(facts, wish, leaving, coming),
    partitioned,
    stubs,
    problems: [...nameRewritten(wish), ...partitioned.map(nameTearable)],
  };
}

/** The same way back: what came goes to where it came from, what went comes again with what belonged to it. */
export function reverseSwap(plan: SwapPlan): SwapPlan {
  return {
    ...plan,
    scratch: plan.old,
    old: plan.scratch,
    moves: plan.moves.map(({ table, leaves, comes }) => ({ table, leaves: comes, comes: leaves })),
    incoming: plan.outgoing,
    outgoing: plan.incoming,
    scratchTriggers: [],
    // What was there says its own.
    defaults: [],
    stubs: { leaving: stubsOf(plan).coming, coming: stubsOf(plan).leaving },
    // Nobody has compared them since.
    mayStay: [],
    problems: [],
  };
}

export function stubsOf(plan: SwapPlan): SwapStubs {
  return plan.stubs ?? NO_STUBS;
}

/**
 * The parents that are missing of children that leave and of children that come. Throws 'swap-foreign-key' where a table
 * that stays has the name of one: the child that comes belongs to the missing one, and could not be given to the other.
 */
export function findStubs(
  facts: Pick<SwapFacts, 'liveTables' | 'danglingKeys'>,
  wish: Pick<SwapWish, 'live' | 'scratch'>,
  tables: { readonly leaving: ReadonlySet<string>; readonly coming: ReadonlySet<string> },
): SwapStubs {
  const parentsOf = (database: string, children: ReadonlySet<string>): string[] => {
    const keys = facts.danglingKeys.filter((key) => key.database === database && children.has(key.table));
    return [...new Set(keys.map((key) => key.refersToTable))].toSorted();
  };
  const coming = parentsOf(wish.scratch, tables.coming);
  const staying = facts.liveTables.filter((table) => !tables.leaving.has(table));
  refuseKeys(
    wish.live,
    facts.danglingKeys.filter(
      (key) => key.database === wish.scratch && tables.coming.has(key.table) && staying.includes(key.refersToTable),
    ),
  );
  return { leaving: parentsOf(wish.live, tables.leaving), coming };
}

export function isInScope(name: string, scope: SwapScope): boolean {
  if ('tables' in scope) return scope.tables.includes(name);
  if ('names' in scope) return isOwnName(name, scope.names) && !scope.stays.includes(name);
  return name.startsWith(scope.prefix);
}

/** A trigger goes with its table; views, routines and events go by their own names, and stay where tables were chosen. */
function belongs(object: DatabaseObject, scope: SwapScope, tables: ReadonlySet<string>): boolean {
  if (object.kind === 'trigger') return tables.has(object.table ?? '');
  return !('tables' in scope) && isInScope(object.name, scope);
}

/** A broken view could not be made again: it stays where it is, unless something comes that has its name. */
export function withoutBroken(
  outgoing: readonly DatabaseObject[],
  comingNames: ReadonlySet<string>,
): readonly DatabaseObject[] {
  return outgoing.filter((object) => object.isBroken !== true || comingNames.has(object.name));
}

function isView(object: DatabaseObject): boolean {
  return object.kind === 'view';
}

/**
 * Throws 'swap-foreign-key' where a key ties a table that moves to one that does not: it would go on to refer to the one
 * that moved, in another database.
 */
export function requireNoBorderKeys(
  keys: readonly ForeignKey[],
  wish: Pick<SwapWish, 'live' | 'scratch'>,
  leaving: ReadonlySet<string>,
  coming: ReadonlySet<string>,
): void {
  const moves = (database: string, table: string): boolean =>
    (database === wish.live && leaving.has(table)) || (database === wish.scratch && coming.has(table));
  const across = keys.filter((key) => {
    const from = moves(key.database, key.table);
    // A key of another database whose parent is missing would take hold of the one that comes.
    const isAwaited = key.database !== wish.live && key.refersToDatabase === wish.live && coming.has(key.refersToTable);
    const to = moves(key.refersToDatabase, key.refersToTable) || isAwaited;
    if (!from && !to) return false;
    return from !== to || key.database !== key.refersToDatabase;
  });
  refuseKeys(wish.live, across);
}

function refuseKeys(live: string, across: readonly ForeignKey[]): void {
  if (across.length === 0) return;
  const named = across
    .slice(0, 5)
    .map((key) => `${key.database}.${key.table} refers to ${key.refersToDatabase}.${key.refersToTable} (${key.name})`);
  throw new SalvorError('swap-foreign-key', { database: live, why: named.join('; ') });
}

/** Throws 'swap-obstructed' where a table would come without the sequence that it takes a default from. */
function planDefaults(
  facts: SwapFacts,
  { live, scratch }: SwapWish,
  leaving: ReadonlySet<string>,
  coming: ReadonlySet<string>,
): readonly BoundDefault[] {
  const staying = new Set(facts.liveTables.filter((table) => !leaving.has(table)));
  return facts.scratchDefaults
    .filter(({ table }) => coming.has(table))
    .map(({ table, column, expression }) => {
      for (const { database, name } of sequencesIn(expression))
        if (database === scratch && !coming.has(name) && !staying.has(name))
          throw obstructed(live, `the default of ${table}.${column} is taken from the sequence ${name}, which is gone`);
      return { table, column, expression: moveSequences(expression, scratch, live) };
    });
}

/** A table that comes where a view stays, or the other way round, would fail in the middle. */
function requireFreeNames(
  facts: SwapFacts,
  wish: SwapWish,
  coming: ReadonlySet<string>,
  arriving: readonly DatabaseObject[],
  outgoing: readonly DatabaseObject[],
): void {
  const leavingViews = new Set(outgoing.filter((object) => object.kind === 'view').map((object) => object.name));
  const stayingViews = facts.liveObjects.filter((object) => object.kind === 'view' && !leavingViews.has(object.name));
  const inTheWay = stayingViews.filter((view) => coming.has(view.name)).map((view) => view.name);
  const stayingTables = new Set(facts.liveTables.filter((table) => !isInScope(table, wish.scope)));
  inTheWay.push(
    ...arriving.filter((object) => object.kind === 'view' && stayingTables.has(object.name)).map((view) => view.name),
  );
  // Trigger names are the database's, not the table's: one of a table that stays may have the name already.
  const goes = new Set(outgoing.map((object) => `${object.kind} ${object.name}`));
  for (const trigger of arriving) {
    if (trigger.kind !== 'trigger' || goes.has(`trigger ${trigger.name}`)) continue;
    if (facts.liveObjects.some((object) => object.kind === 'trigger' && object.name === trigger.name))
      inTheWay.push(trigger.name);
  }
  if (inTheWay.length > 0) throw obstructed(wish.live, `${inTheWay.join(', ')} is in the way`);
}

function wasEnabled(object: DatabaseObject, definers: readonly FoundDefiner[]): boolean {
  if (object.kind !== 'event') return false;
  return definers.some((found) => found.kind === 'event' && found.name === object.name && found.isEnabled);
}

function nameRewritten(wish: SwapWish): DatabaseProblem[] {
  return wish.definers
    .filter(({ name, kind }) => kind === 'trigger' || isInScope(name, wish.scope))
    .filter(({ definer }) => definer.user !== wish.definer.user || definer.host !== wish.definer.host)
    .map(({ kind, name, definer }) => {
      const was = definer.host === '' ? quoteName(definer.user) : quoteAccount(definer);
      return {
        code: 'definer-rewritten',
        name,
        message: `the ${kind} ${name} was defined by ${was} and is now by the site's own user`,
      };
    });
}

function nameTearable(name: string): DatabaseProblem {
  const message = `${name} is partitioned: if the server itself is killed during the switch, it may have to be loaded again`;
  return { code: 'table-not-crash-safe', name, message };
}

function obstructed(database: string, why: string): SalvorError {
  return new SalvorError('swap-obstructed', { database, why });
}
