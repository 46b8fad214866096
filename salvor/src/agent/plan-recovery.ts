/**
 * What a recovery is going to do, found by looking: the host's own record, and for each account the night that it is brought
 * back to, what of it this machine lacks and what is in the way. Writes nothing but the log-in of the kit and a copy of the
 * lost agent's store, into a private directory.
 */
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Problem } from '@salvor/contract';
import { SalvorError } from '../errors.ts';
import { codeOf } from '../lib/errno.ts';
import type { AccountSite } from '../points/account-manifest.ts';
import { openSitePoint } from '../points/account-point.ts';
import { type Night, chooseNight } from '../points/choose-night.ts';
import { findHeldInPart } from '../points/find-whole-night.ts';
import { type HostRecord, readHostRecord } from '../points/host-record.ts';
import { placesOfKit } from '../points/kit-places.ts';
import { measureStored, measureTree } from '../points/measure-night.ts';
import type { RecoveryKit } from '../points/recovery-kit.ts';
import { openWithRecoveryKey } from '../points/recovery-key.ts';
import { type CopyName, type RepositoryPlaces, openCopyStorage, repositoryUrlOf } from '../points/repositories.ts';
import { parseHostTables } from '../sites/host-tables.ts';
import { identify, judgePlace } from '../tasks/recover-home.ts';
import { type SavedTables, type UsersPlan, planUsers, readPasswords } from '../tasks/recover-users.ts';
import type { SpaceNeed } from '../tasks/space.ts';
import { HOST_ACCOUNT } from './host-account.ts';
import type { RecoveredAccount, RecoveryJournalFile } from './recovery-journal.ts';

export type RecoveryScope = {
  /** Null for all. */
  readonly account: string | null;
  /** URI, or ACCOUNT/URI: this one alone, with the code around it. */
  readonly site: string | null;
};

export type PlannedAccount = {
  readonly name: string;
  readonly night: Night;
  readonly users: UsersPlan;
  readonly homes: readonly PlannedPlace[];
  readonly sites: readonly AccountSite[];
  /** By URI: what the night lacks of a site, and where all of it is. */
  readonly heldInPart: ReadonlyMap<string, Problem>;
  readonly size: RecoverySize;
};

/** What of an account is still to come: its homes, the repository that they come out of where that is elsewhere, and its dumps. */
export type RecoverySize = { readonly homes: readonly SpaceNeed[]; readonly stored: number; readonly dumps: number };

export type PlannedPlace = { readonly path: string; readonly state: 'missing' | 'taken' | 'recovered' };

export type RecoveryPlan = {
  readonly from: CopyName;
  readonly record: HostRecord | null;
  /** All that the host had, also those that this recovery does not ask for; `@host` not among them. */
  readonly names: readonly string[];
  readonly accounts: readonly PlannedAccount[];
  readonly problems: readonly Problem[];
};

export type PlanRecoveryOptions = RecoveryScope & {
  readonly kit: RecoveryKit;
  readonly from: CopyName;
  /** A private directory. */
  readonly directory: string;
  readonly journal: (record: HostRecord | null) => RecoveryJournalFile | null;
  readonly now: Date;
  readonly signal: AbortSignal;
};

