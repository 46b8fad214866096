/**
 * What can happen to the server, its disk and its sessions while a dump or a load runs: each ends with a code, and
 * leaves no process, no option file, and a scratch database that can be dropped.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, mkdirSync, openSync, readdirSync, statfsSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { after, before, describe, test } from 'node:test';
import { openMariaDb } from '../../../../demo/mariadb-server.ts';
import { makeTemporaryDirectory } from '../../../../demo/temporary-directory.ts';
import { run } from '../../lib/run.ts';
import { openConnection } from './connect.ts';
import { type DumpOptions, dumpDatabase } from './dump.ts';
import { createObjects, dropObjects, readObjects } from './objects.ts';
import { dropScratch, type Scratch } from './scratch.ts';
import { dumpAll, loadAll, makeScratch, type StoredPart, type TestServer } from './test-database.ts';

/** More than lies in pipes and buffers between the server and us. */
const CONTENT = `CREATE DATABASE d; USE d; CREATE TABLE a (i INT PRIMARY KEY); INSERT INTO a VALUES (1);
  CREATE TABLE b (id INT PRIMARY KEY, t VARCHAR(500)); INSERT INTO b SELECT seq, REPEAT(MD5(seq), 14) FROM seq_1_to_40000;
  CREATE TABLE z (i INT); CREATE VIEW v AS SELECT i FROM a; CREATE PROCEDURE p() SELECT 1;`;

const BROKEN_OFF = /^(dump-failed|dump-incomplete)$/;

