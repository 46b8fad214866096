import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mountOf, mountPointOf, mountsWithin, readMountPoints, readMounts } from './mounts.ts';

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

test('the mount of a path is told with its device and file system, the later of two at one place, names unescaped', () => {
  const mounts = readMounts(
    [
      '25 1 254:0 / / rw,relatime - ext4 /dev/vda rw',
      '60 25 253:0 / /data rw,relatime shared:3 - ext4 /dev/mapper/salvor--test-home rw',
      '61 25 253:2 /part /data rw - xfs /dev/mapper/other rw',
      '62 25 0:41 / /srv/a\\040b rw,relatime shared:4 master:5 - zfs tank/a\\040b rw,xattr',
    ].join('\n'),
  );
  assert.deepEqual(mountOf('/data/x', mounts), {
    point: '/data',
    device: '253:2',
    root: '/part',
    type: 'xfs',
    source: '/dev/mapper/other',
  });
  assert.equal(mountOf('/srv/a b/c', mounts)?.source, 'tank/a b');
  assert.equal(mountOf('/home', mounts)?.source, '/dev/vda');
  assert.equal(mountOf('/home', []), null);
});
