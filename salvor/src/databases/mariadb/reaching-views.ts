/**
 * Views of a site that read what is another site's in the same database. Their dump could not be loaded without the other
 * one's tables: they are left out of it, and stay as they are when tables are switched.
 */
import type { DatabaseConnection } from './connect.ts';
import { namesIn } from './order-views.ts';
import { isOwnName, type NamePrefixes } from './own-names.ts';

/** Names of them, also of those that read only another one of them. A name within a text counts too. */
export async function findReachingViews(
  connection: DatabaseConnection,
  database: string,
  names: NamePrefixes,
): Promise<ReadonlySet<string>> {
  const views = await connection.query<{ name: string; definition: string }>(
    'SELECT TABLE_NAME AS name, VIEW_DEFINITION AS definition FROM information_schema.VIEWS WHERE TABLE_SCHEMA = ?',
    [database],
  );
  const own = views
    .filter(({ name }) => isOwnName(name, names))
    .map(({ name, definition }) => ({ name, reads: namesIn(definition, database) }));
  const reaching = new Set<string>();
  for (let before = -1; before < reaching.size;) {
    before = reaching.size;
    for (const { name, reads } of own)
      if (reads.some((read) => !isOwnName(read, names) || reaching.has(read))) reaching.add(name);
  }
  return reaching;
}
