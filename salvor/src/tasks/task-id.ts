import type { Brand } from '../lib/brand.ts';

/**
 * A task's name: twelve lowercase letters and digits, the first eight its time, so that names sort by time. Safe
 * in file names, database names and user names as it is.
 */
export type TaskId = Brand<string, 'TaskId'>;

/** Eight digits of base 36 hold milliseconds until the year 2059. */
const TIME_DIGITS = 8;
const RANDOM_DIGITS = 4;

/** `random` gives a number from 0 up to and without 1. */
export function makeTaskId(now: Date, random: () => number): TaskId {
  const time = now.getTime().toString(36).padStart(TIME_DIGITS, '0').slice(-TIME_DIGITS);
  const rest = Math.floor(random() * 36 ** RANDOM_DIGITS).toString(36);
  return (time + rest.padStart(RANDOM_DIGITS, '0')) as TaskId;
}

/** Null where the text is not a task's name. */
export function parseTaskId(text: string): TaskId | null {
  return /^[0-9a-z]{12}$/.test(text) ? (text as TaskId) : null;
}
