/** What is put in the place of a value that a copy of a site must not hold, and how the configuration writes it. Pure. */

/**
 * `mail`, `name` and `text` are made of the old value and a secret of the task: equal values stay equal, different ones
 * different. `password` is no hash of any password; `ip` an address that nobody has; `list` an empty array as PHP
 * serialises it; `empty` NULL, '' or 0; `rows` takes the whole rows away.
 */
export const MASK_KINDS = ['mail', 'name', 'text', 'password', 'ip', 'list', 'empty', 'rows'] as const;
export type MaskKind = (typeof MASK_KINDS)[number];

export type MaskRule = {
  /** Without the prefix of the site; `*` stands for any letters. */
  readonly table: string;
  /** Null for whole rows. */
  readonly column: string | null;
  /** Only the rows that have one of these values there; null for all. */
  readonly where: { readonly column: string; readonly values: readonly string[] } | null;
  readonly kind: MaskKind;
};

/** TABLE, then `.COLUMN`, then `[COLUMN=VALUE|VALUE]`, then `=KIND`. */
const RULE = /^([^.[\]=\s]{1,64})(?:\.([^.[\]=\s]{1,64}))?(?:\[([^.[\]=\s]{1,64})=([^[\]]{1,1000})\])?=([a-z]{1,10})$/;

export const MASK_RULE_WORDS = 'must be TABLE.COLUMN=KIND, TABLE.COLUMN[COLUMN=VALUE]=KIND or TABLE=rows';

/** `field_data_phone.phone_value=text`, `usermeta.meta_value[meta_key=billing_email|phone]=mail`, `messages=rows`; else null. */
export function parseMaskRule(text: string): MaskRule | null {
  const match = RULE.exec(text);
  const [, table, column, whereColumn, values, word] = match ?? [];
  const kind = MASK_KINDS.find((each) => each === word);
  if (table === undefined || kind === undefined || (kind === 'rows') !== (column === undefined)) return null;
  const where = whereColumn === undefined ? null : { column: whereColumn, values: (values ?? '').split('|') };
  return { table, column: column ?? null, where, kind };
}
