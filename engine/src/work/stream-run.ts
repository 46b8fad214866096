/** Streams on their way to the workers: some pieces at a time, in order, held up by whoever reads too fast. */
import { fillPieces, gatherBlobs } from '../chunk/gather.ts';
import { STREAM_PIECES_IN_FLIGHT } from '../limits.ts';
import { readSource } from '../tree/read-source.ts';
import type { StreamEntry } from '../tree/source.ts';
import { ask } from './ask.ts';
import type { JobRunner } from './ask.ts';
import type { AnswerTo, BackupJob } from './backup-jobs.ts';

export type StreamContent = { readonly content: readonly string[]; readonly bytes: number };

export type StreamEvents = {
  readonly onBytes: (bytes: number) => void;
  /** A worker failed: the run ends at once, not when the answer's turn comes to be waited for. */
  readonly onFailure: (error: unknown) => void;
};

export class StreamRun {
  readonly #pool: JobRunner;
  readonly #events: StreamEvents;
  #streams = 0;

  constructor(pool: JobRunner, events: StreamEvents) {
    this.#pool = pool;
    this.#events = events;
  }

  /** Stores all of a stream. @throws EngineError `source-failed` where it fails. */
  async store(path: string, entry: StreamEntry): Promise<StreamContent> {
    return entry.cut === 'given' ? this.#givenBlobs(path, entry) : this.#cutByContent(path, entry);
  }

  /** Gives a stream to one worker in pieces. */
  async #cutByContent(path: string, entry: StreamEntry): Promise<StreamContent> {
    const stream = ++this.#streams;
    const worker = stream % this.#pool.size;
    const inFlight: Promise<AnswerTo<'piece'>>[] = [];
    const send = (bytes: Uint8Array<ArrayBuffer>, isLast: boolean): void => {
      inFlight.push(this.#send(worker, { kind: 'piece', stream, bytes, isLast }, bytes));
    };
    for await (const bytes of fillPieces(readSource(entry, path))) {
      send(bytes, false);
      if (inFlight.length >= STREAM_PIECES_IN_FLIGHT) await inFlight.shift();
    }
    send(new Uint8Array(0), true);
    const last = (await Promise.all(inFlight)).at(-1);
    if (last === undefined || last.content === null) throw new Error('a stream ended without its content');
    return { content: last.content, bytes: last.bytes };
  }

  /** Gives a stream's blobs to all workers in turn: nothing that one knows is needed for the next. */
  async #givenBlobs(path: string, entry: StreamEntry): Promise<StreamContent> {
    const content: string[] = [];
    const inFlight: Promise<AnswerTo<'blobs'>>[] = [];
    let total = 0;
    for await (const { bytes, ends } of gatherBlobs(readSource(entry, path))) {
      total += bytes.length;
      const worker = ++this.#streams % this.#pool.size;
      inFlight.push(this.#send(worker, { kind: 'blobs', bytes, ends }, bytes));
      if (inFlight.length >= STREAM_PIECES_IN_FLIGHT) content.push(...((await inFlight.shift())?.ids ?? []));
    }
    for (const answer of await Promise.all(inFlight)) content.push(...answer.ids);
    return { content, bytes: total };
  }

  #send<J extends BackupJob>(worker: number, job: J, bytes: Uint8Array<ArrayBuffer>): Promise<AnswerTo<J['kind']>> {
    this.#events.onBytes(bytes.length);
    const answer = ask(this.#pool, worker, job, [bytes.buffer]);
    answer.catch((error: unknown) => this.#events.onFailure(error));
    return answer;
  }
}