describe('a fault in the middle of', () => {
  let host: TestServer;
  let parts: readonly StoredPart[];
  before(async () => {
    host = await openServer();
    parts = await dumpAll(host, host.admin, 'd');
  });
  after(() => host[Symbol.asyncDispose]());

  const sql = (text: string): Promise<string> => host.server.query(text);

  /** Dumps; the fault comes when the large table is half read. */
  const dumpDuring = async (fault: () => unknown, options: Partial<DumpOptions> = {}): Promise<void> => {
    let pieces = 0;
    for await (const part of dumpDatabase(host.admin, 'd', { defaultsDirectory: host.directory, ...options })) {
      for await (const bytes of part.bytes) {
        assert.ok(bytes.length > 0);
        if (part.table === 'b' && ++pieces === 500) await fault();
      }
    }
  };

  /** Loads; the fault comes when a part has given some of its bytes. */
  const loadDuring = async (
    fault: () => unknown,
    { kind = 'table', signal }: { readonly kind?: StoredPart['kind']; readonly signal?: AbortSignal } = {},
  ): Promise<void> => {
    const scratch = await makeScratch(host);
    const failing = parts.map((part) => ({
      ...part,
      open: async function* () {
        let pieces = 0;
        for await (const bytes of part.open()) {
          yield bytes;
          if (part.kind === kind && (part.table ?? 'b') === 'b' && ++pieces === (kind === 'tail' ? 1 : 100))
            await fault();
        }
      },
    }));
    try {
      await loadAll(host, scratch, failing, signal === undefined ? {} : { signal });
    } finally {
      await host.server.start();
      await assertDroppable(host, scratch);
    }
  };

  const killTool = async (user: string): Promise<void> => {
    const ids = await sql(
      `SELECT ID FROM information_schema.PROCESSLIST WHERE USER LIKE '${user}' AND ID <> CONNECTION_ID() AND DB IS NOT NULL`,
    );
    for (const id of ids.split('\n').filter(Boolean)) await sql(`KILL CONNECTION ${id}`).catch(() => '');
  };

  const SERVER_FAULTS: Readonly<Record<string, (user: string) => Promise<void>>> = {
    'the server is killed': async () => host.server.kill('SIGKILL'),
    'the server is stopped': async () => host.server.kill('SIGTERM'),
    'the server is restarted': async () => {
      await host.server.kill('SIGTERM');
      await host.server.start();
    },
    'the connection is killed': killTool,
  };

  for (const [what, fault] of Object.entries(SERVER_FAULTS)) {
    test(`a dump, ${what}: it fails, and is taken for whole by nobody`, async () => {
      await assert.rejects(
        dumpDuring(() => fault('root')),
        { code: what === 'the server is killed' ? BROKEN_OFF : /^(dump-failed|dump-incomplete|database-unreachable)$/ },
      );
      await host.server.start();
      await assertNothingLeft(host);
    });

    test(`a load, ${what}: it fails, and what it made can be dropped`, async () => {
      await assert.rejects(
        loadDuring(() => fault('salvor\\_%')),
        { code: 'database-unreachable' },
      );
      await assertNothingLeft(host);
    });
  }

  test('a dump that waits behind somebody’s lock: it fails naming the statement, and does not wait for a day', async () => {
    await using other = await openConnection(host.admin, { database: 'd' });
    await other.execute('LOCK TABLES b WRITE');
    await assert.rejects(
      dumpDuring(() => undefined, { lockWaitSeconds: 1 }),
      (error: unknown) => {
        assert.equal((error as { code: string }).code, 'dump-locked');
        assert.match(String(error), /metadata lock for \d+ s: .*`?b`?/);
        return true;
      },
    );
    await assertNothingLeft(host);
    const stop = new AbortController();
    const waiting = dumpDuring(() => undefined, { signal: stop.signal });
    await untilWaiting(sql);
    stop.abort(new Error('enough'));
    await assert.rejects(waiting, /enough/);
    await assertNothingLeft(host);
  });

  test('a load that waits for a locked server ends when it is cancelled', async () => {
    await using other = await openConnection(host.admin);
    const stop = new AbortController();
    const loading = loadDuring(
      async () => {
        await other.execute('FLUSH TABLES WITH READ LOCK');
        untilWaiting(sql).then(
          async () => {
            stop.abort(new Error('enough'));
            await other.execute('UNLOCK TABLES');
          },
          () => undefined,
        );
      },
      { signal: stop.signal },
    );
    await assert.rejects(loading, /enough/);
    await assertNothingLeft(host);
  });

  test('a load that gets nothing for longer than the server’s wait_timeout goes on', async () => {
    await sql('SET GLOBAL wait_timeout = 1, GLOBAL max_statement_time = 1');
    await loadDuring(() => sleep(2000));
    await sql('SET GLOBAL wait_timeout = DEFAULT, GLOBAL max_statement_time = DEFAULT');
  });

  test('a server whose limits of time are tight stops no dump, load or session of ours', async () => {
    const limits = ['max_statement_time = 0.01', 'wait_timeout = 1', 'net_read_timeout = 1'];
    await sql(`SET ${limits.map((limit) => `GLOBAL ${limit}`).join(', ')}`);
    try {
      await using connection = await openConnection(host.admin, { database: 'd' });
      await using other = await openConnection(host.admin);
      await loadDuring(() => undefined);
      const dumped = await dumpAll(host, host.admin, 'd');
      assert.deepEqual(
        dumped.map(({ file, rows }) => [file, rows]),
        parts.map(({ file, rows }) => [file, rows]),
      );
      // Longer than a statement may take, and then than a session may wait.
      assert.deepEqual(await connection.query('SELECT SLEEP(0.05) AS broken'), [{ broken: 0 }]);
      await sleep(1300);
      assert.deepEqual(await other.query('SELECT 1 AS one'), [{ one: 1 }]);
    } finally {
      await sql(`SET ${limits.map((limit) => `GLOBAL ${limit.replace(/=.*/, '= DEFAULT')}`).join(', ')}`);
    }
    await assertNothingLeft(host);
  });

  test('a dump whose reader stalls for longer than the server’s net_write_timeout fails', async () => {
    await sql('SET GLOBAL net_write_timeout = 1');
    await assert.rejects(
      dumpDuring(() => sleep(2000)),
      { code: 'dump-failed' },
    );
    await sql('SET GLOBAL net_write_timeout = DEFAULT');
    await assertNothingLeft(host);
  });

  test('a dump whose reader wants no more of it, or cancels it: no tool is left', async () => {
    for await (const part of dumpDatabase(host.admin, 'd', { defaultsDirectory: host.directory })) {
      for await (const bytes of part.bytes) {
        assert.ok(bytes.length > 0);
        if (part.table === 'b') break;
      }
      if (part.table === 'b') break;
    }
    await assertNothingLeft(host);
    const stop = new AbortController();
    await assert.rejects(
      dumpDuring(() => stop.abort(new Error('enough')), { signal: stop.signal }),
      /enough/,
    );
    await assertNothingLeft(host);
  });

  for (const kind of ['table', 'tail'] as const) {
    test(`a load, cancelled in a ${kind}: nothing of it is left`, async () => {
      const stop = new AbortController();
      await assert.rejects(
        loadDuring(() => stop.abort(new Error('enough')), { kind, signal: stop.signal }),
        /enough/,
      );
      await assertNothingLeft(host);
    });
  }

  test('a dump whose target is full: its error is the target’s, and no tool is left', async () => {
    await using small = await mountSmall('1m');
    const file = openSync(join(small.path, 'dump.sql'), 'w');
    const writing = (async () => {
      for await (const part of dumpDatabase(host.admin, 'd', { defaultsDirectory: host.directory }))
        for await (const bytes of part.bytes) writeSync(file, bytes);
    })();
    await assert.rejects(writing, { code: 'ENOSPC' });
    closeSync(file);
    await assertNothingLeft(host);
  });
});

