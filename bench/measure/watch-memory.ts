import { readFileSync, readdirSync } from 'node:fs';

/** Small against a run; a peak that is shorter is not seen. */
const SAMPLE_EVERY_MS = 50;
const KIB = 1024;

/** The greatest sum of proportional set sizes of a process and all below it, seen until it is disposed. */
export class MemoryWatch implements Disposable {
  peakBytes = 0;
  readonly #timer: NodeJS.Timeout;

  constructor(pid: number) {
    this.#timer = setInterval(() => {
      const bytes = processesFrom(pid).reduce((sum, each) => sum + proportionalBytes(each), 0);
      this.peakBytes = Math.max(this.peakBytes, bytes);
    }, SAMPLE_EVERY_MS);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}

function processesFrom(pid: number): readonly number[] {
  const children = readOr('', () =>
    readdirSync(`/proc/${pid}/task`)
      .map((thread) => readOr('', () => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8')))
      .join(' '),
  );
  return [
    pid,
    ...children
      .split(' ')
      .filter((each) => each.trim() !== '')
      .flatMap((each) => processesFrom(Number(each))),
  ];
}

/** Pages that processes share count once over all of them. */
function proportionalBytes(pid: number): number {
  const rollup = readOr('', () => readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  return Number(/^Pss:\s+(\d+) kB$/m.exec(rollup)?.[1] ?? 0) * KIB;
}

/** A process may end between two looks at it. */
function readOr<T>(instead: T, read: () => T): T {
  try {
    return read();
  } catch {
    return instead;
  }
}
