/**
 * Dumps one database with the stock tool, as the site's own user, as a stream of parts: head, one per
 * table, tail. In order they are one plain dump. Knows nothing of where the parts go.
 *
 *   tables listed → pass 1: tables only, one snapshot, split → pass 2: triggers, events, routines, then
 *   views → tables listed again: all three lists must agree
 *
 * Tables go first and alone because a trigger's body may hold any line, also one that looks like the
 * beginning of a table. Views go last because they may call functions and each other.
 */
import { SalvorError } from '../../errors.ts';
import { openRun, type Run } from '../../lib/run.ts';
import {
  type DatabaseConnection,
  type DatabaseLogin,
  describeAddress,
  isDiskFull,
  openConnection,
  quoteName,
  serverErrorNumber,
} from './connect.ts';
import { nameBoundDefaults } from './bound-defaults.ts';
import type { CutPlan } from './cut-rows.ts';
import { openDefaultsFile } from './defaults-file.ts';
import { planHistory } from './dump-history.ts';
import { orderViews } from './order-views.ts';
import { writeOrphanedView } from './orphaned-views.ts';
import { isOwnName, type NamePrefixes } from './own-names.ts';
import { makePartName } from './part-name.ts';
import { type DatabaseFacts, type DatabaseProblem, probeDatabase, readKeyColumns } from './probe.ts';
import { findReachingViews } from './reaching-views.ts';
import type { KeyColumns } from './row-key.ts';
import { END_MARKER, splitDump } from './split-dump.ts';
import { findUnsaidValues } from './unsaid-values.ts';
import { type LockWatch, watchLocks } from './watch-locks.ts';
import { isMistaken, writePrograms } from './write-programs.ts';

export type DumpPart = {
  /** `NNNNNN-<name>.sql`. */
  readonly file: string;
  readonly kind: 'head' | 'table' | 'tail';
  readonly table: string | null;
  /**
   * To be read once, to its end, before the next part is asked for. A table's arrays are meant to become one blob each:
   * they end between rows, where a change elsewhere in the table does not move them.
   */
  readonly bytes: AsyncIterable<Uint8Array>;
  /** Of a table, counted from what was read: valid once `bytes` were read to their end. */
  rows(): number;
};

export type DumpOptions = {
  /** Where option files are made for the instant between making and opening them; a directory of ours. */
  readonly defaultsDirectory: string;
  readonly signal?: AbortSignal;
  /** Mean size of what a table is cut into; default 4 KiB. The same table cut in another way is stored once more. */
  readonly cutBytes?: number | undefined;
  /** Tables of which only the structure is dumped. */
  readonly withoutRows?: readonly string[];
  /** These alone are dumped, between the head and the tail of the whole. */
  readonly onlyTables?: readonly string[];
  /** How long a table may be locked by somebody else; default 60. */
  readonly lockWaitSeconds?: number;
  /** Where the site shares the database: only what is its own is dumped, but for routines and events, which no prefix tells apart. */
  readonly names?: NamePrefixes | undefined;
  /** Told what the dump does not hold or hold at the same instant, before the first part. */
  readonly onProblem?: (problem: DatabaseProblem) => void;
};

/**
 * For both passes. Not `--column-statistics`, `--set-gtid-purged`: they are of MySQL's own tool, which is not used.
 */
const COMMON_FLAGS = [
  // The connection's charset: every character of every column fits, and the dump says so in its head.
  '--default-character-set=utf8mb4',
  // The same content is the same bytes: no date at the end.
  '--skip-dump-date',
  // The site's user may not read them, and they are the server's business.
  '--no-tablespaces',
  // Locks would be held by a load for as long as it runs, and keep parallel sessions from each other.
  '--skip-add-locks',
  // Asking for table locks needs a right, and would stop the site's writers: the snapshot makes them needless.
  '--skip-lock-tables',
  // A value of the largest size that a server sends.
  '--max-allowed-packet=1G',
];

const TABLE_FLAGS = [
  // All InnoDB tables as of one instant, without a lock.
  '--single-transaction',
  // Rows are passed on as they come: memory does not grow with a table.
  '--quick',
  // The same content is the same bytes, whatever order the engine finds them in.
  '--order-by-primary',
  // Bytes that are no text survive every charset on the way.
  '--hex-blob',
  // One row a line, many rows an INSERT: what rows are counted by and cut at.
  '--extended-insert',
  // They are of pass 2.
  '--skip-triggers',
  '--skip-routines',
  '--skip-events',
];

