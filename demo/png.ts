import { crc32, deflateSync } from 'node:zlib';

/** A picture that a browser shows: a sky over a sea in the colours that the seed gives. */
export function drawPng(width: number, height: number, seed: number): Buffer {
  const rows = Buffer.alloc(height * (1 + width * 3));
  const hue = seed % 97;
  for (let y = 0; y < height; y++) {
    const row = y * (1 + width * 3);
    const isSea = y > height * 0.6 + 4 * Math.sin((y + seed) / 3);
    for (let x = 0; x < width; x++) {
      const wave = isSea ? Math.round(18 * Math.sin(x / 7 + y / 2 + seed)) : 0;
      const fade = Math.round((90 * y) / height);
      const at = row + 1 + x * 3;
      rows[at] = clamp(isSea ? 20 + wave + hue / 3 : 250 - fade);
      rows[at + 1] = clamp(isSea ? 70 + wave + hue : 170 + fade / 2 - hue / 2);
      rows[at + 2] = clamp(isSea ? 120 + wave : 120 + fade + hue);
    }
  }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, 2, 0, 0, 0], 8); // eight bits a channel, RGB, deflate, no filter method of its own, not interlaced
  return Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

function clamp(value: number): number {
  return Math.max(0, Math.min(255, Math.round(value)));
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const framed = Buffer.alloc(body.length + 8);
  framed.writeUInt32BE(data.length, 0);
  framed.set(body, 4);
  framed.writeUInt32BE(crc32(body), body.length + 4);
  return framed;
}
