import type { PhpFiles } from '../lib/php-reading.ts';
import type { Account } from './account.ts';
import type { SiteOverride } from './site-database.ts';

/** Where the settings of a site lie, and what is known of it from elsewhere. */
export type SettingsPlace = {
  readonly account: Account;
  readonly platformRoot: string;
  readonly sitePath: string;
  /** The settings file where it is not the usual one in `sitePath`. */
  readonly settings?: string | undefined;
  readonly files: PhpFiles;
  /** What the web server hands to the site's scripts, as its virtual host says; one character per byte. */
  readonly environment?: ReadonlyMap<string, string> | undefined;
  readonly override?: SiteOverride | undefined;
  readonly defaultSocket?: string | undefined;
};
