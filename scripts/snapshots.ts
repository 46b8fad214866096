/**
 * Nights on LVM and ZFS: `npm run snapshots -- [--kinds lvm,thin,zfs] [--accel kvm]` boots Debian's own kernel in a machine of its own (qemu,
 * emulated where it must be), and there claims of these what `npm test` claims of Btrfs, whose kernel may have neither.
 * Needs root, the packages that it names, and 6 GB; the root of the machine is kept in node_modules/.cache.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { bootMachine } from './machine/boot.ts';
import { makeImage, makeMachineRoot } from './machine/make-root.ts';

/** Emulated, beside other work, a night takes a minute and more. */
const MAX_MINUTES = 120;
/** Large, and of no use to a test. */
const LEFT_OUT = /\/node_modules\/(?:\.cache\/machine|@?ox(?:fmt|lint)|@oxlint-tsgolint|@?typescript)(?:\/|$)/;

const { values } = parseArgs({
  options: {
    kinds: { type: 'string', default: 'lvm,thin,zfs' },
    // Not found out: a kernel may offer it and then get nowhere.
    accel: { type: 'string', default: 'tcg,thread=multi' },
  },
});
const project = dirname(import.meta.dirname);
const began = performance.now();
const say = (line: string): void =>
  console.log(`${((performance.now() - began) / 1000).toFixed(0).padStart(5)} s  ${line}`);

const root = makeMachineRoot(join(project, 'node_modules/.cache/machine'), say);
const directory = mkdtempSync(join(tmpdir(), 'salvor-machine-'));
try {
  const tree = join(directory, 'tree');
  mkdirSync(tree);
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], { cwd: project });
  for (const path of files.toString('utf8').split('\0').filter(Boolean)) cpSync(join(project, path), join(tree, path));
  cpSync(join(project, 'node_modules'), join(tree, 'node_modules'), {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => !LEFT_OUT.test(path),
  });
  const disks = [join(directory, 'project.ext4'), join(directory, 'scratch.ext4')] as const;
  makeImage(disks[0], tree, '1G');
  mkdirSync(join(directory, 'nothing'));
  makeImage(disks[1], join(directory, 'nothing'), '6G');
  say('boots');
  const outcome = await bootMachine(
    { ...root, disks, ...values, project, onLine: say },
    AbortSignal.timeout(MAX_MINUTES * 60_000),
  );
  say(outcome === 0 ? 'all of it holds' : `the machine ended with ${outcome ?? 'no word'}`);
  process.exitCode = outcome === 0 ? 0 : 1;
} finally {
  rmSync(directory, { recursive: true, force: true });
}
