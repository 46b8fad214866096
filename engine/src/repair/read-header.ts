/** What a pack says of itself: its header, without the blobs. */
import { EngineError } from '../errors.ts';
import { HEADER_LENGTH_BYTES, decodePackHeader } from '../format/pack-header.ts';
import type { PackEntry } from '../format/pack-header.ts';
import { MAX_PACK_HEADER_BYTES } from '../limits.ts';
import { packBytes } from '../pack/pack-builder.ts';
import type { Repository } from '../repository.ts';
import { SEAL_OVERHEAD_BYTES } from '../seal/master-key.ts';

/** Enough for the header of most packs: one read then gives all of it. */
const TAIL_BYTES = 16 * 1024;

/**
 * The entries of a pack of `bytes` bytes, from its header (format: "Pack Format"). What looks damaged is read once more:
 * it may be the way that spoiled it.
 * @throws RangeError where the pack has no whole header, or one that does not fit its size.
 */
export async function readPackHeader(
  repository: Pick<Repository, 'storage' | 'key'>,
  id: string,
  bytes: number,
): Promise<readonly PackEntry[]> {
  try {
    return await readOnce(repository, id, bytes);
  } catch (error) {
    if (!isDamage(error)) throw error;
    return readOnce(repository, id, bytes);
  }
}

/** A file that ends too early is a failure of the storage with such a cause. */
const isDamage = (error: unknown): boolean =>
  error instanceof RangeError || (error instanceof EngineError && error.cause instanceof RangeError);

async function readOnce(
  { storage, key }: Pick<Repository, 'storage' | 'key'>,
  id: string,
  bytes: number,
): Promise<readonly PackEntry[]> {
  const file = { kind: 'data', id } as const;
  if (bytes < HEADER_LENGTH_BYTES + SEAL_OVERHEAD_BYTES) throw new RangeError('it is too short for a header');
  const tailBytes = Math.min(bytes, TAIL_BYTES);
  const tail = await storage.load(file, { offset: bytes - tailBytes, length: tailBytes });
  const sealedBytes = tail.readUInt32LE(tailBytes - HEADER_LENGTH_BYTES);
  const from = bytes - HEADER_LENGTH_BYTES - sealedBytes;
  if (from < 0) throw new RangeError('its header is cut off');
  if (sealedBytes > MAX_PACK_HEADER_BYTES) throw new RangeError(`its header claims ${sealedBytes} bytes`);
  const at = tailBytes - HEADER_LENGTH_BYTES - sealedBytes;
  const sealed =
    at >= 0 ? tail.subarray(at, at + sealedBytes) : await storage.load(file, { offset: from, length: sealedBytes });
  const header = key.open(sealed);
  if (header === null) throw new RangeError('the seal of its header is broken');
  const entries = decodePackHeader(header);
  if (packBytes(entries) !== bytes) throw new RangeError(`its header is one of a pack of ${packBytes(entries)} bytes`);
  return entries;
}
