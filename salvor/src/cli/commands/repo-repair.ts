import { writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { repairIndex, repairPacks, repairSnapshots } from '@salvor/engine';
import type { RepoRepairIndexDocument, RepoRepairPacksDocument, RepoRepairSnapshotsDocument } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import { errnoOf } from '../../lib/errno.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { openRepo, toProblem } from './repo.ts';
import type { RepoFlags } from './repo.ts';

/** Something that can't be mended is a problem: exit 3. */
export async function repoRepairIndex(
  flags: RepoFlags & { readonly readAllPacks?: boolean },
  context: CommandContext,
): Promise<CommandResult> {
  const repository = await openRepo(flags, context);
  const result = await repairIndex(repository, { readAllPacks: flags.readAllPacks === true, signal: context.signal });
  const document: RepoRepairIndexDocument = {
    state: result.problems.length > 0 ? 'warned' : 'succeeded',
    packsRelisted: result.packsRelisted,
    packsDropped: result.packsDropped,
    indexFilesRemoved: result.indexesRemoved,
    problems: result.problems.map(toProblem),
  };
  const done = [
    `listed ${counted(document.packsRelisted.length, 'pack')} by what they say themselves`,
    `dropped ${counted(document.packsDropped.length, 'pack')}`,
    `replaced ${counted(document.indexFilesRemoved, 'index file')}`,
  ];
  const text = [
    `The index is mended: ${done.join(', ')}.`,
    ...renderProblems(document.problems, context.terminal.output),
  ];
  return { document, text: text.join('\n'), exit: document.state === 'warned' ? 3 : 0 };
}

/** The damaged packs are written into the working directory first, as restic does. */
export async function repoRepairPacks(
  packs: readonly string[],
  flags: RepoFlags,
  context: CommandContext,
): Promise<CommandResult> {
  const repository = await openRepo(flags, context);
  const kept: string[] = [];
  const result = await repairPacks(repository, packs, {
    signal: context.signal,
    keep: async (pack, bytes) => {
      const path = resolve(`pack-${pack}`);
      await keepFile(path, bytes);
      kept.push(path);
    },
  });
  const document: RepoRepairPacksDocument = {
    state: result.problems.length > 0 ? 'warned' : 'succeeded',
    packs: result.packs,
    blobsSaved: result.blobsSaved,
    kept,
    problems: result.problems.map(toProblem),
  };
  const lost = document.problems.length > 0 ? ['Now mend the snapshots: salvor repo repair snapshots'] : [];
  const text = [
    `Saved ${counted(document.blobsSaved, 'blob')} of ${counted(document.packs.length, 'pack')}; the packs are dropped.`,
    ...renderProblems(document.problems, context.terminal.output),
    ...lost,
  ];
  return { document, text: text.join('\n'), exit: document.state === 'warned' ? 3 : 0 };
}

async function keepFile(path: string, bytes: Uint8Array): Promise<void> {
  try {
    await writeFile(path, bytes, { mode: 0o600, flag: 'wx' });
  } catch (cause) {
    // It lies there from an earlier try: the name is the hash of what the pack was, the bytes are the same damage.
    if (errnoOf(cause) === 'EEXIST') return;
    const problem = `the damaged pack can't be kept as ${path} (${errnoOf(cause) ?? 'unknown'}): run it in another directory`;
    throw new SalvorError('usage', { problem }, { cause });
  }
}

export async function repoRepairSnapshots(
  snapshots: readonly string[],
  flags: RepoFlags & { readonly forget?: boolean; readonly dryRun?: boolean },
  context: CommandContext,
): Promise<CommandResult> {
  const repository = await openRepo(flags, context);
  const isDry = flags.dryRun === true;
  const result = await repairSnapshots(repository, {
    snapshots,
    forget: flags.forget === true,
    dryRun: isDry,
    signal: context.signal,
  });
  const isLossy = result.problems.length > 0 || result.repaired.length > 0;
  const document: RepoRepairSnapshotsDocument = {
    state: isLossy ? 'warned' : 'succeeded',
    dryRun: isDry,
    whole: result.whole,
    repaired: result.repaired.map(({ id, successor, isForgotten, losses }) => ({
      id,
      successor,
      forgotten: isForgotten,
      losses: losses.map(toProblem),
    })),
    problems: result.problems.map(toProblem),
  };
  const { output } = context.terminal;
  const lines = document.repaired.flatMap(({ id, successor, losses }) => [
    successor === null
      ? `${id.slice(0, 8)} ${isDry ? 'would be mended' : 'can not be mended'}`
      : `${id.slice(0, 8)} is mended as ${successor.slice(0, 8)}`,
    ...renderProblems(losses, output),
  ]);
  const text = [`${counted(document.whole, 'snapshot')} whole, ${document.repaired.length} not.`, ...lines];
  return {
    document,
    text: [...text, ...renderProblems(document.problems, output)].join('\n'),
    exit: isLossy ? 3 : 0,
  };
}
