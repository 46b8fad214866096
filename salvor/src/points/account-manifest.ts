/**
 * `/manifest.json` of an account's snapshots: which sites a night's point of the account holds, and where their own
 * manifests and databases lie in it. The shape on disk; a reader refuses a version that it does not know.
 *
 * A night's point of an account is two snapshots that carry one `point:` tag: one of all databases (`/databases/…`), one of
 * all files (real absolute paths). Each holds the manifests, so that it can be read when the rules have let go of the other.
 */
import { z } from 'zod';
import { parseJsonOf } from './manifest.ts';

const AccountSite = z
  .object({
    uri: z.string().min(1),
    /** The site's own manifest, absolute in both snapshots. */
    manifest: z.string().startsWith('/manifests/'),
    /** Where each of its databases lies below `/databases/`, by its name. */
    databases: z.record(z.string(), z.string()),
    /** How its tables were cut (`dump-cut.ts`); null where it has no database here. */
    cut: z.object({ bytes: z.int().nonnegative(), cutBytes: z.int().positive() }).readonly().nullable(),
  })
  .readonly();
export type AccountSite = z.infer<typeof AccountSite>;

export const AccountManifest = z
  .object({
    format: z.literal('salvor-account-point'),
    version: z.literal(1),
    point: z.string().regex(/^[0-9a-f]{32}$/),
    time: z.string(),
    host: z.string(),
    account: z.object({ name: z.string(), home: z.string(), uid: z.int(), gid: z.int() }).readonly(),
    /** The homes that the snapshot of files holds. */
    homes: z.array(z.string().startsWith('/')).readonly(),
    sites: z.array(AccountSite).readonly(),
  })
  .readonly();
export type AccountManifest = z.infer<typeof AccountManifest>;

/** Null where the bytes are not one of a version that this program knows; `why` says what is wrong. */
export function parseAccountManifest(
  bytes: Uint8Array,
): { readonly manifest: AccountManifest } | { readonly manifest: null; readonly why: string } {
  return parseJsonOf(AccountManifest, bytes);
}
