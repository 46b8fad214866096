/**
 * The calls of the C library that Node lacks (and one that it gets wrong), all in this one file: through koffi, on Linux with glibc or musl.
 * Nothing here follows a symbolic link in the last component of a path. Errors carry the system's code as Node's do.
 */
import { lstatSync, mkdirSync } from 'node:fs';
import { constants as osConstants } from 'node:os';
import { dirname } from 'node:path';
import koffi from 'koffi';

const lib = koffi.load(process.platform === 'linux' ? 'libc.so.6' : null);

const AT_FDCWD = -100;
const AT_SYMLINK_NOFOLLOW = 0x100;
const AT_EMPTY_PATH = 0x1000;
const RENAME_NOREPLACE = 1;
const RENAME_EXCHANGE = 2;
/** `openat2` has the same number on all architectures of Linux. */
const SYS_OPENAT2 = 437;
/** These have not: of x86-64, and of the architectures that came after it. */
const [SYS_IOPRIO_SET, SYS_IOPRIO_GET] = process.arch === 'x64' ? ([251, 252] as const) : ([30, 31] as const);
const IOPRIO_WHO_PROCESS = 1;
const RESOLVE_NO_XDEV = 0x01;
const RESOLVE_NO_MAGICLINKS = 0x02;
const RESOLVE_NO_SYMLINKS = 0x04;
const RESOLVE_BENEATH = 0x08;
const O_CLOEXEC = 0o2000000;
/** Opens nothing and holds what is there, whatever it is: a link, a pipe, a device. Node has no name for it. */
export const O_PATH = 0o10000000;
const PR_SET_PDEATHSIG = 1;
const PR_SET_DUMPABLE = 4;
const PR_SET_NO_NEW_PRIVS = 38;
const LOCK_EX = 2;
const CLONE_FS = 0x200;
const FICLONE = 0x40049409;
const MADV_DONTNEED = 4;
const MADV_HUGEPAGE = 14;
const SOL_SOCKET = 1;
const SO_PEERCRED = 17;
/** `struct ucred`: process, user and group, four bytes each. */
const UCRED_BYTES = 12;
/** More than `struct timex` is on any architecture. */
const TIMEX_BYTES = 256;
/** What `adjtimex` returns where nothing keeps the clock right. */
const TIME_ERROR = 5;
const XATTR_SIZE_MAX = 65_536;

koffi.struct('timespec', { tv_sec: 'int64', tv_nsec: 'int64' });
koffi.struct('open_how', { flags: 'uint64', mode: 'uint64', resolve: 'uint64' });
const utimensatCall = lib.func('int utimensat(int, const char *, const timespec *, int)');
const renameat2Call = lib.func('int renameat2(int, const char *, int, const char *, unsigned int)');
const openat2Call = lib.func('int64_t syscall(int64_t, int, const char *, const open_how *, size_t)');
const llistxattrCall = lib.func('int64_t llistxattr(const char *, _Out_ uint8_t *, size_t)');
const lgetxattrCall = lib.func('int64_t lgetxattr(const char *, const char *, _Out_ uint8_t *, size_t)');
const lsetxattrCall = lib.func('int lsetxattr(const char *, const char *, const uint8_t *, size_t, int)');
const mknodCall = lib.func('int mknod(const char *, uint32_t, uint64_t)');
const syncfsCall = lib.func('int syncfs(int)');
const fchownatCall = lib.func('int fchownat(int, const char *, uint32_t, uint32_t, int)');
const setxattrCall = lib.func('int setxattr(const char *, const char *, const uint8_t *, size_t, int)');
const removexattrCall = lib.func('int removexattr(const char *, const char *)');
const flockCall = lib.func('int flock(int, int)');
const prctlCall = lib.func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
const flistxattrCall = lib.func('int64_t flistxattr(int, _Out_ uint8_t *, size_t)');
const fgetxattrCall = lib.func('int64_t fgetxattr(int, const char *, _Out_ uint8_t *, size_t)');
const unshareCall = lib.func('int unshare(int)');
const fchdirCall = lib.func('int fchdir(int)');
const ioctlCall = lib.func('int ioctl(int, unsigned long, int)');
const closeCall = lib.func('int close(int)');
const mallocTrimCall = process.platform === 'linux' ? findFunction('int malloc_trim(size_t)') : null;
const malloptCall = process.platform === 'linux' ? findFunction('int mallopt(int, int)') : null;
const getsockoptCall = lib.func('int getsockopt(int, int, int, _Out_ uint8_t *, _Inout_ uint32_t *)');
const adjtimexCall = lib.func('int adjtimex(_Inout_ uint8_t *)');
const ioPrioritySetCall = lib.func('int64_t syscall(int64_t, int, int, int)');
const ioPriorityGetCall = lib.func('int64_t syscall(int64_t, int, int)');
const madviseCall = lib.func('int madvise(uint8_t *, size_t, int)');

