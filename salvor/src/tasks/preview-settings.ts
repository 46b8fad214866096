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
  /** Code `settings-not-rewritten`. */
  readonly obstacles: readonly Problem[];
};

/** `isClone`: each database gets a name, a user and a password that are not known yet, and that no file holds. */
export function previewSettings(
  site: Site,
  naming: Naming,
  options: { readonly isClone: boolean; readonly defaultSocket: string | undefined },
): SettingsPreview {
  const { home } = site.account;
  using around = openRoot(home);
  using directory = openDirectory(around, parseSafePath(relative(home, site.path)));
  const connections = options.isClone
    ? site.databases.map((database, index) => toUnknown(database, index, options.defaultSocket))
    : [];
  const { files, problems } = rewriteSettingsIn(directory, {
    connections,
    naming,
    ...(options.isClone ? { options: FIELDS_OF_CLONE } : {}),
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
    obstacles: problems.map(({ code, message, file, line }) => ({
      code,
      message,
      path: file === undefined ? site.path : line === undefined ? file : `${file}:${line}`,
    })),
  };
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
