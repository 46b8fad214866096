/**
 * What the product knows of a host: platforms and sites. Pure shapes: finding them is `find-sites.ts`, reading their
 * settings is `read-*.ts`; accounts are in `account.ts`.
 */
import type { DatabaseLogin } from '../databases/mariadb/connect.ts';
import type { Account } from './account.ts';

/** The content management systems whose sites are recognised. */
export type Cms = 'drupal' | 'backdrop' | 'wordpress';

/** A code base that serves sites. */
export type Platform = {
  /** The name of its Aegir context without `platform_`, else that of its directory, or of the project around a docroot. */
  readonly name: string;
  readonly root: string;
  readonly cms: Cms;
  /** Of the core, as its own files state it; null where they do not. */
  readonly version: string | null;
};

/** One database of a site, with the log-in that the site itself uses. */
export type SiteDatabase = {
  readonly engine: 'mariadb' | 'postgres' | 'sqlite';
  /** Of a SQLite database the path of its file. */
  readonly name: string;
  /** The site's own user: dumps are made as it. Never printed, never logged. */
  readonly login: DatabaseLogin;
  /** Prefix of the site's tables; empty where there is none. */
  readonly prefix: string;
  /** Prefixes that single tables have of their own in the settings of Drupal. */
  readonly otherPrefixes: readonly string[];
  /** The other sites whose settings name this database too. */
  readonly sharedWith: readonly SharingSite[];
};

export type SharingSite = {
  /** ACCOUNT/URI */
  readonly site: string;
  /** Of its tables. */
  readonly prefixes: readonly string[];
  readonly isNetwork: boolean;
  readonly login: DatabaseLogin;
};

/** A fact about a site that keeps something from being done, with the place it was read at. */
export type SiteProblem = {
  readonly code: string;
  readonly message: string;
  readonly file?: string;
  readonly line?: number;
};

/** A symbolic link in the site's directory that leads out of it. */
export type MovedOut = {
  /** The link, absolute. */
  readonly path: string;
  /** Where it leads, absolute and without links; null where it leads nowhere. */
  readonly target: string | null;
  readonly type: 'directory' | 'file' | null;
  /** Null: what is there lies in one of the account's homes and is this site's. Else why it is not. */
  readonly reason: string | null;
};

export type Site = {
  readonly uri: string;
  readonly account: Account;
  readonly platform: Platform;
  /**
   * The directory that is the site's, absolute and without links: `<platform root>/sites/<uri>`; of a WordPress that
   * serves one site the directory that holds it.
   */
  readonly path: string;
  readonly cms: Cms;
  readonly version: string | null;
  /** The file that the settings are read from first; it may lie outside of `path`, as WordPress allows. */
  readonly settings: string;
  /** Other names that the site answers to, as far as files tell: contexts, `sites.php`, links, virtual hosts. */
  readonly aliases: readonly string[];
  /** False where the site is switched off, by Aegir or by `salvor disable`; null where nobody says. */
  readonly enabled: boolean | null;
  /** Files with virtual hosts that serve it, absolute. */
  readonly virtualHosts: readonly string[];
  /** WordPress with several sites in one database: backed up and restored as one. */
  readonly isNetwork: boolean;
  readonly movedOut: readonly MovedOut[];
  /** Directories of other sites that lie inside of this one's. */
  readonly holds: readonly string[];
  readonly databases: readonly SiteDatabase[];
  /** What could not be read or resolved: such a site is listed, and its backup says why it is not complete. */
  readonly problems: readonly SiteProblem[];
};

/** `ACCOUNT/URI`: names a site on a host where two accounts carry the same URI. */
export function siteKey(site: Pick<Site, 'uri'> & { readonly account: Pick<Account, 'name'> }): string {
  return `${site.account.name}/${site.uri}`;
}
