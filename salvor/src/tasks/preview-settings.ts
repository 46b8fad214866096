/**
 * What a clone, a rename or a migration is going to change in a site's settings, place by place, found by doing it to
 * what is there now and writing nothing. What can't be rewritten is known before anything is touched.
 */
import { relative } from 'node:path';
import type { IdentityPlan, Problem } from '@salvor/contract';
import { openDirectory, openRoot } from '../lib/beneath/open-directory.ts';
import { parseSafePath } from '../lib/beneath/safe-path.ts';
import type { ConnectionChange } from '../sites/connection-fields.ts';
import type { Naming } from '../sites/rename-in-text.ts';
import { FIELDS_OF_CLONE } from '../sites/set-context.ts';
import type { Site } from '../sites/site.ts';
import { rewriteSettingsIn } from './settings-of-site.ts';

export type SettingsPreview = {
  readonly files: IdentityPlan['rewrites']['settings'];
  /** Of a clone, code `secrets-kept`: what was made for its origin is good for it too. */
  readonly notes: readonly Problem[];
  /** Code `settings-not-rewritten`. */
  readonly obstacles: readonly Problem[];
};

/** `hasNewDatabases`: each gets a name, a user and a password that are not known yet, and that no file holds. */
export function previewSettings(
  site: Site,
  naming: Naming,
  options: {
    readonly isClone: boolean;
    readonly hasNewDatabases: boolean;
    readonly defaultSocket: string | undefined;
  },
): SettingsPreview {
  const { home } = site.account;
  using around = openRoot(home);
  using directory = openDirectory(around, parseSafePath(relative(home, site.path)));
  const connections = options.hasNewDatabases
    ? site.databases.map((database, index) => toUnknown(database, index, options.defaultSocket))
    : [];
  const { files, problems, freshSecrets, keptSecrets } = rewriteSettingsIn(directory, {
    connections,
    naming,
    ...(options.isClone ? { options: FIELDS_OF_CLONE, secrets: (old: string) => `${UNKNOWN}secret-${old}` } : {}),
  });
  return {
    files: files.map(({ name, places, left }) => ({
      file: name,
      places: places.map((place) => ({
        ...place,
        after: place.after?.startsWith(UNKNOWN) === true ? null : place.after,
      })),
      left: [...left],
    })),
    notes: options.isClone ? noteSecrets(site, freshSecrets, keptSecrets) : [],
    obstacles: problems.map(({ code, message, file, line }) => ({
      code,
      message,
      path: file === undefined ? site.path : line === undefined ? file : `${file}:${line}`,
    })),
  };
}

function noteSecrets(
  { cms, version, platform, path }: Site,
  fresh: number,
  kept: readonly string[],
): readonly Problem[] {
  const code = 'secrets-kept';
  const good = 'one-time log-in links and sessions of the origin may be good for the clone';
  if (kept.length > 0)
    return [{ code, message: `${kept.join(', ')} can’t be made anew as data and stays: ${good}`, path }];
  if (fresh > 0) return [];
  // Without one Drupal 7 and Backdrop make it of the log-in to the database, which is new; Drupal 6 has it in the database.
  const major = Number.parseInt(version ?? platform.version ?? '', 10);
  const isElsewhere = cms === 'wordpress' || (cms === 'drupal' && (major >= 8 || major < 7));
  if (!isElsewhere) return [];
  return [{ code, message: `its settings do not say its secret keys, which the clone then shares: ${good}`, path }];
}

/** Nobody's name, and none that a file would hold. */
const UNKNOWN = 'salvor-new-';

function toUnknown(
  { name, login }: Site['databases'][number],
  index: number,
  defaultSocket: string | undefined,
): ConnectionChange {
  const from = { name, user: login.user, password: login.password, address: login.address };
  const next = (what: string): string => `${UNKNOWN}${what}-${index}`;
  return {
    from,
    to: { ...from, name: next('database'), user: next('user'), password: next('password') },
    defaultSocket,
  };
}
