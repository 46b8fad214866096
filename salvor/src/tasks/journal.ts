import type { ServerAddress } from '../databases/mariadb/connect.ts';
import type { VolumeSnapshot } from '../lib/file-snapshots/file-snapshot.ts';
import type { ProcessIdentity } from '../lib/process-identity.ts';
import type { Switch } from './switch-site.ts';
import type { TaskId } from './task-id.ts';

/**
 * What stands on disk beside a task, so that whatever kills it the next command can finish it or undo it. Written
 * before the thing that it announces is made: what it names may be there, what it does not name was never made.
 */
export type Journal = {
  readonly version: 2;
  readonly task: TaskId;
  readonly operation:
    | 'backup'
    | 'daily'
    | 'restore'
    | 'undo'
    | 'confirm'
    | 'delete'
    | 'unpack'
    | 'backup-delete'
    | 'clone'
    | 'import'
    | 'rename'
    | 'migrate'
    | 'disable'
    | 'enable'
    | 'verify'
    | 'export';
  readonly process: ProcessIdentity;
  readonly started: string;
  readonly site: JournalSite;
  /** The site under its new name or on its new platform: the clone of it, or what it is after a rename. Absent where it stays who it is. */
  readonly target?: JournalSite;
  readonly phase: JournalPhase;
  /** The restore that an undo takes back. */
  readonly of: TaskId | null;
  /** The point that a backup made, or the safety point of a restore. */
  readonly point: string | null;
  /** The places where the new is built and the old is kept: root's alone, one on each mount that takes part. */
  readonly stagings: readonly string[];
  /** Snapshots of volumes that files are read from. Absent where there are none; those of Btrfs lie in the staging places. */
  readonly snapshots?: readonly VolumeSnapshot[];
  /** Databases that this task makes and that nothing else may be in. */
  readonly scratchDatabases: readonly ScratchDatabase[];
  /** What changes places with what; null until all of it is built and compared. */
  readonly switch: Switch | null;
  readonly undoUntil: string | null;
  /** How long it was kept for, up to then: tells when the switch was. Absent in journals of before it was a setting: 72. */
  readonly graceHours?: number;
  /** The file that keeps visitors out while parts change places; null or absent where there is none. */
  readonly maintenance?: MaintenanceFile | null;
  /** When a person said that the new is right: what is kept goes before its time, and can't be switched back any more. */
  readonly confirmed?: string;
  /** Since when what it keeps is being dropped. Half of it is no way back: it can't be undone any more, and the next task drops the rest. */
  readonly dropBegan?: string;
  /** Databases that a delete has emptied: with what it keeps they go too, if nobody else's are in them by then. */
  readonly drops?: readonly DroppedDatabase[];
  /** Whether the database updates that come after the switch are done: without them the site is not the new one. Absent where there are none. */
  readonly update?: 'pending' | 'done';
  /** The switch is the one that takes back a switch of this task: when it is over, the site is as it was. */
  readonly isTakenBack?: true;
  /** The directory in which it writes a file that has no name yet: below the root, or the root itself. Absent where it writes none. */
  readonly unfinished?: { readonly root: string; readonly directory: string | null };
  /**
   * Whether what was written between the safety point and the switch is in a point: then the safety point is that one, or there
   * was nothing. Till then what is kept holds the only copy of it. Absent where the task looks for none.
   */
  readonly late?: 'unknown' | 'kept';
  /** Databases that the task makes for a new site, with a user of the same name: marked on the server, empty until the switch. */
  readonly made?: readonly DroppedDatabase[];
};

/** The sites that a task switches, under all their names: of a clone the site that it is of is none of them. */
export function switchedBy({
  operation,
  site,
  target,
}: Pick<Journal, 'operation' | 'site' | 'target'>): readonly JournalSite[] {
  if (target === undefined) return [site];
  return isMaking(operation) ? [target] : [site, target];
}

/** Whether it makes a site that was not there, and takes none away. */
export function isMaking(operation: Journal['operation']): boolean {
  return operation === 'clone' || operation === 'import';
}

/** The site as a task has left it. */
export function siteAfter({ site, target }: Pick<Journal, 'site' | 'target'>): JournalSite {
  return target ?? site;
}

export type DroppedDatabase = { readonly server: ServerAddress; readonly name: string; readonly user: string };

/** The times are those of its directory before it was made: nanoseconds since 1970, as text. */
export type MaintenanceFile = { readonly path: string; readonly accessNs: string; readonly modifiedNs: string };

/** The site as it was when the task began: recovery must not need its settings, which may be what is being restored. */
export type JournalSite = {
  readonly account: string;
  readonly uri: string;
  readonly path: string;
  /** The account's home. */
  readonly home: string;
};

/** A database that a task makes. `user` is the one of its load; of a database without a load there is none of the name. */
export type ScratchDatabase = { readonly server: ServerAddress; readonly name: string; readonly user: string };

/**
 * started    nothing of the site was touched; staging and scratch databases may be there
 * switching  the switch has begun: none, some or all of its parts have changed places
 * switched   all have; the site is the new one, what follows is only verifying
 * kept       the task is over; the old lies in staging and in the old databases until the grace period ends
 */
export type JournalPhase = 'started' | 'switching' | 'switched' | 'kept';

/** A journal as an earlier version wrote it: the site lay on one mount. What a switch holds is a part of what it may. */
type JournalOne = Omit<Journal, 'version' | 'stagings'> & { readonly version: 1; readonly staging: string | null };

/** Throws where it is of no version that this program knows. */
export function parseJournal(text: string, path: string): Journal {
  const journal = JSON.parse(text) as Journal | JournalOne;
  if (journal.version === 2) return journal;
  if (journal.version !== 1)
    throw new Error(
      `${path} is of version ${String((journal as { version: unknown }).version)}, written by a newer salvor`,
    );
  const { staging, ...rest } = journal;
  return { ...rest, version: 2, stagings: staging === null ? [] : [staging] };
}

/** What is written down before the first part changes places, whatever the task is: what does, and until when it can be undone. */
export function switchingTo(
  parts: Switch,
  graceHours: number,
  now: Date,
): Pick<Journal, 'switch' | 'undoUntil' | 'graceHours'> & { readonly phase: 'switching' } {
  const undoUntil = new Date(now.getTime() + graceHours * 3_600_000).toISOString();
  return { phase: 'switching', switch: parts, undoUntil, graceHours };
}
