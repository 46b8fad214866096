import type { DoctorFinding } from '@salvor/contract';
import { findSource } from '../../lib/file-snapshots/file-snapshot.ts';
import { homesOf } from '../../sites/account.ts';
import type { Check } from './examine-host.ts';
import { finding } from './findings.ts';

/** Homes that could be read as they were in one instant, if there were room for it. */
export const checkSnapshots: Check = async (_room, { accounts }, signal = new AbortController().signal) => {
  const byLack = new Map<string, string[]>();
  for (const home of new Set(accounts.flatMap((account) => homesOf(account)))) {
    // As a night does it: what can't be asked for is no source of snapshots.
    const lacks = (await findSource(home, signal).catch(() => null))?.lacks ?? null;
    if (lacks !== null) byLack.set(lacks, [...(byLack.get(lacks) ?? []), home]);
  }
  return [...byLack].map(([lacks, homes]): DoctorFinding =>
    finding('home-not-frozen', { homes: homes.join(', '), lacks }, homes[0]),
  );
};
