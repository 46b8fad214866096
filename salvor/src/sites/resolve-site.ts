/** The site that a person means by a name on the command line or in a request. */
import { SalvorError } from '../errors.ts';
import { nearestName } from '../lib/nearest-name.ts';
import { siteKey } from './site.ts';
import type { Site } from './site.ts';

/**
 * `name` is a URI or ACCOUNT/URI; where no site has that, another name of one (`www.example.com`). Throws `site-unknown` with the
 * nearest name, or `site-ambiguous` with all that fit.
 */
export function resolveSite(sites: readonly Site[], name: string): Site {
  const called = sites.filter((site) => site.uri === name || siteKey(site) === name);
  const fitting = called.length > 0 ? called : sites.filter((site) => hasAlias(site, name));
  const [site] = fitting;
  const near = site === undefined ? nameNear(sites, name) : null;
  if (site === undefined) throw new SalvorError('site-unknown', { site: name, ...(near === null ? {} : { near }) });
  if (fitting.length === 1) return site;
  const isOneAccount = fitting.every((other) => other.account.name === site.account.name);
  throw new SalvorError('site-ambiguous', {
    site: name,
    candidates: fitting.map((other) => (isOneAccount ? other.path : siteKey(other))),
  });
}

/** The one that lies there. Throws `site-unknown`. */
export function siteAt(sites: readonly Site[], path: string): Site {
  const site = sites.find((one) => one.path === path);
  if (site === undefined) throw new SalvorError('site-unknown', { site: path });
  return site;
}

function hasAlias({ account, aliases }: Site, name: string): boolean {
  return aliases.some((alias) => alias === name || `${account.name}/${alias}` === name);
}

function nameNear(sites: readonly Site[], name: string): string | null {
  return nearestName(name, [...new Set(sites.map((site) => (name.includes('/') ? siteKey(site) : site.uri)))]);
}
