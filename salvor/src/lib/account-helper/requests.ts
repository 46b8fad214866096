/** What is asked of a helper and what it answers. Plain data: it crosses processes. Paths are base64 of their bytes. */

/** Metadata that its owner may set: no owner, no group that he is not in. */
export type FileMetadata = {
  readonly mode: number;
  readonly mtimeNs: bigint;
  /** Of `user.` and ACLs only. */
  readonly attributes?: readonly { readonly name: string; readonly value: Uint8Array }[];
};

export type WireMetadata = {
  readonly mode: number;
  readonly mtimeNs: string;
  readonly attributes: readonly { readonly name: string; readonly value: string }[];
};

export type Request =
  /** First. The directory that all paths lie below. */
  | { readonly op: 'open'; readonly root: string }
  /** `isOwn`: it may be there already, as an empty directory. */
  | { readonly op: 'make-directory'; readonly path: string; readonly mode: number; readonly isOwn: boolean }
  /** Then `data` with the bytes, the last one of them with `isLast`; a payload of this frame is their beginning. */
  | {
      readonly op: 'write';
      readonly path: string;
      readonly metadata: WireMetadata;
      readonly isReadBack: boolean;
      readonly isLast: boolean;
    }
  | { readonly op: 'data'; readonly isLast: boolean }
  /** Instead of the last `data`: the file is not to be. */
  | { readonly op: 'cut' }
  | { readonly op: 'make-link'; readonly path: string; readonly target: string }
  /** Mode, times and attributes of what is there. */
  | { readonly op: 'finish'; readonly path: string; readonly metadata: WireMetadata }
  | { readonly op: 'list'; readonly path: string | null }
  | { readonly op: 'remove'; readonly path: string }
  /** Where nothing may be. */
  | { readonly op: 'move'; readonly path: string; readonly to: string }
  | { readonly op: 'sync' };

export type Answer =
  | { readonly kind: 'ready' }
  /** Nothing yet, and the helper is at it. */
  | { readonly kind: 'working' }
  | { readonly kind: 'done' }
  /** A file that was written, as it was read back from the disk; null where that was not asked for. */
  | { readonly kind: 'written'; readonly sha256: string | null; readonly notSet: readonly string[] }
  | { readonly kind: 'not-set'; readonly notSet: readonly string[] }
  | { readonly kind: 'entries'; readonly entries: readonly ListedEntry[] }
  | { readonly kind: 'failed'; readonly code: string };

export type EntryType = 'file' | 'directory' | 'link' | 'other';

export type ListedEntry = {
  /** Base64 of its bytes. */
  readonly name: string;
  readonly type: EntryType;
  readonly bytes: number;
  readonly mode: number;
  readonly mtimeNs: string;
};

/** Checks what a helper sent, which is foreign data. Throws RangeError. */
export function parseAnswer(header: unknown): Answer {
  const answer = (typeof header === 'object' && header !== null ? header : {}) as Record<string, unknown>;
  const { kind } = answer;
  const isFit = typeof kind === 'string' && Object.hasOwn(FITS, kind) && FITS[kind as Answer['kind']](answer);
  if (!isFit) throw new RangeError('an answer is none of ours');
  return answer as Answer;
}

const ENTRY_TYPES: ReadonlySet<unknown> = new Set<EntryType>(['file', 'directory', 'link', 'other']);
const always = (): boolean => true;
const areTexts = (value: unknown): boolean => Array.isArray(value) && value.every((text) => typeof text === 'string');

const FITS: Readonly<Record<Answer['kind'], (answer: Record<string, unknown>) => boolean>> = {
  ready: always,
  working: always,
  done: always,
  written: ({ sha256, notSet }) => (typeof sha256 === 'string' || sha256 === null) && areTexts(notSet),
  'not-set': ({ notSet }) => areTexts(notSet),
  failed: ({ code }) => typeof code === 'string' && /^[A-Za-z0-9_-]{1,40}$/.test(code),
  entries: ({ entries }) => Array.isArray(entries) && entries.every(isEntry),
};

function isEntry(value: unknown): boolean {
  const { name, type, bytes, mode, mtimeNs } = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  return (
    typeof name === 'string' &&
    ENTRY_TYPES.has(type) &&
    Number.isSafeInteger(bytes) &&
    Number.isSafeInteger(mode) &&
    typeof mtimeNs === 'string' &&
    /^-?\d{1,20}$/.test(mtimeNs)
  );
}
