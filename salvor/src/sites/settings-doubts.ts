/** What the problems of a site's settings mean to who wants its databases. Pure. */
import type { Site, SiteProblem } from './site.ts';

/** A database that nobody can dump, or files that are not on this machine. */
const BARRIERS: ReadonlySet<string> = new Set(['database-unresolved', 'web-server-remote']);
/** Tables that are the site's and in no dump of its databases. */
const GAPS: ReadonlySet<string> = new Set(['database-prefixes']);

/**
 * What keeps the site from being backed up: that its databases could not be read. Other notes (code that was not run, a
 * file that was not included) are told and keep nobody from anything. Null where nothing does.
 */
export function findBarrier({ databases, problems }: Pick<Site, 'databases' | 'problems'>): SiteProblem | null {
  const barrier = problems.find(({ code }) => BARRIERS.has(code));
  return barrier ?? (databases.length === 0 ? (problems[0] ?? null) : null);
}

/** What a backup of it leaves out. */
export function findGaps({ problems }: Pick<Site, 'problems'>): readonly SiteProblem[] {
  return problems.filter(({ code }) => GAPS.has(code) || BARRIERS.has(code));
}
