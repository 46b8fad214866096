/** What the reading of a settings file noted, as problems of the site. */
import type { PhpNote } from '../lib/php-reading.ts';
import type { SiteProblem } from './site.ts';

const CODES = {
  'not-run': 'settings-code-not-run',
  'not-included': 'settings-include-not-read',
  syntax: 'settings-syntax',
  'too-large': 'settings-too-large',
  unreadable: 'settings-unreadable',
} as const satisfies Record<PhpNote['kind'], string>;

export function problemsOf(notes: readonly PhpNote[]): SiteProblem[] {
  return notes.map((note) => ({
    code: CODES[note.kind],
    message: messageOf(note),
    file: note.file,
    ...(note.line > 0 ? { line: note.line } : {}),
  }));
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
