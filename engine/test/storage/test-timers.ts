/** Time that stands still until it is moved: hours pass in an instant, and in no other order than they would. */
import type { Timers } from '../../src/storage/timers.ts';

export class TestTimers implements Timers {
  /** All sleeps that were asked for, in milliseconds. */
  readonly sleeps: number[] = [];
  #time = 0;
  #sleepers: { readonly until: number; readonly wake: () => void }[] = [];
  readonly #passesBySleeping: boolean;

  /** With `passesBySleeping` nobody waits: who sleeps moves the time on himself. */
  constructor({ passesBySleeping = false } = {}) {
    this.#passesBySleeping = passesBySleeping;
  }

  readonly now = (): number => this.#time;

  readonly sleep = async (ms: number, signal?: AbortSignal): Promise<void> => {
    this.sleeps.push(ms);
    signal?.throwIfAborted();
    if (this.#passesBySleeping) {
      this.#time += ms;
      return;
    }
    await new Promise<void>((resolve, reject) => {
      this.#sleepers.push({ until: this.#time + ms, wake: resolve });
      signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    });
  };

  /** Lets time pass, and what waits for it go on. */
  async advance(ms: number): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    this.#time += ms;
    const due = this.#sleepers.filter(({ until }) => until <= this.#time);
    this.#sleepers = this.#sleepers.filter(({ until }) => until > this.#time);
    for (const { wake } of due) wake();
    await new Promise((resolve) => setImmediate(resolve));
  }
}
