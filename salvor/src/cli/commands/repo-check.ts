import { check } from '@salvor/engine';
import type { RepoCheckDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { openRepo, toProblem } from './repo.ts';
import type { RepoFlags } from './repo.ts';

/** Damage is what was looked for: it is printed as the document, and fails the command. */
export async function repoCheck(
  flags: RepoFlags & { readonly readData?: boolean },
  context: CommandContext,
): Promise<CommandResult> {
  const dataRead = flags.readData === true;
  const repository = await openRepo(flags, context);
  const result = await check(repository, { readData: dataRead, signal: context.signal });
  const isDamaged = result.errors.length > 0;
  const document: RepoCheckDocument = {
    state: isDamaged ? 'failed' : 'succeeded',
    dataRead,
    snapshots: result.snapshots,
    packs: result.packs,
    blobs: result.blobs,
    errors: result.errors.map(toProblem),
    hints: result.hints.map(toProblem),
  };
  return { document, text: render(document, context), exit: isDamaged ? 1 : 0 };
}

function render(document: RepoCheckDocument, { terminal }: CommandContext): string {
  const { errors, hints, dataRead } = document;
  const { red, green } = terminal.output;
  const seen = [
    counted(document.snapshots, 'snapshot'),
    counted(document.packs, 'pack'),
    counted(document.blobs, 'blob'),
  ];
  const depth = dataRead ? 'every byte was read' : 'the packs were not read: --read-data does';
  const verdict = errors.length === 0 ? green('No damage found') : red(`${counted(errors.length, 'error')} found`);
  return [
    `Checked ${seen.join(', ')}; ${depth}.`,
    ...renderProblems(errors, terminal.output, 'error'),
    ...renderProblems(hints, terminal.output, 'hint'),
    `${verdict}.`,
  ].join('\n');
}
