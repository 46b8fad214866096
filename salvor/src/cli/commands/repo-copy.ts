import { copy } from '@salvor/engine';
import type { RepoCopyDocument } from '@salvor/contract';
import type { CommandContext, CommandResult } from '../command.ts';
import { counted, readableBytes } from '../readable.ts';
import { openOtherRepo } from './repo-other.ts';
import type { OtherRepoFlags } from './repo-other.ts';
import { openRepo } from './repo.ts';

/** Brings snapshots of the other repository into this one. */
export async function repoCopy(
  snapshots: readonly string[],
  flags: OtherRepoFlags,
  context: CommandContext,
): Promise<CommandResult> {
  const from = await openOtherRepo(flags, context);
  const to = await openRepo(flags, context);
  const isWanted = (id: string): boolean => snapshots.length === 0 || snapshots.some((start) => id.startsWith(start));
  const result = await copy({ from, to, wanted: ({ id }) => isWanted(id), signal: context.signal });
  const document: RepoCopyDocument = { state: 'succeeded', ...result };
  const copied = counted(result.copied.length, 'snapshot');
  const stored = `${counted(result.blobs, 'blob')}, ${readableBytes(result.bytesStored)} stored`;
  const lines = result.copied.map((each) => `${each.from.slice(0, 8)} is ${each.to.slice(0, 8)} here`);
  const text = [`Copied ${copied} (${stored}); ${result.skipped} were here already.`, ...lines].join('\n');
  return { document, text, exit: 0 };
}
