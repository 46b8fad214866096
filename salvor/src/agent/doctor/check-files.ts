import { type Stats, existsSync, lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { DoctorFinding } from '@salvor/contract';
import { findUnprotectedLinks } from '../../lib/beneath/hard-links.ts';
import type { Check } from './examine-host.ts';
import { finding } from './findings.ts';

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
  const kit = join(state, 'recovery-kit.html');
  if (!existsSync(kit)) findings.push(finding('recovery-kit-missing', {}, kit));
  look(kit, 'the recovery kit', '600');
  for (const { code, message, path } of findUnprotectedLinks())
    findings.push({ code, severity: 'warning', message, remedy: 'set it to 1 in /etc/sysctl.d', path: path ?? null });
  return Promise.resolve(findings);
};

/** Null for what is its owner's alone, who is root where root runs this. */
function findFault({ mode, uid }: Stats): string | null {
  const ours = process.getuid?.() ?? 0;
  if (uid !== ours) return `belongs to user ${uid}`;
  return (mode & 0o077) === 0 ? null : `can be reached by other users (mode ${(mode & 0o7777).toString(8)})`;
}
