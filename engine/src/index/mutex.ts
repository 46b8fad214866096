/** Mutual exclusion between threads: one word of shared memory. 0 free, 1 held, 2 held and waited for. */
const FREE = 0;
const HELD = 1;
const WAITED_FOR = 2;

/** Runs `work` while no other thread runs its own under the same word. Not re-entrant; `work` must not block. */
export function withMutex<T>(words: Int32Array, at: number, work: () => T): T {
  if (Atomics.compareExchange(words, at, FREE, HELD) !== FREE) {
    while (Atomics.exchange(words, at, WAITED_FOR) !== FREE) Atomics.wait(words, at, WAITED_FOR);
  }
  try {
    return work();
  } finally {
    if (Atomics.exchange(words, at, FREE) === WAITED_FOR) Atomics.notify(words, at, 1);
  }
}
