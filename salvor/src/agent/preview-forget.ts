/** What an account's next night is going to let go of by its age, before it does: changes nothing. */
import { readHostZone } from '../lib/host-zone.ts';
import type { Config } from '../config.ts';
import type { HostPoints } from '../points/host-points.ts';
import { type CopyName, copiesOf, hasRepository } from '../points/repositories.ts';
import { findOldThirdCopies } from '../points/third-copy.ts';
import { unlivedSince } from '../policies/lived-time.ts';
import { keepsLess } from '../policies/policy-change.ts';
import { type PolicyLevels, policyOfAccount } from '../policies/policy-levels.ts';
import { nextStart } from '../policies/schedule.ts';
import { type Gone, previewLetGo } from '../tasks/let-go.ts';
import { type Uptime, readClock } from './clock-watch.ts';

export type ForgetPreview = {
  readonly goes: readonly (Gone & { readonly copy: CopyName })[];
  readonly kept: number;
  /** `YYYY-MM-DD`, oldest first. */
  readonly thirdCopies: readonly string[];
};

type PreviewRoom = {
  readonly config: Config;
  readonly points: HostPoints;
  readonly now: Date;
  readonly uptime: Uptime;
};

/** As of its next start, and of a clock that is believed by then. Throws what keeps a repository from being read. */
export async function previewForget(
  account: string,
  { config, points, now, uptime }: PreviewRoom,
): Promise<ForgetPreview> {
  const { policy } = policyOfAccount(config.policies, account);
  const start = nextStart('nightly', policy, account, readHostZone(), now) ?? now;
  const seen = readClock(config.state, now, uptime);
  const clock = { ...seen, lived: seen.lived + start.getTime() - now.getTime(), isTrusted: true };
  const goes: (Gone & { copy: CopyName })[] = [];
  let kept = 0;
  for (const copy of hasRepository(config, account) ? copiesOf(config) : []) {
    const rules = {
      account,
      policy,
      waitMs: copy === 'remote' ? policy.remoteDeletesWaitMs : 0,
      clock,
      made: await points.madeIn(account, copy),
      held: await points.heldOf(account, now),
    };
    const preview = await previewLetGo(await points.repositories.open(account, copy), rules, start);
    kept += preview.kept;
    goes.push(...preview.goes.map((gone) => ({ ...gone, copy })));
  }
  const zone = policy.timeZone ?? readHostZone();
  const day = Temporal.Instant.fromEpochMilliseconds(start.getTime()).toZonedDateTimeISO(zone).toPlainDate();
  const thirdCopies = findOldThirdCopies(
    { directory: config.thirdCopy, account },
    {
      day: day.toString(),
      keepMs: policy.keepThirdCopyMs,
      unlivedSince: (time) => unlivedSince(clock, time, start),
    },
  );
  return { goes, kept, thirdCopies };
}

/** For each account that keeps less than it did by the rules of before, what its next night lets go of; a line each. */
export async function tellForget(
  before: PolicyLevels,
  accounts: readonly string[],
  room: PreviewRoom,
): Promise<readonly string[]> {
  const lines: string[] = [];
  for (const account of accounts) {
    const [was, is] = [before, room.config.policies].map((levels) => policyOfAccount(levels, account).policy);
    if (was === undefined || is === undefined || !keepsLess(was, is)) continue;
    try {
      lines.push(`${account}: ${sayForget(await previewForget(account, room), copiesOf(room.config))}`);
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      lines.push(`${account}: what the next night lets go of can't be told: ${why}`);
    }
  }
  return lines;
}

function sayForget({ goes, thirdCopies }: ForgetPreview, copies: readonly CopyName[]): string {
  const parts = copies.flatMap((copy) => {
    const times = goes.filter((gone) => gone.copy === copy).map(({ time }) => time.toISOString());
    return times.length === 0 ? [] : [`${count(times.length, 'snapshot')} of the ${copy} copy (${span(times)})`];
  });
  if (thirdCopies.length > 0) parts.push(`${count(thirdCopies.length, 'day')} of third copies (${span(thirdCopies)})`);
  return `the next night lets go of ${parts.length === 0 ? 'nothing' : parts.join(', ')}`;
}

function count(number: number, what: string): string {
  return number === 1 ? `1 ${what}` : `${number} ${what}s`;
}

function span(times: readonly string[]): string {
  const [oldest = '', newest = ''] = [times.toSorted()[0], times.toSorted().at(-1)];
  return oldest === newest ? oldest : `${oldest} to ${newest}`;
}
