/**
 * Masks a copy of a site before anybody can see it: what the system itself knows of persons (mask-presets.ts) and what the
 * hoster names besides. Works on databases that are the copy's own, or looks only: what would change is then counted.
 */
import type { Problem } from '@salvor/contract';
import { type DatabaseConnection, type DatabaseLogin, openConnection } from '../databases/mariadb/connect.ts';
import {
  type MaskTable,
  type MaskedAs,
  beginMasking,
  isMaskable,
  maskColumns,
  maskRows,
  readMaskTables,
} from '../databases/mariadb/mask-columns.ts';
import { SalvorError } from '../errors.ts';
import { type MaskRule, parseMaskRule } from '../policies/mask-rule.ts';
import type { Cms } from '../sites/site.ts';
import { MASK_PRESETS, type MaskPreset } from './mask-presets.ts';

export type MaskDatabase = {
  /** The scratch database's own user where values are changed: triggers of the site run then with no more rights. */
  readonly login: DatabaseLogin;
  readonly name: string;
  /** Of the site's tables: the common one first, then those that single tables have of their own. */
  readonly prefixes: readonly string[];
};

export type MaskOptions = {
  readonly cms: Cms;
  /** WordPress: each site of a network has tables of its own, `wp_2_comments`. */
  readonly isNetwork: boolean;
  /** The policy's `maskColumns`. */
  readonly columns: readonly string[];
  /** Random, 16 bytes or more; with the same one the same values come out. Nobody keeps it. */
  readonly secret: Uint8Array;
  /** False to count only. */
  readonly apply: boolean;
  readonly signal?: AbortSignal;
};

/** What was masked of one column, or of whole rows. */
export type MaskedColumn = {
  readonly database: string;
  readonly table: string;
  /** Null for whole rows. */
  readonly column: string | null;
  readonly kind: MaskRule['kind'];
  /** Values, or rows, that were there. */
  readonly count: number;
};

export type Masked = { readonly columns: readonly MaskedColumn[]; readonly problems: readonly Problem[] };

/** A rule with the tables of one database that it is for. */
type Applied = { readonly rule: MaskRule; readonly table: MaskTable };

/**
 * Throws 'mask-users-missing' where no database has the users of the system, 'mask-failed' where a column can't be
 * masked, and what the server says: then nothing of the copy may be shown.
 */
export async function maskValues(databases: readonly MaskDatabase[], options: MaskOptions): Promise<Masked> {
  const masked: MaskedColumn[] = [];
  const problems: Problem[] = [];
  const own = options.columns.map((text) => ({ text, rule: parseMaskRule(text), isFound: false }));
  let hasUsers = false;
  for (const database of databases) {
    await using connection = await openConnection(database.login, { database: database.name, signal: options.signal });
    await beginMasking(connection, options.secret);
    const tables = await readMaskTables(connection, database.name);
    const match = (name: string): readonly MaskTable[] => findTables(tables, name, database.prefixes, options);
    const preset = findPreset(options.cms, match);
    hasUsers ||= preset !== null;
    const applied: Applied[] = (preset?.rules ?? []).flatMap((rule) =>
      match(rule.table)
        .filter((table) => hasColumns(table, rule))
        .map((table) => ({ rule, table })),
    );
    for (const each of own) {
      const { rule } = each;
      const fitting = rule === null ? [] : match(rule.table).filter((table) => hasColumns(table, rule));
      each.isFound ||= fitting.length > 0;
      // What the hoster says of a column goes before what the preset says of it.
      if (rule !== null) for (const table of fitting) replaceRule(applied, { rule, table });
    }
    problems.push(...nameTriggers(database.name, applied));
    masked.push(...(await applyRules(connection, database.name, applied, options)));
  }
  if (!hasUsers)
    throw new SalvorError('mask-users-missing', {
      databases: databases.map(({ name }) => name).join(', '),
      cms: options.cms,
    });
  for (const { text } of own.filter(({ isFound }) => !isFound))
    problems.push({
      code: 'mask-column-missing',
      message: `mask.columns: ${text}: no such table or column is there`,
      path: text,
    });
  return { columns: masked, problems };
}