const NAMES = new Map<number, string>(Object.entries(osConstants.errno).map(([name, number]) => [number, name]));

/** A failed system call: `code` is `EXDEV` and the like. */
export class ErrnoError extends Error {
  override readonly name = 'ErrnoError';
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;

  constructor(errno: number, syscall: string, path: string) {
    const code = NAMES.get(errno) ?? `E${errno}`;
    super(`${code}: ${syscall} '${path}'`);
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
  }
}

/** A path for the C library: text goes as UTF-8, bytes get a closing zero. */
function cPath(path: string | Uint8Array): string | Buffer {
  if (typeof path === 'string') {
    if (path.includes('\0')) throw new ErrnoError(osConstants.errno.EINVAL, 'path', path);
    return path;
  }
  if (path.includes(0)) throw new ErrnoError(osConstants.errno.EINVAL, 'path', String(path));
  const out = Buffer.alloc(path.length + 1);
  out.set(path);
  return out;
}

function must(result: number | bigint, syscall: string, path: string | Uint8Array | number): number {
  if (Number(result) < 0) throw new ErrnoError(koffi.errno(), syscall, describe(path));
  return Number(result);
}

function describe(path: string | Uint8Array | number): string {
  return typeof path === 'object' ? Buffer.from(path).toString() : String(path);
}

const timespec = (ns: bigint): { tv_sec: bigint; tv_nsec: bigint } => {
  const second = 1_000_000_000n;
  const rest = ((ns % second) + second) % second;
  return { tv_sec: (ns - rest) / second, tv_nsec: rest };
};

/**
 * Opens below a directory: no `..` out of it, no symbolic link anywhere in the path, not inherited by a child. `EXDEV`
 * where `onOneMount` is set and a mount lies in the way.
 */
export function openBeneath(
  directoryFd: number,
  path: string | Uint8Array,
  flags: number,
  mode = 0,
  { onOneMount = false }: { readonly onOneMount?: boolean } = {},
): number {
  const how = {
    flags: flags | O_CLOEXEC,
    mode,
    resolve: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS | (onOneMount ? RESOLVE_NO_XDEV : 0),
  };
  return must(openat2Call(SYS_OPENAT2, directoryFd, cPath(path), how, 24), 'openat2', Buffer.from(path));
}

/** Two paths change places in one atomic step. `EXDEV` across file systems, `EBUSY` where one is a mount. */
export function exchangePaths(fromFd: number, from: string | Uint8Array, toFd: number, to: string | Uint8Array): void {
  must(renameat2Call(fromFd, cPath(from), toFd, cPath(to), RENAME_EXCHANGE), 'renameat2', Buffer.from(from));
}

/** Renames; `EEXIST` where the new name is taken. */
export function renameNoReplace(
  fromFd: number,
  from: string | Uint8Array,
  toFd: number,
  to: string | Uint8Array,
): void {
  must(renameat2Call(fromFd, cPath(from), toFd, cPath(to), RENAME_NOREPLACE), 'renameat2', Buffer.from(from));
}

/** Access and modification time in nanoseconds since 1970, of the path itself, never of a link's target. */
export function setTimes(path: string | Uint8Array, accessNs: bigint, modifiedNs: bigint): void {
  const times = [timespec(accessNs), timespec(modifiedNs)];
  must(utimensatCall(AT_FDCWD, cPath(path), times, AT_SYMLINK_NOFOLLOW), 'utimensat', Buffer.from(path));
}

/** The same for what a descriptor made with `O_PATH` holds. */
export function setTimesOfHeld(fd: number, accessNs: bigint, modifiedNs: bigint): void {
  const times = [timespec(accessNs), timespec(modifiedNs)];
  must(utimensatCall(fd, '', times, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW), 'utimensat', fd);
}

