/**
 * Takes the definers out of a dump's tail while it streams, so that a user without rights may create what is
 * in it, and keeps them for the switch; events are made disabled, so that none runs in a scratch database.
 * How: `dump-rewriter.ts`.
 */
import type { DatabaseAccount } from './connect.ts';
import { DumpRewriter } from './dump-rewriter.ts';

export type FoundDefiner = {
  readonly kind: 'view' | 'trigger' | 'routine' | 'event';
  readonly name: string;
  /** Host is empty where the definer is a role. */
  readonly definer: DatabaseAccount;
  /** Of an event: whether it was enabled where it was dumped. */
  readonly isEnabled: boolean;
};

/**
 * Passes a tail through; what it changed is in `found` once it was read to the end. `origin` is the database that was
 * dumped; null where the head does not say it: then a whole dump in one piece may.
 */
export async function* rewriteDefiners(
  source: AsyncIterable<Uint8Array>,
  found: FoundDefiner[],
  origin: string | null = null,
): AsyncGenerator<Uint8Array> {
  const scanner = new DumpRewriter({ found, origin });
  for await (const bytes of source) {
    const ready = scanner.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), false);
    if (ready.length > 0) yield ready;
  }
  const rest = scanner.push(Buffer.alloc(0), true);
  if (rest.length > 0) yield rest;
}
