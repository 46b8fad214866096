import { readFileSync } from 'node:fs';

/** Names of the host's users and groups as its files give them; null for a number that has none. */
export function nameUser(id: number): string | null {
  return readIds('/etc/passwd').get(id) ?? null;
}

export function nameGroup(id: number): string | null {
  return readIds('/etc/group').get(id) ?? null;
}

/** The first name of each number, as the system's own look-up has it. */
function readIds(file: string): ReadonlyMap<number, string> {
  const names = new Map<number, string>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [name, , id] = line.split(':');
    if (name !== undefined && id !== undefined && /^\d+$/.test(id) && !names.has(Number(id)))
      names.set(Number(id), name);
  }
  return names;
}
