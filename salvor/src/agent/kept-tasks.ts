/** Tasks that have ended and keep something: what can be undone or confirmed, and what recovery leaves to its next try. */
import { basename } from 'node:path';
import { SalvorError } from '../errors.ts';
import { isAlive } from '../lib/process-identity.ts';
import { isBeneath } from '../sites/read-beneath.ts';
import type { HostPoints } from '../points/host-points.ts';
import type { Site } from '../sites/site.ts';
import type { TaskRow } from '../store/tables.ts';
import { type Journal, type JournalSite, switchedBy } from '../tasks/journal.ts';
import { isOfAvailability } from '../tasks/switch-availability.ts';
import { type TaskId, parseTaskId } from '../tasks/task-id.ts';
import { holdsSite } from './queue-limits.ts';
import type { TaskRoom } from './run-task.ts';

/** What was switched lies beside the site, and not in it: a virtual host, a context. The rest comes and goes without it. */
function isBesideSite(journal: Journal): boolean {
  return (
    isOfAvailability(journal) && journal.switch?.moves.every(({ live }) => !isBeneath(live, journal.site.path)) === true
  );
}

/** What of a task's row a confirmation goes by. */
export type ConfirmableRow = Pick<TaskRow, 'id' | 'account' | 'uri' | 'path' | 'home' | 'ended' | 'point'>;

export type Confirmable = {
  readonly row: ConfirmableRow;
  readonly site: JournalSite;
  readonly original: Journal | null;
  /** The safety point, where it is pinned. */
  readonly point: string | null;
};

export class KeptTasks {
  readonly #room: Pick<TaskRoom, 'log' | 'journals'>;
  readonly #points: HostPoints;

  constructor(room: Pick<TaskRoom, 'log' | 'journals'>, points: HostPoints) {
    this.#room = room;
    this.#points = points;
  }

  /** The journal of a task that stands: the last one of its site, or one that only undos came after. Throws `task-unknown`, `nothing-to-undo`. */
  async findUndoable(name: string): Promise<Journal> {
    const { journal, refused } = await this.judgeUndoable(name);
    const [why] = refused;
    if (why !== undefined) throw new SalvorError('nothing-to-undo', { task: name, why });
    return journal;
  }

  /** The same, with all that is in the way. Throws `task-unknown`, and `nothing-to-undo` where nothing is left to be looked at. */
  async judgeUndoable(name: string): Promise<{ readonly journal: Journal; readonly refused: readonly string[] }> {
    const task = parseTaskId(name);
    const row = task === null ? null : await this.#room.log.read(task);
    const journal = task === null ? null : this.#room.journals.read(task);
    if (journal === null && row === null) throw new SalvorError('task-unknown', { task: name });
    if (journal === null)
      throw new SalvorError('nothing-to-undo', {
        task: name,
        why: this.#explainGone(row?.operation ?? '', row?.state ?? ''),
      });
    if (journal.phase !== 'kept') return { journal, refused: ['it has not ended'] };
    const refused: string[] = [];
    if (journal.confirmed !== undefined) refused.push('it was confirmed, and what it replaced is being dropped');
    else if (journal.dropBegan !== undefined) refused.push('its time is over, and what it replaced is being dropped');
    const own = switchedBy(journal);
    const newer = this.#room.journals
      .list()
      .filter((other) => other.phase === 'kept' && other.task > journal.task)
      .filter((other) => switchedBy(other).some((theirs) => own.some((ours) => isSameSite(ours, theirs))));
    const inTheWay = newer
      .filter((other) => isBesideSite(other) === isBesideSite(journal))
      .find((other) => other.operation !== 'undo' || journal.operation === 'undo');
    if (inTheWay !== undefined) refused.push(`task ${inTheWay.task} has switched the site since; undo that one first`);
    return { journal, refused };
  }

  /** A task that has ended and keeps something, or whose safety point is pinned. Throws `task-unknown`, `nothing-to-confirm`. */
  async findConfirmable(name: string): Promise<Confirmable> {
    const { refused, ...found } = await this.judgeConfirmable(name);
    const [why] = refused;
    if (why !== undefined) throw new SalvorError('nothing-to-confirm', { task: name, why });
    return found;
  }

  /** The same, with all that is in the way. Throws `task-unknown`. */
  async judgeConfirmable(name: string): Promise<Confirmable & { readonly refused: readonly string[] }> {
    const id = parseTaskId(name);
    const row = id === null ? null : ((await this.#room.log.read(id)) ?? (await this.#remember(id)));
    if (id === null || row === null) throw new SalvorError('task-unknown', { task: name });
    const original = this.#room.journals.read(id);
    const refused: string[] = [];
    if (row.ended === null) refused.push('it has not ended');
    else if (original !== null && original.phase !== 'kept') refused.push('what it left is not finished or undone yet');
    const isPinned = row.point !== null && (await this.#points.isPinned(row.point));
    if (refused.length === 0 && !isPinned && original === null)
      refused.push('it keeps nothing, and no point of it is pinned');
    const site = original?.site ?? { account: row.account, uri: row.uri, path: row.path ?? '', home: row.home ?? '' };
    return { row, site, original, point: isPinned ? row.point : null, refused };
  }

  /** A task that the list has lost: its journal says what it was, or the manifest of the point that it took. */
  async #remember(id: TaskId): Promise<ConfirmableRow | null> {
    const journal = this.#room.journals.read(id);
    if (journal !== null) {
      const { site, started, phase, point } = journal;
      return { id, ...site, ended: phase === 'kept' ? started : null, point };
    }
    const pinned = await this.#points.pinnedOf(id);
    if (pinned === null) return null;
    const { account, uri, time, id: point } = pinned;
    return { id, account, uri, path: null, home: null, ended: time, point };
  }

  #explainGone(operation: string, state: string): string {
    if (operation === 'backup') return 'a backup changes nothing';
    if (state !== 'succeeded' && state !== 'warned') return `it ended ${state} and changed nothing`;
    return 'it was undone already, or what it replaced is not kept any more';
  }

  /** A task that lives has its site's lock: of this site only those are meant that recovery leaves to its next try. */
  ofSite(site: Site): { known: ReadonlySet<string>; unfinished: readonly string[] } {
    const journals = this.#room.journals.list();
    const unfinished = journals.filter(
      ({ operation, phase, process, site: place, target }) =>
        phase !== 'kept' &&
        holdsSite(operation) &&
        !isAlive(process) &&
        [place, target].some(
          (one) => one !== undefined && isSameSite(one, { account: site.account.name, uri: site.uri }),
        ),
    );
    // What an undo keeps lies where its restore has put it.
    const known = journals.flatMap(({ task, stagings }) => [task, ...stagings.map((path) => basename(path))]);
    return { known: new Set(known), unfinished: unfinished.map(({ task }) => task) };
  }
}

function isSameSite(one: Pick<JournalSite, 'account' | 'uri'>, other: Pick<JournalSite, 'account' | 'uri'>): boolean {
  return one.account === other.account && one.uri === other.uri;
}
