import { randomBytes } from 'node:crypto';
import { MAX_PARTS, check } from '@salvor/engine';
import type { DataShare } from '@salvor/engine';
import type { RepoCheckDocument } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted, readableBytes } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { parseSize } from './repo-size.ts';
import { openRepo, toProblem } from './repo.ts';
import type { RepoFlags } from './repo.ts';

export type RepoCheckFlags = RepoFlags & {
  readonly readData?: boolean;
  readonly readDataSubset?: string;
  readonly seed?: string;
};

/** Damage is what was looked for: it is printed as the document, and fails the command. */
export async function repoCheck(flags: RepoCheckFlags, context: CommandContext): Promise<CommandResult> {
  const readData = dataOf(flags);
  const repository = await openRepo(flags, context);
  const result = await check(repository, { readData, signal: context.signal });
  const isDamaged = result.errors.length > 0;
  const document: RepoCheckDocument = {
    state: isDamaged ? 'failed' : 'succeeded',
    dataRead: readData === true,
    packsRead: result.packsRead,
    bytesRead: result.bytesRead,
    seed: typeof readData === 'object' && 'seed' in readData ? readData.seed : null,
    snapshots: result.snapshots,
    packs: result.packs,
    blobs: result.blobs,
    errors: result.errors.map(toProblem),
    hints: result.hints.map(toProblem),
  };
  return { document, text: render(document, flags, context), exit: isDamaged ? 1 : 0 };
}

/** What of the packs is read. Throws `usage`. */
function dataOf({ readData = false, readDataSubset: subset, seed }: RepoCheckFlags): boolean | DataShare {
  if (subset === undefined) {
    if (seed !== undefined) throw usage('--seed belongs to --read-data-subset');
    return readData;
  }
  if (readData) throw usage('--read-data reads all: it and --read-data-subset exclude each other');
  const share = parseShare(subset, seed ?? randomBytes(4).toString('hex'));
  if (share.kind === 'part' && seed !== undefined) throw usage('a part is the same each time and takes no --seed');
  return share;
}

/** `3/30`, `2.5%`, `500M`: as restic writes them. */
function parseShare(text: string, seed: string): DataShare {
  const [, part, of] = /^(\d{1,5})\/(\d{1,5})$/.exec(text) ?? [];
  if (part !== undefined && of !== undefined) {
    const share = { kind: 'part', part: Number(part), of: Number(of) } as const;
    if (share.of > 0 && share.of <= MAX_PARTS && share.part > 0 && share.part <= share.of) return share;
    throw usage(`--read-data-subset takes part n of t as n/t, t at most ${MAX_PARTS}: not '${text}'`);
  }
  const percents = /^(\d+(?:\.\d+)?)%$/.exec(text)?.[1];
  if (percents !== undefined) {
    const percent = Number(percents);
    if (percent > 0 && percent <= 100) return { kind: 'percent', percent, seed };
    throw usage('--read-data-subset takes more than 0% and up to 100%');
  }
  if (!/^\d+[bkmgt]?$/i.test(text)) {
    throw usage(`--read-data-subset takes a part as 3/30, a share as 2.5%, or a size as 500M: not '${text}'`);
  }
  const bytes = parseSize(text, '--read-data-subset');
  if (bytes === 0) throw usage('--read-data-subset takes a size above 0');
  return { kind: 'bytes', bytes, seed };
}

function usage(problem: string): SalvorError {
  return new SalvorError('usage', { problem });
}

function render(document: RepoCheckDocument, flags: RepoCheckFlags, { terminal }: CommandContext): string {
  const { errors, hints } = document;
  const { red, green } = terminal.output;
  const seen = [
    counted(document.snapshots, 'snapshot'),
    counted(document.packs, 'pack'),
    counted(document.blobs, 'blob'),
  ];
  const verdict = errors.length === 0 ? green('No damage found') : red(`${counted(errors.length, 'error')} found`);
  return [
    `Checked ${seen.join(', ')}; ${describeDepth(document, flags)}.`,
    ...renderProblems(errors, terminal.output, 'error'),
    ...renderProblems(hints, terminal.output, 'hint'),
    `${verdict}.`,
  ].join('\n');
}

function describeDepth({ dataRead, packsRead, bytesRead, seed }: RepoCheckDocument, flags: RepoCheckFlags): string {
  if (dataRead) return 'every byte was read';
  if (flags.readDataSubset === undefined) return 'the packs were not read: --read-data does';
  const drawn = seed === null ? '' : `, drawn by --seed ${seed}`;
  return `${counted(packsRead, 'pack')} (${readableBytes(bytesRead)}) were read${drawn}`;
}
