/** Aegir's `drushrc.php` for a site that has none, with what Aegir and we read out of one. */
export type DrushrcFields = Readonly<Record<string, string | boolean | readonly string[] | null>>;

/** Names that the web server's environment mirrors in Aegir's cloaked settings. */
const MIRRORED = ['db_type', 'db_port', 'db_host', 'db_user', 'db_passwd', 'db_name'];

export function writeDrushrc(fields: DrushrcFields): Buffer {
  const lines = Object.entries(fields).map(([name, value]) => `$options[${toPhp(name)}] = ${toPhp(value)};`);
  const mirrors = MIRRORED.filter((name) => name in fields).map((name) => `$_SERVER['${name}'] = $options['${name}'];`);
  return Buffer.from(`<?php\n\n${lines.join('\n')}\n\n${mirrors.join('\n')}\n`);
}

function toPhp(value: DrushrcFields[string] | undefined): string {
  if (value === null || value === undefined) return 'NULL';
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (typeof value === 'string') return `'${value.replace(/[\\']/g, '\\$&')}'`;
  return `array(${value.map((item, index) => `${index} => ${toPhp(item)}`).join(', ')})`;
}
