/** So many at a time, first come first served. */
import { EngineError, throwIfCancelled } from '../errors.ts';

/** Who may run now; the others in a row. */
export class Turns {
  #free: number;
  readonly #row: (() => void)[] = [];

  constructor(count: number) {
    if (!(count >= 1)) throw new RangeError('at least one call at a time');
    this.#free = count;
  }

  /** @throws EngineError `cancelled` where the signal comes before the turn. */
  async take(signal?: AbortSignal): Promise<void> {
    throwIfCancelled(signal);
    if (this.#free > 0) {
      this.#free -= 1;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const go = (): void => {
        signal?.removeEventListener('abort', leave);
        resolve();
      };
      const leave = (): void => {
        this.#row.splice(this.#row.indexOf(go), 1);
        reject(new EngineError('cancelled', {}, { cause: signal?.reason }));
      };
      this.#row.push(go);
      signal?.addEventListener('abort', leave, { once: true });
    });
  }

  give(): void {
    const next = this.#row.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
