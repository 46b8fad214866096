import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountPointOf, mountsWithin, readMountPoints } from './mounts.ts';

test('a path lies on the nearest mount above it, and a name that only begins like one is none', () => {
  const mounts = ['/', '/data', '/data/disk/o1'];
  assert.equal(mountPointOf('/data/disk/o1/sites/x', mounts), '/data/disk/o1');
  assert.equal(mountPointOf('/data/disk/o11/sites', mounts), '/data');
  assert.equal(mountPointOf('/data/disk/o1', mounts), '/data/disk/o1');
  assert.equal(mountPointOf('/srv', mounts), '/');
  assert.deepEqual(mountsWithin('/data', mounts), ['/data', '/data/disk/o1']);
  assert.deepEqual(mountsWithin('/data/disk/o', mounts), []);
});

test('the mounts of this machine are read', () => {
  // Not '/': in a changed root it is no mount.
  assert.ok(readMountPoints().includes('/proc'));
  assert.equal(mountPointOf('/proc/self'), '/proc');
});
