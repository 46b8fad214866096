import { createHash, type Hash } from 'node:crypto';
import type { TarMember } from './tar/tar-member.ts';

/**
 * The check sum of a row of members: SHA-256 over a line of JSON for each, in their order, with all that an archive
 * says of it and the SHA-256 of its content. Equal sums are equal members, however they are packed.
 */
export class MemberSum {
  count = 0;
  /** The sum of what stood before the manifest, where one was met. */
  atManifest: string | null = null;
  readonly #hash: Hash = createHash('sha256');

  /** `content`: the SHA-256 of a file's bytes, null of everything else. */
  add(member: TarMember, content: string | null): void {
    const { name, type, mode, uid, gid, user, group, size, mtimeNs, linkName, xattrs } = member;
    const attributes = xattrs.map(({ name: key, value }) => [key, Buffer.from(value).toString('hex')]);
    const line = [name, type, mode, uid, gid, user, group, size, String(mtimeNs), linkName, attributes, content];
    this.#hash.update(`${JSON.stringify(line)}\n`);
    this.count += 1;
  }

  digest(): string {
    return this.#hash.copy().digest('hex');
  }
}
