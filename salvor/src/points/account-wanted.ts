/** What a night's point of an account is made of, as whoever looked at the account says it. */
import type { Problem } from '@salvor/contract';
import type { Account } from '../sites/account.ts';
import type { Site } from '../sites/site.ts';
import type { CaptureMoved } from './capture-point.ts';
import type { DumpCut } from './dump-cut.ts';
import type { CaptureDatabase } from './dump-entries.ts';

export type CaptureSite = {
  readonly site: Site;
  readonly databases: readonly CaptureDatabase[];
  readonly cut: DumpCut | null;
  readonly schema: number | null;
  readonly movedOut: readonly CaptureMoved[];
  /** Paths that are not taken: absolute, and as the site sees them. */
  readonly leftOut: readonly { readonly path: string; readonly shown: string }[];
  /** What is known not to be taken whole. */
  readonly problems: readonly Problem[];
  /** What is told and leaves nothing out. */
  readonly notes: readonly Problem[];
};

export type CaptureAccountWanted = {
  readonly account: Account;
  readonly point: string;
  /** A point of the databases alone is made between nights. */
  readonly holds: 'all' | 'databases';
  readonly task: string | null;
  /** Without one that lies in another. */
  readonly homes: readonly string[];
  /** Absolute paths that are no part of any point. */
  readonly exclude: readonly string[];
  readonly sites: readonly CaptureSite[];
  /** Files at the top of the snapshot of files that lie nowhere on the disk. */
  readonly texts: readonly { readonly name: string; readonly text: string }[];
};
