/** What a backup asks of its workers, and what they answer. Plain data: it crosses threads. */
import type { BlobType } from '../format/pack-header.ts';
import type { Problem } from '../errors.ts';
import type { FilePlace, ReadFile } from '../tree/read-file.ts';
import type { ScannedSection } from '../tree/scan-directory.ts';
import type { DirectoryPlace } from '../tree/working-directory.ts';
import type { PartialPack } from './seal-chain.ts';

/** The parent's listing of a directory, as it lies in its pack. */
export type SealedTree = { readonly id: string; readonly sealed: Uint8Array; readonly plainBytes: number | null };

/** `name` is its node's; `exclusion` says what is left out (`Exclusion.of`). */
export type DirectoryToScan = {
  readonly name: string;
  readonly place: DirectoryPlace;
  readonly parent: SealedTree | null;
  readonly exclusion: string;
};

/** A blob of another repository, at its place in a range of one of that repository's packs. */
export type BlobToTransfer = {
  readonly type: BlobType;
  readonly id: string;
  readonly at: number;
  readonly length: number;
  readonly plainBytes: number | null;
};

export type BackupJob =
  | {
      readonly kind: 'scan';
      readonly directories: readonly DirectoryToScan[];
    }
  | { readonly kind: 'scan-on'; readonly scan: number }
  | { readonly kind: 'read'; readonly files: readonly FilePlace[] }
  | { readonly kind: 'tree'; readonly trees: readonly ListingParts[] }
  | { readonly kind: 'piece'; readonly stream: number; readonly bytes: Uint8Array; readonly isLast: boolean }
  /** Whole blobs one behind the other, and where each ends. */
  | { readonly kind: 'blobs'; readonly bytes: Uint8Array; readonly ends: readonly number[] }
  | {
      readonly kind: 'transfer';
      /** Whose key opens the range: another repository's, or the first one's own. */
      readonly from: 'source' | 'first';
      readonly pack: string;
      readonly range: Uint8Array;
      readonly blobs: readonly BlobToTransfer[];
    }
  | { readonly kind: 'hand-over' }
  | { readonly kind: 'finish'; readonly packs: readonly PartialPack[] };

/**
 * A section of a directory, or why that could not be listed: a null problem where it is gone. `tree` is set where all of
 * the directory is stored; `more` where it goes on, by which number it is asked for.
 */
export type ScanAnswer =
  | (Omit<ScannedSection, 'nodes'> & {
      /** Texts with holes where something is pending; where nothing is, the nodes as bytes with commas between. */
      readonly nodes: readonly (string | null)[] | Uint8Array;
      readonly tree: string | null;
      readonly more: number | null;
    })
  | { readonly failure: Problem | null };

/** Nodes of a listing in order, one by one or in runs with commas between. */
export type ListingParts = readonly (string | Uint8Array)[];

export type BackupAnswer =
  | { readonly kind: 'scan'; readonly answers: readonly ScanAnswer[] }
  | { readonly kind: 'scan-on'; readonly answer: ScanAnswer }
  | { readonly kind: 'read'; readonly files: readonly ReadFile[] }
  | { readonly kind: 'tree'; readonly ids: readonly string[] }
  | { readonly kind: 'piece'; readonly content: readonly string[] | null; readonly bytes: number }
  | { readonly kind: 'blobs'; readonly ids: readonly string[] }
  | { readonly kind: 'transfer' }
  | { readonly kind: 'hand-over'; readonly packs: readonly PartialPack[] }
  | { readonly kind: 'finish' };

/** The answer to a job of kind K. */
export type AnswerTo<K extends BackupJob['kind']> = Extract<BackupAnswer, { kind: K }>;
