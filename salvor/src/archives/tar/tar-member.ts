/**
 * One member of a tar archive. Names and targets are byte strings, one character per byte, because names on Linux are
 * bytes: every byte survives, and text that is ASCII is what it seems.
 */
export type TarType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'character-device' | 'block-device';

export type TarMember = {
  /** As it stands in the archive, without the slash that ends a directory's. */
  readonly name: string;
  readonly type: TarType;
  /** The low 12 bits of Unix. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly user: string;
  readonly group: string;
  /** Bytes of a file's content; 0 of everything else. */
  readonly size: number;
  readonly mtimeNs: bigint;
  /** Of a symbolic link what it says, of a hard link the member that it is another name of; else empty. */
  readonly linkName: string;
  readonly xattrs: readonly Xattr[];
};

export type Xattr = { readonly name: string; readonly value: Uint8Array };

export const BLOCK_BYTES = 512;

/** The type flags of POSIX; a reader knows more of them. */
export const TYPE_FLAGS: Readonly<Record<TarType, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  'character-device': '3',
  'block-device': '4',
  directory: '5',
  fifo: '6',
};

/** Bytes from the end of a content of `size` bytes to the next block. */
export function paddingOf(size: number): number {
  return (BLOCK_BYTES - (size % BLOCK_BYTES)) % BLOCK_BYTES;
}

/** Bytes → byte string. */
export function bytesToName(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
}

/** Text → byte string (UTF-8). */
export function textToName(text: string): string {
  return ASCII.test(text) ? text : Buffer.from(text).toString('latin1');
}

/** For people: bytes that are not UTF-8 show as replacement characters. */
export function showName(name: string): string {
  return ASCII.test(name) ? name : Buffer.from(name, 'latin1').toString('utf8');
}

const ASCII = /^[\u0000-\u007f]*$/;

export function isAscii(name: string): boolean {
  return ASCII.test(name);
}
