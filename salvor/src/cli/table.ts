import { escapeControl } from './readable.ts';
import type { Paint } from './paint.ts';

export type Column<Row> = {
  readonly title: string;
  readonly value: (row: Row) => string;
  readonly align?: 'left' | 'right';
};

/** Rows under one another, aligned, without a line's end at the end. Columns that are empty in every row are left out. */
export function renderTable<Row>(rows: readonly Row[], columns: readonly Column<Row>[], paint: Paint): string {
  const cells = rows.map((row) => columns.map((column) => escapeControl(column.value(row))));
  const shown = columns.flatMap((column, i) => {
    if (cells.every((row) => row[i] === '')) return [];
    // Not `Math.max(...)`: a listing has more rows than a call takes arguments.
    const width = cells.reduce((most, row) => Math.max(most, widthOf(row[i] ?? '')), column.title.length);
    return [{ column, i, width }];
  });
  const line = (texts: readonly string[]): string =>
    shown
      .map(({ column, width }, n) => {
        const text = texts[n] ?? '';
        const space = ' '.repeat(Math.max(0, width - widthOf(text)));
        return column.align === 'right' ? space + text : text + space;
      })
      .join('  ')
      .trimEnd();
  const head = paint.bold(line(shown.map(({ column }) => column.title)));
  return [head, ...cells.map((row) => line(shown.map(({ i }) => row[i] ?? '')))].join('\n');
}

/** Columns that a text takes on a terminal: Asian characters and pictures take two, marks above others none. */
export function widthOf(text: string): number {
  let width = 0;
  for (const character of text) {
    if (/\p{Mark}/u.test(character)) continue;
    width +=
      /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe4f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u.test(
        character,
      )
        ? 2
        : 1;
  }
  return width;
}
