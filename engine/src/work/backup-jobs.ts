/** What a backup asks of its workers, and what they answer. Plain data: it crosses threads. */
import type { ReadFile } from '../tree/read-file.ts';
import type { ScannedDirectory } from '../tree/scan-directory.ts';
import type { PartialPack } from './seal-chain.ts';

/** The parent's listing of a directory, as it lies in its pack. */
export type SealedTree = { readonly id: string; readonly sealed: Uint8Array; readonly plainBytes: number | null };

/** `excluded` are paths as byte strings. */
export type DirectoryToScan = {
  readonly path: string;
  readonly parent: SealedTree | null;
  readonly excluded: readonly string[];
};

export type BackupJob =
  | {
      readonly kind: 'scan';
      readonly directories: readonly DirectoryToScan[];
    }
  | { readonly kind: 'read'; readonly files: readonly { readonly name: string; readonly path: string }[] }
  | { readonly kind: 'tree'; readonly trees: readonly (readonly string[])[] }
  | { readonly kind: 'piece'; readonly stream: number; readonly bytes: Uint8Array; readonly isLast: boolean }
  | { readonly kind: 'hand-over' }
  | { readonly kind: 'finish'; readonly packs: readonly PartialPack[] };

/** `tree` is set where nothing was pending; `failure` where the directory could not be listed. */
export type ScanAnswer = ScannedDirectory & { readonly tree: string | null; readonly failure: string | null };

export type BackupAnswer =
  | { readonly kind: 'scan'; readonly answers: readonly ScanAnswer[] }
  | { readonly kind: 'read'; readonly files: readonly ReadFile[] }
  | { readonly kind: 'tree'; readonly ids: readonly string[] }
  | { readonly kind: 'piece'; readonly content: readonly string[] | null; readonly bytes: number }
  | { readonly kind: 'hand-over'; readonly packs: readonly PartialPack[] }
  | { readonly kind: 'finish' };

/** The answer to a job of kind K. */
export type AnswerTo<K extends BackupJob['kind']> = Extract<BackupAnswer, { kind: K }>;
