/** Runs a command and hits it at an instant of a step of its task: the process, its server, its connections or its disk. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DemoHost } from '../../../demo/host.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import type { ListedTasks } from './listed-tasks.ts';
import type { SmallDisks } from './small-disks.ts';

const SALVOR = fileURLToPath(new URL('../../../bin/salvor', import.meta.url));

/**
 * What happens at that instant. `salvor` and `server`: SIGKILL. `connections`: the server cuts all of them. `cancel`:
 * Ctrl-C. The others: a file system without a byte left, of the site and its staging place, of the server, of salvor.
 */
export const KINDS = ['salvor', 'server', 'connections', 'cancel', 'site-full', 'server-full', 'state-full'] as const;
export type KillKind = (typeof KINDS)[number];
/** MiB. What a run needs lies well below; what fills the rest costs memory. */
export const DISKS = { data: 192, mariadb: 288, salvor: 192 } as const;
const DISK_OF = { 'site-full': 'data', 'server-full': 'mariadb', 'state-full': 'salvor' } as const;
/** A server whose disk is full waits for room for a minute at a time. */
const FULL_MS = 2500;
const MAX_END_MS = 300_000;
/** What is before the first step of a task. */
export const EARLY = 'start';

export type Blow = {
  readonly kind: KillKind;
  readonly step: string;
  readonly nth: number;
  /** After the step has begun. */
  readonly afterMs: number;
};

export type KillDisks = SmallDisks<keyof typeof DISKS>;

export class Striker {
  readonly #host: DemoHost;
  readonly #disks: KillDisks;
  readonly #listed: ListedTasks;

  constructor(host: DemoHost, disks: KillDisks, listed: ListedTasks) {
    this.#host = host;
    this.#disks = disks;
    this.#listed = listed;
  }

  /** Gives the step in which it was hit; null where it ended before. */
  async hit(args: readonly string[], { kind, step, nth, afterMs }: Blow): Promise<string | null> {
    const last = this.#listed.last();
    const child = spawn(SALVOR, [...args, '--json'], {
      env: { ...process.env, HOME: this.#host.directory, SALVOR_CONFIG: salvorPlaces(this.#host).config },
      stdio: ['ignore', 'ignore', 'ignore'],
    });
    const exited = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
    if (step !== EARLY) await this.#waitForStep(child, step, nth, last);
    const late = new AbortController();
    void exited.then(() => late.abort());
    await sleep(afterMs, undefined, { signal: late.signal }).catch(() => undefined);
    if (child.exitCode !== null || child.signalCode !== null) return await this.#endedBefore(exited, args);
    const task = this.#listed.last();
    const hitIn = task === last ? 'start' : (this.#listed.stepOf(task) ?? 'start');
    await this.#strike(child, kind);
    const freed = sleep(FULL_MS).then(() => this.#disks.free());
    const slow = setTimeout(() => child.kill('SIGABRT'), MAX_END_MS);
    const [code, signal] = await exited;
    clearTimeout(slow);
    await freed;
    // Told to stop or cut off it says so by its exit code; nothing else ends it.
    const isKilled = kind === 'salvor' && signal === 'SIGKILL';
    // At the very end of a process nobody is there any more who would hear of it.
    const isLate = kind === 'cancel' && signal === 'SIGINT';
    assert.ok(
      isKilled || isLate || code === 0 || code === 1 || code === 3 || code === 130,
      `${args[0]} ended with ${code} ${signal}`,
    );
    return hitIn;
  }

  async #endedBefore(exited: Promise<[number | null, NodeJS.Signals | null]>, args: readonly string[]): Promise<null> {
    const [code, signal] = await exited;
    const told = this.#listed.read(this.#listed.last());
    assert.ok(
      code === 0 || code === 3,
      `${args[0]} failed without being hit: ${code} ${signal}, ${JSON.stringify(told)}`,
    );
    return null;
  }

  async #strike(child: ChildProcess, kind: KillKind): Promise<void> {
    switch (kind) {
      case 'salvor':
        child.kill('SIGKILL');
        return;
      case 'cancel':
        child.kill('SIGINT');
        return;
      case 'server':
        await this.#host.mariadb.kill('SIGKILL');
        return;
      case 'connections': {
        const others = await this.#host.mariadb.query(
          "SELECT CONCAT('KILL ', ID, ';') FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND USER NOT IN ('system user', 'event_scheduler')",
        );
        // One by one: a connection may have ended by itself meanwhile.
        for (const kill of others.split('\n').filter((line) => line !== ''))
          await this.#host.mariadb.query(kill).catch(() => '');
        return;
      }
      case 'site-full':
      case 'server-full':
      case 'state-full':
        this.#disks.fill(DISK_OF[kind]);
        return;
      default:
        kind satisfies never;
    }
  }

  /** Looks every millisecond; a step may last no longer. Ends with the process too. */
  async #waitForStep(child: ChildProcess, step: string, nth: number, last: string): Promise<void> {
    while (child.exitCode === null && child.signalCode === null) {
      const task = this.#listed.last();
      if (task !== last && this.#listed.hasBegun(task, step, nth)) return;
      await sleep(1);
    }
  }
}
