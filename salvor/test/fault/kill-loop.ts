import { Random } from '../../../demo/random.ts';
import { type KillKind, type Killed, openKillHost } from './kill-host.ts';

/** A command that is killed later than it takes is a command that ends: a few of these are wanted too. */
const LATEST = 1.05;
/** From the journal's word to the end of the task, with some time to spare. */
const SWITCH_MS = 400;
/** Node itself takes this long to start; nothing of ours runs before. */
const EARLIEST_MS = 120;

export type KillCounts = Readonly<Record<string, number>>;

/**
 * Hits backups, restores and undos at `count` random instants, one after another on one host. The same seed gives the
 * same instants; when exactly a machine reaches a line is its own. Throws at the first broken claim.
 */
export async function killAtRandom(
  count: number,
  seed: number,
  operations: readonly Killed[],
  kinds: readonly KillKind[],
  tell: (line: string) => void,
): Promise<KillCounts> {
  const random = new Random(seed);
  await using host = await openKillHost();
  const counts: Record<string, number> = {};
  for (let i = 0; i < count; i++) {
    const operation = operations[i % operations.length] ?? 'restore';
    const kind = kinds[random.between(0, kinds.length - 1)] ?? 'salvor';
    const share = random.between(0, 1_000_000) / 1_000_000;
    // Every other switch is hit on purpose: by chance alone one kill in ten would meet it.
    const since = operation !== 'backup' && random.between(0, 1) === 1 ? 'switch' : 'start';
    const afterMs = Math.round(
      since === 'switch'
        ? share * SWITCH_MS
        : EARLIEST_MS + share * (host.durationsMs[operation] * LATEST - EARLIEST_MS),
    );
    const when = `${operation}, ${kind} hit ${afterMs} ms after its ${since}`;
    try {
      const { ended, site } = await host.killAt(operation, afterMs, since, kind);
      const what = `${kind}: ${operation} ${ended ? 'ended well' : 'hit'}${since === 'switch' ? ' in its switch' : ''}, site ${site}`;
      counts[what] = (counts[what] ?? 0) + 1;
      tell(`${i + 1}/${count} ${when}: ${what}`);
    } catch (error) {
      throw new Error(`kill ${i + 1} (${when}, SALVOR_TEST_SEED=${seed})`, { cause: error });
    }
  }
  return counts;
}

/** The seed that the environment gives, else a new one. */
export function chooseSeed(): number {
  const given = process.env['SALVOR_TEST_SEED'];
  return given === undefined ? Date.now() % 2_147_483_647 : Number(given);
}
