/** What the reading of a settings file noted, as problems of the site. */
import type { PhpFiles, PhpNote } from '../lib/php-reading.ts';
import type { SiteProblem } from './site.ts';

const CODES = {
  'not-run': 'settings-code-not-run',
  'not-included': 'settings-include-not-read',
  syntax: 'settings-syntax',
  'too-large': 'settings-too-large',
  unreadable: 'settings-unreadable',
} as const satisfies Record<PhpNote['kind'], string>;

/**
 * What stands in files of the host itself (`/data/conf`) is no problem of a site: the hoster's configuration picks modules
 * and caches with code that only running it could follow, and it is the same for all.
 */
export function problemsOf(notes: readonly PhpNote[], files?: Pick<PhpFiles, 'isShared'>): SiteProblem[] {
  const own = notes.filter((note) => files?.isShared?.(note.file) !== true);
  return own.map((note) => ({
    code: CODES[note.kind],
    message: messageOf(note),
    file: note.file,
    ...(note.line > 0 ? { line: note.line } : {}),
  }));
}

/** Whether the file itself is none that PHP would read, or that we may: a pipe, a link that leads out, one of gigabytes. */
export function isUnreadable(notes: readonly PhpNote[], file: string): boolean {
  return notes.some((note) => note.kind === 'unreadable' && note.file === file);
}

/** Whether something that the settings include was not read. */
export function hasUnread(notes: readonly PhpNote[]): boolean {
  return notes.some(({ kind }) => kind === 'not-included');
}

function messageOf(note: PhpNote): string {
  switch (note.kind) {
    case 'not-run':
      return `Settings are read, never run: ${note.message}.`;
    case 'not-included':
      return `${note.message.charAt(0).toUpperCase()}${note.message.slice(1)}.`;
    case 'syntax':
      return `PHP can not read the settings: ${note.message}.`;
    case 'too-large':
      return `The settings file ${note.message}.`;
    case 'unreadable':
      return `The settings can not be read: ${note.message}.`;
    default:
      return note.kind satisfies never;
  }
}
