/** Which extended attributes a restored path gets, where those that give rights are not wanted. Pure. */
import type { ExtendedAttribute } from '../format/tree-node.ts';

export type AttributePlan = {
  readonly kept: readonly ExtendedAttribute[];
  /** One line for each that is left out or changed. */
  readonly notes: readonly { readonly code: string; readonly message: string }[];
};

/** Who an ACL may name. */
export type KnownIds = { readonly uids: readonly number[]; readonly gids: readonly number[] };

const ACLS: ReadonlySet<string> = new Set(['system.posix_acl_access', 'system.posix_acl_default']);

/**
 * Keeps `user.` attributes and ACLs. `security.capability` is a setuid bit by another name, and the rest of `security.`
 * and `trusted.` belongs to the system that the snapshot came from. Where `known` is given, an ACL loses its entries
 * for other users and groups: their numbers may be those of strangers here.
 */
export function planAttributes(attributes: readonly ExtendedAttribute[], known: KnownIds | undefined): AttributePlan {
  const kept: ExtendedAttribute[] = [];
  const notes: AttributePlan['notes'][number][] = [];
  for (const attribute of attributes) {
    const { name } = attribute;
    if (name.startsWith('user.')) {
      kept.push(attribute);
    } else if (!ACLS.has(name)) {
      notes.push({ code: 'attribute-left-out', message: `had the attribute ${name}, which was not restored` });
    } else {
      const acl =
        known === undefined ? { value: attribute.value, strangers: [] } : dropStrangers(attribute.value, known);
      if (acl === null) {
        notes.push({ code: 'attribute-left-out', message: `had an ACL that can't be read, which was not restored` });
        continue;
      }
      kept.push({ name, value: acl.value });
      for (const stranger of acl.strangers)
        notes.push({
          code: 'acl-entry-left-out',
          message: `gave rights to ${stranger}, which is none of this account's`,
        });
    }
  }
  return { kept, notes };
}

/** linux/posix_acl_xattr.h: a version, then entries of tag (2 bytes), rights (2) and id (4), little-endian. */
const HEADER_BYTES = 4;
const ENTRY_BYTES = 8;
const VERSION = 2;
const USER = 0x02;
const GROUP = 0x08;

function dropStrangers(
  value: Uint8Array,
  known: KnownIds,
): { readonly value: Uint8Array; readonly strangers: readonly string[] } | null {
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength);
  if (bytes.length < HEADER_BYTES || (bytes.length - HEADER_BYTES) % ENTRY_BYTES !== 0) return null;
  if (bytes.readUInt32LE(0) !== VERSION) return null;
  const kept = [bytes.subarray(0, HEADER_BYTES)];
  const strangers: string[] = [];
  for (let at = HEADER_BYTES; at < bytes.length; at += ENTRY_BYTES) {
    const tag = bytes.readUInt16LE(at);
    const id = bytes.readUInt32LE(at + 4);
    if (tag === USER && !known.uids.includes(id)) strangers.push(`user ${id}`);
    else if (tag === GROUP && !known.gids.includes(id)) strangers.push(`group ${id}`);
    else kept.push(bytes.subarray(at, at + ENTRY_BYTES));
  }
  return { value: Buffer.concat(kept), strangers };
}
