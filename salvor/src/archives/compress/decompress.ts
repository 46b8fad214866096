/**
 * What comes out of a packed stream, with a bound on how much that may be. gzip and zstd are read in this process,
 * several members one behind the other; bzip2, which Node lacks, by the stock tool as a user without rights.
 */
import { Readable, type Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { SalvorError } from '../../errors.ts';
import { findOwnUser } from '../../lib/own-users.ts';
import { openRun } from '../../lib/run.ts';
import type { ArchiveLimits } from '../limits.ts';
import { ArchiveFault } from '../tar/archive-fault.ts';
import type { Compression } from './compression.ts';
import { readZip } from './read-zip.ts';

type Bounds = Pick<ArchiveLimits, 'maxBytes' | 'maxRatio' | 'ratioFromBytes'>;

/** Large, because each call of the library costs a change of threads. */
const PIECE_BYTES = 512 * 1024;

/** Throws `ArchiveFault`: `damaged` where it is cut off or changed, `too-large` beyond the bounds. */
export async function* decompress(
  source: AsyncIterable<Uint8Array>,
  compression: Compression,
  bounds: Bounds,
  signal?: AbortSignal,
): AsyncGenerator<Uint8Array> {
  let bytesIn = 0;
  let bytesOut = 0;
  const counted = async function* (): AsyncGenerator<Uint8Array> {
    for await (const bytes of source) {
      signal?.throwIfAborted();
      bytesIn += bytes.length;
      yield bytes;
    }
  };
  for await (const bytes of unpack(counted(), compression, signal)) {
    bytesOut += bytes.length;
    if (bytesOut > bounds.maxBytes)
      throw new ArchiveFault('too-large', `more than ${bounds.maxBytes} bytes come out of it`);
    if (compression !== 'none' && bytesOut > bounds.ratioFromBytes && bytesOut > bounds.maxRatio * bytesIn)
      throw new ArchiveFault('too-large', `more than ${bounds.maxRatio} bytes come out of each of its bytes`);
    yield bytes;
  }
}

function unpack(
  source: AsyncGenerator<Uint8Array>,
  compression: Compression,
  signal: AbortSignal | undefined,
): AsyncIterable<Uint8Array> {
  switch (compression) {
    case 'none':
      return source;
    case 'gzip':
      return through(source, createGunzip({ chunkSize: PIECE_BYTES }));
    case 'zstd':
      // Frames that ask for more memory than 128 MiB are refused by the library.
      return through(source, createZstdDecompress({ chunkSize: PIECE_BYTES }));
    case 'bzip2':
      return throughBzip2(source, signal);
    case 'xz':
      throw new ArchiveFault('unsupported', 'it is packed with xz');
    case 'zip':
      return readZip(source, through, PIECE_BYTES);
    default:
      return compression satisfies never;
  }
}

async function* through(source: AsyncGenerator<Uint8Array>, stream: Transform): AsyncGenerator<Uint8Array> {
  let fromSource: unknown;
  const feed = async function* (): AsyncGenerator<Uint8Array> {
    try {
      yield* source;
    } catch (error) {
      fromSource = error;
      throw error;
    }
  };
  const fed = pipeline(Readable.from(feed(), { objectMode: false }), stream);
  // Awaited below; until then nobody listens, and whoever stops early has no interest in it.
  fed.catch(() => undefined);
  try {
    for await (const bytes of stream) yield bytes as Uint8Array;
    await fed;
  } catch (error) {
    if (fromSource !== undefined) throw fromSource;
    if (error instanceof Error && 'code' in error && /^Z|^ERR_ZLIB/.test(String(error.code)))
      throw new ArchiveFault('damaged', 'what it is packed in is cut off or changed', { cause: error });
    throw error;
  } finally {
    stream.destroy();
    // The pipeline closes its source some time later: whoever reads a file wants to close it now.
    await source.return(undefined).catch(() => undefined);
  }
}

async function* throughBzip2(
  source: AsyncGenerator<Uint8Array>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array> {
  // Only root can become another.
  const user = process.getuid?.() === 0 ? { user: findOwnUser('salvor-read') } : {};
  await using tool = openRun('bzip2', { args: ['-dc'], stdin: source, ...user, signal });
  try {
    yield* tool.stdout;
  } catch (error) {
    if (!(error instanceof SalvorError) || error.code !== 'command-failed') throw error;
    throw new ArchiveFault('damaged', 'what it is packed in is cut off or changed', { cause: error });
  }
}
