/** What a backup is going to take, as a value: found by looking at disk and server. Nothing is written. */
import { statfsSync } from 'node:fs';
import type { BackupPlan, Problem } from '@salvor/contract';
import { archiveNames } from '../archives/archive-name.ts';
import { probeDatabase } from '../databases/mariadb/probe.ts';
import { SalvorError } from '../errors.ts';
import { readHostZone } from '../lib/host-zone.ts';
import { mountsWithin } from '../lib/mounts.ts';
import { isThere } from '../lib/is-there.ts';
import { countFiles } from '../points/count-files.ts';
import { ARCHIVES_DIRECTORY } from '../points/find-archives.ts';
import { leftOutWithin } from '../points/left-out.ts';
import type { Policy } from '../policies/settings.ts';
import { listHooks } from '../policies/task-steps.ts';
import { findBarrier } from '../sites/settings-doubts.ts';
import { type Site, type SiteDatabase, siteKey } from '../sites/site.ts';
import { compressionOf, requireUnserved } from './archive-point.ts';
import { nameUnsupported } from './back-up-site.ts';
import { sortMovedOut } from './moved-out.ts';
import { findOwnNames } from './own-names.ts';

export type PlanBackupTools = {
  readonly policy: Policy;
  /** All sites of the host. */
  readonly sites: readonly Site[];
  readonly now: Date;
  readonly signal: AbortSignal;
};

type Findings = { readonly obstacles: Problem[]; readonly notes: Problem[] };

export async function planBackup(site: Site, tools: PlanBackupTools): Promise<BackupPlan> {
  const { followed, left } = sortMovedOut(site);
  const barrier = findBarrier(site);
  const findings: Findings = {
    obstacles: [],
    notes: [...left, ...site.problems.map(({ code, message }) => ({ code, message, path: site.path }))],
  };
  if (barrier !== null)
    refuse(findings, new SalvorError('site-unsupported', { site: siteKey(site), why: barrier.message }));
  if (!isThere(site.path))
    refuse(
      findings,
      new SalvorError('source-missing', { path: site.path, reason: 'the directory of the site is gone' }),
    );
  const places = [{ path: site.path, link: null }, ...followed.map(({ link, target }) => ({ path: target, link }))];
  const directories: BackupPlan['directories'][number][] = [];
  for (const place of places) {
    tools.signal.throwIfAborted();
    const { count, bytes } = await countFiles([place.path]);
    directories.push({ ...place, files: count, bytes, mounts: [...new Set(mountsWithin(place.path))] });
  }
  const databases: BackupPlan['databases'][number][] = [];
  for (const database of site.databases) {
    const planned = await planDatabase(site, database, tools.signal, findings);
    if (planned !== null) databases.push(planned);
  }
  const bytes = [...directories, ...databases].reduce((sum, one) => sum + one.bytes, 0);
  return {
    account: site.account.name,
    uri: site.uri,
    directories,
    databases,
    leftOut: places.flatMap(({ path }) => leftOutWithin(path)).filter(isThere),
    archive: planArchive(site, bytes, tools, findings),
    hooks: listHooks(tools.policy, 'backup'),
    ...findings,
  };
}

/** Null where it would not be in the point: that is an obstacle or a note. */
async function planDatabase(
  site: Site,
  database: SiteDatabase,
  signal: AbortSignal,
  findings: Findings,
): Promise<BackupPlan['databases'][number] | null> {
  const { engine, name, login } = database;
  if (engine !== 'mariadb') {
    findings.notes.push(nameUnsupported(database));
    return null;
  }
  try {
    const own = await findOwnNames(site, database, signal);
    findings.notes.push(...own.obstacles.filter(({ code }) => code !== 'database-shared'), ...own.notes);
    const facts = await probeDatabase(login, name, { signal, names: own.names ?? undefined });
    if (facts.tables.length === 0) throw new SalvorError('dump-empty', { database: name, user: login.user });
    for (const { code, message, name: what } of facts.problems)
      findings.notes.push({ code, message, path: `${name}.${what}` });
    const bytes = facts.tables.reduce((sum, table) => sum + table.approximateDataBytes, 0);
    return { name, tables: facts.tables.length, bytes, others: facts.others.length };
  } catch (error) {
    if (!(error instanceof SalvorError) || error.code === 'cancelled') throw error;
    refuse(findings, error, name);
    return null;
  }
}

/** Whatever keeps it from being written is a problem of the backup, and the point stands. */
function planArchive(
  site: Site,
  bytes: number,
  { policy, sites, now }: PlanBackupTools,
  { notes }: Findings,
): string | null {
  const compression = compressionOf(policy);
  if (compression === null) return null;
  const directory = `${site.account.home}/${ARCHIVES_DIRECTORY}`;
  try {
    requireUnserved(directory, sites);
    const { bavail, bsize } = statfsSync(site.account.home);
    const free = bavail * bsize;
    if (free < bytes) {
      const message = `the archive may find too little room: the site is ${bytes} bytes unpacked, and ${free} are free`;
      notes.push({ code: 'space-missing', message, path: directory });
    }
    const [name = ''] = archiveNames(site.uri, now, compression, readHostZone());
    return `${directory}/${name}`;
  } catch (error) {
    if (!(error instanceof SalvorError)) throw error;
    notes.push({ code: error.code, message: error.message, path: directory });
    return null;
  }
}

function refuse({ obstacles }: Findings, { code, message }: SalvorError, path: string | null = null): void {
  obstacles.push({ code, message, path });
}
