/** What everything that an agent does runs in: its store, locks, journals and points, with what a crash left finished or undone. */
import { loadavg } from 'node:os';
import type { Config } from '../config.ts';
import { AuditLog } from '../lib/audit-log.ts';
import { HostPoints } from '../points/host-points.ts';
import type { RemoteWait } from '../points/repositories.ts';
import { policyOfAccount, policyOfHost } from '../policies/policy-levels.ts';
import { findAdministrator } from '../sites/administrator.ts';
import { openStore } from '../store/open-store.ts';
import type { Uptime } from './clock-watch.ts';
import { hooksOf } from './hooks-of.ts';
import { Journals } from './journals.ts';
import { Locks } from './locks.ts';
import { limitsOf } from './queue-limits.ts';
import { recoverHost } from './recover.ts';
import type { TaskRoom } from './run-task.ts';
import { TaskLog } from './task-log.ts';
import { Way } from './way.ts';

export type AgentServices = {
  readonly clock: () => Date;
  /** From 0 up to and without 1. */
  readonly random: () => number;
  readonly randomBytes: (count: number) => Uint8Array;
  /** Who asks, for the audit log. */
  readonly who: string;
  /** Each line that a task says. */
  readonly say: (line: string) => void;
  /** Time since the boot, which no change of the clock moves. */
  readonly uptime: () => Uptime;
  /** Of the process, where several agents share it: its niceness is one. */
  readonly way?: Way;
};

export type OpenTaskRoom = {
  readonly room: TaskRoom;
  readonly points: HostPoints;
  /** Closes both. */
  readonly opened: AsyncDisposableStack;
};

export async function openTaskRoom(config: Config, services: AgentServices): Promise<OpenTaskRoom> {
  await using opened = new AsyncDisposableStack();
  const store = opened.use(await openStore(config.state));
  const locks = opened.use(new Locks(config.state));
  const limits = limitsOf(policyOfHost(config.policies));
  const room: TaskRoom = {
    ...services,
    state: config.state,
    locks,
    journals: new Journals(config.state),
    log: new TaskLog(store, limits),
    limits,
    way: services.way ?? new Way(),
    load: () => loadavg()[0] ?? 0,
    hooksOf: (row) => hooksOf(config, row),
    recover: () => recoverHost(room, (account) => points.repositories.unlock(account)),
    auditLog: new AuditLog(config.state, services),
    administratorOf: (server, home) =>
      findAdministrator({
        homes: [home],
        server,
        optionFile: config.mariadb.defaultsFile ?? undefined,
        defaultSocket: config.mariadb.socket ?? undefined,
      }),
  };
  const waitOf = (account: string): RemoteWait => {
    const { uploadPerSecond, downloadPerSecond } = policyOfAccount(config.policies, account).policy;
    return { uploadBytesPerSecond: uploadPerSecond, downloadBytesPerSecond: downloadPerSecond };
  };
  const points = opened.use(new HostPoints(config, store, waitOf));
  await room.recover();
  return { room, points, opened: opened.move() };
}
