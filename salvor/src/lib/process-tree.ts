/**
 * All that a command has started, however it hides: ended, and waited for until it is gone. Foreign code that is cut off
 * must not go on writing where we then put things back.
 *
 * As another user than root it runs in a namespace of its own for processes: the kernel ends all in it together with the
 * first one, which dies with us too; nothing in it can leave. `/proc` in it is its own, because process ids are. What runs
 * as root itself (a hook that signals a server by the id in its file) must see those of the host, and a kernel may refuse
 * the namespace (a container): there all that carries the mark in its environment is found, with its session and what
 * these have started. That finds whatever does not hide on purpose, also after our death.
 */
import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { SalvorError } from '../errors.ts';
import { type ProcessIdentity, identifyProcess, isAlive } from './process-identity.ts';

/** In the environment of each process of a tree; its value is the mark. */
const VARIABLE = 'SALVOR_TREE';
const LOOK_AGAIN_MS = 10;
/** A namespace that has lost its first process is empty within milliseconds. */
const MAX_NAMESPACE_END_MS = 2000;

export function markOf(mark: string): Readonly<Record<string, string>> {
  return { [VARIABLE]: mark };
}

/** What the host mounts and unmounts meanwhile is so within too: else a snapshot of files could not be given back. */
const OWN_PROC = ['--mount', '--propagation', 'slave', '--mount-proc'];
const NAMESPACE = ['unshare', '--fork', '--kill-child', '--pid', ...OWN_PROC, '--'];
/**
 * The first process within: passes on the order to end, takes in the orphans, ends as the command does. The kernel keeps
 * signals from a first process that has not asked for them, which no command expects of itself.
 */
const FIRST = `trap 'test -z "$main" || kill -TERM "$main"' TERM
"$@" &
main=$!
while :; do wait "$main"; status=$?; kill -0 "$main" 2>/dev/null || exit "$status"; done`;
/** A shell starts what it does not wait for at once deaf to these. */
const AS_STARTED_BY_US = ['env', '--default-signal=INT,QUIT', '--'];

/** The words that go before a command to have it in a namespace; null where there is none to be had. Asked once. */
export function namespaceWords(): readonly string[] | null {
  isPossible ??=
    listChildren(process.pid) !== null && spawnSync('unshare', [...NAMESPACE.slice(1), 'true']).status === 0;
  return isPossible ? [...NAMESPACE, 'sh', '-c', FIRST, 'sh', ...AS_STARTED_BY_US] : null;
}
let isPossible: boolean | undefined;

/** The first process within, by the process that made the namespace: none before it has, or when all in it has ended. */
export function firstWithin(maker: number): number | null {
  return listChildren(maker)?.[0] ?? null;
}

function listChildren(pid: number): readonly number[] | null {
  const text = read(`/proc/${pid}/task/${pid}/children`);
  return text === null ? null : text.split(' ').filter(Boolean).map(Number);
}

export type TreeEnd = {
  /** Of its first process, where that is known: it was made for the tree alone. */
  readonly session?: number;
  /** For ever where it is not said. */
  readonly withinMs?: number;
  readonly kill?: (pid: number) => void;
};

/**
 * SIGKILL to all of the tree with this mark, until nothing of it is left. Gives how many processes there were. Throws
 * `command-still-runs`: the kernel ends nothing that waits for a dead disk.
 */
export async function endTree(
  mark: string,
  { session, withinMs = Infinity, kill = killHard }: TreeEnd = {},
): Promise<number> {
  const sessions = new Set(session === undefined ? [] : [session]);
  const found = new Map<string, ProcessIdentity>();
  const began = performance.now();
  for (;;) {
    const { members, isEnding } = findTree(mark, sessions);
    for (const pid of members) {
      const identity = identifyProcess(pid);
      if (identity === null) continue;
      found.set(`${pid} ${identity.start}`, identity);
      kill(pid);
    }
    const alive = [...found.values()].filter(isAlive);
    const waited = performance.now() - began;
    if (alive.length === 0 && members.length === 0 && !(isEnding && waited < MAX_NAMESPACE_END_MS)) return found.size;
    if (waited > withinMs)
      throw new SalvorError('command-still-runs', { processes: alive.map(({ pid }) => pid).join(', ') });
    await sleep(LOOK_AGAIN_MS);
  }
}

/** Its ids, from the namespace that we see to the one that it is in. */
const FIRST_OF_ANOTHER = /^NSpid:\t(?:\d+\t)+1$/m;

type Row = { readonly parent: number; readonly session: number; readonly isMarked: boolean };

/** `isEnding`: the first process of some namespace has let go of all that it had, and the kernel ends what is within. */
function findTree(
  mark: string,
  sessions: Set<number>,
): { readonly members: readonly number[]; readonly isEnding: boolean } {
  const rows = new Map<number, Row>();
  let isEnding = false;
  for (const name of readdirSync('/proc').filter((entry) => /^\d+$/.test(entry))) {
    const stat = read(`/proc/${name}/stat`);
    if (stat === null) continue;
    // As in process-identity.ts: the command's name may hold anything.
    const [state, parent, , session] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (state === 'Z' || state === 'X') continue;
    const environment = read(`/proc/${name}/environ`);
    if (environment === '') isEnding ||= FIRST_OF_ANOTHER.test(read(`/proc/${name}/status`) ?? '');
    const isMarked = environment?.split('\0').includes(`${VARIABLE}=${mark}`) === true;
    rows.set(Number(name), { parent: Number(parent), session: Number(session), isMarked });
  }
  // A hook may call us: what we are is not ended by ourselves.
  const own = rows.get(process.pid)?.session;
  for (const row of rows.values()) if (row.isMarked && row.session !== own) sessions.add(row.session);
  const members = new Set<number>();
  const isOf = (pid: number, { parent, session, isMarked }: Row): boolean =>
    pid !== process.pid && (isMarked || sessions.has(session) || members.has(parent));
  for (let before = -1; before < members.size;) {
    before = members.size;
    for (const [pid, row] of rows) if (isOf(pid, row)) members.add(pid);
  }
  return { members: [...members], isEnding };
}

/** Null where it has ended, or is another user's: that one can't be ended either. */
function read(path: string): string | null {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return null;
  }
}

function killHard(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It ended first, or is not ours to end: whether it is gone is asked again.
  }
}
