import { calendarOf, forget, forgetNamed, prune, renderCalendar, simulateForget } from '@salvor/engine';
import type { ForgetCalendar, ForgetGroup, ForgetOptions, ForgetResult, Repository } from '@salvor/engine';
import type { RepoForgetDocument } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { askConsent, requireConsentPossible } from '../consent.ts';
import { counted, escapeControl, readableTime } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { renderTable } from '../table.ts';
import { toFilter, toSnapshot } from './repo-filter.ts';
import { parseGroupBy, parsePolicy } from './repo-policy.ts';
import type { ForgetFlags } from './repo-policy.ts';
import { limitsOf, renderPrune, toPruneDocument } from './repo-prune.ts';
import { openRepo, toProblem } from './repo.ts';

type Shown = { readonly group: Pick<ForgetGroup, 'host' | 'paths' | 'tags'>; readonly calendar: ForgetCalendar };

/** Removes what the policy does not keep, or the snapshots that are named. */
export async function repoForget(
  ids: readonly string[],
  flags: ForgetFlags,
  context: CommandContext,
): Promise<CommandResult> {
  const isShown = flags.calendar === true || flags.simulate !== undefined;
  if (isShown && ids.length > 0)
    throw new SalvorError('usage', { problem: 'a calendar is of a policy, not of named snapshots' });
  const dryRun = flags.dryRun === true || isShown;
  const isAgreed = dryRun || flags.yes === true;
  requireConsentPossible('removing snapshots', isAgreed, context);
  const options = toOptions(flags, context);
  const limits = limitsOf(flags);
  const repository = await openRepo(flags, context);
  if (!isAgreed) {
    const preview = await run(repository, ids, { ...options, dryRun: true });
    if (preview.removed.length > 0) await ask(preview, context);
  }
  const done = await run(repository, ids, { ...options, dryRun });
  const shown = isShown ? await showCalendars(repository, done, options, flags) : null;
  const isPruned = flags.prune === true && !dryRun && done.removed.length > 0;
  const pruned = isPruned ? toPruneDocument(await prune(repository, { ...limits, signal: context.signal })) : null;
  const document = { ...toDocument(done, dryRun, shown), pruned };
  const texts = [render(done, shown, document, context)];
  if (pruned !== null) texts.push(renderPrune(pruned, repository.location));
  return { document, text: texts.join('\n\n'), exit: document.state === 'warned' ? 3 : 0 };
}

function toOptions(flags: ForgetFlags, context: CommandContext): ForgetOptions {
  return {
    policy: parsePolicy(flags),
    groupBy: parseGroupBy(flags.groupBy),
    filter: toFilter(flags),
    allowRemoveAll: flags.unsafeAllowRemoveAll === true,
    signal: context.signal,
  };
}

async function run(repository: Repository, ids: readonly string[], options: ForgetOptions): Promise<ForgetResult> {
  if (ids.length === 0) return forget(repository, options);
  return { plan: { groups: [] }, ...(await forgetNamed(repository, ids, options)) };
}

async function ask({ removed }: ForgetResult, context: CommandContext): Promise<void> {
  const what = counted(removed.length, 'snapshot');
  await askConsent(
    `Remove ${what} (${removed
      .map((id) => id.slice(0, 8))
      .slice(0, 10)
      .join(', ')} …)?`,
    context,
  );
}

/** As it is now, or after that many more snapshots, one each day. */
async function showCalendars(
  repository: Repository,
  { plan }: ForgetResult,
  options: ForgetOptions,
  { simulate }: ForgetFlags,
): Promise<readonly Shown[]> {
  if (simulate === undefined) return plan.groups.map((group) => ({ group, calendar: calendarOf(group) }));
  const runs = Number(simulate);
  if (!/^\d{1,5}$/.test(simulate) || runs < 1 || runs > MAX_NIGHTS)
    throw new SalvorError('usage', { problem: `--simulate takes 1 to ${MAX_NIGHTS} nights` });
  const { policy, allowRemoveAll = false } = options;
  const from = new Date(repository.clock().getTime() + DAY_MS);
  if (plan.groups.length === 0) {
    const calendar = simulateForget(policy, { from, runs, allowRemoveAll });
    return [{ group: { host: null, paths: null, tags: null }, calendar }];
  }
  return plan.groups.map((group) => {
    const snapshots = [...group.keep.map(({ snapshot }) => snapshot), ...group.remove];
    return { group, calendar: simulateForget(policy, { from, runs, snapshots, allowRemoveAll }) };
  });
}

const DAY_MS = 86_400_000;
const MAX_NIGHTS = 10_000;

function toDocument(
  done: ForgetResult,
  dryRun: boolean,
  shown: readonly Shown[] | null,
): Omit<RepoForgetDocument, 'pruned'> {
  return {
    state: done.problems.length > 0 ? 'warned' : 'succeeded',
    dryRun,
    groups: done.plan.groups.map(({ host, paths, tags, keep, remove }) => ({
      host,
      paths,
      tags,
      keep: keep.map(({ snapshot, reasons }) => ({ snapshot: toSnapshot(snapshot), reasons })),
      remove: remove.map(toSnapshot),
    })),
    removed: done.removed,
    calendars:
      shown?.map(({ group: { host, paths, tags }, calendar: { rules, days } }) => ({
        host,
        paths,
        tags,
        rules,
        days: days.map(({ day, kept, removed }) => ({
          day,
          kept: kept.map(({ snapshot: { time }, reasons }) => ({ time, rules: reasons.map(({ rule }) => rule) })),
          removed,
        })),
      })) ?? null,
    problems: done.problems.map(toProblem),
  };
}

function render(
  { plan }: ForgetResult,
  shown: readonly Shown[] | null,
  { dryRun, removed, problems, pruned }: RepoForgetDocument,
  { terminal }: CommandContext,
): string {
  const { bold, dim } = terminal.output;
  const parts =
    shown === null
      ? plan.groups.map((group) => `${bold(nameOf(group))}\n${renderGroup(group, terminal.output)}`)
      : shown.map(({ group, calendar }) => `${bold(nameOf(group))}\n${renderCalendar(calendar)}`);
  const count = counted(removed.length, 'snapshot');
  const verdict = dryRun ? `${count} would be removed now; nothing was.` : `${count} removed.`;
  const hint =
    !dryRun && pruned === null && removed.length > 0
      ? [dim('What they alone held is freed by: salvor repo prune')]
      : [];
  return [...parts, [verdict, ...hint, ...renderProblems(problems, terminal.output)].join('\n')].join('\n\n');
}

function nameOf({ host, paths, tags }: Shown['group']): string {
  const named = [host ?? '', (paths ?? []).join(' '), (tags ?? []).join(',')].filter((part) => part !== '');
  return named.length === 0 ? 'All snapshots' : escapeControl(named.join('  '));
}

function renderGroup({ keep, remove }: ForgetGroup, paint: CommandContext['terminal']['output']): string {
  const rows = [
    ...keep.map(({ snapshot, reasons }) => ({ snapshot, why: reasons.map(({ text }) => text).join(', ') })),
    ...remove.map((snapshot) => ({ snapshot, why: null })),
  ];
  return renderTable(
    rows,
    [
      { title: '', value: ({ why }) => (why === null ? 'remove' : 'keep') },
      { title: 'ID', value: ({ snapshot }) => snapshot.id.slice(0, 8) },
      { title: 'TIME', value: ({ snapshot }) => readableTime(snapshot.time) },
      { title: 'TAGS', value: ({ snapshot }) => snapshot.tags.join(',') },
      { title: 'WHY', value: ({ why }) => why ?? '' },
    ],
    paint,
  );
}
