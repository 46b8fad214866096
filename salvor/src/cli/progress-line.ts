/**
 * One line on a terminal that says how far a long step is. Without a terminal there is none: a log full of
 * percentages helps nobody.
 */
import { counted, escapeControl, readableBytes } from './readable.ts';
import { widthOf } from './table.ts';
import type { Terminal } from './terminal.ts';

export type Progress = {
  readonly step?: string;
  readonly files?: number;
  readonly bytes?: number;
  readonly filesTotal?: number | null;
  readonly bytesTotal?: number | null;
  readonly current?: string;
  /** False for what somebody else does: when its step began is not known here. */
  readonly hasRate?: boolean;
};

/** Faster is not readable, and costs time over a slow line. */
const MIN_REDRAW_MS = 100;
/** Rates over a shorter time jump. */
const MIN_RATE_MS = 500;

export class ProgressLine implements Disposable {
  readonly #terminal: Terminal;
  readonly #clock: () => Date;
  #step: string | undefined;
  #startedAt: number;
  #drawnAt = 0;
  #isDrawn = false;

  constructor(terminal: Terminal, clock: () => Date) {
    this.#terminal = terminal;
    this.#clock = clock;
    this.#startedAt = clock().getTime();
  }

  /** Bound, so that it can be handed on as `onProgress`. */
  readonly show = (progress: Progress): void => {
    if (!this.#terminal.canRedraw) return;
    const now = this.#clock().getTime();
    if (progress.step !== this.#step) {
      // Each step has a rate of its own.
      this.#step = progress.step;
      this.#startedAt = now;
    }
    if (now - this.#drawnAt < MIN_REDRAW_MS) return;
    this.#drawnAt = now;
    this.#isDrawn = true;
    const text = renderProgress(progress, now - this.#startedAt, this.#terminal.columns() - 1);
    this.#terminal.stderr.write(`\r${text}\u001b[K`);
  };

  clear(): void {
    if (this.#isDrawn) this.#terminal.stderr.write('\r\u001b[K');
    this.#isDrawn = false;
  }

  [Symbol.dispose](): void {
    this.clear();
  }
}

/** `42%  1,204 files  320 MiB of 760 MiB  85 MiB/s  …/current/file.php`, cut to `columns`. */
export function renderProgress(progress: Progress, elapsedMs: number, columns: number): string {
  const { step, files, bytes = 0, bytesTotal = null } = progress;
  const parts: string[] = [];
  if (step !== undefined && step !== '') parts.push(escapeControl(step));
  if (bytesTotal !== null && bytesTotal > 0) {
    parts.push(`${String(Math.min(100, Math.floor((bytes / bytesTotal) * 100))).padStart(3)}%`);
  }
  if (files !== undefined && files > 0) parts.push(counted(files, 'file'));
  if (bytes > 0) parts.push(readableBytes(bytes) + (bytesTotal === null ? '' : ` of ${readableBytes(bytesTotal)}`));
  if (bytes > 0 && elapsedMs >= MIN_RATE_MS && progress.hasRate !== false)
    parts.push(`${readableBytes((bytes / elapsedMs) * 1000)}/s`);
  const line = parts.join('  ');
  const room = columns - widthOf(line) - 2;
  const current = escapeControl(progress.current ?? '');
  if (current === '' || room < 12) return cutEnd(line, columns);
  return `${line}  ${cutStart(current, room)}`;
}

function cutEnd(text: string, columns: number): string {
  return widthOf(text) <= columns ? text : `${takeWhile(charactersOf(text), columns - 1).join('')}…`;
}

/** The end of a path says more than its start. */
function cutStart(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  return `…${takeWhile(charactersOf(text).toReversed(), columns - 1)
    .toReversed()
    .join('')}`;
}

function charactersOf(text: string): string[] {
  return Array.from(new Intl.Segmenter().segment(text), ({ segment }) => segment);
}

function takeWhile(characters: readonly string[], columns: number): string[] {
  const taken: string[] = [];
  let width = 0;
  for (const character of characters) {
    width += widthOf(character);
    if (width > columns) break;
    taken.push(character);
  }
  return taken;
}