/** Gives away what a descriptor made with `O_PATH` holds; a link itself, never what it points to. */
export function setOwnerOfHeld(fd: number, uid: number, gid: number): void {
  must(fchownatCall(fd, '', uid, gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW), 'fchownat', fd);
}

/** Sets an extended attribute of what a descriptor made with `O_PATH` holds. */
export function setXattrOfHeld(fd: number, name: string, value: Uint8Array): void {
  must(setxattrCall(`/proc/self/fd/${fd}`, cPath(name), value, value.length, 0), 'setxattr', fd);
}

/** Removes one of those. */
export function removeXattrOfHeld(fd: number, name: string): void {
  must(removexattrCall(`/proc/self/fd/${fd}`, cPath(name)), 'removexattr', fd);
}

/**
 * Gives the calling thread a working directory of its own, for good: a worker thread then goes where it likes while the
 * rest of the process stays where it is. Paths without a leading slash are the thread's own from then on, in
 * synchronous calls; asynchronous ones run in threads that know nothing of it.
 */
export function ownWorkingDirectory(): void {
  must(unshareCall(CLONE_FS), 'unshare', '');
}

/** Makes an open directory the working directory of the calling thread, if it has one of its own, else of the process. */
export function changeDirectory(fd: number): void {
  must(fchdirCall(fd), 'fchdir', fd);
}

/** Closes a descriptor that a call of this file opened: Node warns of those that it does not know in a worker. */
export function closeFd(fd: number): void {
  must(closeCall(fd), 'close', fd);
}

const xattrNames = Buffer.alloc(XATTR_SIZE_MAX);
const xattrValue = Buffer.alloc(XATTR_SIZE_MAX);

/**
 * Names of the extended attributes in the system's order, of a path itself or of an open file; empty where the file
 * system has none.
 */
export function listXattrs(of: string | Uint8Array | number): string[] {
  const length = Number(
    typeof of === 'number'
      ? flistxattrCall(of, xattrNames, XATTR_SIZE_MAX)
      : llistxattrCall(cPath(of), xattrNames, XATTR_SIZE_MAX),
  );
  if (length === 0) return [];
  if (length < 0) {
    const errno = koffi.errno();
    if (errno === osConstants.errno.ENOTSUP || errno === osConstants.errno.EOPNOTSUPP) return [];
    throw new ErrnoError(errno, 'llistxattr', describe(of));
  }
  return xattrNames.toString('utf8', 0, length - 1).split('\0');
}

/** The value of one extended attribute, in a buffer of its own. */
export function getXattr(of: string | Uint8Array | number, name: string): Buffer {
  const length = must(
    typeof of === 'number'
      ? fgetxattrCall(of, cPath(name), xattrValue, XATTR_SIZE_MAX)
      : lgetxattrCall(cPath(of), cPath(name), xattrValue, XATTR_SIZE_MAX),
    'lgetxattr',
    of,
  );
  return Buffer.from(xattrValue.subarray(0, length));
}

/** Sets one extended attribute, ACLs (`system.posix_acl_access`) included. */
export function setXattr(path: string | Uint8Array, name: string, value: Uint8Array): void {
  must(lsetxattrCall(cPath(path), cPath(name), value, value.length, 0), 'lsetxattr', Buffer.from(path));
}

/** Makes a device node, a fifo or a socket; `mode` holds the type bits. */
export function makeNode(path: string | Uint8Array, mode: number, device: bigint): void {
  must(mknodCall(cPath(path), mode, device), 'mknod', Buffer.from(path));
}

/** Asks for huge pages behind memory that begins at a page, as that of WebAssembly does; nothing depends on the answer. */
export function adviseHugePages(memory: Uint8Array): void {
  madviseCall(memory, memory.length, MADV_HUGEPAGE);
}

/** Gives such memory back to the system at once, not when it is collected: it reads as zeros then. */
export function giveMemoryBack(memory: Uint8Array): void {
  madviseCall(memory, memory.length, MADV_DONTNEED);
}

/** How a thread's reads and writes wait for the disk (ioprio_set(2): class << 13 | level); 0 is the calling thread. */
export function readIoPriority(thread: number): number {
  return must(ioPriorityGetCall(SYS_IOPRIO_GET, IOPRIO_WHO_PROCESS, thread), 'ioprio_get', thread);
}

