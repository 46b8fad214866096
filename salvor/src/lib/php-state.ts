/**
 * What is known at one place of the source: variables and constants. A branch of which nobody knows
 * whether it runs is read on a fork, and the forks are merged behind it.
 */
import { inRange, mergeValues, PhpArray, Unresolved } from './php-values.ts';
import type { PhpKey, PhpValue } from './php-values.ts';

/** Where a value is written: a variable and the keys below it; a key of null is `[]`. */
export type PhpPlace = { readonly variable: string; readonly keys: readonly (PhpKey | Unresolved | null)[] };

export class PhpState {
  readonly variables: Map<string, PhpValue>;
  /** Class constants too, as `class::NAME` with the class in lower case. */
  readonly constants: Map<string, PhpValue>;

  constructor(variables: Iterable<readonly [string, PhpValue]>, constants: Iterable<readonly [string, PhpValue]>) {
    this.variables = new Map(variables);
    this.constants = new Map(constants);
  }

  fork(): PhpState {
    return new PhpState(this.variables, this.constants);
  }

  /** Takes over what any of the other states says where all agree, and `unsure` where they differ. */
  become(states: readonly PhpState[], unsure: Unresolved, spend: (steps: number) => void): void {
    for (const part of ['variables', 'constants'] as const) {
      const merged = new Map<string, PhpValue>(states[0]?.[part]);
      for (const other of states.slice(1)) {
        for (const name of new Set([...merged.keys(), ...other[part].keys()])) {
          merged.set(name, mergeValues(merged.get(name), other[part].get(name), unsure, spend));
        }
      }
      this[part].clear();
      for (const [name, value] of merged) this[part].set(name, value);
    }
  }

  /** Writes a value; what it would overwrite without our knowing which becomes `unsure`. */
  write(place: PhpPlace, value: PhpValue, unsure: Unresolved, spend: (steps: number) => void): void {
    const old = this.variables.get(place.variable);
    this.variables.set(place.variable, writeBelow(old, place.keys, value, unsure, spend));
  }

  remove(place: PhpPlace, unsure: Unresolved, spend: (steps: number) => void): void {
    const last = place.keys.at(-1);
    if (last === undefined) {
      this.variables.set(place.variable, null);
      return;
    }
    const parent = { variable: place.variable, keys: place.keys.slice(0, -1) };
    let holder: PhpValue | undefined = this.variables.get(parent.variable);
    for (const key of parent.keys) {
      holder = holder instanceof PhpArray && key !== null && !(key instanceof Unresolved) ? holder.get(key) : unsure;
    }
    if (last === null || last instanceof Unresolved) this.write(parent, unsure, unsure, spend);
    else if (holder instanceof PhpArray) {
      spend(holder.entries.size);
      this.write(parent, holder.without(last), unsure, spend);
    }
  }
}

function writeBelow(
  old: PhpValue | undefined,
  keys: PhpPlace['keys'],
  value: PhpValue,
  unsure: Unresolved,
  spend: (steps: number) => void,
): PhpValue {
  const [key, ...below] = keys;
  if (key === undefined) return value;
  if (key instanceof Unresolved) return key;
  const array = arrayToWrite(old);
  if (array === null) return unsure;
  spend(array.entries.size + 1);
  if (key !== null) return array.with(key, writeBelow(array.get(key), below, value, unsure, spend));
  const next = array.nextKey();
  // An append behind unknown keys lands on a key of its own: the entries that are known stay known.
  if (next === null) return array;
  return inRange(next) ? array.with(next, writeBelow(undefined, below, value, unsure, spend)) : unsure;
}

function arrayToWrite(old: PhpValue | undefined): PhpArray | null {
  if (old === undefined || old === null || old === false) return PhpArray.empty;
  if (old instanceof PhpArray) return old;
  return old instanceof Unresolved ? new PhpArray(new Map(), old) : null;
}