function findPreset(cms: Cms, match: (name: string) => readonly MaskTable[]): MaskPreset | null {
  return (
    MASK_PRESETS[cms].find(({ users }) => match(users.table).some(({ columns }) => columns.has(users.column))) ?? null
  );
}

function findTables(
  tables: ReadonlyMap<string, MaskTable>,
  name: string,
  prefixes: readonly string[],
  { cms, isNetwork }: MaskOptions,
): readonly MaskTable[] {
  const escape = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
  const heads = prefixes.length === 0 ? [''] : prefixes.map(escape);
  const number = cms === 'wordpress' && isNetwork ? String.raw`(?:\d+_)?` : '';
  const pattern = new RegExp(`^(?:${heads.join('|')})${number}${escape(name).replaceAll(String.raw`\*`, '.*')}$`);
  return [...tables.values()].filter((table) => pattern.test(table.name));
}

function hasColumns({ columns }: MaskTable, { column, where }: MaskRule): boolean {
  return (column === null || columns.has(column)) && (where === null || columns.has(where.column));
}

function replaceRule(applied: Applied[], { rule, table }: Applied): void {
  const same = applied.findIndex(
    (other) =>
      other.table === table &&
      other.rule.column === rule.column &&
      JSON.stringify(other.rule.where) === JSON.stringify(rule.where),
  );
  if (same === -1) applied.push({ rule, table });
  else applied[same] = { rule, table };
}

async function applyRules(
  connection: DatabaseConnection,
  database: string,
  applied: readonly Applied[],
  { apply, signal }: MaskOptions,
): Promise<readonly MaskedColumn[]> {
  const masked: MaskedColumn[] = [];
  for (const [{ table, rule }, ...others] of group(applied)) {
    signal?.throwIfAborted();
    const rules = [rule, ...others.map((other) => other.rule)];
    try {
      if (rule.column === null) {
        const count = await maskRows(connection, database, table, { rows: rule.where, apply });
        masked.push({ database, table: table.name, column: null, kind: rule.kind, count });
        continue;
      }
      const columns = rules.flatMap((each) => planColumn(database, table, each));
      if (columns.length === 0) continue;
      const counts = await maskColumns(connection, database, table, { columns, rows: rule.where, apply });
      for (const [n, { column, as }] of columns.entries())
        masked.push({ database, table: table.name, column: column.name, kind: as, count: counts[n] ?? 0 });
    } catch (error) {
      if (!(error instanceof SalvorError) || error.code !== 'database-failed') throw error;
      throw new SalvorError(
        'mask-failed',
        { place: `${database}.${table.name}`, why: error.message },
        { cause: error },
      );
    }
  }
  return masked;
}

function planColumn(
  database: string,
  table: MaskTable,
  { column: name, kind }: MaskRule,
): readonly { readonly column: NonNullable<ReturnType<MaskTable['columns']['get']>>; readonly as: MaskedAs }[] {
  const column = table.columns.get(name ?? '');
  // It is made of others: when those are masked, so is it.
  if (column === undefined || column.isGenerated || kind === 'rows') return [];
  if (!isMaskable(column, kind)) {
    const place = `${database}.${table.name}.${column.name}`;
    throw new SalvorError('mask-failed', {
      place,
      why: `a column of ${column.type} can not hold what ${kind} puts there`,
    });
  }
  return [{ column, as: kind }];
}

/** One statement for all columns of a table that the same rows are chosen for. */
function group(applied: readonly Applied[]): readonly (readonly [Applied, ...Applied[]])[] {
  const groups = new Map<string, [Applied, ...Applied[]]>();
  for (const each of applied) {
    const key = JSON.stringify([each.table.name, each.rule.where, each.rule.column === null]);
    const known = groups.get(key);
    if (known === undefined) groups.set(key, [each]);
    else known.push(each);
  }
  return [...groups.values()];
}

/** A trigger may have written what was there into another table. */
function nameTriggers(database: string, applied: readonly Applied[]): readonly Problem[] {
  return [...new Set(applied.map(({ table }) => table))].flatMap((table) =>
    table.triggers.map((trigger) => ({
      code: 'mask-trigger',
      message: `trigger ${trigger} of ${table.name} runs while its rows are masked: look what it keeps of them`,
      path: `${database}.${table.name}`,
    })),
  );
}
