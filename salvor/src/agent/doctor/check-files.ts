import { type Stats, existsSync, lstatSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DoctorFinding } from '@salvor/contract';
import { findUnprotectedLinks } from '../../lib/beneath/hard-links.ts';
import { readKit } from '../../points/read-kit.ts';
import { ensureRecoveryKey } from '../../points/recovery-key.ts';
import type { RepositoryPlaces } from '../../points/repositories.ts';
import { findStale, kitFileOf } from '../../points/write-recovery-kit.ts';
import type { Check } from './examine-host.ts';
import { finding, findingOfError } from './findings.ts';

/** What nobody else may read: the configuration where it says so itself, the state, keys, recovery kit, repositories and third copies. */
export const checkFiles: Check = ({ config }) => {
  const { state, local, thirdCopy } = config;
  const findings: DoctorFinding[] = [];
  const look = (path: string, what: string, mode: '700' | '600'): void => {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    const fault = stat === undefined ? null : findFault(stat);
    if (fault !== null) findings.push(finding('mode-too-open', { what: `${what} ${path}`, fault, path, mode }, path));
  };
  look(state, 'the state directory', '700');
  for (const name of ['keys', 'remote-keys']) {
    const directory = join(state, name);
    if (!existsSync(directory)) continue;
    look(directory, 'the directory of keys', '700');
    for (const key of readdirSync(directory)) look(join(directory, key), 'the key', '600');
  }
  look(local, 'the directory of the local repositories', '700');
  look(thirdCopy, 'the directory of the third copies', '700');
  const kit = kitFileOf(config);
  findings.push(...judgeKit(config));
  look(kit, 'the recovery kit', '600');
  for (const { code, message, path } of findUnprotectedLinks())
    findings.push({ code, severity: 'warning', message, remedy: 'set it to 1 in /etc/sysctl.d', path: path ?? null });
  return Promise.resolve(findings);
};

/** Whether the kit is there, and says of the copies what the configuration and the keys say now. */
export function judgeKit(places: RepositoryPlaces): readonly DoctorFinding[] {
  const file = kitFileOf(places);
  if (!existsSync(file)) return [finding('recovery-kit-missing', {}, file)];
  try {
    const stale = findStale(places, readKit(readFileSync(file, 'utf8'), file), ensureRecoveryKey(places.state));
    return stale.length === 0 ? [] : [finding('recovery-kit-stale', { why: stale.join('; ') }, file)];
  } catch (error) {
    return [findingOfError(error, 'warning', file)];
  }
}

/** Null for what is its owner's alone, who is root where root runs this. */
function findFault({ mode, uid }: Stats): string | null {
  const ours = process.getuid?.() ?? 0;
  if (uid !== ours) return `belongs to user ${uid}`;
  return (mode & 0o077) === 0 ? null : `can be reached by other users (mode ${(mode & 0o7777).toString(8)})`;
}
