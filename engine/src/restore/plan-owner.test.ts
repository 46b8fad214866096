import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TreeNode } from '../format/tree-node.ts';
import { rootNode } from '../tree/read-listing.ts';
import type { Snapshot } from '../format/snapshot-file.ts';
import { planMetadata } from './plan-owner.ts';

const PLAIN: TreeNode = {
  ...rootNode({ time: '2026-01-01T00:00:00Z', tree: '' } as unknown as Snapshot),
  type: 'file',
};
const OWNERS = { uids: [1001], gids: [1001, 33], fallback: { uid: 1001, gid: 1001 } };
const SAFE = { owners: OWNERS, dropSpecial: true, isRoot: true };

/** An ACL of pairs of tag and id, each with all rights. */
function acl(...entries: readonly (readonly [tag: number, id: number])[]): Buffer {
  const bytes = Buffer.alloc(4 + entries.length * 8);
  bytes.writeUInt32LE(2, 0);
  for (const [index, [tag, id]] of entries.entries()) {
    bytes.writeUInt16LE(tag, 4 + index * 8);
    bytes.writeUInt16LE(7, 6 + index * 8);
    bytes.writeUInt32LE(id, 8 + index * 8);
  }
  return bytes;
}

const ANYBODY = 0xffffffff;
const BASE = [
  [0x01, ANYBODY],
  [0x04, ANYBODY],
  [0x20, ANYBODY],
] as const;

test('ids that the account does not know are mapped to its own, and named', () => {
  const { metadata, problems } = planMetadata('/x', { ...PLAIN, uid: 0, gid: 33, mode: 0o100644 }, SAFE);
  assert.deepEqual([metadata.uid, metadata.gid, metadata.mode & 0o7777], [1001, 33, 0o644]);
  assert.deepEqual(
    problems.map(({ code }) => code),
    ['owner-mapped'],
  );
  const group = planMetadata('/x', { ...PLAIN, uid: 1001, gid: 0 }, SAFE);
  assert.deepEqual([group.metadata.gid, group.problems.map(({ code }) => code)], [1001, ['group-mapped']]);
  const other = planMetadata('/x', { ...PLAIN, uid: 0, gid: 0 }, { ...SAFE, isRoot: false });
  assert.deepEqual([other.metadata.uid, other.metadata.gid], [null, null]);
});

test('setuid and setgid bits of files go and are named; a directory keeps the group of what is made in it', () => {
  const file = planMetadata('/x', { ...PLAIN, uid: 1001, gid: 1001, mode: 0o106755 }, SAFE);
  assert.deepEqual([file.metadata.mode & 0o7777, file.problems.map(({ code }) => code)], [0o755, ['setuid-dropped']]);
  const directory = planMetadata('/d', { ...PLAIN, type: 'dir', uid: 1001, gid: 33, mode: 0o042775 }, SAFE);
  assert.deepEqual([directory.metadata.mode & 0o7777, directory.problems], [0o2775, []]);
});

test('attributes that give rights go and are named; those of users stay as they are', () => {
  const attributes = [
    'security.capability',
    'user.note',
    'trusted.overlay.opaque',
    'system.nfs4_acl',
    'security.selinux',
  ];
  const node = {
    ...PLAIN,
    uid: 1001,
    gid: 1001,
    extendedAttributes: attributes.map((name) => ({ name, value: Buffer.from('v') })),
  };
  const { metadata, problems } = planMetadata('/x', node, SAFE);
  assert.deepEqual(
    metadata.extendedAttributes.map(({ name }) => name),
    ['user.note'],
  );
  assert.deepEqual(
    problems.map(({ code }) => code),
    Array(4).fill('attribute-left-out'),
  );
  assert.match(problems[0]?.message ?? '', /security\.capability/);
  assert.deepEqual(planMetadata('/x', node, { isRoot: true }).metadata.extendedAttributes, node.extendedAttributes);
});

test('an ACL keeps what it says of the account, and loses what it gives to strangers', () => {
  const value = acl(BASE[0], [0x02, 1001], [0x02, 1002], BASE[1], [0x08, 33], [0x08, 0], [0x10, ANYBODY], BASE[2]);
  const name = 'system.posix_acl_access';
  const { metadata, problems } = planMetadata(
    '/x',
    { ...PLAIN, uid: 1001, gid: 1001, extendedAttributes: [{ name, value }] },
    SAFE,
  );
  const expected = acl(BASE[0], [0x02, 1001], BASE[1], [0x08, 33], [0x10, ANYBODY], BASE[2]);
  assert.deepEqual(metadata.extendedAttributes, [{ name, value: expected }]);
  assert.deepEqual(
    problems.map(({ code, message }) => [code, message.split(',')[0]]),
    [
      ['acl-entry-left-out', 'gave rights to user 1002'],
      ['acl-entry-left-out', 'gave rights to group 0'],
    ],
  );
});

test('bytes that are no ACL are not given to the system', () => {
  const name = 'system.posix_acl_default';
  for (const value of [Buffer.alloc(0), Buffer.alloc(3), Buffer.alloc(4), acl(...BASE).subarray(0, 27)]) {
    const node = { ...PLAIN, uid: 1001, gid: 1001, extendedAttributes: [{ name, value }] };
    const { metadata, problems } = planMetadata('/x', node, SAFE);
    assert.deepEqual([metadata.extendedAttributes, problems.map(({ code }) => code)], [[], ['attribute-left-out']]);
  }
});
