import { openView } from '@salvor/engine';
import type { CommandContext, Written } from '../command.ts';
import { writeBytes } from '../terminal.ts';
import type { FilterFlags } from './repo-filter.ts';
import { findNamed } from './repo-named.ts';
import { openRepo, toProblem } from './repo.ts';

/** Its output is the file's bytes as they are, also on a terminal; so it has no document. */
export async function repoDump(
  named: string,
  file: string,
  flags: FilterFlags,
  context: CommandContext,
): Promise<Written> {
  const repository = await openRepo(flags, context);
  const view = await openView(
    repository.withSignal(context.signal),
    await findNamed(repository, named, flags, context.signal),
  );
  await writeBytes(context.terminal.stdout, view.read(file), context.signal);
  return { problems: view.problems.map(toProblem) };
}
