/** One thing at a time from one who has it to one who wants it: who gives waits until it was taken. */
export class Handover<T> {
  #wake = Promise.withResolvers<void>();
  #held: { readonly value: T; readonly taken: () => void } | null = null;
  #end: { readonly error: unknown } | 'ended' | null = null;
  #isLeft = false;

  /** Resolves when the value was taken, or nobody wants it any more. */
  async put(value: T): Promise<void> {
    if (this.#isLeft) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held = { value, taken: resolve };
    this.#wake.resolve();
    await promise;
  }

  end(): void {
    this.#end ??= 'ended';
    this.#wake.resolve();
  }

  fail(error: unknown): void {
    this.#end ??= { error };
    this.#wake.resolve();
  }

  /** Nothing is wanted any more. */
  leave(): void {
    this.#isLeft = true;
    this.#held?.taken();
    this.#held = null;
  }

  /** All that is put, until it ends or fails. */
  async *take(): AsyncGenerator<T> {
    for (;;) {
      const held = this.#held;
      if (held !== null) {
        this.#held = null;
        // Also when the one who wants it leaves at this.
        try {
          yield held.value;
        } finally {
          held.taken();
        }
        continue;
      }
      if (this.#end === 'ended') return;
      if (this.#end !== null) throw this.#end.error;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
    }
  }
}
