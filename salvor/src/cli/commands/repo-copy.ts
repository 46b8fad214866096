import { copy, findSnapshot, matchesFilter } from '@salvor/engine';
import type { Snapshot } from '@salvor/engine';
import type { RepoCopyDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted, readableBytes } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { toFilter } from './repo-filter.ts';
import type { FilterFlags } from './repo-filter.ts';
import { openOtherRepo } from './repo-other.ts';
import type { OtherRepoFlags } from './repo-other.ts';
import { openRepo, toProblem } from './repo.ts';

/** Brings snapshots of the other repository into this one. */
export async function repoCopy(
  snapshots: readonly string[],
  flags: OtherRepoFlags & FilterFlags,
  context: CommandContext,
): Promise<CommandResult> {
  const from = await openOtherRepo(flags, context);
  const to = await openRepo(flags, context);
  // A snapshot that was named by mistake is told, not passed over.
  const named = new Set<string>();
  for (const each of snapshots) named.add((await findSnapshot(from, each)).id);
  const filter = toFilter(flags);
  const wanted = (snapshot: Snapshot): boolean =>
    named.size > 0 ? named.has(snapshot.id) : matchesFilter(snapshot, filter);
  const result = await copy({ from, to, wanted, signal: context.signal });
  const problems = result.problems.map(toProblem);
  const state = problems.length > 0 ? 'warned' : 'succeeded';
  const document: RepoCopyDocument = { state, ...result, problems };
  const copied = counted(result.copied.length, 'snapshot');
  const stored = `${counted(result.blobs, 'blob')}, ${readableBytes(result.bytesStored)} stored`;
  const lines = result.copied.map((each) => `${each.from.slice(0, 8)} is ${each.to.slice(0, 8)} here`);
  const text = [`Copied ${copied} (${stored}); ${result.skipped} were here already.`, ...lines];
  text.push(...renderProblems(problems, context.terminal.output));
  return { document, text: text.join('\n'), exit: state === 'warned' ? 3 : 0 };
}
