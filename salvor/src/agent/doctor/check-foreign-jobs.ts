import type { DoctorFinding } from '@salvor/contract';
import { findAegir } from '../../sites/find-aegir.ts';
import { findForeignJobs, type ForeignJob } from '../../sites/foreign-jobs.ts';
import { readInstalledModules } from '../../tasks/installed-modules.ts';
import type { Check } from './examine-host.ts';
import { type FindingCode, finding } from './findings.ts';

const CODES: Readonly<Record<ForeignJob['effect'], FindingCode>> = {
  deletes: 'foreign-job-deletes',
  empties: 'foreign-job-empties',
  repeats: 'foreign-job-repeats',
};

/** What Aegir's panel does by itself, by the module that makes it do so. */
const MODULES: ReadonlyMap<string, FindingCode> = new Map([
  ['hosting_backup_gc', 'aegir-deletes-archives'],
  ['hosting_backup_queue', 'aegir-makes-archives'],
]);

/** What deletes or repeats our work: jobs of the host, and what a living Aegir does on its own. */
export const checkForeignJobs: Check = async (_, found, signal) => {
  const findings: DoctorFinding[] = findForeignJobs().map(({ name, file, line, effect, what, remedy }) =>
    finding(CODES[effect], { name, what, remedy, file: line === null ? file : `${file}:${line}` }, file),
  );
  for (const account of found.accounts) {
    const aegir = findAegir(account, found.sites);
    const [database] = aegir?.panel.databases ?? [];
    if (aegir === null || database === undefined) continue;
    const modules = (await readInstalledModules(database.login, database, signal)) ?? [];
    for (const { name } of modules) {
      const code = MODULES.get(name);
      if (code !== undefined) findings.push(finding(code, { panel: aegir.panel.uri, module: name }, aegir.panel.uri));
    }
  }
  return findings;
};
