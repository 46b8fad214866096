import { readFileSync } from 'node:fs';

/** A process of this machine, for good: a pid alone is given to another process in time. */
export type ProcessIdentity = {
  readonly pid: number;
  /** Boot and clock ticks since then, from /proc: tells two processes with one pid apart, and two boots. */
  readonly start: string;
};

/** No process: what it is said to run runs nowhere. */
export const NOBODY: ProcessIdentity = { pid: 0, start: 'none' };

export function identifyThisProcess(): ProcessIdentity {
  const start = readStart(process.pid);
  if (start === null) throw new Error('/proc is not mounted: a process of this machine could not be told from another');
  return { pid: process.pid, start };
}

/** Null where no process of this id runs. */
export function identifyProcess(pid: number): ProcessIdentity | null {
  const start = readStart(pid);
  return start === null ? null : { pid, start };
}

/** Whether that very process still runs. A zombie does not: it is dead and waits for its parent. */
export function isAlive(identity: ProcessIdentity): boolean {
  return readStart(identity.pid) === identity.start;
}

function readStart(pid: number): string | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is the command in parentheses and may hold spaces and parentheses itself.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    const state = fields[0];
    const ticks = fields[19];
    if (state === 'Z' || state === 'X' || ticks === undefined) return null;
    return `${readBoot()}-${ticks}`;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT' || code === 'ESRCH') return null;
    throw error;
  }
}

let boot: string | undefined;
function readBoot(): string {
  boot ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim().slice(0, 8);
  return boot;
}

/** What the kernel says where nobody logged in: a service, or a timer. */
const NO_LOGIN = 4_294_967_295;

/** Who runs this process, and who logged in before he became that: `uid 0, logged in as uid 1000`. Of the kernel, never of the environment. */
export function nameCaller(): string {
  return nameProcess('self', process.getuid?.());
}

/** The same of another process, whose user is known. */
export function nameProcess(pid: number | 'self', user: number | undefined): string {
  const uid = `uid ${user ?? 'unknown'}`;
  let login: number;
  try {
    login = Number(readFileSync(`/proc/${pid}/loginuid`, 'utf8'));
  } catch {
    // A kernel without audit does not know, nor of a process that has ended.
    return uid;
  }
  return login === NO_LOGIN ? uid : `${uid}, logged in as uid ${login}`;
}
