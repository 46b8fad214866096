import { SalvorError } from '../errors.ts';
import { formatDurationMs } from '../lib/duration.ts';
import type { ProcessIdentity } from '../lib/process-identity.ts';
import type { TaskProgress } from '../tasks/task-run.ts';
import type { TaskLog } from './task-log.ts';
import type { Words } from './words.ts';

export type HeartbeatOptions = {
  readonly task: string;
  readonly process: ProcessIdentity;
  readonly log: TaskLog;
  readonly words: Words;
  readonly clock: () => Date;
  readonly beatMs: number;
  readonly timeoutMs: number | null;
  /** Of whoever waits for the task. */
  readonly signal: AbortSignal;
};

/**
 * While a task runs, others see that it lives, how far it is and what it says; and it hears from them that it is to
 * stop. A store that can't be written stops no task: it is told again with the next beat.
 */
export class Heartbeat implements Disposable {
  /** Aborted with the reason: `cancelled`, or `task-overdue`. */
  readonly signal: AbortSignal;
  readonly #options: HeartbeatOptions;
  readonly #stop = new AbortController();
  readonly #timer: NodeJS.Timeout;
  readonly #beganMs = performance.now();
  #progress: TaskProgress | null = null;
  #problems = 0;
  #isBeating = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.signal = AbortSignal.any([options.signal, this.#stop.signal]);
    this.#timer = setInterval(() => void this.#beat(), options.beatMs);
  }

  /** Bound, so that it can be handed on as `onProgress`. */
  readonly show = (progress: TaskProgress): void => {
    this.#progress = progress;
  };

  countProblems(count: number): void {
    this.#problems = count;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  async #beat(): Promise<void> {
    if (this.#isBeating) return;
    this.#isBeating = true;
    const { task, process, log, words, clock, timeoutMs } = this.#options;
    try {
      if (timeoutMs !== null && performance.now() - this.#beganMs > timeoutMs && !this.signal.aborted) {
        words.say(`has run for ${formatDurationMs(timeoutMs)} and is stopped`, {
          kind: 'warning',
          code: 'task-overdue',
        });
        this.#stop.abort(
          new SalvorError('task-overdue', {
            limit: formatDurationMs(timeoutMs),
            what: 'what it had begun was taken back',
          }),
        );
      }
      const sign = { now: clock(), progress: this.#progress, problems: this.#problems };
      const { cancelledBy } = await log.beat(task, process, sign);
      if (cancelledBy !== null && !this.signal.aborted) {
        words.say(`asked to stop by ${cancelledBy}`, { kind: 'warning', code: 'cancelled' });
        this.#stop.abort(new SalvorError('cancelled', { what: `stopped by ${cancelledBy}` }));
      }
    } catch {
      // A full disk, or a store that somebody holds: the task itself says what matters of that.
    } finally {
      this.#isBeating = false;
    }
  }
}
