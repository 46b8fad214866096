import { readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Problem } from '@salvor/contract';
import type { DatabaseConnection } from '../databases/mariadb/connect.ts';
import { parseTaskId } from './task-id.ts';

/** Work that is nobody's any more: databases of a task that no journal knows. They take space, and only a person can say what they are. */
export async function findStrayDatabases(
  connection: DatabaseConnection,
  known: ReadonlySet<string>,
): Promise<readonly Problem[]> {
  const rows = await connection.query<{ name: string }>(
    "SELECT SCHEMA_NAME AS name FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'salvor\\_%'",
  );
  return rows
    .filter(({ name }) => isStray(/^salvor_([0-9a-z]{12})_/.exec(name)?.[1], known))
    .map(({ name }) => ({
      code: 'stray-database',
      path: name,
      message: `${name} was made by a task that no journal here knows; nothing of it is used`,
    }));
}

/** The same of staging places: `<root>/<account>/<task>`. */
export function findStrayPlaces(stagings: readonly string[], known: ReadonlySet<string>): readonly Problem[] {
  return [...new Set(stagings.map((path) => dirname(path)))].flatMap((directory) =>
    namesIn(directory)
      .filter((name) => isStray(name, known))
      .map((name) => ({
        code: 'stray-directory',
        path: join(directory, name),
        message: `${join(directory, name)} was made by a task that no journal here knows; nothing of it is used`,
      })),
  );
}

function isStray(task: string | undefined, known: ReadonlySet<string>): boolean {
  return task !== undefined && parseTaskId(task) !== null && !known.has(task);
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch {
    return [];
  }
}
