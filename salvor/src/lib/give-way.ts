/**
 * Lets this process give way to everything else on processors and disks for a while, and takes that back.
 *
 *   all threads: nice 10, lowest best-effort I/O · where the process leads its session: the session's autogroup too
 *   · where its cgroup is a service's of ours: a tenth of the weight
 *
 * Niceness counts among the threads of one group alone: a kernel with autogroups makes one of each session, and a cgroup
 * with weights is one. What threads and processes are started meanwhile gives way too. Only root can take niceness back: for
 * anybody else processors stay as they are. What can't be set is left: it is a favour, and nothing depends on it.
 */
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { getPriority, setPriority } from 'node:os';
import { readIoPriority, setIoPriority } from '@salvor/engine/libc';

/** A tenth of what others get: with nothing at all, where the host is busy, a dump's transaction would be open all night. */
const NICE = 10;
/** Best effort, the last of its eight levels: a busy disk still serves it, unlike what is idle's. */
const IO_PRIORITY = (2 << 13) | 7;
/** Of 100, which is what a cgroup has by default. */
const CGROUP_WEIGHT = 10;
/** The services that `salvor install` makes, and nobody else's. */
const OWN_CGROUP = /^salvor[a-z0-9@.-]*\.service$/;

export type GiveWayPlaces = { readonly proc: string; readonly cgroup: string };
const PLACES: GiveWayPlaces = { proc: '/proc/self', cgroup: '/sys/fs/cgroup' };

/** Until it is disposed. */
export function giveWay(places: GiveWayPlaces = PLACES): Disposable {
  const undo = new DisposableStack();
  const isRoot = process.getuid?.() === 0;
  const ioPriority = attempt(() => readIoPriority(0));
  if (ioPriority !== null) {
    undo.defer(() => forEachThread((thread) => setIoPriority(thread, ioPriority)));
    forEachThread((thread) => setIoPriority(thread, IO_PRIORITY));
  }
  if (isRoot) {
    const nice = getPriority(0);
    undo.defer(() => forEachThread((thread) => setPriority(thread, nice)));
    forEachThread((thread) => setPriority(thread, Math.max(nice, NICE)));
    if (leadsSession(places)) exchange(join(places.proc, 'autogroup'), String(NICE), /nice (-?\d+)/, undo);
    const cgroup = ownCgroup(places);
    if (cgroup !== null) {
      exchange(join(cgroup, 'cpu.weight'), String(CGROUP_WEIGHT), /(\d+)/, undo);
      exchange(join(cgroup, 'io.weight'), String(CGROUP_WEIGHT), /(?:default )?(\d+)/, undo);
    }
  }
  return undo;
}

/** Threads that begin or end meanwhile: the former have it from who began them, the latter need it no more. */
function forEachThread(body: (thread: number) => void): void {
  for (const name of readdirSync('/proc/self/task')) attempt(() => body(Number(name)));
}

/** Whoever leads its session shares it with nobody who did not come from it: no shell of somebody's. */
function leadsSession({ proc }: GiveWayPlaces): boolean {
  const stat = attempt(() => readFileSync(join(proc, 'stat'), 'latin1')) ?? '';
  // pid (name) state ppid pgrp session: the name may hold anything.
  const session = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[3];
  return session === String(process.pid);
}

function ownCgroup({ proc, cgroup }: GiveWayPlaces): string | null {
  const lines = (attempt(() => readFileSync(join(proc, 'cgroup'), 'utf8')) ?? '').split('\n');
  const path = lines.find((line) => line.startsWith('0::'))?.slice('0::'.length);
  return path !== undefined && OWN_CGROUP.test(basename(path)) ? join(cgroup, path) : null;
}

/** Writes a value, and what stood there before when all is over. */
function exchange(file: string, value: string, pattern: RegExp, undo: DisposableStack): void {
  attempt(() => {
    const before = pattern.exec(readFileSync(file, 'utf8'))?.[1];
    if (before === undefined) return;
    writeFileSync(file, value);
    undo.defer(() => attempt(() => writeFileSync(file, before)));
  });
}

function attempt<T>(body: () => T): T | null {
  try {
    return body();
  } catch {
    return null;
  }
}
