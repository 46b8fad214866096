/** What Aegir's context files hold. */
export type PhpValue = string | number | boolean | null | readonly PhpValue[] | { readonly [key: string]: PhpValue };

/** A PHP literal, laid out as PHP's own `var_export` does: the form in which Aegir writes its contexts. */
export function toPhp(value: PhpValue, indent = ''): string {
  if (value === null) return 'NULL';
  if (typeof value === 'string') return `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
  if (typeof value !== 'object') return String(value);
  const isList = Array.isArray(value);
  const lines = Object.entries(value).map(
    ([key, item]: [string, PhpValue]) => `${indent}  ${isList ? key : toPhp(key)} => ${toPhp(item, `${indent}  `)},\n`,
  );
  return `array (\n${lines.join('')}${indent})`;
}
