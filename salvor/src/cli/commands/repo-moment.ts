import { SalvorError } from '../../errors.ts';

/** A day or a time, in the machine's zone where none is named. Throws `usage` with the flag's name. */
export function parseMoment(name: string, text: string | undefined): Date | null {
  if (text === undefined) return null;
  const isDay = /^\d{4}-\d\d-\d\d$/.test(text);
  const date = new Date(isDay ? `${text}T00:00:00` : text.replace(' ', 'T'));
  if (!/^\d{4}-\d\d-\d\d/.test(text) || Number.isNaN(date.getTime()))
    throw new SalvorError('usage', { problem: `${name} takes a time like '2026-11-23 02:00:00', not '${text}'` });
  return date;
}
