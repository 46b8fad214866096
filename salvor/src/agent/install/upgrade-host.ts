/**
 * Puts this version in the place of the one that is installed, and goes back if the host is worse off with it.
 *
 *   what is wrong before? → stop → save → files of the new version → its store (migrates) → start → what is wrong now?
 *     nothing new → done      something new, or it can't even start → stop → all as it was saved → start the old one
 *
 * Killed in between, the same command does all of it again; what the first try saved is kept beside what the second saves.
 */
import type { DoctorDocument, DoctorFinding, UpgradeDocument } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import { type InstallOptions, installHost } from './install-host.ts';
import { readInstallRecord } from './install-record.ts';
import { bringBackInstallation, saveInstallation } from './save-installation.ts';

export type UpgradeOptions = InstallOptions & {
  /** What the installed version's own doctor says; null where it can't be asked. */
  readonly examineBefore: (program: string) => Promise<DoctorDocument | null>;
  /** What this version's says, after its store was opened and its agent started. */
  readonly examineAfter: () => Promise<DoctorDocument>;
};

/** Throws `not-installed`, and `upgrade-undone` after it went back. */
export async function upgradeHost(options: UpgradeOptions): Promise<UpgradeDocument> {
  const { state, services, clock, program, version } = options;
  const record = readInstallRecord('', state);
  if (record === null) throw new SalvorError('not-installed', { state });
  const before = await options.examineBefore(record.program);
  await services.stop();
  const saved = saveInstallation(state, record, clock());
  const failure = await attempt(options, before);
  if (failure === null)
    return { state: 'succeeded', from: record.version, to: version, program, saved: saved.directory };
  await services.stop().catch(() => undefined);
  bringBackInstallation(saved, state);
  await services.enable();
  await services.start();
  const context = { from: record.version, to: version, why: failure, program: record.program };
  throw new SalvorError('upgrade-undone', context);
}

/** What speaks against the new version; null where nothing does. */
async function attempt(options: UpgradeOptions, before: DoctorDocument | null): Promise<string | null> {
  try {
    await installHost(options);
    const worse = findWorse(before, await options.examineAfter());
    return worse.length === 0 ? null : worse.map(({ message }) => message).join('; ');
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** What became of nights and tasks is no version's doing: one that ran was stopped for the upgrade, and is begun again. */
const OF_THE_PAST: ReadonlySet<string> = new Set([
  'night-failed',
  'night-late',
  'task-unrecovered',
  'repository-locked',
]);

/**
 * Errors that were not there before. Where nobody knows what was there, only that the installation can't be opened at
 * all: a host that was ill already must be able to get a version that mends it.
 */
export function findWorse(before: DoctorDocument | null, after: DoctorDocument): readonly DoctorFinding[] {
  const isOpened = after.checks.length > 1;
  const errors = after.findings.filter(({ severity, code }) => severity === 'error' && !OF_THE_PAST.has(code));
  if (before === null) return isOpened ? [] : errors;
  const known = new Set(before.findings.map(({ code, path }) => `${code} ${path ?? ''}`));
  return errors.filter(({ code, path }) => !known.has(`${code} ${path ?? ''}`));
}
