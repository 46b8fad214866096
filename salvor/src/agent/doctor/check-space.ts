import { statfsSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DoctorFinding } from '@salvor/contract';
import { readGrowth } from '../../points/repository-growth.ts';
import { hasRepository, repositoryUrlOf } from '../../points/repositories.ts';
import type { Check } from './examine-host.ts';
import { finding } from './findings.ts';

const GIB = 1024 ** 3;
/** Below that a night of any site may fail. */
const MIN_FREE_BYTES = GIB;
const MIN_FREE_FILES = 10_000;
/** Time to buy a disk. */
const WARN_DAYS = 14;

/** What is free where we write, and when it will not be. */
export const checkSpace: Check = async ({ config, clock }, { accounts }) => {
  const findings: DoctorFinding[] = [];
  const places = [config.local, config.thirdCopy, config.state, ...(config.staging === null ? [] : [config.staging])];
  if (config.remote?.url.startsWith('/') === true) places.push(config.remote.url);
  const seen = new Set<string>();
  for (const place of places) {
    const space = readSpace(place);
    // Two places on one disk would say the same twice.
    const name = `${space.bytes} ${space.free}`;
    if (seen.has(name)) continue;
    seen.add(name);
    findings.push(...judgeSpace(place, space));
  }
  let perDay = 0;
  for (const { name } of accounts)
    if (hasRepository(config, name)) perDay += await readGrowth(repositoryUrlOf(config, name, 'local'), clock());
  const { free } = readSpace(config.local);
  const days = perDay === 0 ? Number.POSITIVE_INFINITY : free / perDay;
  if (days < WARN_DAYS) {
    const whole = Math.max(1, Math.floor(days));
    const told = {
      place: config.local,
      perDay: gib(perDay),
      free: gib(free),
      days: whole === 1 ? 'a day' : `${whole} days`,
    };
    findings.push(finding('space-runs-out', told, config.local));
  }
  return findings;
};

export type Space = { readonly bytes: number; readonly free: number; readonly freeFiles: number | null };

export function judgeSpace(place: string, { free, freeFiles }: Space): readonly DoctorFinding[] {
  const findings: DoctorFinding[] = [];
  if (free < MIN_FREE_BYTES) findings.push(finding('space-low', { place, free: gib(free) }, place));
  if (freeFiles !== null && freeFiles < MIN_FREE_FILES)
    findings.push(finding('inodes-short', { place, left: freeFiles }, place));
  return findings;
}

/** Of the disk that a place lies on, or will. */
function readSpace(place: string): Space {
  for (let at = place; ; at = dirname(at)) {
    try {
      const { bsize, blocks, bavail, files, ffree } = statfsSync(at);
      // File systems without a table of inodes say zero.
      return { bytes: bsize * blocks, free: bsize * bavail, freeFiles: files === 0 ? null : ffree };
    } catch (error) {
      if (at === '/') throw error;
    }
  }
}

/** `1.4 GiB` */
function gib(bytes: number): string {
  return bytes < GIB ? `${Math.ceil(bytes / 1024 ** 2)} MiB` : `${(bytes / GIB).toFixed(1)} GiB`;
}
