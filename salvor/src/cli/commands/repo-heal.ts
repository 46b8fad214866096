import { heal } from '@salvor/engine';
import type { RepoHealDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { openOtherRepo } from './repo-other.ts';
import type { OtherRepoFlags } from './repo-other.ts';
import { openRepo, toProblem } from './repo.ts';

/** Mends this repository with what the other copy has. What neither has is told, and fails the command. */
export async function repoHeal(flags: OtherRepoFlags, context: CommandContext): Promise<CommandResult> {
  const healthy = await openOtherRepo(flags, context);
  const damaged = await openRepo(flags, context);
  const result = await heal({ damaged, healthy, signal: context.signal });
  const isWhole = result.left.length === 0;
  const document: RepoHealDocument = {
    state: isWhole ? 'succeeded' : 'failed',
    found: result.found.map(toProblem),
    blobsHealed: result.blobsHealed,
    snapshotsHealed: result.snapshotsHealed,
    onlyThere: result.onlyThere,
    left: result.left.map(toProblem),
  };
  const { output } = context.terminal;
  const healed = `${counted(result.blobsHealed, 'blob')} and ${counted(result.snapshotsHealed, 'snapshot')}`;
  const verdict = isWhole
    ? output.green('The repository is whole')
    : output.red('Neither copy has what is still missing');
  const text = [
    result.found.length === 0
      ? 'Nothing was damaged.'
      : `Found ${counted(result.found.length, 'damaged file')}; healed ${healed}.`,
    ...renderProblems(document.found, output, 'hint'),
    ...renderProblems(document.left, output, 'error'),
    `${verdict}.`,
    ...renderOnlyThere(result.onlyThere.length, output.dim),
  ].join('\n');
  return { document, text, exit: isWhole ? 0 : 1 };
}

/** They are not brought: what was forgotten here must not come back by mending. */
function renderOnlyThere(count: number, dim: (text: string) => string): readonly string[] {
  if (count === 0) return [];
  const what = `The other copy has ${counted(count, 'snapshot')} that this one has not.`;
  return [what, dim('If they were not forgotten here, bring them with: salvor repo copy')];
}
