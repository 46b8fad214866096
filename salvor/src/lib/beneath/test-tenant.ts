/**
 * What the tests of rights share: two accounts that exist as numbers only, a home for one of them, something foreign
 * that must stay as it is, and a program of the tenant's that runs while we work.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { OsUser } from '../run.ts';

/** Of a range that no distribution gives to anybody; there is no entry of theirs in `/etc/passwd`. */
export const TENANT: OsUser = { uid: 61_001, gid: 61_001 };
export const STRANGER: OsUser = { uid: 61_002, gid: 61_002 };

export type TenantHome = AsyncDisposable & {
  /** Holds all of it; everybody may pass through. */
  readonly top: string;
  /** The tenant's, with nothing in it. */
  readonly home: string;
  /** Root's, with a file `secret` that nobody else may read and a directory `inner` with a file. */
  readonly foreign: string;
  /** All that can be seen of `foreign`: equal as long as nothing there was touched. */
  observeForeign(): string;
  /** Makes a directory, or a file where there is `content`, that belongs to the tenant. */
  put(path: string, content?: string): string;
  /** Runs a Perl program as the tenant in his home until it is disposed; resolves when it has printed its first line. */
  run(program: string): Promise<Tenant>;
};

export type Tenant = AsyncDisposable & { readonly process: ChildProcess; readonly firstLine: string };

export async function makeTenantHome(): Promise<TenantHome> {
  const top = mkdtempSync(join(tmpdir(), 'salvor-tenant-'));
  chmodSync(top, 0o755);
  const home = join(top, 'home');
  const foreign = join(top, 'foreign');
  mkdirSync(home);
  chownSync(home, TENANT.uid, TENANT.gid);
  mkdirSync(join(foreign, 'inner'), { recursive: true });
  writeFileSync(join(foreign, 'secret'), 'root:secret\n', { mode: 0o600 });
  writeFileSync(join(foreign, 'inner/file'), 'foreign\n', { mode: 0o644 });
  const running = new AsyncDisposableStack();
  return {
    top,
    home,
    foreign,
    observeForeign: () => observe(foreign),
    put: (path, content) => {
      const full = join(home, path);
      if (content === undefined) mkdirSync(full);
      else writeFileSync(full, content);
      chownSync(full, TENANT.uid, TENANT.gid);
      return full;
    },
    run: async (program) => running.use(await runProgram(program, home)),
    [Symbol.asyncDispose]: async () => {
      await running.disposeAsync();
      rmSync(top, { recursive: true, force: true });
    },
  };
}

/** The command line that runs another as a user without rights, which dies with us. */
export function asUser(user: OsUser, command: readonly string[]): readonly [string, ...string[]] {
  return [
    'setpriv',
    '--pdeathsig=KILL',
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--clear-groups',
    '--',
    ...command,
  ];
}

/** Runs a Perl program as a user: Perl is on every Debian and can be read by everybody, which a checkout's Node need not be. */
export async function runProgram(program: string, home: string, user: OsUser = TENANT): Promise<Tenant> {
  const [file, ...args] = asUser(user, ['perl', '-e', `$| = 1; ${program}`]);
  const child = spawn(file, args, { cwd: home, stdio: ['ignore', 'pipe', 'inherit'] });
  const closed = once(child, 'close');
  const [first] = (await Promise.race([once(child.stdout, 'data'), closed])) as [Buffer | number | null];
  return {
    process: child,
    firstLine: Buffer.isBuffer(first) ? (first.toString().split('\n')[0] ?? '') : '',
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await closed;
    },
  };
}

function observe(path: string): string {
  const stat = lstatSync(path, { bigint: true });
  const line = `${path} ${stat.mode.toString(8)} ${stat.uid}:${stat.gid} ${stat.nlink} ${stat.mtimeNs} ${stat.ctimeNs}`;
  if (!stat.isDirectory()) return `${line} ${stat.isFile() ? readFileSync(path, 'latin1') : ''}`;
  const inside = readdirSync(path).toSorted();
  return [line, ...inside.map((name) => observe(join(path, name)))].join('\n');
}

/**
 * A program for `run`: makes `path` a directory and a link to `target` by turns, as fast as it can. `beside` is a
 * name on the same file system for the one that is away. Now and then it leaves the directory in its place for some
 * ten thousandths of a second: where it has a core of its own and we have not, nobody would ever get into it else.
 */
export function swapping(path: string, target: string, beside = `${path}.away`): string {
  return `print "begun\\n"; while (1) {
    rename '${path}', '${beside}'; symlink '${target}', '${path}'; unlink '${path}'; rename '${beside}', '${path}';
    select undef, undef, undef, rand .0005 if rand() < .05;
  }`;
}
