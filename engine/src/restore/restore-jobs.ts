/** What restore and check ask of their workers. Plain data: it crosses threads. */
import type { Problem } from '../errors.ts';
import type { ExtendedAttribute } from '../format/tree-node.ts';
import type { FileToReuse, ReusedFile } from './reuse-file.ts';
import type { PackEntry } from '../format/pack-header.ts';

/** What a restored path gets beside its content. Owners are null where they are not set. */
export type Metadata = {
  readonly mode: number;
  readonly uid: number | null;
  readonly gid: number | null;
  readonly mtimeNs: bigint;
  readonly extendedAttributes: readonly ExtendedAttribute[];
};

/** A blob in a range of a pack, and where its bytes go: file numbers are of the job. */
export type WantedBlob = {
  readonly id: string;
  readonly at: number;
  readonly length: number;
  readonly plainBytes: number | null;
  readonly targets: readonly { readonly file: number; readonly offset: number }[];
};

/** A file that a job writes to. `metadata` is given where the job writes all of it, and so finishes it. */
export type FileToWrite = { readonly path: string; readonly metadata: Metadata | null };

export type RestoreJob =
  | {
      readonly kind: 'write';
      readonly pack: string;
      readonly range: Uint8Array;
      readonly blobs: readonly WantedBlob[];
      readonly files: readonly FileToWrite[];
    }
  | {
      /** Takes what is there already; finishes what is there whole. */
      readonly kind: 'reuse';
      readonly files: readonly (FileToReuse & { readonly metadata: Metadata })[];
    }
  | { readonly kind: 'finish'; readonly files: readonly { readonly path: string; readonly metadata: Metadata }[] }
  | {
      readonly kind: 'verify';
      readonly files: readonly {
        readonly path: string;
        readonly content: readonly { readonly id: string; readonly bytes: number }[];
      }[];
    }
  | {
      readonly kind: 'check-pack';
      readonly pack: string;
      readonly bytes: Uint8Array;
      /** What the index lists of it; null where it lists nothing, and the pack's own header counts. */
      readonly entries: readonly PackEntry[] | null;
    };

export type RestoreAnswer =
  | {
      readonly kind: 'write';
      readonly bytes: number;
      readonly problems: readonly Problem[];
      /** That of the range, given back. */
      readonly memory: ArrayBuffer;
    }
  | { readonly kind: 'reuse'; readonly files: readonly ReusedFile[]; readonly problems: readonly Problem[] }
  | { readonly kind: 'finish'; readonly problems: readonly Problem[] }
  | { readonly kind: 'verify' }
  | {
      readonly kind: 'check-pack';
      readonly errors: readonly string[];
      /** The blobs that were looked at, and those of them (`type id`) that are damaged. */
      readonly entries: readonly PackEntry[];
      readonly damagedBlobs: readonly string[];
    };

export type AnswerTo<K extends RestoreJob['kind']> = Extract<RestoreAnswer, { kind: K }>;
