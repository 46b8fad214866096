/** What the tests of archives share: streams of bytes, members, and tar programs as judges. */
import { execFileSync } from 'node:child_process';
import type { ArchiveLimits } from '../limits.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { readTar } from './read-tar.ts';
import { type TarMember, paddingOf } from './tar-member.ts';
import { encodeEnd, encodeHeader } from './write-header.ts';

/** A stream in pieces of `size` bytes, so that nothing ends where a block ends. */
export async function* streamOf(bytes: Uint8Array, size = 1000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

export async function bytesOf(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const bytes of source) pieces.push(Buffer.from(bytes));
  return Buffer.concat(pieces);
}

/** A member with what is told of it, the rest being ordinary. */
export function memberOf(told: Partial<TarMember> & { readonly name: string }): TarMember {
  return {
    type: 'file',
    mode: 0o644,
    uid: 1001,
    gid: 33,
    user: 'o1',
    group: 'www-data',
    size: 0,
    mtimeNs: 1_700_000_000_000_000_000n,
    linkName: '',
    xattrs: [],
    ...told,
  };
}

export type Written = { readonly member: TarMember; readonly content?: Uint8Array };

export function tarOf(members: readonly Written[]): Buffer {
  const blocks: Uint8Array[] = [];
  for (const { member, content = new Uint8Array(0) } of members) {
    blocks.push(encodeHeader({ ...member, size: content.length }), content, Buffer.alloc(paddingOf(content.length)));
  }
  const all = Buffer.concat(blocks);
  return Buffer.concat([all, encodeEnd(all.length)]);
}

/** All members with their contents. */
export async function readAll(
  tar: Uint8Array,
  limits: ArchiveLimits = DEFAULT_LIMITS,
): Promise<(TarMember & { readonly bytes: Buffer })[]> {
  const read: (TarMember & { readonly bytes: Buffer })[] = [];
  for await (const { content, isSparse: _, ...member } of readTar(streamOf(tar), limits))
    read.push({ ...member, bytes: await bytesOf(content) });
  return read;
}

/** Runs a program of the machine; what it prints. Throws where it ends with an error or complains. */
export function judge(command: string, args: readonly string[], input?: Uint8Array): Buffer {
  return execFileSync(command, args, {
    ...(input === undefined ? {} : { input }),
    maxBuffer: 1 << 28,
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LANG: 'C.UTF-8', TZ: 'UTC' },
  });
}