/**
 * Behind the tool's own head. Without the first a date like 2026-02-31 would come back as a zero one, without a word;
 * without the second a row that was there before its check, or past it, could not come back at all.
 */
const MORE_HEAD = Buffer.from(
  "/*!40101 SET SQL_MODE=CONCAT(@@SQL_MODE,',ALLOW_INVALID_DATES') */;\n" +
    '/*M!100201 SET CHECK_CONSTRAINT_CHECKS=0 */;\n\n',
);

const TRIGGER_FLAGS = ['--no-data', '--no-create-info', '--triggers'];
const VIEW_FLAGS = ['--no-data', '--skip-triggers', '--skip-routines', '--skip-events'];

/** Where it is measured: `bench/rows/stored.ts`. */
export const DEFAULT_CUT_BYTES = 4096;
const DEFAULT_LOCK_WAIT_SECONDS = 60;
const NO_KEY: KeyColumns = { columns: [], key: [] };

/**
 * The parts of a dump of `name`. Throws 'dump-empty', 'dump-incomplete', 'dump-tables-differ', 'dump-failed',
 * 'dump-locked', 'disk-full', or as `openConnection`. A consumer that stops early stops the tool.
 */
export async function* dumpDatabase(
  login: DatabaseLogin,
  name: string,
  options: DumpOptions,
): AsyncGenerator<DumpPart> {
  const facts = await probeDatabase(login, name, { ...signalOf(options), names: options.names });
  const only = options.onlyTables === undefined ? null : new Set(options.onlyTables);
  const isOwn = (table: string): boolean =>
    (options.names === undefined || isOwnName(table, options.names)) && only?.has(table) !== false;
  const before = facts.tables.map((table) => table.name).filter(isOwn);
  if (before.length === 0) throw new SalvorError('dump-empty', { database: name, user: login.user });
  for (const problem of facts.problems) options.onProblem?.(problem);
  const { views, orphaned, keys, keepsHistory } = await lookCloser(login, facts, options);

  let number = 0;
  const seen: string[] = [];
  // What exists but is no table of this pass is left out by name: a view in the place of a table would be dumped as one.
  const notWanted = facts.tables.map((table) => table.name).filter((table) => !isOwn(table));
  const ignored = [...new Set([...facts.views, ...facts.others, ...notWanted])];
  const rowless = options.withoutRows ?? [];
  const history = keepsHistory ? ['--dump-history'] : [];
  const named = [
    ...ignored.map(ignoring(name)),
    ...rowless.map((table) => ['ignore-table-data', `${name}.${table}`] as const),
  ];
  await using pass1 = await openTool(login, [...TABLE_FLAGS, ...history, '--', name], options, named);
  const planOf = (table: string): CutPlan => ({
    ...(keys.get(table) ?? NO_KEY),
    meanBytes: options.cutBytes ?? DEFAULT_CUT_BYTES,
  });
  for await (const section of splitDump(naming(pass1, name, login), name, planOf)) {
    // Made by another site since the tables were listed.
    if (section.table !== null && !isOwn(section.table)) {
      for await (const bytes of section.bytes) void bytes;
      continue;
    }
    if (section.kind === 'footer') {
      compareLists(name, before, seen, 'the dump');
      const bytes = joinTail(
        section.bytes,
        () => pass2(login, facts, { views, orphaned }, options),
        async () => {
          await using connection = await openConnection(login, { database: name, signal: options.signal });
          const after = (await listTables(connection, name)).filter(isOwn);
          compareLists(name, before, after, 'the server after the dump');
        },
      );
      yield { file: makePartName(number, 'tail'), kind: 'tail', table: null, bytes, rows: () => 0 };
    } else {
      if (section.table !== null) seen.push(section.table);
      const file = makePartName(number, section.table ?? 'head');
      const bytes = section.kind === 'head' ? joinHead(section.bytes) : section.bytes;
      yield { file, kind: section.kind, table: section.table, bytes, rows: () => section.rows() };
    }
    number += 1;
  }
}

async function* joinHead(head: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  yield* head;
  yield MORE_HEAD;
}

async function* joinTail(
  footer: AsyncIterable<Uint8Array>,
  rest: () => AsyncIterable<Uint8Array>,
  atEnd: () => Promise<void>,
): AsyncGenerator<Uint8Array> {
  yield* footer;
  yield* rest();
  await atEnd();
}

