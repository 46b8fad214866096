import { PROGRAMS, SIDES } from '../programs.ts';
import type { Repository, Side } from '../programs.ts';
import { checkRepository, freshRepository } from './repositories.ts';
import type { RowContext } from './rows.ts';
import { runCommand } from '../measure/run-command.ts';

/** What a row on later runs begins with: a repository of each side with one snapshot, checked to the last byte. */
export async function backUpOnce(
  row: string,
  paths: readonly string[],
  context: RowContext,
): Promise<Record<Side, Repository>> {
  const made: Partial<Record<Side, Repository>> = {};
  for (const side of SIDES) {
    const repository = await freshRepository(`${row}-${side}`, context);
    await runCommand(PROGRAMS[side].backup(repository, ...paths), { work: context.place.work, signal: context.signal });
    await checkRepository(repository, context, 'all data');
    made[side] = repository;
  }
  return made as Record<Side, Repository>;
}
