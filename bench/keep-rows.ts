import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Row } from './row.ts';

/** Puts rows in the place of those of the same name in a file of results; the others stay, each with its own date. */
export function keepRows(file: string, rows: readonly Pick<Row, 'row'>[]): void {
  const before = existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as readonly Pick<Row, 'row'>[]) : [];
  const fresh = new Map(rows.map((row) => [row.row, row]));
  const kept = before.map((row) => fresh.get(row.row) ?? row);
  const added = rows.filter(({ row }) => !before.some((known) => known.row === row));
  writeFileSync(file, `${JSON.stringify([...kept, ...added], null, 2)}\n`);
}
