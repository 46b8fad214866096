import { Random } from '../../../demo/random.ts';
import { type Killed, openKillHost } from './kill-host.ts';

/** A command that is killed later than it takes is a command that ends: a few of these are wanted too. */
const LATEST = 1.05;
/** Node itself takes this long to start; nothing of ours runs before. */
const EARLIEST_MS = 120;

export type KillCounts = Readonly<Record<string, number>>;

/**
 * Kills backups, restores and undos at `count` random instants, one after another on one host. The same seed gives the
 * same instants; when exactly a machine reaches a line is its own. Throws at the first broken claim.
 */
export async function killAtRandom(
  count: number,
  seed: number,
  operations: readonly Killed[],
  tell: (line: string) => void,
): Promise<KillCounts> {
  const random = new Random(seed);
  await using host = await openKillHost();
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const operation = operations[i % operations.length] ?? 'restore';
    const latest = host.durationsMs[operation] * LATEST;
    const afterMs = Math.round(EARLIEST_MS + (random.between(0, 1_000_000) / 1_000_000) * (latest - EARLIEST_MS));
    try {
      const { ended, site } = await host.killAt(operation, afterMs);
      const what = `${operation} ${ended ? 'ended by itself' : 'killed'}, site ${site}`;
      counts[what] = (counts[what] ?? 0) + 1;
      tell(`${i + 1}/${count} after ${afterMs} ms: ${what}`);
    } catch (error) {
      throw new Error(`kill ${i + 1} (${operation} after ${afterMs} ms, SALVOR_TEST_SEED=${seed})`, { cause: error });
    }
  }
  return counts;
}

/** The seed that the environment gives, else a new one. */
export function chooseSeed(): number {
  const given = process.env['SALVOR_TEST_SEED'];
  return given === undefined ? Date.now() % 2_147_483_647 : Number(given);
}