async function* pass2(
  login: DatabaseLogin,
  facts: DatabaseFacts,
  { views, orphaned }: DumpedViews,
  options: DumpOptions,
): AsyncGenerator<Uint8Array> {
  const { name } = facts;
  // Without the right the tool fails where it could leave out; that events may be missing was named as a problem.
  const mayEvents = !facts.problems.some(
    (problem) => problem.code === 'database-right-missing' && problem.name === 'EVENT',
  );
  const isOurs = isMistaken(name);
  if (isOurs) {
    await using connection = await openConnection(login, { database: name, signal: options.signal });
    yield* writePrograms(connection, name, { withEvents: mayEvents });
  }
  const programs = isOurs
    ? ['--skip-routines', '--skip-events']
    : ['--routines', mayEvents ? '--events' : '--skip-events'];
  const flags = [...TRIGGER_FLAGS, ...programs];
  await using triggers = await openTool(login, [...flags, '--', name], options, facts.others.map(ignoring(name)));
  yield* requireWhole(naming(triggers, name, login), name);
  if (views.length > 0) {
    await using viewsOnly = await openTool(login, [...VIEW_FLAGS, '--', name, ...views], options);
    yield* requireWhole(naming(viewsOnly, name, login), name);
  }
  if (orphaned.length === 0) return;
  yield* orphaned;
  yield END_MARKER;
}

/** Passes a dump through and throws 'dump-incomplete' where it does not end as the tool ends one. */
async function* requireWhole(source: AsyncIterable<Uint8Array>, database: string): AsyncGenerator<Uint8Array> {
  let end: Buffer = Buffer.alloc(0);
  for await (const bytes of source) {
    end = Buffer.concat([end, bytes.subarray(-END_MARKER.length)]).subarray(-END_MARKER.length);
    yield bytes;
  }
  if (!end.equals(END_MARKER)) {
    throw new SalvorError('dump-incomplete', { database, why: 'the end marker of the dump tool is missing' });
  }
}

/** The tool's output, its failure told as one of this database. */
async function* naming(tool: Tool, database: string, { address }: DatabaseLogin): AsyncGenerator<Uint8Array> {
  try {
    yield* watchLocks(tool.run.stdout, { ...tool.watch, database });
  } catch (error) {
    if (!(error instanceof SalvorError) || error.code !== 'command-failed') throw error;
    const words = `${String(error.context['outcome'])}; ${String(error.context['words'])}`;
    if (/\berror: 2026\b/.test(words))
      throw new SalvorError('database-tls-failed', { server: describeAddress(address), why: words }, { cause: error });
    // What the server sorts, it writes into its own temporary directory.
    if (isDiskFull(words))
      throw new SalvorError(
        'disk-full',
        { where: `at the database server ${describeAddress(address)} (${words})` },
        { cause: error },
      );
    throw new SalvorError('dump-failed', { database, words }, { cause: error });
  }
}

type Tool = AsyncDisposable & { readonly run: Run; readonly watch: Omit<LockWatch, 'database'> };

/** Options that name tables are not in the argument list, which would be too long for the tables of a hundred sites. */
type NamedOption = readonly [name: 'ignore-table' | 'ignore-table-data', table: string];

const ignoring =
  (database: string) =>
  (table: string): NamedOption => ['ignore-table', `${database}.${table}`];

async function openTool(
  login: DatabaseLogin,
  args: readonly string[],
  options: DumpOptions,
  named: readonly NamedOption[] = [],
): Promise<Tool> {
  using defaults = await openDefaultsFile(login, { directory: options.defaultsDirectory, dumpOptions: named });
  const stop = new AbortController();
  const run = openRun('mariadb-dump', {
    args: [defaults.argument, ...COMMON_FLAGS, ...args],
    descriptors: defaults.descriptors,
    secrets: [login.password],
    signal: AbortSignal.any([stop.signal, ...(options.signal === undefined ? [] : [options.signal])]),
  });
  const waitSeconds = options.lockWaitSeconds ?? DEFAULT_LOCK_WAIT_SECONDS;
  return { run, watch: { login, waitSeconds, stop }, [Symbol.asyncDispose]: () => run[Symbol.asyncDispose]() };
}

