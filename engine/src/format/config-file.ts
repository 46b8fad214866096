/** The file `config`: version, id and chunker polynomial of a repository. Sealed JSON, never compressed. */
import { parsePolynomial } from '../chunk/polynomial.ts';
import type { Polynomial } from '../chunk/polynomial.ts';
import { isId } from '../ids.ts';
import { countOf, parseSmallFile, textOf } from './json.ts';

export type RepositoryConfig = { readonly version: 1 | 2; readonly id: string; readonly polynomial: Polynomial };

/** @throws RangeError with the reason, where the text is no config; `version` other than 1 and 2 included. */
export function decodeConfig(json: string): RepositoryConfig {
  const object = parseSmallFile(json);
  const version = countOf(object, 'version');
  if (version !== 1 && version !== 2) throw new RangeError(`version ${version} is not known`);
  const id = textOf(object, 'id');
  if (!isId(id)) throw new RangeError('its id is not 64 hex digits');
  return { version, id, polynomial: parsePolynomial(textOf(object, 'chunker_polynomial')) };
}

export function encodeConfig(config: RepositoryConfig): string {
  return JSON.stringify({ version: config.version, id: config.id, chunker_polynomial: config.polynomial.toString(16) });
}
