/**
 * In a chroot, as packages are built in, `/` is no mount: `unshare` refuses to make it private there, and so does `mount`. Its
 * namespace has a root that is one, and `nsenter` into the namespace where it is already goes there.
 */
const APART = 'mount --make-rprivate / 2>/dev/null || nsenter --mount=/proc/self/ns/mnt mount --make-rprivate /';

/** The words of a command that runs a script of sh with mounts that nobody else sees; `options` are further ones of `unshare`. */
export function inOwnMounts(
  script: string,
  args: readonly string[] = [],
  options: readonly string[] = [],
): readonly [string, ...string[]] {
  const unshare = ['--mount', '--propagation', 'unchanged', ...options];
  return ['unshare', ...unshare, 'sh', '-ec', `${APART}\n${script}`, 'sh', ...args];
}