describe('on a full disk of the server', () => {
  test('a load ends as that, the scratch can be dropped, and the server goes on; so does a dump that must sort', async () => {
    await using small = await mountSmall('120m');
    const server = await openServer(
      small.path,
      `${CONTENT} CREATE TABLE sorted (id CHAR(40) PRIMARY KEY, t VARCHAR(900)) ENGINE=MyISAM; INSERT INTO sorted SELECT MD5(seq), REPEAT(MD5(seq), 20) FROM seq_1_to_10000;`,
    );
    try {
      const parts = await dumpAll(server, server.admin, 'd');
      const scratch = await makeScratch(server);
      fill(small.path, 10_000_000);
      const transactional = parts.filter(({ table }) => table !== 'sorted');
      await assert.rejects(loadAll(server, scratch, transactional), { code: 'disk-full' });
      await assertNothingLeft(server);
      await assertDroppable(server, scratch);
      await server.server.query('SET GLOBAL sort_buffer_size = 32768');
      fill(small.path, 100_000);
      await assert.rejects(dumpAll(server, server.admin, 'd'), { code: 'disk-full' });
      await assertNothingLeft(server);
      execFileSync('find', [small.path, '-name', 'ballast-*', '-delete']);

      // MyISAM waits for space; dropped behind that it would take the whole server along.
      const waiting = await makeScratch(server);
      fill(small.path, 3_000_000);
      const stop = new AbortController();
      const alone = parts.filter(({ kind, table }) => kind !== 'table' || table === 'sorted');
      const loading = loadAll(server, waiting, alone, { signal: stop.signal });
      const ended = loading.then(
        () => true,
        () => true,
      );
      while (!(await server.server.query('SHOW PROCESSLIST')).includes('free space'))
        assert.ok(!(await Promise.race([ended, sleep(50, false)])), 'the load did not wait');
      stop.abort(new Error('enough'));
      await assert.rejects(loading, /enough/);
      const drop = (): Promise<void> =>
        dropScratch(server.admin, { database: waiting.database, user: waiting.login.user });
      await assert.rejects(drop, { code: 'load-waits-for-space' });
      assert.equal(await server.server.query('SELECT COUNT(*) > 0 FROM d.sorted'), '1\n', 'the server lives');
      execFileSync('find', [small.path, '-name', 'ballast-*', '-delete']);
      await drop();
      const again = await makeScratch(server);
      await loadAll(server, again, parts);
      await assertDroppable(server, again);
    } finally {
      await server[Symbol.asyncDispose]();
    }
  });

  test('what can’t be written now is not taken for what can’t be made: it is an error, and is made when there is room', async () => {
    await using small = await mountSmall('120m');
    await using server = await openServer(
      small.path,
      `CREATE DATABASE d; USE d; CREATE TABLE a (i INT); CREATE VIEW v AS SELECT i FROM a;
       CREATE TRIGGER t BEFORE INSERT ON a FOR EACH ROW SET NEW.i = NEW.i + 1;`,
    );
    await using connection = await openConnection(server.admin);
    const objects = await readObjects(connection, 'd');
    assert.deepEqual(objects.map(({ name }) => name).toSorted(), ['t', 'v']);
    await dropObjects(connection, 'd', objects);
    fill(small.path, 0);
    for (const object of objects)
      await assert.rejects(createObjects(connection, 'd', [object]), /No space left on device/, object.name);
    execFileSync('find', [small.path, '-name', 'ballast-*', '-delete']);
    assert.deepEqual(await createObjects(connection, 'd', objects), []);
    assert.deepEqual(await readObjects(connection, 'd'), objects);
  });
});

async function openServer(directory?: string, content: string = CONTENT): Promise<TestServer> {
  const server = await openMariaDb(directory === undefined ? {} : { directory });
  await server.query(content);
  return {
    server,
    admin: server.rootLogin,
    directory: join(server.directory, 'clients'),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** Takes all space but so many bytes. */
function fill(path: string, leave: number): void {
  const { bavail, bsize } = statfsSync(path);
  writeFileSync(join(path, `ballast-${bavail}`), Buffer.alloc(Math.max(0, bavail * bsize - leave)));
}

async function mountSmall(size: string): Promise<AsyncDisposable & { readonly path: string }> {
  const directory = await makeTemporaryDirectory('salvor-small');
  const path = join(directory.path, 'mount');
  mkdirSync(path);
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', path]);
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      execFileSync('umount', [path]);
      await directory[Symbol.asyncDispose]();
    },
  };
}

async function untilWaiting(sql: (text: string) => Promise<string>): Promise<void> {
  const waiting = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for %lock'";
  while ((await sql(waiting)).trim() === '0') await sleep(20);
}

async function assertNothingLeft({ directory }: TestServer): Promise<void> {
  const listing = await run('ps', { args: ['--ppid', String(process.pid), '-wwo', 'args'] });
  const tools = listing
    .toString('utf8')
    .split('\n')
    .filter((line) => /mariadb(-dump)? --defaults-file/.test(line));
  assert.deepEqual(tools, []);
  assert.deepEqual(readdirSync(directory), []);
}

/** Twice: what is gone is no error. */
async function assertDroppable({ server, admin }: TestServer, scratch: Scratch): Promise<void> {
  for (let time = 0; time < 2; time++)
    await dropScratch(admin, { database: scratch.database, user: scratch.login.user });
  assert.equal(
    await server.query("SELECT User FROM mysql.user WHERE User LIKE 'salvor%'; SHOW DATABASES LIKE 'salvor%'"),
    '',
  );
}
