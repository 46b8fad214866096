import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nameSnapshot } from './file-snapshot.ts';
import { planVolumeSnapshot } from './plan-volume-snapshot.ts';
import { type Volume, parseVolumes } from './read-volumes.ts';
import { judgeRoom } from './zfs.ts';

/** What lvs 2.03.16 of Debian 12 said of a volume with a snapshot that ran full, and of a thin one with a snapshot. */
const RECORDED = `{"report": [{"lv": [
{"vg_name":"rec", "lv_name":"home", "lv_kernel_major":"253", "lv_kernel_minor":"0", "lv_layout":"linear", "lv_role":"public,origin,thickorigin", "lv_tags":"", "lv_size":"419430400", "pool_lv":"", "data_percent":"", "metadata_percent":"", "lv_snapshot_invalid":"-1", "vg_free":"293601280", "vg_extent_size":"4194304"},
{"vg_name":"rec", "lv_name":"pool", "lv_kernel_major":"253", "lv_kernel_minor":"6", "lv_layout":"thin,pool", "lv_role":"private", "lv_tags":"", "lv_size":"104857600", "pool_lv":"", "data_percent":"0.00", "metadata_percent":"10.94", "lv_snapshot_invalid":"-1", "vg_free":"293601280", "vg_extent_size":"4194304"},
{"vg_name":"rec", "lv_name":"salvor-a", "lv_kernel_major":"253", "lv_kernel_minor":"3", "lv_layout":"linear", "lv_role":"public,snapshot,thicksnapshot", "lv_tags":"salvor", "lv_size":"8388608", "pool_lv":"", "data_percent":"100.00", "metadata_percent":"", "lv_snapshot_invalid":"1", "vg_free":"293601280", "vg_extent_size":"4194304"},
{"vg_name":"rec", "lv_name":"salvor-t", "lv_kernel_major":"253", "lv_kernel_minor":"9", "lv_layout":"thin,sparse", "lv_role":"public,snapshot,thinsnapshot", "lv_tags":"salvor", "lv_size":"314572800", "pool_lv":"pool", "data_percent":"0.00", "metadata_percent":"", "lv_snapshot_invalid":"-1", "vg_free":"293601280", "vg_extent_size":"4194304"},
{"vg_name":"rec", "lv_name":"thin", "lv_kernel_major":"253", "lv_kernel_minor":"8", "lv_layout":"thin,sparse", "lv_role":"public,origin,thinorigin", "lv_tags":"", "lv_size":"314572800", "pool_lv":"pool", "data_percent":"0.00", "metadata_percent":"", "lv_snapshot_invalid":"-1", "vg_free":"293601280", "vg_extent_size":"4194304"}
]}]}`;

const VOLUMES = parseVolumes(RECORDED);
const volume = (name: string, change: Partial<Volume> = {}): Volume => ({
  ...(VOLUMES.find((one) => one.name === name) ?? assert.fail(name)),
  ...change,
});

test('volumes are read as lvs tells of them, a snapshot that ran full as invalid and no other', () => {
  assert.deepEqual(volume('salvor-a'), {
    group: 'rec',
    name: 'salvor-a',
    device: '253:3',
    layout: ['linear'],
    roles: ['public', 'snapshot', 'thicksnapshot'],
    tags: ['salvor'],
    bytes: 8 << 20,
    pool: '',
    fill: 100,
    metadataFill: null,
    isInvalid: true,
    groupFreeBytes: 280 << 20,
    extentBytes: 4 << 20,
  });
  assert.deepEqual(
    VOLUMES.filter(({ isInvalid }) => isInvalid).map(({ name }) => name),
    ['salvor-a'],
  );
  assert.equal(volume('thin').pool, 'pool');
});

test('a classic snapshot takes a fifth of its volume in whole extents, or what is free, and none that would be full at once', () => {
  const plan = (groupFreeBytes: number): unknown => planVolumeSnapshot(volume('home', { groupFreeBytes }), VOLUMES);
  assert.deepEqual(plan(280 << 20), { extents: 20 });
  assert.deepEqual(plan(30 << 20), { extents: 7 });
  assert.deepEqual(plan(4 << 20), { extents: 1 });
  assert.deepEqual(plan((4 << 20) - 1), { lacks: 'volume group rec has no free room for a snapshot of home' });
  const large = volume('home', { bytes: 100 * 2 ** 30, groupFreeBytes: 2 ** 29 });
  assert.ok('lacks' in (planVolumeSnapshot(large, VOLUMES) ?? {}), 'half a percent');
  assert.equal(planVolumeSnapshot(volume('salvor-a'), VOLUMES), null, 'LVM makes no snapshot of a snapshot');
});

test('a thin snapshot is made without a size, while its pool is not nearly full', () => {
  const plan = (change: Partial<Volume>): unknown => planVolumeSnapshot(volume('thin'), [volume('pool', change)]);
  assert.deepEqual(plan({}), { extents: null });
  for (const change of [{ fill: 90.5 }, { metadataFill: 91 }, { fill: null }])
    assert.deepEqual(plan(change), { lacks: 'thin pool rec/pool is more than 90 % full' });
  assert.equal(planVolumeSnapshot(volume('thin'), []), null);
});

test('a dataset has room for a snapshot while a twentieth of what it may hold is left', () => {
  assert.equal(judgeRoom('tank/home', '50\t950\n'), null);
  assert.equal(judgeRoom('tank/home', '49\t951\n'), 'dataset tank/home has less than 5 % of its room left');
});

test('a snapshot is called after its task, in the group of its volume or at its dataset', () => {
  const source = { top: '/data', fileSystem: 'ext4', lacks: null };
  const of = (kind: 'lvm' | 'zfs', name: string): string => nameSnapshot({ ...source, kind, name }, 'salvor-t-0').name;
  assert.equal(of('lvm', 'group-a/home-b'), 'group-a/salvor-t-0');
  assert.equal(of('zfs', 'tank/data/home'), 'tank/data/home@salvor-t-0');
});
