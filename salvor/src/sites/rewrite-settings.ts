/**
 * Gives the settings of a site another log-in and another name, as data: the text of literals at the places that hold
 * the old ones is replaced, and every other byte of the file stays, comments too. Owns which places these are; knows
 * no disk and no database.
 *
 *   const { bytes, places, problems } = rewriteSettings({ name: 'settings.php', bytes }, changes);
 *
 *   literals and their places → those that hold the old → replaced → read before and after: what differs must be exactly
 *   what was to change (`compare-settings.ts`)
 *
 * Understood are `settings.php` of Drupal 6 to 11 and of Backdrop with what stands beside it (`settings.local.php`,
 * `local.settings.php`, `civicrm.settings.php`), Aegir's and BOA's `drushrc.php`, and `wp-config.php`.
 */
import { type PhpLiteral, type Replacement, findLiterals, replaceInSource, spellLiteral } from '../lib/php-literals.ts';
import { parsePhp } from '../lib/php-syntax.ts';
import { compareSettings } from './compare-settings.ts';
import { countFresh, isSecretPlace, keptSecrets } from './fresh-secrets.ts';
import { ConnectionFields, rewriteDatabaseUrl } from './connection-fields.ts';
import { namesConnection, readAlone } from './read-alone.ts';
import { renameAt } from './rename-at.ts';
import { type Naming, nameInText, oldNamesOf } from './rename-in-text.ts';
import { type ContextFields, fieldsOfRenamed, setContext } from './set-context.ts';
import {
  type RewrittenPlace,
  type RewrittenSettings,
  type SettingsChanges,
  type SettingsText,
  isDrushrc,
  notRewritten,
} from './settings-changes.ts';

/** The file that a site's own code would read the same from, but for what was to change. Never throws for what it holds. */
export function rewriteSettings({ name, bytes }: SettingsText, changes: SettingsChanges): RewrittenSettings {
  const { naming, connections } = changes;
  const path = (side: 'from' | 'to'): string => `${naming.path[side]}/${name}`;
  const failed = (line: number, why: string): RewrittenSettings => ({
    ...untouched(bytes),
    problems: [notRewritten(path('from'), line, why)],
  });
  const syntax = parsePhp(bytes);
  const found = syntax.ok ? findLiterals(bytes) : null;
  if (found === null) {
    const isTouched = holdsAny(bytes, changes);
    if (!isTouched) return untouched(bytes);
    return syntax.ok
      ? failed(1, 'can not be taken apart')
      : failed(syntax.line, `can not be read as PHP: ${syntax.message}`);
  }
  const isOfDrush = isDrushrc(name);
  // As the new place would have it read before anything is replaced: what follows from the place alone has changed.
  const before = readAlone(path('to'), bytes, changes);
  const named = (keys: readonly (string | null)[]): string | null => namesConnection(before, keys);
  const fields = new ConnectionFields(found.literals.filter(isWhole), connections, { isDrushrc: isOfDrush, named });
  const lines = new Lines(bytes);
  const replacements: Replacement[] = [];
  const places: RewrittenPlace[] = [];
  for (const literal of found.literals) {
    const rewritten = rewriteLiteral(literal, fields, changes);
    if (rewritten === null) continue;
    const text = spellLiteral(literal, rewritten.value, lines.source);
    // A part of a text that would need escapes: the comparison says what is wrong with it.
    if (text === null) continue;
    replacements.push({ start: literal.start, end: literal.end, text });
    places.push(placeOf(lines.at(literal.start), literal, rewritten));
  }
  const rewritten = replaceInSource(bytes, replacements);
  const after = readAlone(path('to'), rewritten, changes);
  const problems = compareSettings(before, after, {
    changes,
    isDrushrc: isOfDrush,
    named,
    literals: found.literals.map(({ place, start }) => ({ place, line: lines.at(start) })),
    file: path('from'),
  });
  if (problems.length > 0 && changes.secrets !== undefined) {
    // Something else is made of one: then they stay, and that is told.
    const { secrets: _, ...others } = changes;
    return { ...rewriteSettings({ name, bytes }, others), keptSecrets: keptSecrets(before, before) };
  }
  if (problems.length > 0) return { ...untouched(bytes), problems };
  const set = isOfDrush
    ? setContext(rewritten, 'options', [], optionsOf(rewritten, changes))
    : { bytes: rewritten, lines: [] };
  if (set === null) return failed(1, 'its $options are made by code');
  const ofOptions = set.lines.map((line) => ({ line, what: 'option' as const, before: null, after: null }));
  return {
    bytes: set.bytes,
    places: [...places, ...ofOptions],
    left: linesNaming(set.bytes, naming),
    freshSecrets: changes.secrets === undefined ? 0 : countFresh(before, after),
    keptSecrets: changes.secrets === undefined ? [] : keptSecrets(before, after),
    problems: [],
  };
}

