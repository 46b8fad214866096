import { prune } from '@salvor/engine';
import type { PruneLimits, PruneResult, UnusedLimit } from '@salvor/engine';
import type { RepoPruneDocument } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { askConsent, requireConsentPossible } from '../consent.ts';
import { counted, escapeControl, readableBytes } from '../readable.ts';
import { parseSize } from './repo-size.ts';
import { openRepo } from './repo.ts';
import type { RepoFlags } from './repo.ts';

/** How much is written anew, and how much may stay unused. */
export type PruneLimitFlags = {
  readonly maxUnused?: string;
  readonly maxRepackSize?: string;
  readonly repackCacheableOnly?: boolean;
  readonly repackSmall?: boolean;
  readonly repackUncompressed?: boolean;
};

export type RepoPruneFlags = RepoFlags & PruneLimitFlags & { readonly dryRun?: boolean; readonly yes?: boolean };

/** Removes what no snapshot reaches; the plan is shown before anybody is asked. */
export async function repoPrune(flags: RepoPruneFlags, context: CommandContext): Promise<CommandResult> {
  const limits = limitsOf(flags);
  const isDry = flags.dryRun === true;
  if (!isDry) requireConsentPossible('Removing unused data from a repository', flags.yes === true, context);
  const repository = await openRepo(flags, context);
  const options = { ...limits, signal: context.signal };
  if (!isDry && flags.yes !== true) {
    const shown = await prune(repository, { ...options, dryRun: true });
    context.terminal.stderr.write(`${renderPrune(toPruneDocument(shown), repository.location)}\n`);
    await askConsent('Remove it now?', context);
  }
  const document = toPruneDocument(await prune(repository, { ...options, dryRun: isDry }));
  return { document, text: renderPrune(document, repository.location), exit: 0 };
}

export function toPruneDocument({ plan, isDone, packsWritten, bytesFreed }: PruneResult): RepoPruneDocument {
  return {
    state: 'succeeded',
    dryRun: !isDone,
    packs: {
      unlisted: plan.unlisted.length,
      removed: plan.remove.length,
      repacked: plan.repack.length,
      gone: plan.gone.length,
      kept: plan.kept,
      written: packsWritten,
    },
    indexFilesRewritten: plan.rewriteIndexes.length,
    blobsUsed: plan.blobsUsed,
    bytesBefore: plan.bytesBefore,
    bytesAfter: isDone ? plan.bytesBefore - bytesFreed : plan.bytesAfter,
    bytesUsed: plan.bytesUsed,
    bytesUnused: plan.bytesUnused,
    bytesUnusedAfter: plan.bytesUnusedAfter,
    bytesRepacked: plan.bytesToRepack,
  };
}

export function renderPrune(document: RepoPruneDocument, location: string): string {
  const { packs, dryRun, bytesBefore, bytesAfter } = document;
  const would = dryRun ? 'would be ' : '';
  const line = (title: string, text: string): string => `${title.padEnd(11)}${text}`;
  return [
    line('Used:', `${readableBytes(document.bytesUsed)} in ${counted(document.blobsUsed, 'blob')}`),
    line('Unused:', `${readableBytes(document.bytesUnused)}, ${readableBytes(document.bytesUnusedAfter)} of it stay`),
    line('Removed:', `${counted(packs.removed + packs.unlisted, 'pack')} ${would}removed`),
    line(
      'Repacked:',
      `${counted(packs.repacked, 'pack')} (${readableBytes(document.bytesRepacked)}) ${would}written anew`,
    ),
    `${escapeControl(location)} ${dryRun ? 'would have' : 'has'} ${readableBytes(bytesAfter)} instead of ${readableBytes(bytesBefore)}.`,
  ].join('\n');
}

/** Throws `usage`. */
export function limitsOf(flags: PruneLimitFlags): PruneLimits {
  return {
    ...(flags.maxUnused === undefined ? {} : { maxUnused: parseUnused(flags.maxUnused) }),
    ...(flags.maxRepackSize === undefined
      ? {}
      : { maxRepackBytes: parseSize(flags.maxRepackSize, '--max-repack-size') }),
    repackCacheableOnly: flags.repackCacheableOnly === true,
    repackSmall: flags.repackSmall === true,
    repackUncompressed: flags.repackUncompressed === true,
  };
}

/** `5%`, `200M`, `unlimited`: as restic writes them. */
function parseUnused(text: string): UnusedLimit {
  if (text === 'unlimited') return { kind: 'unlimited' };
  const percent = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (percent === undefined) return { kind: 'bytes', bytes: parseSize(text, '--max-unused') };
  if (Number(percent) >= 100) throw new SalvorError('usage', { problem: '--max-unused must be below 100%' });
  return { kind: 'percent', percent: Number(percent) };
}
