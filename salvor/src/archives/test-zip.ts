import { crc32, deflateRawSync } from 'node:zlib';

/** A zip archive with one file, as PHP's ZipArchive writes it, without the directory at its end. */
export function zipOf(name: string, content: Buffer, isDeflated = true): Buffer {
  const packed = isDeflated ? deflateRawSync(content) : content;
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  header.writeUInt16LE(isDeflated ? 8 : 0, 8);
  header.writeUInt32LE(crc32(content), 14);
  header.writeUInt32LE(packed.length, 18);
  header.writeUInt32LE(content.length, 22);
  header.writeUInt16LE(name.length, 26);
  return Buffer.concat([header, Buffer.from(name), packed]);
}