/** Sets that; what the thread starts from now on has it too. */
export function setIoPriority(thread: number, priority: number): void {
  must(ioPrioritySetCall(SYS_IOPRIO_SET, IOPRIO_WHO_PROCESS, thread, priority), 'ioprio_set', thread);
}

/** Waits until all that was written to the file system of `fd` lies on its disk. */
export function syncFileSystem(fd: number): void {
  must(syncfsCall(fd), 'syncfs', fd);
}

/**
 * Makes an open file share the blocks of another one, until one of the two is written to: no byte is copied. False where
 * the file system can't (ext4), or the two lie on different ones.
 */
export function cloneFile(fromFd: number, toFd: number): boolean {
  return Number(ioctlCall(toFd, FICLONE, fromFd)) === 0;
}

/** Waits until no other process holds this lock; it falls when the descriptor is closed, also by the end of the process. */
export function lockFile(fd: number): void {
  must(flockCall(fd, LOCK_EX), 'flock', fd);
}

/**
 * Makes this process one that no other of its user may look into: `/proc/PID/mem`, `/proc/PID/environ` and `ptrace` are
 * root's alone, and it leaves no core. What it had opened or been attached to before stays: it is called before there
 * is anything to be seen.
 */
export function forbidInspection(): void {
  must(prctlCall(PR_SET_DUMPABLE, 0, 0, 0, 0), 'prctl', 'PR_SET_DUMPABLE');
}

/**
 * The kernel sends this process SIGKILL when the thread that started it ends. A change of its user takes that back:
 * it is called after, and whoever calls it looks whether the parent is still there.
 */
export function dieWithParent(): void {
  must(prctlCall(PR_SET_PDEATHSIG, osConstants.signals.SIGKILL, 0, 0, 0), 'prctl', 'PR_SET_PDEATHSIG');
}

/** No program that this thread, and those that it starts from now on, runs gains rights by its setuid bit. */
export function forbidNewRights(): void {
  must(prctlCall(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 'prctl', 'PR_SET_NO_NEW_PRIVS');
}

/**
 * Makes a directory and those above it that are missing. Node's own `recursive` mode never returns where the system
 * denies that a parent exists while it shows it (`/proc/x`), so the way up ends at the first path that is there.
 * @throws the system's error where one can't be made, or a file is in the way.
 */
export function makeDirectories(path: string, mode: number): void {
  try {
    mkdirSync(path, { mode });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'EEXIST' && lstatSync(path).isDirectory()) return;
    const above = dirname(path);
    if (code !== 'ENOENT' || above === path || lstatSync(above, { throwIfNoEntry: false }) !== undefined) throw error;
    makeDirectories(above, mode);
    mkdirSync(path, { mode });
  }
}

/** Whether something (NTP) keeps this machine's clock right, as the kernel was told. Sets nothing. */
export function isClockSynchronised(): boolean {
  // All zero: a question.
  return Number(adjtimexCall(Buffer.alloc(TIMEX_BYTES))) !== TIME_ERROR;
}

/** Who connected to a local socket, as the kernel noted it then. Null for a socket of another kind. */
export function readPeerCredentials(fd: number): { readonly pid: number; readonly uid: number } | null {
  const credentials = Buffer.alloc(UCRED_BYTES);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(UCRED_BYTES);
  if (Number(getsockoptCall(fd, SOL_SOCKET, SO_PEERCRED, credentials, length)) !== 0) return null;
  return { pid: credentials.readInt32LE(0), uid: credentials.readUInt32LE(4) };
}

/** Gives what was freed back to the system: the C library keeps it else. Nothing where the library (musl) has no such call. */
export function trimMemory(): void {
  mallocTrimCall?.(0);
}

/** `M_MMAP_THRESHOLD` of malloc.h. */
const M_MMAP_THRESHOLD = -3;

/**
 * Lets what has so many bytes or more be mapped by itself, so that it goes back to the system when it is freed. The C library
 * begins with 128 KiB and raises that with each large block that is freed, to 32 MiB: then such blocks keep apart what is free
 * between them. Nothing where the library (musl) has no such call.
 */
export function fixMmapThreshold(bytes: number): void {
  malloptCall?.(M_MMAP_THRESHOLD, bytes);
}

function findFunction(declaration: string): ReturnType<typeof lib.func> | null {
  try {
    return lib.func(declaration);
  } catch {
    return null;
  }
}
