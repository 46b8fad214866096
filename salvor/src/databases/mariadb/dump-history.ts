/**
 * Whether a dump can keep the old rows of system-versioned tables. The tool and the server know how from 10.11 on; of a
 * table that counts its versions by transactions they do not, and the tool then fails the whole dump.
 */
import { run } from '../../lib/run.ts';
import type { DatabaseConnection } from './connect.ts';
import type { DatabaseFacts, DatabaseProblem } from './probe.ts';

export type HistoryPlan = { readonly keepsHistory: boolean; readonly problems: readonly DatabaseProblem[] };

/** From which on INSERT may name the period of a row. */
const FIRST_VERSION = [10, 11] as const;

/** Asks the tool for its version only where there is a history. A table whose history stays behind is a problem. */
export async function planHistory(connection: DatabaseConnection, facts: DatabaseFacts): Promise<HistoryPlan> {
  const versioned = facts.tables.filter((table) => table.isVersioned).map((table) => table.name);
  if (versioned.length === 0) return { keepsHistory: false, problems: [] };
  const why = await findObstacle(connection, facts);
  const problems = versioned.map((name) => ({
    code: 'table-history-left-out',
    name,
    message: `${name} keeps old rows; the dump holds the present ones only: ${why}`,
  }));
  return { keepsHistory: why === null, problems: why === null ? [] : problems };
}

async function findObstacle(connection: DatabaseConnection, facts: DatabaseFacts): Promise<string | null> {
  if (isOlder(facts.serverVersion)) return `the server is ${facts.serverVersion}, and 10.11 is the first that could`;
  const version = (await run('mariadb-dump', { args: ['--version'] })).toString('utf8');
  const tool = /(?:Distrib|from) (\d+\.\d+\.\d+)/.exec(version)?.[1] ?? '';
  if (isOlder(tool)) return `mariadb-dump is ${tool || version.trim()}, and that of 10.11 is the first that could`;
  const [precise] = await connection.query<{ name: string }>(
    `SELECT TABLE_NAME AS name FROM information_schema.COLUMNS
     WHERE TABLE_SCHEMA = ? AND DATA_TYPE = 'bigint' AND GENERATION_EXPRESSION = 'ROW START' LIMIT 1`,
    [facts.name],
  );
  return precise === undefined ? null : `${precise.name} counts its versions by transactions, which no dump can hold`;
}

function isOlder(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < FIRST_VERSION[0] || (major === FIRST_VERSION[0] && minor < FIRST_VERSION[1]);
}
