/** Lock files: who works on a repository, since when, and whether alone. */
import { countOf, parseSmallFile, textOf } from './json.ts';
import { parseTime } from './time.ts';

export type LockRecord = {
  readonly time: string;
  readonly exclusive: boolean;
  readonly hostname: string;
  readonly username: string;
  readonly pid: number;
};

export function encodeLock(lock: LockRecord): string {
  return JSON.stringify(lock);
}

/** @throws RangeError where the text is no lock. */
export function decodeLock(json: string): LockRecord {
  const object = parseSmallFile(json);
  const time = textOf(object, 'time');
  parseTime(time);
  return {
    time,
    exclusive: object['exclusive'] === true,
    hostname: textOf(object, 'hostname', ''),
    username: textOf(object, 'username', ''),
    pid: countOf(object, 'pid', 0),
  };
}
