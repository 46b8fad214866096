import { giveWay } from '../lib/give-way.ts';

/**
 * Whether this process gives way to others: while all tasks that it runs are such as should. A restore that somebody waits for
 * is not slowed by the night beside it in the same process: all agents of a process share one.
 */
export class Way {
  readonly #give: () => Disposable;
  #gentle = 0;
  #urgent = 0;
  #given: Disposable | null = null;

  constructor(give: () => Disposable = giveWay) {
    this.#give = give;
  }

  /** A task begins; it ends with what is returned. */
  enter(isGentle: boolean): Disposable {
    this.#count(isGentle, 1);
    return { [Symbol.dispose]: () => this.#count(isGentle, -1) };
  }

  #count(isGentle: boolean, by: number): void {
    if (isGentle) this.#gentle += by;
    else this.#urgent += by;
    const isGiven = this.#gentle > 0 && this.#urgent === 0;
    if (isGiven) this.#given ??= this.#give();
    else {
      this.#given?.[Symbol.dispose]();
      this.#given = null;
    }
  }
}
