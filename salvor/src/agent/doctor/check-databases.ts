import type { DoctorFinding } from '@salvor/contract';
import { tryLogIns } from '../../tasks/try-log-ins.ts';
import type { Check } from './examine-host.ts';
import { findingOfError } from './findings.ts';

/** Whether each site's own log-in works, which dumps are made with, and the administrator's, which restores need. */
export const checkDatabases: Check = async ({ administratorOf }, { sites }, signal) => {
  const findings: DoctorFinding[] = [];
  for (const { error, of, path } of await tryLogIns(sites, { administratorOf, signal })) {
    const isSites = of === 'site';
    const met = findingOfError(error, isSites ? 'error' : 'warning', path);
    findings.push({ ...met, message: isSites ? `${path}: ${met.message}` : `no site can be restored: ${met.message}` });
  }
  return findings;
};
