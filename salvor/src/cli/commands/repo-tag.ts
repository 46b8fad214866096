import { tag } from '@salvor/engine';
import type { TagChange } from '@salvor/engine';
import type { RepoTagDocument } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted, escapeControl } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { toFilter, toTagLists } from './repo-filter.ts';
import type { FilterFlags } from './repo-filter.ts';
import { openRepo, toProblem } from './repo.ts';

type Flags = FilterFlags & {
  readonly set?: readonly string[];
  readonly add?: readonly string[];
  readonly remove?: readonly string[];
};

export async function repoTag(ids: readonly string[], flags: Flags, context: CommandContext): Promise<CommandResult> {
  const change = toChange(flags);
  const repository = await openRepo(flags, context);
  const result = await tag(repository, { change, filter: toFilter(flags, ids), signal: context.signal });
  const document: RepoTagDocument = {
    state: result.problems.length > 0 ? 'warned' : 'succeeded',
    changed: result.changed,
    problems: result.problems.map(toProblem),
  };
  return { document, text: render(document, context), exit: document.state === 'warned' ? 3 : 0 };
}

function toChange({ set, add, remove }: Flags): TagChange {
  if (set !== undefined && (add ?? remove) !== undefined)
    throw new SalvorError('usage', { problem: '--set goes with neither --add nor --remove' });
  if (set !== undefined) return { set: toTagLists(set).flat() };
  if (add === undefined && remove === undefined)
    throw new SalvorError('usage', { problem: 'name what to change: --set, --add or --remove' });
  return { add: toTagLists(add).flat(), remove: toTagLists(remove).flat() };
}

function render({ changed, problems }: RepoTagDocument, { terminal }: CommandContext): string {
  const lines = changed.map((each) => {
    const tags = each.tags.length === 0 ? 'no tags' : escapeControl(each.tags.join(','));
    return `${each.old.slice(0, 8)} is ${each.new.slice(0, 8)} now: ${tags}`;
  });
  const total = `${counted(changed.length, 'snapshot')} changed.`;
  return [...lines, total, ...renderProblems(problems, terminal.output)].join('\n');
}
