/**
 * One file, directory or link, held by its inode: what is set is set on the thing that was looked at, and not on what
 * took its name meanwhile.
 */
import { type BigIntStats, chmodSync, closeSync, constants, fstatSync, openSync } from 'node:fs';
import { O_PATH, removeXattrOfHeld, setOwnerOfHeld, setTimesOfHeld, setXattrOfHeld } from '@salvor/engine/libc';
import { SalvorError } from '../../errors.ts';
import { errnoOf } from '../errno.ts';
import { type Spot, pathOfSpot } from './spot.ts';

export type Held = Disposable & { readonly fd: number; readonly stat: BigIntStats; readonly path: string };

/**
 * Holds what is there; null where nothing is. Throws `file-foreign` where it belongs to none of `owners`: a hard link
 * to another one's file lies in a home like the tenant's own, and may be neither given to him nor opened to him.
 * `owners` is null where the caller looks at that himself.
 */
export function hold(spot: Spot, owners: readonly number[] | null): Held | null {
  const fd = openPlace(spot);
  if (fd === null) return null;
  const stat = fstatSync(fd, { bigint: true });
  if (owners?.includes(Number(stat.uid)) === false) {
    closeSync(fd);
    throw new SalvorError('file-foreign', { path: spot.path, uid: Number(stat.uid), links: Number(stat.nlink) });
  }
  return toHeld(spot, fd, stat);
}

/** A descriptor that is closed once. */
export function toHeld({ path }: Spot, fd: number, stat: BigIntStats): Held {
  let isOpen = true;
  return {
    fd,
    stat,
    path,
    [Symbol.dispose]: () => {
      if (isOpen) closeSync(fd);
      isOpen = false;
    },
  };
}

/** A descriptor of the name itself, a link included, that is good for looking only; null where nothing is there. */
export function openPlace(spot: Spot): number | null {
  try {
    return openSync(pathOfSpot(spot), O_PATH | constants.O_NOFOLLOW);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** Also of a link itself. The system takes setuid bits and file capabilities away with it. */
export function setOwner(held: Held, owner: { readonly uid: number; readonly gid: number }): void {
  setOwnerOfHeld(held.fd, owner.uid, owner.gid);
}

const SETUID = 0o4000;
const SETGID = 0o2000;

/**
 * A link has no mode, and is left alone. No file gets a setuid or setgid bit; a directory keeps setgid, by which what
 * is made in it belongs to its group.
 */
export function setMode(held: Held, mode: number): void {
  if (held.stat.isSymbolicLink()) return;
  const dropped = held.stat.isDirectory() ? SETUID : SETUID | SETGID;
  chmodSync(`/proc/self/fd/${held.fd}`, mode & 0o7777 & ~dropped);
}

/** Nanoseconds since 1970. Also of a link itself. */
export function setTimes(held: Held, times: { readonly accessNs: bigint; readonly modifiedNs: bigint }): void {
  setTimesOfHeld(held.fd, times.accessNs, times.modifiedNs);
}

/** Throws `attribute-refused` for what would give rights: only `user.` and ACLs are set. */
export function setAttribute(held: Held, name: string, value: Uint8Array): void {
  if (!isPlainAttribute(name)) throw new SalvorError('attribute-refused', { path: held.path, name });
  setXattrOfHeld(held.fd, name, value);
}

export function removeAttribute(held: Held, name: string): void {
  removeXattrOfHeld(held.fd, name);
}

/** `security.capability` is a setuid bit by another name, and `trusted.` is the system's own. */
function isPlainAttribute(name: string): boolean {
  return name.startsWith('user.') || name === 'system.posix_acl_access' || name === 'system.posix_acl_default';
}
