import assert from 'node:assert/strict';
import { Random } from '../../../demo/random.ts';
import type { Operation } from './kill-command.ts';
import { type KillHost, type Outcome, type Target, openKillHost } from './kill-host.ts';
import type { ShapeName } from './kill-shapes.ts';
import type { KillKind } from './kill-strike.ts';

/** A command that is hit later than its step takes is hit in the next one: a few of these are wanted too. */
const LATEST = 1.1;
/** One of them may have ended before it is hit, both times. */
const SURELY = 2;
/** The list of tasks is written to the millisecond. */
const SHORTEST_MS = 3;

export type KillWish = {
  readonly shapes: readonly ShapeName[];
  readonly kinds: readonly KillKind[];
  /** How often to hit, or how often each step: by another kind each time. */
  readonly count: number | { readonly rounds: number };
  /** Whose own task is hit first, twice, whatever chance picks. */
  readonly surely?: ShapeName;
};

export type KillCounts = {
  /** `kind` → how many were hit before they had ended. */
  readonly byKind: Readonly<Record<string, number>>;
  /** `shape operation: step` that were hit in that very step or began to be. */
  readonly steps: ReadonlySet<string>;
  /** Of all that a task says of itself. */
  readonly missed: readonly string[];
};

type Place = Pick<Target, 'shape' | 'operation' | 'step' | 'nth'> & { readonly ms: number };

/**
 * Hits each task of a site at each of its steps, by all kinds in turn, at an instant of the step that chance
 * picks. The steps are those that a task says of itself when nobody hits it: a new one can't be forgotten. The same seed
 * gives the same hits; when exactly a machine reaches a line is its own. Throws at the first broken claim.
 */
export async function killAtEachStep(wish: KillWish, seed: number, tell: (line: string) => void): Promise<KillCounts> {
  const random = new Random(seed);
  await using host = await openKillHost(wish.shapes);
  const places = await listPlaces(host, wish.shapes);
  const targets = chooseTargets(places, wish, random);
  const byKind: Record<string, number> = {};
  const steps = new Set<string>();
  for (const [index, target] of targets.entries()) {
    const { shape, operation, kind, step, afterMs } = target;
    const when = `${shape} ${operation}: ${kind} ${afterMs} ms after “${step}” began`;
    try {
      const { hitIn, site } = await hitSurely(host, target);
      if (hitIn !== null) {
        byKind[kind] = (byKind[kind] ?? 0) + 1;
        steps.add(nameOf(target));
      }
      tell(
        `${index + 1}/${targets.length} ${when}: ${hitIn === null ? 'had ended' : `hit in “${hitIn}”`}, site ${site}`,
      );
    } catch (error) {
      throw new Error(`hit ${index + 1} (${when}, SALVOR_TEST_SEED=${seed})`, { cause: error });
    }
  }
  const missed = places.map((place) => nameOf(place)).filter((name) => !steps.has(name));
  return { byKind, steps, missed };
}

/** A command that had ended before it could be hit is run again, and hit as soon as the step begins. */
async function hitSurely(host: KillHost, target: Target): Promise<Outcome> {
  const first = await host.killAt(target);
  return first.hitIn === null ? await host.killAt({ ...target, afterMs: 0 }) : first;
}

/** The seed that the environment gives, else a new one. */
export function chooseSeed(): number {
  const given = process.env['SALVOR_TEST_SEED'];
  return given === undefined ? Date.now() % 2_147_483_647 : Number(given);
}

/** What is not of a shape is hit on the whole site. */
function operationsOf(shape: ShapeName): readonly Operation[] {
  switch (shape) {
    case 'whole':
      return ['change', 'undo', 'backup', 'verify', 'confirm', 'backup-delete', 'export'];
    case 'clone':
      return ['change', 'undo', 'settle'];
    case 'delete-clone':
      return ['change', 'undo', 'settle', 'expire'];
    case 'disable':
      return ['change', 'undo', 'enable'];
    case 'beside':
      return ['change', 'enable'];
    default:
      return ['change', 'undo'];
  }
}

async function listPlaces(host: KillHost, shapes: readonly ShapeName[]): Promise<readonly Place[]> {
  const places: Place[] = [];
  for (const shape of shapes) {
    for (const operation of operationsOf(shape)) {
      const steps = await host.stepsOf(shape, operation);
      assert.ok(steps.length > 0, `${shape} ${operation} says nothing of itself`);
      places.push(...steps.map(({ name, nth, ms }) => ({ shape, operation, step: name, nth, ms })));
    }
  }
  return places;
}

/** All places in the order of chance, again and again, and each time by the next kind. */
function chooseTargets(
  places: readonly Place[],
  { kinds, count, surely }: KillWish,
  random: Random,
): readonly Target[] {
  const targets: Target[] = [];
  const wanted = typeof count === 'number' ? count : places.length * count.rounds;
  const firstKind = random.between(0, kinds.length - 1);
  for (let round = 0; targets.length < wanted; round++) {
    const order = places.map((place, at) => ({ place, at, key: random.between(0, 1_000_000_000) }));
    const sorted = order.toSorted((one, other) => one.key - other.key);
    const isSure = ({ place }: (typeof order)[number]): boolean =>
      targets.length === 0 && place.shape === surely && place.operation === 'change';
    const sure = sorted.filter(isSure).slice(0, SURELY);
    for (const { place, at } of [...sure, ...sorted.filter((one) => !sure.includes(one))]) {
      if (targets.length === wanted) break;
      // Another kind each round: after as many rounds as there are kinds each place had all.
      const kind = kinds[(firstKind + at + round) % kinds.length] ?? 'salvor';
      const share = random.between(0, 1_000_000) / 1_000_000;
      const afterMs = Math.round(share * Math.max(SHORTEST_MS, place.ms * LATEST));
      const { shape, operation, step, nth } = place;
      targets.push({ shape, operation, step, nth, kind, afterMs });
    }
  }
  return targets;
}

function nameOf({ shape, operation, step, nth }: Omit<Place, 'ms'>): string {
  return `${shape} ${operation}: ${step}${nth > 1 ? ` (${nth})` : ''}`;
}
