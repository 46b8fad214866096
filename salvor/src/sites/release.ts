import { isBeneath } from './read-beneath.ts';
import type { Current } from './walk-home.ts';

/** What a link named `current` says of a code base: deployments put each release beside the others and move the link. */
export type Release = {
  /** The root by way of the link, which stays when the release changes. */
  readonly servedAs: string;
  /** The link, where it leads to another release than this one. */
  readonly supersededBy: string | null;
};

export function releaseOf(root: string, currents: readonly Current[]): Release {
  const own = currents.find(({ target }) => isBeneath(root, target));
  if (own !== undefined) return { servedAs: own.link + root.slice(own.target.length), supersededBy: null };
  const other = currents.find(({ link, target }) => {
    const releases = target.slice(0, target.lastIndexOf('/'));
    // A link that leads out of its project's directory says nothing of what lies beside its target.
    const project = link.slice(0, link.lastIndexOf('/'));
    return releases !== project && isBeneath(releases, project) && isBeneath(root, releases);
  });
  return { servedAs: root, supersededBy: other?.link ?? null };
}
