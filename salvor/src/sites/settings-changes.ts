/** What is to change in a site's settings, and what came of it. */
import type { ConnectionChange, NewField } from './connection-fields.ts';
import type { Naming } from './rename-in-text.ts';
import type { ContextFields } from './set-context.ts';
import type { SiteProblem } from './site.ts';

export type SettingsChanges = {
  /** Each log-in that changes, also one that keeps its name and gets a new password. */
  readonly connections: readonly ConnectionChange[];
  readonly naming: Naming;
  /** Set in Aegir's `drushrc.php` where it has them: `FIELDS_OF_CLONE`. Else what a renamed site needs. */
  readonly options?: ContextFields;
  /** What a secret becomes, the same for the same (`fresh-secrets.ts`). Absent where they stay: the site is who it was. */
  readonly secrets?: (old: string) => string;
};

/** `name` below the site's directory: it tells `drushrc.php` from the others. */
export type SettingsText = { readonly name: string; readonly bytes: Uint8Array };

export type RewrittenPlace = {
  readonly line: number;
  readonly what: NewField['role'] | 'url' | 'secret' | 'name-or-path' | 'option';
  /** Null of a password, of an address that holds one, and of a secret. */
  readonly before: string | null;
  readonly after: string | null;
};

export type RewrittenSettings = {
  /** The file with the new values; as it was where there are problems. */
  readonly bytes: Uint8Array;
  readonly places: readonly RewrittenPlace[];
  /** Lines that hold the old name and were left: comments, conditions on the name, another host's. For people to look at. */
  readonly left: readonly number[];
  /** How many secrets are new; and the places of those that stay, where new ones are wanted. */
  readonly freshSecrets: number;
  readonly keptSecrets: readonly string[];
  /** Code `settings-not-rewritten`, with file and line: each stops the task. */
  readonly problems: readonly SiteProblem[];
};

export function notRewritten(file: string, line: number, why: string): SiteProblem {
  const code = 'settings-not-rewritten';
  return {
    code,
    message: `What the settings say can not be changed as data: ${why}.`,
    file,
    ...(line > 0 ? { line } : {}),
  };
}

/** Aegir's own file and BOA's beside it, whose options Aegir url-decodes. By the last part of a path. */
export function isDrushrc(path: string): boolean {
  return /(?:^|\/)(?:local\.)?drushrc\.php$/.test(path);
}