function untouched(bytes: Uint8Array): RewrittenSettings {
  return { bytes, places: [], left: [], freshSecrets: 0, keptSecrets: [], problems: [] };
}

function optionsOf(bytes: Uint8Array, { options, naming }: SettingsChanges): ContextFields {
  return options ?? fieldsOfRenamed(bytes, 'options', [], naming.uri);
}

type RewrittenLiteral = { readonly value: string; readonly what: RewrittenPlace['what'] };

function rewriteLiteral(
  { value, place, isWhole: whole }: PhpLiteral,
  fields: ConnectionFields,
  { connections, naming, secrets }: SettingsChanges,
): RewrittenLiteral | null {
  // The key of an entry is what others find it by.
  if (place.kind === 'key') return null;
  const field = whole ? fields.rewrite({ place, value }) : null;
  if (field !== null) return { value: field.value, what: field.role };
  if (secrets !== undefined && whole && value !== '' && isSecretPlace(place))
    return { value: secrets(value), what: 'secret' };
  const url = whole ? rewriteDatabaseUrl(value, connections) : null;
  if (url !== null) return { value: url, what: 'url' };
  const renamed = renameAt(place, value, naming);
  return renamed === value ? null : { value: renamed, what: 'name-or-path' };
}

function placeOf(line: number, { value }: PhpLiteral, { value: text, what }: RewrittenLiteral): RewrittenPlace {
  const isSecret = what === 'password' || what === 'url' || what === 'secret';
  return { line, what, before: isSecret ? null : show(value), after: isSecret ? null : show(text) };
}

function show(value: string): string {
  return Buffer.from(value, 'latin1').toString('utf8');
}

/** The file's text with one character per byte, and which line a byte stands on. */
class Lines {
  readonly source: string;
  readonly #starts: number[] = [0];

  constructor(bytes: Uint8Array) {
    this.source = Buffer.from(bytes).toString('latin1');
    for (let at = this.source.indexOf('\n'); at !== -1; at = this.source.indexOf('\n', at + 1))
      this.#starts.push(at + 1);
  }

  at(offset: number): number {
    let [low, high] = [0, this.#starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle;
    }
    return low + 1;
  }
}

function linesNaming(bytes: Uint8Array, naming: Naming): number[] {
  const patterns = oldNamesOf(naming).map(nameInText);
  const lines = Buffer.from(bytes).toString('latin1').split('\n');
  return lines.flatMap((line, index) => (patterns.some((pattern) => pattern.test(line)) ? [index + 1] : []));
}

/** Whether a file that can't be read as PHP holds something that would have to change. */
function holdsAny(bytes: Uint8Array, { connections, naming }: SettingsChanges): boolean {
  const text = Buffer.from(bytes).toString('utf8');
  const words = connections.flatMap(({ from }) => [from.name, from.password]).filter((word) => word.length >= 3);
  return words.some((word) => text.includes(word)) || oldNamesOf(naming).some((name) => nameInText(name).test(text));
}

function isWhole(literal: PhpLiteral): boolean {
  return literal.isWhole;
}