async function listTables(connection: DatabaseConnection, database: string): Promise<string[]> {
  const rows = await connection.query<{ name: string }>(
    "SELECT TABLE_NAME AS name FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE NOT IN ('VIEW', 'SYSTEM VIEW')",
    [database],
  );
  return rows.map((row) => row.name);
}

function compareLists(database: string, expected: readonly string[], found: readonly string[], where: string): void {
  const foundOnce = new Set(found);
  const wanted = new Set(expected);
  const missing = expected.filter((table) => !foundOnce.has(table));
  const unexpected = found.filter((table) => !wanted.has(table));
  const twice = found.length - foundOnce.size;
  if (missing.length === 0 && unexpected.length === 0 && twice === 0) return;
  const why = [
    missing.length > 0 ? `${where} lacks ${missing.slice(0, 5).join(', ')}` : '',
    unexpected.length > 0 ? `${where} has ${unexpected.slice(0, 5).join(', ')} besides` : '',
    twice > 0 ? `${where} has ${twice} tables twice` : '',
  ].filter((part) => part !== '');
  throw new SalvorError('dump-tables-differ', { database, why: why.join('; ') });
}

/** ER_VIEW_INVALID: what the view names is not there any more. */
const VIEW_INVALID = 1356;
/** ER_NO_SUCH_USER, ER_INVALID_ROLE: who defined a view, or one that it names, is not there any more. */
const NO_DEFINER: ReadonlySet<number | null> = new Set([1449, 1959]);

type CloserLook = DumpedViews & { readonly keys: ReadonlyMap<string, KeyColumns>; readonly keepsHistory: boolean };

/** In an order in which they can be made. */
type DumpedViews = {
  readonly views: readonly string[];
  /** Statements that make the rest, which the tool cannot write. */
  readonly orphaned: readonly Buffer[];
};

async function lookCloser(login: DatabaseLogin, facts: DatabaseFacts, options: DumpOptions): Promise<CloserLook> {
  await using connection = await openConnection(login, { database: facts.name, signal: options.signal });
  const { keepsHistory, problems } = await planHistory(connection, facts);
  const more = [...(await nameBoundDefaults(connection, facts)), ...(await findUnsaidValues(connection, facts))];
  for (const problem of [...problems, ...more]) options.onProblem?.(problem);
  return {
    ...(await judgeViews(connection, facts, options)),
    keys: await readKeyColumns(connection, facts.name),
    keepsHistory,
  };
}

/** What can be done with each view. One whose tables are gone fails the whole tool: it is left out and named. */
async function judgeViews(
  connection: DatabaseConnection,
  { name, views: listed }: DatabaseFacts,
  options: DumpOptions,
): Promise<DumpedViews> {
  const own = new Set(listed);
  const reaching =
    options.names === undefined ? new Set<string>() : await findReachingViews(connection, name, options.names);
  const definitions = await connection.query<{ name: string; definition: string }>(
    'SELECT TABLE_NAME AS name, VIEW_DEFINITION AS definition FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ? ORDER BY BINARY TABLE_NAME',
    [name],
  );
  const views: string[] = [];
  const orphaned: Buffer[] = [];
  const ordered = orderViews(name, definitions).filter((view) => own.has(view));
  for (const view of ordered) {
    if (reaching.has(view)) {
      const message = `the view ${view} reads tables of another site: it is left out, and a restore leaves it as it is`;
      options.onProblem?.({ code: 'view-of-others', name: view, message });
      continue;
    }
    const refusal = await refusalOf(connection, quoteName(name, view));
    if (refusal === VIEW_INVALID) {
      const message = `the view ${view} names tables, columns or functions that are not there or not allowed; it is left out`;
      options.onProblem?.({ code: 'view-invalid', name: view, message });
      continue;
    }
    const statement = await writeOrphanedView(connection, name, view);
    if (statement === null) views.push(view);
    else orphaned.push(statement);
  }
  return { views, orphaned };
}

/** The server's number for why it does not tell a view's columns; null where it does, or its definer is gone. */
async function refusalOf(connection: DatabaseConnection, view: string): Promise<number | null> {
  try {
    await connection.query(`SHOW FIELDS FROM ${view}`);
    return null;
  } catch (error) {
    const number = serverErrorNumber(error);
    if (number === VIEW_INVALID) return number;
    if (!NO_DEFINER.has(number)) throw error;
    return null;
  }
}

function signalOf(options: DumpOptions): { readonly signal?: AbortSignal } {
  return options.signal === undefined ? {} : { signal: options.signal };
}
