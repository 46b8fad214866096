/** Which owner, group, mode and attributes a restored path gets. Pure: what a snapshot says is not always allowed. */
import type { Problem } from '../errors.ts';
import type { TreeNode } from '../format/tree-node.ts';
import { displayPath } from '../tree/byte-path.ts';
import { type KnownIds, planAttributes } from './plan-attributes.ts';
import type { Metadata } from './restore-jobs.ts';

/** Users and groups that entries keep as stored; any other becomes the fallback, and is a problem. */
export type OwnerRules = {
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly fallback: { readonly uid: number; readonly gid: number };
  /** Who an ACL may name; absent: the same. */
  readonly acl?: KnownIds;
};

export type OwnerPlan = {
  /** Absent: as stored. */
  readonly owners?: OwnerRules | undefined;
  /** Setuid and setgid bits of files are dropped, and attributes that are as much. */
  readonly dropSpecial?: boolean | undefined;
  /** Only root may give files away; others keep what they restore. */
  readonly isRoot: boolean;
};

const SETUID_SETGID = 0o6000;

/** The metadata of a node, with a problem for each thing that is not as stored. */
export function planMetadata(
  path: string,
  node: TreeNode,
  plan: OwnerPlan,
): { readonly metadata: Metadata; readonly problems: readonly Problem[] } {
  const problems: Problem[] = [];
  const report = (code: string, message: string): void =>
    void problems.push({ code, path: displayPath(path), message });
  let { uid, gid, mode } = node;
  const { owners } = plan;
  if (owners !== undefined && !owners.uids.includes(uid)) {
    report(
      'owner-mapped',
      `belonged to user ${uid}, which is none of this account's, and now belongs to ${owners.fallback.uid}`,
    );
    uid = owners.fallback.uid;
  }
  if (owners !== undefined && !owners.gids.includes(gid)) {
    report(
      'group-mapped',
      `belonged to group ${gid}, which is none of this account's, and now belongs to ${owners.fallback.gid}`,
    );
    gid = owners.fallback.gid;
  }
  if (plan.dropSpecial === true && node.type === 'file' && (mode & SETUID_SETGID) !== 0) {
    report('setuid-dropped', 'had a setuid or setgid bit, which was not restored');
    mode &= ~SETUID_SETGID;
  }
  let { extendedAttributes } = node;
  if (plan.dropSpecial === true && extendedAttributes.length > 0) {
    const { kept, notes } = planAttributes(extendedAttributes, owners?.acl ?? owners);
    extendedAttributes = kept;
    for (const { code, message } of notes) report(code, message);
  }
  const owner = plan.isRoot ? { uid, gid } : { uid: null, gid: null };
  return { metadata: { mode, ...owner, mtimeNs: node.mtimeNs, extendedAttributes }, problems };
}
