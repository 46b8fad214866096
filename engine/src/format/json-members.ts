/**
 * Changes single members of a JSON object and leaves every other byte as it is: for listings, whose hash is their name,
 * and whose unknown members must outlive us. Text is one character per byte (latin1).
 */
export type RawMember = { readonly name: string; readonly raw: string };

/** The members of an object with their values as written. @throws RangeError where the text is no JSON object. */
export function splitObject(text: string): RawMember[] {
  return splitMembers(text).map((part) => {
    const end = endOfString(part, 0);
    const colon = part.indexOf(':', end);
    if (colon < 0) throw new RangeError('a member of an object has no value');
    return { name: String(JSON.parse(part.slice(0, end))), raw: part.slice(colon + 1).trim() };
  });
}

/** The inverse of `splitObject`, without spaces, as Go writes it. */
export function joinObject(members: readonly RawMember[]): string {
  return `{${members.map(({ name, raw }) => `${JSON.stringify(name)}:${raw}`).join(',')}}`;
}

function splitMembers(text: string): string[] {
  const whole = text.trim();
  if (!whole.startsWith('{') || !whole.endsWith('}')) throw new RangeError('it does not stand in {}');
  const parts: string[] = [];
  let depth = 0;
  let from = 1;
  const last = whole.length - 1;
  for (let at = 1; at < last; at++) {
    const character = whole[at];
    if (character === '"') at = endOfString(whole, at) - 1;
    else if (character === '{' || character === '[') depth += 1;
    else if (character === '}' || character === ']') depth -= 1;
    else if (character === ',' && depth === 0) {
      parts.push(whole.slice(from, at).trim());
      from = at + 1;
    }
  }
  const rest = whole.slice(from, last).trim();
  return rest === '' ? parts : [...parts, rest];
}

/** The place behind the closing quote of the string that begins at `from`. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '"') return at + 1;
  }
  throw new RangeError('a string in it does not end');
}
