/** What the database of a new site is called, and its user: made of the URI, as Aegir makes them. Pure. */

/** Aegir's own; the user of a database has its name, and a server of old takes 16 letters there. */
const MAX_BASE = 16;
const MAX_TRIES = 100;

/** The names to try, in order: `example` of `www.exam-ple`, then `example_0` to `example_99`. */
export function namesForDatabase(uri: string): readonly string[] {
  const letters = uri
    .toLowerCase()
    .replace(/^www\./, '')
    .replaceAll(/[^a-z0-9]/g, '')
    .slice(0, MAX_BASE);
  // Names that begin with `salvor_` are those of databases that we may drop.
  const base = letters === '' || letters === 'salvor' ? 'site' : letters;
  return [base, ...Array.from({ length: MAX_TRIES }, (_, number) => `${base}_${number}`)];
}
