/**
 * Directories of one account that claim the same address: a copy of a platform, what a migration left, releases that share
 * a directory. Which of them is the site is told by evidence, the stronger first: a context, a virtual host, files beside
 * the settings. Where none tells, all stay and say so: to guess would be to back up a copy for the site.
 */
import type { JudgedSite } from './judge-site.ts';
import type { NotSite } from './not-site.ts';
import type { Site } from './site.ts';
import { nameByFullPath } from './site-name.ts';

export function settleTwins(judged: readonly JudgedSite[]): {
  readonly sites: readonly Site[];
  readonly notSites: readonly NotSite[];
} {
  const sites: Site[] = [];
  const notSites: NotSite[] = [];
  const groups = Map.groupBy(apart(onePerPath(judged)), ({ site }) => site.uri);
  for (const group of groups.values()) {
    const best = Math.max(...group.map(rank));
    const leading = group.filter((one) => rank(one) === best);
    const others = leading.length > 1 ? leading.map(({ site }) => site.path) : [];
    for (const one of group) {
      if (rank(one) === best) sites.push(withTwins(one.site, others));
      else
        notSites.push({
          code: 'copy',
          path: one.site.path,
          reason: `the site of this address is ${leading[0]?.site.path}`,
        });
    }
  }
  return { sites, notSites };
}

/** Two code bases may have one `sites` between them. */
function onePerPath(judged: readonly JudgedSite[]): JudgedSite[] {
  return [...Map.groupBy(judged, ({ site }) => site.path).values()].flatMap(
    (group) =>
      group.toSorted((a, b) => rank(b) - rank(a) || (a.site.platform.root < b.site.platform.root ? 1 : -1))[0] ?? [],
  );
}

/** Of sites that are called by their path, two in docroots of one project are no twins: the docroot tells them apart. */
function apart(judged: readonly JudgedSite[]): JudgedSite[] {
  const counts = Map.groupBy(judged, ({ site }) => site.uri);
  return judged.map((one) => {
    const isAlone = (counts.get(one.site.uri)?.length ?? 0) <= 1;
    if (isAlone || one.candidate.place === 'directory') return one;
    const uri = nameByFullPath(one.site.path, one.site.account.home);
    return { ...one, site: { ...one.site, uri } };
  });
}

function rank({ isKnown, isServed, hasMarks }: JudgedSite): number {
  return (isKnown ? 4 : 0) + (isServed ? 2 : 0) + (hasMarks ? 1 : 0);
}

function withTwins(site: Site, paths: readonly string[]): Site {
  if (paths.length === 0) return site;
  const others = paths.filter((path) => path !== site.path).join(' and ');
  const message = `Nothing tells which directory this address is served from, this one or ${others}: remove the copy, or move it out of the platform's sites.`;
  return { ...site, problems: [{ code: 'site-twice', message }, ...site.problems] };
}
