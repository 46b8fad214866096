/**
 * The connections of one SFTP storage: opened when calls need them, at most so many, opened anew after a loss.
 * A lost connection fails the calls that used it; trying again is for the retry wrapper.
 */
import { EngineError } from '../errors.ts';
import { SftpConnection } from './sftp-connection.ts';
import { Turns } from './turns.ts';

/** Calls that share a connection: enough that the line is busy while one of them waits for the disk there. */
const CALLS_PER_CONNECTION = 4;
/** What a call that was given up has to clean up behind it. */
const LAST_WORDS_MS = 10_000;

export class SftpPool implements AsyncDisposable {
  readonly #open: () => Promise<SftpConnection>;
  readonly #location: string;
  readonly #max: number;
  readonly #turns: Turns;
  #connections: SftpConnection[] = [];
  #opening: Promise<SftpConnection> | undefined;
  #isClosed = false;

  constructor(location: string, max: number, open: () => Promise<SftpConnection>) {
    this.#location = location;
    this.#max = max;
    this.#open = open;
    this.#turns = new Turns(max * CALLS_PER_CONNECTION);
  }

  /** Runs the work on a connection. After an abort the connection takes no new calls, for it may be dead. */
  async run<T>(signal: AbortSignal | undefined, work: (connection: SftpConnection) => Promise<T>): Promise<T> {
    await this.#turns.take(signal);
    try {
      const connection = await this.#choose();
      const retire = (): void => this.#retire(connection);
      signal?.addEventListener('abort', retire, { once: true });
      if (signal?.aborted === true) retire();
      this.#addLoad(connection, 1);
      try {
        return await work(connection);
      } finally {
        signal?.removeEventListener('abort', retire);
        this.#addLoad(connection, -1);
      }
    } finally {
      this.#turns.give();
    }
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#opening?.catch(() => undefined);
    await Promise.all(this.#connections.map(async (connection) => connection.end()));
    this.#connections = [];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #choose(): Promise<SftpConnection> {
    if (this.#isClosed)
      throw new EngineError('storage-failed', {
        location: this.#location,
        action: 'open a connection',
        reason: 'it was closed',
      });
    this.#connections = this.#connections.filter((each) => !each.isLost);
    const usable = this.#connections.filter((each) => !each.isRetired).toSorted((a, b) => a.load - b.load);
    const [best] = usable;
    if (best === undefined) return this.#openOne();
    // One more is opened for the calls to come; this one does not wait for it.
    if (best.load > 0 && usable.length < this.#max) this.#openOne().catch(() => undefined);
    return best;
  }

  async #openOne(): Promise<SftpConnection> {
    this.#opening ??= this.#open()
      .then((connection) => {
        connection.holdProcess(false);
        this.#connections.push(connection);
        return connection;
      })
      .finally(() => {
        this.#opening = undefined;
      });
    return this.#opening;
  }

  #addLoad(connection: SftpConnection, change: number): void {
    connection.load += change;
    if (connection.load === 0 && connection.isRetired) connection.destroy();
    else connection.holdProcess(connection.load > 0);
  }

  #retire(connection: SftpConnection): void {
    connection.isRetired = true;
    setTimeout(() => connection.destroy(), LAST_WORDS_MS).unref();
  }
}
