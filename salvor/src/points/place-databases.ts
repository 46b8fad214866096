import { makeDirectoryName } from '../databases/mariadb/part-name.ts';
import type { CaptureDatabase } from './dump-entries.ts';

/** A name below `/databases/` for each; sites that use the same tables of one database share it. */
export function placeDatabases(
  sites: readonly { readonly databases: readonly CaptureDatabase[] }[],
): ReadonlyMap<CaptureDatabase, string> {
  const places = new Map<CaptureDatabase, string>();
  const known = new Map<string, string>();
  const taken = new Map<string, number>();
  for (const database of sites.flatMap(({ databases }) => databases)) {
    const { login, name } = database.readFrom;
    const { prefix, otherPrefixes } = database.database;
    const key = JSON.stringify([login.address, name, prefix, otherPrefixes]);
    let place = known.get(key);
    if (place === undefined) {
      const escaped = makeDirectoryName(name);
      const count = (taken.get(escaped) ?? 0) + 1;
      taken.set(escaped, count);
      place = count === 1 ? escaped : `${escaped}~${count}`;
      known.set(key, place);
    }
    places.set(database, place);
  }
  return places;
}
