/**
 * The host itself as an account of the nightly job: what lies in no home and is needed to set the host up again. Its
 * configuration, crontabs and certificates, the users of its database servers, and the agent's own state without its keys.
 */
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../config.ts';
import type { HostPoints } from '../points/host-points.ts';
import { HOST_CONFIG, HOST_RECORD, renderHostRecord } from '../points/host-record.ts';
import { copiesOf, listMade } from '../points/repositories.ts';
import { makeDirectories } from '../lib/make-directories.ts';
import type { Account } from '../sites/account.ts';
import type { NightText } from '../tasks/back-up-account.ts';

/** No system user is called so: a name with an `@` is none. */
export const HOST_ACCOUNT = '@host';

const PLACES = ['/etc', '/var/spool/cron', '/usr/local/etc', '/usr/local/bin', '/usr/local/sbin'];
/** Of the state: keys are outside of every point, the rest is a cache or is copied whole. */
const LEFT_OUT = [
  'keys',
  'remote-keys',
  'remote-login',
  'recovery-kit.html',
  'recovered-host',
  'cache',
  'locks',
  'scratch',
  'salvor.sqlite',
  'salvor.sqlite-wal',
  'salvor.sqlite-shm',
];

/** Null where this is not the whole host's agent but one user's. */
export function hostAccount(): Account | null {
  if (process.getuid?.() !== 0) return null;
  return { name: HOST_ACCOUNT, home: '/etc', uid: 0, gid: 0, logins: [], webGroup: null };
}

/** What is read of it: homes in the sense of the nightly job, and what of them is not. */
export function placesOfHost({ state }: Pick<Config, 'state'>): {
  readonly homes: readonly string[];
  readonly exclude: readonly string[];
} {
  return {
    homes: [...PLACES.filter((path) => existsSync(path)), state],
    exclude: LEFT_OUT.map((name) => join(state, name)),
  };
}

/** A copy of the store as it is now, whole, in STATE/saved. */
export async function saveStore(points: HostPoints, { state }: Pick<Config, 'state'>): Promise<void> {
  const directory = join(state, 'saved');
  makeDirectories(directory, 0o700);
  const file = join(directory, 'salvor.sqlite');
  rmSync(file, { force: true });
  await points.saveStore(file);
}

/** What `salvor recover` reads first: the configuration, wherever it lies, and where the repositories are. */
export function recordOfHost(config: Config): readonly NightText[] {
  const repositories = copiesOf(config).flatMap((copy) => listMade(config, copy));
  return [
    { name: HOST_CONFIG, text: readFileSync(config.file, 'utf8') },
    { name: HOST_RECORD, text: renderHostRecord({ config: config.file, state: config.state, repositories }) },
  ];
}
