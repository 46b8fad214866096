/** Which names in a database are a site's, where several sites share it by prefixes of their tables. Pure. */

export type NamePrefixes = {
  readonly own: readonly string[];
  /** Of the other sites that use the database. */
  readonly others: readonly string[];
};

/** By the longest prefix that fits: with `a_` and another site's `a_b_`, `a_b_x` is the other one's. Of the same length: ours. */
export function isOwnName(name: string, { own, others }: NamePrefixes): boolean {
  const longest = longestOf(own, name);
  return longest >= 0 && longest >= longestOf(others, name);
}

/** Begins with nobody's prefix. */
export function isUnclaimedName(name: string, { own, others }: NamePrefixes): boolean {
  return longestOf(own, name) < 0 && longestOf(others, name) < 0;
}

/** Of the prefixes that fit; -1 where none does. */
function longestOf(prefixes: readonly string[], name: string): number {
  return Math.max(-1, ...prefixes.filter((prefix) => name.startsWith(prefix)).map((prefix) => prefix.length));
}
