import {
  type DatabaseConnection,
  type DatabaseLogin,
  openConnection,
  quoteAccount,
  serverErrorNumber,
} from './connect.ts';

/** Users that the server keeps and does not let in: of hosts by name, where it looks up none; roles that nobody was given. */
const NOT_IN_FORCE: ReadonlySet<number | null> = new Set([1133, 1141]);

/**
 * Every user and role of a server with what it may do, as statements that make them again; passwords as the server keeps
 * them. `login` is an administrator's. Throws as `openConnection`.
 */
export async function readGrants(login: DatabaseLogin, signal?: AbortSignal): Promise<string> {
  await using connection = await openConnection(login, signal === undefined ? {} : { signal });
  const accounts = await connection.query<{ user: string; host: string; role: string }>(
    'SELECT CONVERT(User USING utf8mb4) AS user, CONVERT(Host USING utf8mb4) AS host, is_role AS role FROM mysql.user ORDER BY is_role DESC, User, Host',
  );
  const lines: string[] = ['-- Users and their rights, as the server told them.'];
  for (const { user, host, role } of accounts) {
    try {
      lines.push(
        ...(await statementsOf(
          connection,
          role === 'Y' ? quoteRole(user) : quoteAccount({ user, host }),
          role === 'Y',
        )),
      );
    } catch (error) {
      if (!NOT_IN_FORCE.has(serverErrorNumber(error))) throw error;
      lines.push(`-- not in force: ${JSON.stringify([user, host])}`);
    }
  }
  return `${lines.join('\n')}\n`;
}

async function statementsOf(connection: DatabaseConnection, name: string, isRole: boolean): Promise<readonly string[]> {
  const first = async (statement: string): Promise<readonly string[]> =>
    (await connection.query<Record<string, string>>(statement)).map((row) => `${Object.values(row)[0] ?? ''};`);
  const made = isRole
    ? [`CREATE ROLE IF NOT EXISTS ${name};`]
    : (await first(`SHOW CREATE USER ${name}`)).map((text) =>
        text.replace(/^CREATE USER /, 'CREATE USER IF NOT EXISTS '),
      );
  return [...made, ...(await first(`SHOW GRANTS FOR ${name}`))];
}

function quoteRole(name: string): string {
  return `\`${name.replaceAll('`', '``')}\``;
}
