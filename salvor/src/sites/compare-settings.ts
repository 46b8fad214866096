/**
 * Compares what a settings file would say at the site's new place as it was with what it says rewritten, value by value: a log-in must be
 * the new one, a path and a name the renamed one, and everything else what it was. What is neither is a problem with the
 * line that gives it: a value put together from pieces, or one that comes from elsewhere.
 */
import type { PhpResult } from '../lib/php-evaluate.ts';
import type { LiteralPlace } from '../lib/php-literals.ts';
import { PhpArray, Unresolved, printable } from '../lib/php-values.ts';
import type { PhpValue } from '../lib/php-values.ts';
import { ConnectionFields, type Field, rewriteDatabaseUrl, urlDecode } from './connection-fields.ts';
import { renameAt } from './rename-at.ts';
import { type SettingsChanges, notRewritten } from './settings-changes.ts';
import type { SiteProblem } from './site.ts';

export type Comparison = {
  readonly changes: SettingsChanges;
  readonly isDrushrc: boolean;
  readonly named: (keys: readonly (string | null)[]) => string | null;
  /** Of the file before: where its values stand. */
  readonly literals: readonly { readonly place: LiteralPlace; readonly line: number }[];
  readonly file: string;
};

/** Enough for a person to see what is wrong. */
const MAX_PROBLEMS = 20;

export function compareSettings(before: PhpResult, after: PhpResult, comparison: Comparison): SiteProblem[] {
  const { file } = comparison;
  if (before.ok !== after.ok || (!before.ok && !isEmptyReading(before)))
    return [notRewritten(file, before.notes[0]?.line ?? 1, 'the file takes too much to be read')];
  if (!before.ok) return [];
  const differences = new Differences(before, comparison);
  for (const part of ['variables', 'constants'] as const)
    for (const name of new Set([...before[part].keys(), ...after[part].keys()])) {
      // What the web server hands in, but for where the file itself sets it.
      if (name === '_SERVER' && !comparison.isDrushrc) continue;
      const place: LiteralPlace =
        part === 'constants' ? { kind: 'constant', name } : { kind: 'variable', name, keys: [] };
      differences.compare(before[part].get(name), after[part].get(name), place);
    }
  return differences.problems;
}

/** A file that ends before it says anything. */
function isEmptyReading({ notes }: PhpResult): boolean {
  return notes.length === 0;
}

class Differences {
  readonly problems: SiteProblem[] = [];
  readonly #comparison: Comparison;
  readonly #fields: ConnectionFields;

  constructor(before: PhpResult, comparison: Comparison) {
    this.#comparison = comparison;
    const { changes, isDrushrc, named } = comparison;
    this.#fields = new ConnectionFields(fieldsOf(before), changes.connections, { isDrushrc, named });
  }

  compare(before: PhpValue | undefined, after: PhpValue | undefined, place: LiteralPlace): void {
    if (before instanceof Unresolved) {
      if (this.#isOfLogin(place)) this.#refuse(place, before.why, before);
      else if (!(after instanceof Unresolved)) this.#refuse(place, 'it can be told only afterwards');
      return;
    }
    if (before instanceof PhpArray && after instanceof PhpArray) {
      for (const key of new Set([...before.entries.keys(), ...after.entries.keys()]))
        this.compare(before.get(key), after.get(key), below(place, String(key)));
      return;
    }
    if (typeof before === 'string' || typeof before === 'bigint') {
      if (!this.#isRight(String(before), after, place))
        this.#refuse(place, 'it is put together from pieces, or comes from elsewhere');
      return;
    }
    if (before !== after) this.#refuse(place, 'it follows from something that changes');
  }

  #isRight(before: string, after: PhpValue | undefined, place: LiteralPlace): boolean {
    if (typeof after !== 'string' && typeof after !== 'bigint') return false;
    const said = String(after);
    const { changes, isDrushrc } = this.#comparison;
    // At its place, or where the file takes it from there.
    if (changes.secrets !== undefined && before !== '' && said === changes.secrets(before)) return true;
    const field = this.#fields.rewrite({ place, value: before });
    if (field !== null && said === field.value) return true;
    // Aegir mirrors what it url-encoded into `$_SERVER`, and leaves it to the settings to decode it.
    const decoded = isDrushrc && isServer(place) ? this.#fields.rewrite({ place, value: urlDecode(before) }) : null;
    if (field !== null || decoded !== null) return decoded !== null && urlDecode(said) === decoded.value;
    const url = rewriteDatabaseUrl(before, changes.connections);
    return said === (url ?? renameAt(place, before, changes.naming));
  }

  #isOfLogin(place: LiteralPlace): boolean {
    return this.#fields.changeAt(place) !== null;
  }

  #refuse(place: LiteralPlace, why: string, unresolved?: Unresolved): void {
    if (this.problems.length >= MAX_PROBLEMS) return;
    const { literals, file } = this.#comparison;
    const nearest = literals.toSorted((a, b) => nearness(b.place, place) - nearness(a.place, place))[0];
    const line = nearest !== undefined && nearness(nearest.place, place) > 0 ? nearest.line : 0;
    const at = unresolved !== undefined && unresolved.line > 0 ? unresolved.line : line;
    this.problems.push(
      notRewritten(file, at, `${showPlace(place)} is not what it has to be, because ${sentence(why)}`),
    );
  }
}

function sentence(why: string): string {
  return why.startsWith('it ') ? why : `it ${why}`;
}

function isServer(place: LiteralPlace): boolean {
  return place.kind === 'variable' && place.name === '_SERVER';
}

function* fieldsOf({ variables, constants }: PhpResult): Generator<Field> {
  for (const [name, value] of variables) yield* valuesBelow(value, { kind: 'variable', name, keys: [] });
  for (const [name, value] of constants) yield* valuesBelow(value, { kind: 'constant', name });
}

function* valuesBelow(value: PhpValue, place: LiteralPlace): Generator<Field> {
  if (typeof value === 'string' || typeof value === 'bigint') yield { place, value: String(value) };
  if (value instanceof PhpArray)
    for (const [key, item] of value.entries) yield* valuesBelow(item, below(place, String(key)));
}

function below(place: LiteralPlace, key: string): LiteralPlace {
  return place.kind === 'variable' ? { ...place, keys: [...place.keys, key] } : place;
}

/** How much of the way to a value two places share: 0 for others. */
function nearness(a: LiteralPlace, b: LiteralPlace): number {
  if (a.kind === 'constant' && b.kind === 'constant') return a.name === b.name ? 1 : 0;
  if (a.kind !== 'variable' || b.kind !== 'variable' || a.name !== b.name) return 0;
  const differs = a.keys.findIndex((key, index) => key !== null && key !== b.keys[index]);
  return 1 + (differs === -1 ? a.keys.length : differs);
}

function showPlace(place: LiteralPlace): string {
  if (place.kind === 'constant') return printable(place.name);
  if (place.kind !== 'variable') return 'a value';
  return `$${printable(place.name)}${place.keys.map((key) => `[${printable(key ?? '')}]`).join('')}`;
}
