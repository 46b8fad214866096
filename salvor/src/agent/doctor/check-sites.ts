import type { DoctorFinding } from '@salvor/contract';
import { siteKey } from '../../sites/site.ts';
import type { Check } from './examine-host.ts';
import { finding } from './findings.ts';

/** Whether there is anything to back up, and what of it can't be. */
export const checkSites: Check = (_room, { accounts, sites, problems }) => {
  const findings: DoctorFinding[] = accounts.length === 0 ? [finding('no-accounts')] : [];
  for (const { code, message, path } of problems)
    findings.push({ code, severity: 'warning', message, path, remedy: 'put it right, or take it out of salvor.yaml' });
  for (const site of sites)
    for (const { message } of site.problems)
      findings.push(finding('site-has-problems', { site: siteKey(site), problem: message }, site.path));
  return Promise.resolve(findings);
};
