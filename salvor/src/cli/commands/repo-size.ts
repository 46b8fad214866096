import { SalvorError } from '../../errors.ts';

const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40 };

/** Bytes as restic takes them: `500`, `20k`, `5G`. Throws `usage` with the flag's name. */
export function parseSize(text: string, flag: string): number {
  const match = /^(\d+)([bkmgt]?)$/i.exec(text);
  const bytes = Number(match?.[1]) * (UNITS[match?.[2]?.toLowerCase() ?? ''] ?? Number.NaN);
  if (Number.isSafeInteger(bytes)) return bytes;
  throw new SalvorError('usage', { problem: `${flag} takes bytes, or a number with k, m, g or t: not '${text}'` });
}
