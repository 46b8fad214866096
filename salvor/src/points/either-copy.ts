/**
 * A point that is read from one of its copies, and from the other one where that turns out to be damaged or gone. Both hold
 * the same, by the hash of all that is in it: else the other one is not taken.
 */
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { type CopyFault, findCopyFault, problemOfLocal, sayFault } from './copy-fault.ts';
import type { OpenPoint } from './open-point.ts';
import type { CopyName } from './repositories.ts';

export type EitherCopyParts = {
  readonly point: OpenPoint;
  readonly account: string;
  readonly copy: CopyName;
  /** Where `copy` is the local one: opens the same point in the remote one; null where that has it not, or is not wanted. */
  readonly openOther: (() => Promise<OpenPoint>) | null;
  /** What kept the local copy from being taken. */
  readonly passedOver: CopyFault | null;
  /** Where the local copy lies. */
  readonly path: string;
};

export class EitherCopy {
  /** What is wrong with a copy: somebody should look at it. */
  readonly problems: Problem[] = [];
  readonly #account: string;
  readonly #path: string;
  #point: OpenPoint;
  #copy: CopyName;
  #openOther: (() => Promise<OpenPoint>) | null;
  /** What was wrong with the copy that was read at first. */
  #fault: CopyFault | null = null;

  constructor({ point, account, copy, openOther, passedOver, path }: EitherCopyParts) {
    this.#point = point;
    this.#account = account;
    this.#copy = copy;
    this.#openOther = openOther;
    this.#path = path;
    if (passedOver !== null) this.#passOver(passedOver);
  }

  /** As it is read now. */
  get point(): OpenPoint {
    return this.#point;
  }

  /** The one that it is read from now. */
  get copy(): CopyName {
    return this.#copy;
  }

  /**
   * Does what reads the point, and does it again from the other copy where this one can't be read to the end; before that
   * `takeBack` undoes what the first try has done. Throws `point-unreadable` where neither can be read.
   */
  async read<T>(work: (point: OpenPoint) => Promise<T>, takeBack: () => Promise<void> = async () => {}): Promise<T> {
    for (;;) {
      try {
        return await work(this.#point);
      } catch (error) {
        const turn = await this.#findOther(error);
        await takeBack();
        turn();
      }
    }
  }

  /** The bytes that `open` gives from an offset on, of whichever copy they can be read from. Throws as `read` does. */
  async *stream(open: (point: OpenPoint, offset: number) => AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    for (let given = 0; ;) {
      try {
        for await (const piece of open(this.#point, given)) {
          given += piece.length;
          yield piece;
        }
        return;
      } catch (error) {
        (await this.#findOther(error))();
      }
    }
  }

  /** What turns to the other copy. Throws what is to be thrown where there is none that could be read. */
  async #findOther(thrown: unknown): Promise<() => void> {
    const fault = findCopyFault(thrown);
    if (fault === null) throw thrown;
    const { point } = this.#point.manifest;
    if (this.#fault !== null) throw unreadable(point, { local: this.#fault, remote: fault });
    const openOther = this.#openOther;
    if (openOther === null) throw thrown;
    const other = await openOther().catch((cause: unknown) => {
      throw findCopyFault(cause) === null ? cause : unreadable(point, { local: fault, remote: cause });
    });
    if (other.snapshot.tree !== this.#point.snapshot.tree) throw thrown;
    return () => {
      this.#point = other;
      this.#copy = 'remote';
      this.#openOther = null;
      this.#passOver(fault);
    };
  }

  #passOver(fault: CopyFault): void {
    this.#fault = fault;
    this.problems.push(problemOfLocal(fault, this.#account, this.#path));
  }
}

/** A point of which there is one copy: no other one is asked. */
export function onlyCopy(point: OpenPoint, account: string): EitherCopy {
  const path = point.repository.location;
  return new EitherCopy({ point, account, copy: 'local', openOther: null, passedOver: null, path });
}

/** Neither copy of a point can be read. */
export function unreadable(point: string, why: { readonly local: unknown; readonly remote: unknown }): SalvorError {
  const context = { point, local: sayFault(why.local), remote: sayFault(why.remote) };
  return new SalvorError('point-unreadable', context, { cause: why.local });
}
