import { readFileSync, readlinkSync } from 'node:fs';

const ZONE_DIRECTORY = '/zoneinfo/';

/**
 * The host's time zone (`Europe/Oslo`), as `/etc/localtime` leads to it, else as `/etc/timezone` names it; `UTC` where
 * neither does. Node's own idea of it is no help: this program runs with TZ=UTC, as listings are written with.
 */
export function readHostZone(root = ''): string {
  for (const read of [() => zoneOfLink(`${root}/etc/localtime`), () => readFileSync(`${root}/etc/timezone`, 'utf8')]) {
    const zone = attempt(read)?.trim() ?? '';
    if (isZone(zone)) return zone;
  }
  return 'UTC';
}

/** Whether the time zone database knows the name. */
export function isZone(name: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]{1,63}$/.test(name)) return false;
  return attempt(() => new Intl.DateTimeFormat('en', { timeZone: name })) !== null;
}

function zoneOfLink(path: string): string {
  const target = readlinkSync(path);
  const at = target.indexOf(ZONE_DIRECTORY);
  return at === -1 ? '' : target.slice(at + ZONE_DIRECTORY.length);
}

function attempt<T>(read: () => T): T | null {
  try {
    return read();
  } catch {
    return null;
  }
}
