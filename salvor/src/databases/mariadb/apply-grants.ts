/**
 * Makes users and roles of a lost server again, out of the statements that `readGrants` wrote. Only what a server lacks is made:
 * a user that is there stays as it is, with its password, and is a problem where it is another than the one that was saved.
 */
import type { Problem } from '@salvor/contract';
import { type DatabaseConnection, type DatabaseLogin, openConnection, serverErrorNumber } from './connect.ts';

export type AppliedGrants = {
  /** Users and roles that were made. */
  readonly made: readonly string[];
  /** Rights on tables and routines that are not there yet: to be given when they are. */
  readonly later: readonly string[];
  readonly problems: readonly Problem[];
};

export type ApplyGrantsOptions = {
  /** By the user's name; roles are always wanted. */
  readonly isWanted: (user: string) => boolean;
  readonly signal?: AbortSignal | undefined;
};

/** Every server has them of its own. */
const OF_SERVER: ReadonlySet<string> = new Set(['root', 'mysql', 'mariadb.sys', 'debian-sys-maint', 'PUBLIC']);
/** A table, a column or a routine that is not there. */
const NOT_THERE: ReadonlySet<number | null> = new Set([1054, 1146, 1305]);
const NAME = '`((?:[^`]|``)*)`';
const HEADER = new RegExp(`^CREATE (USER|ROLE) IF NOT EXISTS ${NAME}(?:@${NAME})?`);
const ALLOWED = /^(?:GRANT|SET DEFAULT ROLE) /;

/** `login` is an administrator's. Throws as `openConnection`. */
export async function applyGrants(
  login: DatabaseLogin,
  text: string,
  { isWanted, signal }: ApplyGrantsOptions,
): Promise<AppliedGrants> {
  await using connection = await openConnection(login, { signal });
  const made: string[] = [];
  const later: string[] = [];
  const problems: Problem[] = [];
  for (const group of readGroups(text)) {
    if (OF_SERVER.has(group.name) || group.name.startsWith('salvor_') || group.name === login.user) continue;
    if (!group.isRole && !isWanted(group.name)) continue;
    const state = await judgeUser(connection, group);
    if (state === 'other') {
      const message = `${group.shown} is there already, and is another than the one that was saved: it was left as it is`;
      problems.push({ code: 'database-user-differs', message, path: group.shown });
      continue;
    }
    if (state === 'missing') {
      await connection.execute(group.create);
      made.push(group.shown);
    }
    for (const statement of group.rights) {
      try {
        await connection.execute(statement);
      } catch (error) {
        if (NOT_THERE.has(serverErrorNumber(error))) later.push(statement);
        else problems.push(asProblem(error, group.shown));
      }
    }
  }
  return { made, later, problems };
}

/** Gives the rights that waited for their tables. */
export async function applyLater(
  login: DatabaseLogin,
  statements: readonly string[],
  signal?: AbortSignal,
): Promise<readonly Problem[]> {
  if (statements.length === 0) return [];
  await using connection = await openConnection(login, { signal });
  const problems: Problem[] = [];
  for (const statement of statements)
    await connection.execute(statement).catch((error: unknown) => problems.push(asProblem(error, 'a right')));
  return problems;
}

type Group = {
  readonly name: string;
  readonly shown: string;
  readonly isRole: boolean;
  readonly create: string;
  readonly rights: string[];
};

/** What is no such statement belongs to nothing that we wrote, and is passed over. */
function readGroups(text: string): readonly Group[] {
  const groups: Group[] = [];
  for (const line of text.split('\n')) {
    const statement = line.replace(/;\s*$/, '');
    const [, kind, name = '', host = ''] = HEADER.exec(statement) ?? [];
    if (kind !== undefined) {
      const user = name.replaceAll('``', '`');
      const isRole = kind === 'ROLE';
      const shown = isRole ? `\`${name}\`` : `\`${name}\`@\`${host}\``;
      groups.push({ name: user, shown, isRole, create: statement, rights: [] });
    } else if (ALLOWED.test(statement)) {
      const group = groups.at(-1);
      // Of the user that stands above it, as the server writes them.
      if (group !== undefined && / (?:TO|FOR) /.test(statement) && statement.includes(group.shown))
        group.rights.push(statement);
    }
  }
  return groups;
}

async function judgeUser(connection: DatabaseConnection, group: Group): Promise<'missing' | 'same' | 'other'> {
  if (group.isRole) {
    const rows = await connection.query("SELECT 1 AS there FROM mysql.user WHERE User = ? AND is_role = 'Y'", [
      group.name,
    ]);
    return rows.length === 0 ? 'missing' : 'same';
  }
  try {
    const [row] = await connection.query<Record<string, string>>(`SHOW CREATE USER ${group.shown}`);
    const now = Object.values(row ?? {})[0] ?? '';
    return now.replace(/^CREATE USER /, 'CREATE USER IF NOT EXISTS ') === group.create ? 'same' : 'other';
  } catch (error) {
    // No such user.
    if (serverErrorNumber(error) === 1133 || serverErrorNumber(error) === 1396) return 'missing';
    throw error;
  }
}

function asProblem(error: unknown, path: string): Problem {
  return { code: 'grant-refused', path, message: `${path}: ${error instanceof Error ? error.message : String(error)}` };
}