/** Throws why not one repository opens (`recovery-key-refused` where the key is not the host's), and `account-unknown`, `site-unknown`. */
export async function planRecovery(options: PlanRecoveryOptions): Promise<RecoveryPlan> {
  const { kit, from, directory, now } = options;
  const places = placesOfKit(kit, directory);
  const problems: Problem[] = [];
  const record = await readRecord(places, options, problems);
  const known = [
    ...(record?.accounts ?? []),
    ...kit.repositories.map(({ account }) => account),
    ...listPlace(places, from),
    // Where the host has left no record, whoever asks knows what it had.
    ...(record === null && options.account !== null ? [options.account] : []),
  ];
  const names = [...new Set(known)].filter((name) => name !== HOST_ACCOUNT).toSorted();
  const wantedAccount = options.account ?? options.site?.match(/^([^/]+)\//)?.[1] ?? null;
  if (wantedAccount !== null && !names.includes(wantedAccount))
    throw new SalvorError('account-unknown', { account: wantedAccount, known: names });
  const saved: SavedTables = {
    ...parseHostTables({ passwd: record?.passwd ?? '', group: record?.group ?? '' }),
    passwords: readPasswords(record?.shadow ?? ''),
  };
  const journal = options.journal(record);
  const accounts: PlannedAccount[] = [];
  let isOpened = record !== null;
  let refusal: unknown = null;
  for (const name of names) {
    if (wantedAccount !== null && name !== wantedAccount) continue;
    options.signal.throwIfAborted();
    await using opening = new AsyncDisposableStack();
    try {
      const storage = openCopyStorage(places, name, from, {}, opening);
      const repository = await openWithRecoveryKey(storage, kit.recoveryKey, options);
      isOpened = true;
      const begun = ofThisMachine(journal?.of(name) ?? null);
      const night = await chooseNight(repository, {
        now,
        made: record?.made ?? new Set(),
        point: begun?.point ?? null,
      });
      if (night === null)
        throw new SalvorError('recovery-point-missing', { account: name, url: repositoryUrlOf(places, name, from) });
      const sites = night.manifest.sites.filter(({ uri }) => isWanted(name, uri, options.site));
      if (options.site !== null && sites.length === 0) continue;
      const homes = night.manifest.homes.map((path) => judgeHome(path, begun?.places[path] ?? null));
      const size = await measure({ repository, storage, night, homes, sites, begun }, options);
      const heldInPart = await findHeldInPart(repository, night, { sites, made: record?.made ?? new Set() });
      const users = planUsers(night.manifest.account, saved);
      accounts.push({ name, night, users, homes, sites, heldInPart, size });
    } catch (error) {
      options.signal.throwIfAborted();
      refusal ??= error;
      const message = error instanceof Error ? error.message : String(error);
      problems.push({ code: codeOf(error) ?? 'account-unread', message, path: name });
    }
  }
  // Not one of them opens: the key is another host's, or the place is away.
  if (!isOpened && refusal !== null) throw refusal;
  if (options.site !== null && accounts.length === 0 && problems.length === 0)
    throw new SalvorError('site-unknown', { site: options.site });
  return { from, record, names, accounts, problems };
}

async function measure(
  {
    repository,
    storage,
    night,
    homes,
    sites,
    begun,
  }: Pick<PlannedAccount, 'night' | 'homes' | 'sites'> & {
    readonly repository: Parameters<typeof measureTree>[0];
    readonly storage: Parameters<typeof measureStored>[0];
    readonly begun: RecoveredAccount | null;
  },
  { from, signal }: PlanRecoveryOptions,
): Promise<RecoverySize> {
  const { files } = night.snapshots;
  const without = new Set<string>();
  for (const site of night.manifest.sites.filter((one) => !sites.includes(one)))
    without.add((await openSitePoint(repository, night.snapshots, site)).manifest.site.path);
  const needs: SpaceNeed[] = [];
  for (const { path, state } of homes)
    if (state === 'missing' && files !== null)
      needs.push({ path, ...(await measureTree(repository, files, path, without)) });
  const coming = sites.filter(({ uri }) => begun?.sites[uri] !== 'done');
  return {
    homes: needs,
    stored: from === 'local' ? 0 : await measureStored(storage, signal),
    dumps: coming.reduce((sum, { cut }) => sum + (cut?.bytes ?? 0), 0),
  };
}

/** A recovery of which nothing is there any more (its homes are gone) is begun anew, with the newest night. */
function ofThisMachine(begun: RecoveredAccount | null): RecoveredAccount | null {
  const places = Object.entries(begun?.places ?? {});
  return places.some(([path, identity]) => identify(path) === identity) ? begun : null;
}

function isWanted(account: string, uri: string, site: string | null): boolean {
  return site === null || site === uri || site === `${account}/${uri}`;
}

/** Repositories in a directory of this machine; an SFTP server is asked for those that are known alone. */
function listPlace(places: RepositoryPlaces, copy: CopyName): readonly string[] {
  const above = dirname(repositoryUrlOf(places, HOST_ACCOUNT, copy));
  if (!above.startsWith('/') || !existsSync(above)) return [];
  return readdirSync(above).filter((name) => existsSync(join(above, name, 'config')));
}

function judgeHome(path: string, placed: string | null): PlannedPlace {
  const state = judgePlace(path);
  if (placed !== null && identify(path) === placed) return { path, state: 'recovered' };
  return { path, state: state === 'taken' ? 'taken' : 'missing' };
}

/** Without it accounts and sites come back all the same, with the configuration that the kit tells. */
async function readRecord(
  places: RepositoryPlaces,
  { kit, from, directory, now, signal }: PlanRecoveryOptions,
  problems: Problem[],
): Promise<HostRecord | null> {
  await using opening = new AsyncDisposableStack();
  try {
    const storage = openCopyStorage(places, HOST_ACCOUNT, from, {}, opening);
    const repository = await openWithRecoveryKey(storage, kit.recoveryKey, { signal });
    const record = await readHostRecord(repository, { directory, now });
    if (record !== null) return record;
    throw new SalvorError('recovery-point-missing', { account: HOST_ACCOUNT, url: repository.location });
  } catch (error) {
    signal.throwIfAborted();
    // The wrong key opens no other repository either.
    if (codeOf(error) === 'recovery-key-refused') throw error;
    const message = `what the host wrote down of itself: ${error instanceof Error ? error.message : String(error)}`;
    problems.push({ code: codeOf(error) ?? 'record-unread', message, path: HOST_ACCOUNT });
    return null;
  }
}
