import { run } from '../run.ts';

/** A logical volume, as `lvs` tells of it. Sizes in bytes, fills in percent; null where it has none. */
export type Volume = {
  readonly group: string;
  readonly name: string;
  /** `MAJOR:MINOR`; null where it is not active. */
  readonly device: string | null;
  /** `linear`, `thin`, `raid1`, … */
  readonly layout: readonly string[];
  /** `origin`, `thicksnapshot`, … */
  readonly roles: readonly string[];
  readonly tags: readonly string[];
  readonly bytes: number;
  readonly pool: string;
  readonly fill: number | null;
  readonly metadataFill: number | null;
  /** A snapshot that ran full: nothing can be read from it any more. */
  readonly isInvalid: boolean;
  readonly groupFreeBytes: number;
  readonly extentBytes: number;
};

const FIELDS = {
  vg_name: 'group',
  lv_name: 'name',
  lv_kernel_major: 'major',
  lv_kernel_minor: 'minor',
  lv_layout: 'layout',
  lv_role: 'role',
  lv_tags: 'tags',
  lv_size: 'size',
  pool_lv: 'pool',
  data_percent: 'data',
  metadata_percent: 'metadata',
  lv_snapshot_invalid: 'invalid',
  vg_free: 'free',
  vg_extent_size: 'extent',
} as const;

/** Looking is nothing that a dead disk may hold up for ever. */
const MAX_LOOK_MS = 60_000;
const MAX_BYTES = 16 * 1024 * 1024;

/** All logical volumes of this host. Throws `command-failed`, `command-missing`. */
export async function readVolumes(signal?: AbortSignal): Promise<readonly Volume[]> {
  const timeout = AbortSignal.timeout(MAX_LOOK_MS);
  const args = ['--reportformat', 'json', '--units', 'b', '--nosuffix', '--binary', '-o', Object.keys(FIELDS).join()];
  const within = signal === undefined ? timeout : AbortSignal.any([signal, timeout]);
  return parseVolumes((await run('lvs', { args, signal: within, maxBytes: MAX_BYTES })).toString('utf8'));
}

type Row = { readonly [field in keyof typeof FIELDS]: string };

export function parseVolumes(text: string): readonly Volume[] {
  const { report } = JSON.parse(text) as { report: readonly { readonly lv: readonly Row[] }[] };
  return report
    .flatMap(({ lv }) => lv)
    .map((row) => ({
      group: row.vg_name,
      name: row.lv_name,
      device: Number(row.lv_kernel_major) < 0 ? null : `${row.lv_kernel_major}:${row.lv_kernel_minor}`,
      layout: listOf(row.lv_layout),
      roles: listOf(row.lv_role),
      tags: listOf(row.lv_tags),
      bytes: Number(row.lv_size),
      pool: row.pool_lv,
      fill: percentOf(row.data_percent),
      metadataFill: percentOf(row.metadata_percent),
      isInvalid: row.lv_snapshot_invalid === '1',
      groupFreeBytes: Number(row.vg_free),
      extentBytes: Number(row.vg_extent_size),
    }));
}

function listOf(text: string): readonly string[] {
  return text.split(',').filter(Boolean);
}

function percentOf(text: string): number | null {
  return text === '' ? null : Number(text);
}
