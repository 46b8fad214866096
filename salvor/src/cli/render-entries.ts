import type { LsEntry } from '@salvor/contract';
import type { Paint } from './paint.ts';
import { readableBytes, readableTime } from './readable.ts';
import { renderTable } from './table.ts';

const LETTERS: Readonly<Record<LsEntry['type'], string>> = {
  file: '-',
  dir: 'd',
  symlink: 'l',
  dev: 'b',
  chardev: 'c',
  fifo: 'p',
  socket: 's',
  irregular: '?',
};

/** A listing as `ls -l` has it, without owners. */
export function renderEntries(entries: readonly LsEntry[], paint: Paint): string {
  return renderTable(
    entries,
    [
      { title: 'MODE', value: modeText },
      { title: 'SIZE', value: ({ type, bytes }) => (type === 'file' ? readableBytes(bytes) : ''), align: 'right' },
      { title: 'CHANGED', value: ({ mtime }) => readableTime(mtime) },
      { title: 'PATH', value: ({ path, type }) => (type === 'dir' && path !== '/' ? `${path}/` : path) },
    ],
    paint,
  );
}

/** `drwxr-x---` */
export function modeText({ type, mode }: Pick<LsEntry, 'type' | 'mode'>): string {
  return LETTERS[type] + permissions(mode);
}

/** `rwxr-s---` of `2750` */
export function permissions(octal: string): string {
  const bits = Number.parseInt(octal, 8);
  const special = ['s', 's', 't'];
  return [6, 3, 0]
    .map((shift, i) => {
      const three = (bits >> shift) & 7;
      const x = (three & 1) !== 0;
      const letter = special[i] ?? '';
      const isSpecial = (bits & (0o4000 >> i)) !== 0;
      const last = isSpecial ? (x ? letter : letter.toUpperCase()) : x ? 'x' : '-';
      return `${(three & 4) !== 0 ? 'r' : '-'}${(three & 2) !== 0 ? 'w' : '-'}${last}`;
    })
    .join('');
}
