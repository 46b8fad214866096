/**
 * The order in which the views of a dump can be made: a view with a check option is refused while what it selects from
 * is only a stand-in, which is how the tool begins. Pure.
 */
import { quoteName } from './connect.ts';

/**
 * Names of views, each behind those that its definition names. A name within a text counts too: it costs nothing.
 * Definitions are as information_schema has them, where every table has its database; an empty one names nothing.
 */
export function orderViews(
  database: string,
  views: readonly { readonly name: string; readonly definition: string }[],
): readonly string[] {
  const definitions = new Map(views.map((view) => [view.name, view.definition]));
  const ordered = new Set<string>();
  const visited = new Set<string>();
  const visit = (name: string): void => {
    if (visited.has(name)) return;
    visited.add(name);
    for (const named of namesIn(definitions.get(name) ?? '', database)) if (definitions.has(named)) visit(named);
    ordered.add(name);
  };
  for (const { name } of views) visit(name);
  return [...ordered];
}

/** What of `database` a definition names. */
export function namesIn(definition: string, database: string): readonly string[] {
  const names: string[] = [];
  const before = `${quoteName(database)}.`;
  for (let at = definition.indexOf(before); at !== -1; at = definition.indexOf(before, at + 1)) {
    const name = /^`((?:[^`]|``)*)`/.exec(definition.slice(at + before.length, at + before.length + MAX_NAME_CHARS));
    if (name !== null) names.push((name[1] ?? '').replaceAll('``', '`'));
  }
  return names;
}

/** 64 characters, each perhaps two, and the quotes. */
const MAX_NAME_CHARS = 130;
