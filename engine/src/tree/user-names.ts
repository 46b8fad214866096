/** Names of users and groups by number, as the machine's own files list them. Read once per thread. */
import { readFileSync } from 'node:fs';

let users: Map<number, string> | undefined;
let groups: Map<number, string> | undefined;

/** `name:password:number:…` per line; the first line of a number counts. */
function readNames(path: string): Map<number, string> {
  const names = new Map<number, string>();
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch {
    // A system without the file has no names: nodes then carry numbers only, as restic's do.
    return names;
  }
  for (const line of text.split('\n')) {
    const [name, , number] = line.split(':');
    if (name === undefined || number === undefined || !/^\d+$/.test(number)) continue;
    if (!names.has(Number(number))) names.set(Number(number), name);
  }
  return names;
}

/** The user's name, or the empty text. */
export function userName(uid: number): string {
  users ??= readNames('/etc/passwd');
  return users.get(uid) ?? '';
}

export function groupName(gid: number): string {
  groups ??= readNames('/etc/group');
  return groups.get(gid) ?? '';
}
