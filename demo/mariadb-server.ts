/**
 * A MariaDB server of our own for the demo, the tests and the benchmarks: own data directory and socket, no network,
 * small buffers. It never outlives this process, whatever that dies of, and shares nothing with a server of the host.
 *
 *   empty data directory of this server version in the cache? → make it once → copy → start → answers → … → stop
 *
 * Knows nothing of sites.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { access, chmod, chown, lstat, mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import type { DatabaseLogin } from '../salvor/src/databases/mariadb/connect.ts';
import { makeTemporaryDirectory } from './temporary-directory.ts';

export type MariaDbServer = AsyncDisposable & {
  readonly socket: string;
  /** Holds `data/`, `tmp/` and the socket; every user of the machine may pass through to the socket. */
  readonly directory: string;
  /** Of the server process; another one after `start`. Throws while it does not run. */
  readonly pid: number;
  /** `root` over the socket, with an empty password for every user of the machine. */
  readonly rootLogin: DatabaseLogin;
  /** Runs statements as root through the stock client; rows come back as tab-separated lines without headings. */
  query(sql: string): Promise<string>;
  /** Sends the signal and waits till the server has exited. */
  kill(signal: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same data and waits till it answers. */
  start(): Promise<void>;
};

const run = promisify(execFile);

/** Where Debian has the server, which is on root's path only. */
const ENV = { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin` };

/** Changes when an empty data directory is made in another way: the cache is keyed by it. */
const CACHE_FORMAT = 1;
/** Size of the redo log: the default of 96 MB is most of an empty data directory. */
const REDO_LOG = '--innodb-log-file-size=12M';
/** How much of what the server says is kept for the message when it does not start. */
const MAX_LOG_CHARS = 8000;

const SERVER_OPTIONS = [
  '--skip-networking',
  '--skip-name-resolve',
  '--skip-log-bin',
  '--performance-schema=OFF',
  '--character-set-server=utf8mb4',
  '--collation-server=utf8mb4_general_ci',
  '--innodb-buffer-pool-size=32M',
  '--innodb-log-buffer-size=2M',
  // Commits reach the kernel, not the disk: they survive a SIGKILL of the server, which is what tests do to it.
  '--innodb-flush-log-at-trx-commit=2',
  '--innodb-fast-shutdown=1',
  '--key-buffer-size=1M',
  '--aria-pagecache-buffer-size=8M',
  '--max-allowed-packet=64M',
  '--max-connections=60',
  REDO_LOG,
];

/**
 * Starts a server on `options.directory`, where its data stays, or on a directory of its own, which is removed at the
 * end. `serverOptions` come after our own, and win; without `timeZone` it has ours. As root the server runs as Debian's user `mysql`, else as the user that we are.
 */
export async function openMariaDb(
  options: { readonly directory?: string; readonly serverOptions?: readonly string[]; readonly timeZone?: string } = {},
): Promise<MariaDbServer> {
  await using made = new AsyncDisposableStack();
  const directory =
    options.directory === undefined
      ? made.use(await makeTemporaryDirectory('salvor-mariadb')).path
      : resolve(options.directory);
  const socket = join(directory, 'mysqld.sock');
  const runAs = await serverUser();
  await prepareDataDirectory(directory, runAs);

  let server: ChildProcess | null = null;
  const start = async (): Promise<void> => {
    if (server !== null && isRunning(server)) return;
    server = await startServer(directory, socket, runAs, options);
  };
  const kill = async (signal: NodeJS.Signals): Promise<void> => {
    if (server === null || !isRunning(server)) return;
    server.ref();
    const exited = once(server, 'exit');
    server.kill(signal);
    await exited;
  };
  await start();
  made.defer(() => kill('SIGTERM'));
  const resources = made.move();

  return {
    socket,
    directory,
    get pid(): number {
      if (server?.pid === undefined || !isRunning(server)) throw new Error('the MariaDB server does not run');
      return server.pid;
    },
    rootLogin: { address: { socket }, user: 'root', password: '' },
    query: (sql) => query(socket, sql),
    kill,
    start,
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}

type ServerUser = { readonly uid: number; readonly gid: number; readonly isOther: boolean };

async function serverUser(): Promise<ServerUser> {
  const uid = process.getuid?.() ?? 0;
  if (uid !== 0) return { uid, gid: process.getgid?.() ?? 0, isOther: false };
  const { stdout } = await run('getent', ['passwd', 'mysql']);
  const [, , mysqlUid, mysqlGid] = stdout.split(':');
  return { uid: Number(mysqlUid), gid: Number(mysqlGid), isOther: true };
}

async function prepareDataDirectory(directory: string, runAs: ServerUser): Promise<void> {
  await mkdir(directory, { recursive: true });
  await chmod(directory, 0o755);
  // The server makes its socket in it.
  await chown(directory, runAs.uid, runAs.gid);
  await mkdir(join(directory, 'tmp'), { recursive: true, mode: 0o700 });
  await chown(join(directory, 'tmp'), runAs.uid, runAs.gid);
  if (await exists(join(directory, 'data', 'mysql'))) return;
  await rm(join(directory, 'data'), { recursive: true, force: true });
  await run('cp', ['-a', '--reflink=auto', await emptyDataDirectory(runAs), join(directory, 'data')]);
}

/** The cached data directory without a database; made by the first that wants it. */
async function emptyDataDirectory(runAs: ServerUser): Promise<string> {
  const { stdout: version } = await run('mariadbd', ['--no-defaults', '--version'], { env: ENV });
  const key = createHash('sha256')
    .update(JSON.stringify([version, runAs.uid, CACHE_FORMAT, REDO_LOG]))
    .digest('hex');
  const ourUid = process.getuid?.() ?? 0;
  const cached = join(tmpdir(), `salvor-mariadb-empty-${ourUid}-${key.slice(0, 16)}`);
  if (await isOurs(cached, ourUid)) return join(cached, 'data');

  const building = await mkdtemp(`${cached}.building-`);
  const data = join(building, 'data');
  // The installer runs as the server's user and has to get there; the directory is closed again afterwards.
  await chmod(building, 0o711);
  // Its own, as below for each server: one that starts removes the temporary tables it finds, also of another one.
  const temporary = join(building, 'tmp');
  await mkdir(temporary, { mode: 0o700 });
  await chown(temporary, runAs.uid, runAs.gid);
  await run(
    'mariadb-install-db',
    [
      '--no-defaults',
      `--datadir=${data}`,
      ...(runAs.isOther ? ['--user=mysql'] : []),
      '--auth-root-authentication-method=normal',
      '--skip-test-db',
      '--skip-name-resolve',
      REDO_LOG,
    ],
    { env: { ...ENV, TMPDIR: temporary }, maxBuffer: 1 << 24 },
  );
  await chmod(building, 0o700);
  try {
    await rename(building, cached);
    return join(cached, 'data');
  } catch {
    // Another process was faster, or somebody holds the name: what is not ours is never used.
    if (!(await isOurs(cached, ourUid))) return data;
    await rm(building, { recursive: true, force: true });
    return join(cached, 'data');
  }
}

/** Whether the path is a directory that only we can have written: the system's temporary directory is everybody's. */
async function isOurs(path: string, uid: number): Promise<boolean> {
  const stats = await lstat(path).catch(() => null);
  return stats !== null && stats.isDirectory() && stats.uid === uid && (stats.mode & 0o022) === 0;
}

async function startServer(
  directory: string,
  socket: string,
  runAs: ServerUser,
  { serverOptions = [], timeZone }: { readonly serverOptions?: readonly string[]; readonly timeZone?: string },
): Promise<ChildProcess> {
  const user = runAs.isOther ? [`--reuid=${runAs.uid}`, `--regid=${runAs.gid}`, '--clear-groups'] : [];
  const server = spawn(
    'setpriv',
    [
      '--pdeathsig=KILL',
      ...user,
      'mariadbd',
      '--no-defaults',
      `--datadir=${join(directory, 'data')}`,
      `--tmpdir=${join(directory, 'tmp')}`,
      `--socket=${socket}`,
      `--pid-file=${join(directory, 'mysqld.pid')}`,
      ...SERVER_OPTIONS,
      ...serverOptions,
    ],
    // A group of its own: Ctrl-C at the terminal is ours to handle, and the server stops when we say so or when we die.
    {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: timeZone === undefined ? ENV : { ...ENV, TZ: timeZone },
      detached: true,
      cwd: directory,
    },
  );
  await untilReady(server);
  // A server that nobody disposes keeps no process waiting: it dies with us.
  server.unref();
  (server.stderr as unknown as { unref(): void }).unref();
  return server;
}

/** Resolves at the server's own word for it; rejects with what it said if it ends before. */
function untilReady(server: ChildProcess): Promise<void> {
  return new Promise((settle, fail) => {
    let log = '';
    server.on('error', fail);
    server.on('exit', (code, signal) => {
      fail(new Error(`the MariaDB server did not start (${signal ?? `exit code ${code}`}):\n${log.trim()}`));
    });
    // Read to the end of its life: a full pipe would stop it.
    server.stderr?.setEncoding('utf8').on('data', (chunk: string) => {
      log = (log + chunk).slice(-MAX_LOG_CHARS);
      if (log.includes('ready for connections')) settle();
    });
  });
}

async function query(socket: string, sql: string): Promise<string> {
  const options = [
    '--no-defaults',
    `--socket=${socket}`,
    '--user=root',
    '--default-character-set=utf8mb4',
    '--batch',
    '--skip-column-names',
  ];
  const client = run('mariadb', options, { maxBuffer: 1 << 30 });
  client.child.stdin?.on('error', () => {});
  client.child.stdin?.end(sql);
  const { stdout } = await client;
  return stdout;
}

function isRunning(server: ChildProcess): boolean {
  return server.exitCode === null && server.signalCode === null;
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
