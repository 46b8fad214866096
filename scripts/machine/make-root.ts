/**
 * The root of the machine in which LVM and ZFS are tried, as an image that is kept: Debian 12 with a kernel of its own, the
 * module of ZFS built for it, and what the tests run.
 *
 *   debootstrap → packages of Debian, `contrib` too → a first process → image, kernel, initial RAM disk → the tree is removed
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** What `npm run snapshots` runs on this machine, with the Debian package of each. */
const PROGRAMS = { debootstrap: 'debootstrap', 'qemu-system-x86_64': 'qemu-system-x86', mke2fs: 'e2fsprogs' } as const;

const SOURCES = [
  'deb http://deb.debian.org/debian bookworm main contrib',
  'deb http://deb.debian.org/debian bookworm-updates main contrib',
  'deb http://deb.debian.org/debian-security bookworm-security main contrib',
];
/** The tests' own servers and tools, and the volume managers. */
const PACKAGES = [
  ['btrfs-progs', 'dmeventd', 'lvm2', 'lz4', 'mount', 'thin-provisioning-tools', 'udev', 'xfsprogs'],
  ['iproute2', 'libatomic1', 'mariadb-client', 'mariadb-server', 'php-cli', 'php-mysql', 'procps', 'restic'],
].flat();
/** Only what the machine has: the kernel finds its root sooner. */
const MODULES = ['virtio_pci', 'virtio_blk', 'ext4'];

/** Hands over to the project, whose disk is at its own path. */
const INIT = `#!/bin/sh
mkdir -p "$project" && mount /dev/vdb "$project" && cd "$project" && exec sh scripts/machine/init.sh
`;

const MAKE = `set -ex
root=$1
debootstrap --variant=minbase --include=ca-certificates bookworm "$root" http://deb.debian.org/debian
printf '%s\\n' "$SOURCES" >"$root/etc/apt/sources.list"
for part in doc man locale; do echo "path-exclude=/usr/share/$part/*"; done >"$root/etc/dpkg/dpkg.cfg.d/no-docs"
printf '#!/bin/sh\\nexit 101\\n' >"$root/usr/sbin/policy-rc.d"; chmod 755 "$root/usr/sbin/policy-rc.d"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"
mount -t proc proc "$root/proc"; mount --rbind /sys "$root/sys"; mount --rbind /dev "$root/dev"
within() { chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 HOME=/root "$@"; }
install() { within apt-get -qq -y --no-install-recommends install "$@"; }
within apt-get -qq update
install initramfs-tools
printf 'MODULES=list\\nCOMPRESS=lz4\\n' >"$root/etc/initramfs-tools/conf.d/machine"
printf '%s\\n' $MODULES >>"$root/etc/initramfs-tools/modules"
install $PACKAGES linux-image-amd64 linux-headers-amd64
# ZFS comes as source, and is built for that kernel.
install zfs-dkms zfsutils-linux
printf '%s' "$INIT" >"$root/usr/sbin/machine-init"; chmod 755 "$root/usr/sbin/machine-init"
rm -rf "$root"/usr/src/* "$root"/usr/lib/gcc* "$root"/usr/include "$root"/var/lib/dkms "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*
`;

export type MachineRoot = { readonly image: string; readonly kernel: string; readonly initrd: string };

/** Makes it in `cache` unless it is there; about ten minutes. `say` is told what takes long. */
export function makeMachineRoot(cache: string, say: (line: string) => void): MachineRoot {
  const missing = Object.entries(PROGRAMS).filter(([name]) => spawnSync('which', [name]).status !== 0);
  if (missing.length > 0)
    throw new Error(`install first: apt-get install --no-install-recommends ${missing.map(([, of]) => of).join(' ')}`);
  const recipe = createHash('sha256')
    .update(JSON.stringify([SOURCES, PACKAGES, MODULES, INIT, MAKE]))
    .digest('hex');
  const made = join(cache, recipe.slice(0, 12));
  const root = { image: join(made, 'root.ext4'), kernel: join(made, 'vmlinuz'), initrd: join(made, 'initrd.img') };
  if (existsSync(made)) return root;
  say('makes the root of the machine (about ten minutes, once): Debian 12, and the module of ZFS built for its kernel');
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, 'making-'));
  try {
    const tree = join(work, 'tree');
    const env = {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      SOURCES: SOURCES.join('\n'),
      PACKAGES: PACKAGES.join(' '),
      MODULES: MODULES.join('\n'),
      INIT,
    };
    const unshare = ['--mount', '--pid', '--fork', '--kill-child', 'sh', '-c', MAKE, 'sh', tree];
    const { status, stderr } = spawnSync('unshare', unshare, {
      env,
      encoding: 'utf8',
      stdio: ['ignore', 'ignore', 'pipe'],
      maxBuffer: 1 << 28,
    });
    if (status !== 0) throw new Error(`the root could not be made:\n${stderr.slice(-4000)}`);
    mkdirSync(join(work, 'made'));
    const boot = readdirSync(join(tree, 'boot'));
    for (const [prefix, name] of [
      ['vmlinuz-', 'vmlinuz'],
      ['initrd.img-', 'initrd.img'],
    ] as const) {
      const found = boot.find((file) => file.startsWith(prefix));
      if (found === undefined) throw new Error(`the root has no ${prefix}*`);
      copyFileSync(join(tree, 'boot', found), join(work, 'made', name));
    }
    makeImage(join(work, 'made/root.ext4'), tree, '4G');
    renameSync(join(work, 'made'), made);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return root;
}

/** An image with a file system that holds a tree; sparse. */
export function makeImage(image: string, tree: string, size: string): void {
  execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', tree, image, size]);
}
