/**
 * What the product knows of a host: accounts, platforms and sites. Pure shapes: finding them is
 * `find-sites.ts`, reading their settings is `read-*.ts`.
 */
import type { DatabaseLogin } from '../databases/mariadb/connect.ts';

/** The content management systems whose sites are recognised. */
export type Cms = 'drupal' | 'wordpress';

/** A tenant of the host: a system user and its home. */
export type Account = {
  /** The last component of the home (`o1` of `/data/disk/o1`); unique on a host. */
  readonly name: string;
  /** Absolute, without symbolic links. */
  readonly home: string;
  readonly uid: number;
  readonly gid: number;
};

/** A code base that serves sites. */
export type Platform = {
  /** The name of its Aegir context without `platform_`, else the directory's last component. */
  readonly name: string;
  readonly root: string;
  readonly cms: Cms;
  /** Of the core, as its own files state it; null where they do not. */
  readonly version: string | null;
};

/** One database of a site, with the log-in that the site itself uses. */
export type SiteDatabase = {
  readonly engine: 'mariadb' | 'postgres' | 'sqlite';
  readonly name: string;
  /** The site's own user: dumps are made as it. Never printed, never logged. */
  readonly login: DatabaseLogin;
  /** Prefix of the site's tables; empty where there is none. */
  readonly prefix: string;
};

/** A fact about a site that keeps something from being done, with the place it was read at. */
export type SiteProblem = {
  readonly code: string;
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
};

export type Site = {
  readonly uri: string;
  readonly account: Account;
  readonly platform: Platform;
  /** `<platform root>/sites/<uri>`, absolute. */
  readonly path: string;
  readonly cms: Cms;
  readonly version: string | null;
  readonly databases: readonly SiteDatabase[];
  /** What could not be read or resolved: such a site is listed, and its backup says why it is not complete. */
  readonly problems: readonly SiteProblem[];
};

/** `ACCOUNT/URI`: names a site on a host where two accounts carry the same URI. */
export function siteKey(site: Site): string {
  return `${site.account.name}/${site.uri}`;
}
