/** How a file is packed: told by its first bytes, never by its name. */
export type Compression = 'none' | 'gzip' | 'bzip2' | 'zstd' | 'xz' | 'zip';

/** Bytes that are looked at. */
export const SNIFF_BYTES = 8;

const MAGIC: readonly (readonly [Compression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
  ['zip', [0x50, 0x4b, 0x03, 0x04]],
];

export function compressionOf(head: Uint8Array): Compression {
  for (const [compression, magic] of MAGIC) {
    if (magic.every((byte, at) => head[at] === byte)) return compression;
  }
  return 'none';
}

/** The suffixes of what we write, behind `.tar`. */
export const WRITTEN_SUFFIXES = { gzip: '.tar.gz', bzip2: '.tar.bz2', zstd: '.tar.zst', none: '.tar' } as const;
export type WrittenCompression = keyof typeof WRITTEN_SUFFIXES;
