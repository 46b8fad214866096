import assert from 'node:assert/strict';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { openConnection } from './connect.ts';
import type { LoadPart } from './load.ts';
import { type FoundDefiner, rewriteDefiners } from './rewrite-definers.ts';
import { createScratch, dropScratch, type Scratch } from './scratch.ts';
import {
  dumpAll,
  loadAll,
  makeScratch,
  makeSite,
  openTestServer,
  storePart,
  type TestServer,
} from './test-database.ts';

describe('a hostile dump', () => {
  let server: TestServer;
  let loot: string;
  let honest: Awaited<ReturnType<typeof dumpAll>>;
  before(async () => {
    server = await openTestServer();
    loot = join(server.server.directory, 'loot');
    await mkdir(loot, { mode: 0o777 });
    await makeSite(server, 'other', 'CREATE TABLE secrets (s TEXT); INSERT INTO secrets VALUES (1);');
    await makeSite(server, 'honest', 'CREATE TABLE t (i INT PRIMARY KEY); INSERT INTO t VALUES (1);');
    honest = await dumpAll(server, server.admin, 'honest');
  });
  after(() => server[Symbol.asyncDispose]());

  /** The honest dump with a statement on the fourth line of its table's part. */
  const poison = (statement: string): LoadPart[] =>
    honest.map((part) =>
      part.kind === 'table'
        ? storePart(
            part.file,
            part.kind,
            part.table,
            Buffer.from(`--\n--\n--\n${statement}\n${part.bytes.toString('latin1')}`),
          )
        : part,
    );

  const withScratch = async (work: (scratch: Scratch) => Promise<void>): Promise<void> => {
    const scratch = await makeScratch(server);
    await work(scratch);
    await dropScratch(server.admin, { database: scratch.database, user: scratch.login.user });
  };

  const refused: Readonly<Record<string, string>> = {
    '\\! at the client': '\\! touch LOOT/x',
    'system at the client': 'system touch LOOT/x',
    'source of a file': 'source /etc/passwd',
    '\\. of a file': '\\. /etc/passwd',
    'tee into a file': 'tee LOOT/x',
    '\\T into a file': '\\T LOOT/x',
    'pager of a program': 'pager touch LOOT/x;\nSELECT 1;',
    'USE of another database': 'USE other;',
    '\\u of another database': '\\u other',
    'a read of another database': 'SELECT * FROM other.secrets;',
    'a drop of another database': 'DROP DATABASE other;',
    'a new user': "CREATE USER evil IDENTIFIED BY 'x';",
    'a grant': 'GRANT ALL ON *.* TO CURRENT_USER();',
    'a file of the client': "CREATE TABLE loot (l TEXT); LOAD DATA LOCAL INFILE '/etc/passwd' INTO TABLE loot;",
    'a file of the server': "CREATE TABLE loot2 (l TEXT); LOAD DATA INFILE '/etc/passwd' INTO TABLE loot2;",
    'a file written by the server': "SELECT 1 INTO OUTFILE 'LOOT/x';",
    'a server variable': 'SET GLOBAL general_log = 1;',
    'a foreign definer': 'CREATE DEFINER=`root`@`localhost` VIEW v AS SELECT 1;',
    'a trigger beside the tool’s form': '/*!50003 CREATE DEFINER=`root`@`localhost` PROCEDURE p() SELECT 1 */;',
    'a server’s shutdown': 'SHUTDOWN;',
    'a command behind another delimiter': 'DELIMITER ;;\n\\! touch LOOT/x\n;;',
  };
  for (const [what, statement] of Object.entries(refused)) {
    test(`is stopped at ${what}, its file and line named, and nothing outside changed`, async () => {
      await withScratch(async (scratch) => {
        const before = await observe(server);
        await assert.rejects(loadAll(server, scratch, poison(statement.replaceAll('LOOT', loot))), (error: unknown) => {
          const { code, context } = error as { code: string; context: Record<string, unknown> };
          assert.match(code, /^(dump-refused|load-failed)$/, String(error));
          assert.equal(context['file'], '000001-t.sql', String(error));
          assert.ok(Number(context['line']) >= 4 && Number(context['line']) <= 6, String(error));
          return true;
        });
        assert.equal(await observe(server), before);
        assert.deepEqual(await readdir(loot), []);
      });
    });
  }

  test('is stopped at USE of another database in its tail too: what is left out of dumps in one piece is not left out of ours', async () => {
    for (const statement of ['USE other;\n', 'USE `other`;\n']) {
      const poisoned = honest.map((part) =>
        part.kind === 'tail'
          ? storePart(part.file, 'tail', null, Buffer.concat([Buffer.from(statement), part.bytes]))
          : part,
      );
      await withScratch((scratch) => assert.rejects(loadAll(server, scratch, poisoned), { code: 'dump-refused' }));
    }
  });

  test('that makes a user, reads or drops elsewhere is refused by code, not merely failed', async () => {
    for (const what of [
      'USE of another database',
      'a new user',
      'a drop of another database',
      'a foreign definer',
      'a read of another database',
    ]) {
      await withScratch((scratch) =>
        assert.rejects(loadAll(server, scratch, poison(refused[what] ?? '')), { code: 'dump-refused' }),
      );
    }
  });

  test('reads no file through the server: its function gives nothing', async () => {
    await withScratch(async (scratch) => {
      const statement = "CREATE TABLE read_file (l TEXT); INSERT INTO read_file VALUES (LOAD_FILE('/etc/passwd'));";
      await loadAll(server, scratch, poison(statement));
      await using connection = await openConnection(scratch.login, { database: scratch.database });
      assert.deepEqual(await connection.query('SELECT l FROM read_file'), [{ l: null }]);
    });
  });

  test('that drops its own database only makes its load fail', async () => {
    await withScratch(async (scratch) => {
      await assert.rejects(loadAll(server, scratch, poison(`DROP DATABASE ${scratch.database};`)), {
        code: 'load-failed',
      });
    });
  });

  test('with a procedure in its tail that names another definer outside the tool’s form is refused', async () => {
    await withScratch(async (scratch) => {
      const evil = Buffer.from('CREATE OR REPLACE DEFINER=`root`@`localhost` PROCEDURE p() SELECT 1;\n');
      const parts = honest.map((part) =>
        part.kind === 'tail' ? storePart(part.file, 'tail', null, Buffer.concat([evil, part.bytes])) : part,
      );
      await assert.rejects(loadAll(server, scratch, parts), { code: 'dump-refused' });
    });
  });

  test('a scratch user sees and changes its own database only, also one whose name differs in a wildcard', async () => {
    await server.server.query('CREATE DATABASE salvorXabc; CREATE TABLE salvorXabc.t (i INT);');
    const options = {
      name: 'salvor_abc',
      user: 'salvor_abc',
      password: 'p',
      charset: 'utf8mb4',
      collation: 'utf8mb4_bin',
    };
    const scratch = await createScratch(server.admin, options);
    await using connection = await openConnection(scratch.login, { database: scratch.database });
    const databases = await connection.query<{ Database: string }>('SHOW DATABASES');
    assert.deepEqual(databases.map((row) => row.Database).toSorted(), ['information_schema', 'salvor_abc']);
    for (const sql of [
      'SELECT * FROM salvorXabc.t',
      'SELECT * FROM mysql.user',
      'CREATE DATABASE salvor_abd',
      'SET GLOBAL max_connections = 1',
    ]) {
      await assert.rejects(connection.execute(sql), { code: 'database-failed' }, sql);
    }
    await assert.rejects(createScratch(server.admin, options), { code: 'scratch-exists' });
    await dropScratch(server.admin, { database: 'salvor_abc', user: 'salvor_abc' });
  });

  test('only names of ours are made and dropped', async () => {
    for (const name of ['other', 'salvor', 'salvor_', 'xsalvor_1', 'salvor_a`b', 'mysql', 'SALVOR_1']) {
      await assert.rejects(dropScratch(server.admin, { database: name, user: 'salvor_x' }), {
        code: 'scratch-name-refused',
      });
      await assert.rejects(dropScratch(server.admin, { database: 'salvor_x', user: name }), {
        code: 'scratch-name-refused',
      });
    }
    assert.match(await server.server.query('SHOW DATABASES'), /^other$/m);
  });

  test('the client runs as nobody, without groups and without a way back', async () => {
    await withScratch(async (scratch) => {
      const seen: string[] = [];
      const parts = honest.map((part) => ({
        ...part,
        open: async function* () {
          const status = await readChildStatus();
          if (status !== '') seen.push(status);
          yield* part.open();
        },
      }));
      await loadAll(server, scratch, parts);
      assert.match(seen[0] ?? '', /^Uid:\t65534\t65534\t65534\t65534$/m);
      assert.match(seen[0] ?? '', /^Groups:\t *$/m);
      assert.match(seen[0] ?? '', /^NoNewPrivs:\t1$/m);
      assert.match(seen[0] ?? '', /^CapBnd:\t0+$/m);
    });
  });
});

test('definers are taken out only where the dump tool writes them, however the stream is cut', async () => {
  const tail = [
    "-- CREATE DEFINER=`a`@`b` PROCEDURE `no`\n# it's a comment\n",
    "SELECT 'CREATE DEFINER=`a`@`b` PROCEDURE `no`';\n/* it's */ SELECT `x;y`;\n",
    'DELIMITER ;;\nCREATE DEFINER=`r``o`@`%` PROCEDURE `p``q`()\nBEGIN\n  SELECT ";;";\n  -- it\'s ;\nCREATE DEFINER=`k`@`k` FUNCTION `kept`\nEND\n;;\n',
    "/*!50106 CREATE*/ /*!50117 DEFINER=`u`@`h`*/ /*!50106 EVENT `e` ON SCHEDULE EVERY '1:2' HOUR_MINUTE STARTS '2026-01-01' ON COMPLETION NOT PRESERVE ENABLE COMMENT 'ENABLE' DO SELECT 1 */ ;;\n",
    '/*!50003 CREATE*/ /*!50017 DEFINER=`u`@`h`*/ /*!50003 trigger  `t t` before insert on zz for each row set @a = 1 */;;\nDELIMITER ;\n',
    '/*!50001 CREATE ALGORITHM=UNDEFINED */\n/*!50013 DEFINER=`u`@`h` SQL SECURITY DEFINER */\n/*!50001 VIEW `v` AS select 1 */;\n',
  ].join('');
  const expected = tail
    .replace('CREATE DEFINER=`r``o`@`%` PROCEDURE', 'CREATE PROCEDURE')
    .replace('/*!50117 DEFINER=`u`@`h`*/ ', '')
    .replace('PRESERVE ENABLE', 'PRESERVE DISABLE')
    .replace('/*!50017 DEFINER=`u`@`h`*/ ', '')
    .replace('DEFINER=`u`@`h` SQL', 'SQL');
  for (const size of [1, 7, 64, 100_000]) {
    const found: FoundDefiner[] = [];
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < tail.length; at += size) yield Buffer.from(tail.slice(at, at + size));
    };
    let text = '';
    for await (const bytes of rewriteDefiners(source(), found)) text += Buffer.from(bytes).toString('utf8');
    assert.equal(text, expected);
    assert.deepEqual(
      found.map((entry) => `${entry.kind} ${entry.name}`),
      ['routine p`q', 'event e', 'trigger t t', 'view v'],
    );
    assert.deepEqual(found[0]?.definer, { user: 'r`o', host: '%' });
  }
});

/** All that a load could have changed outside its scratch. */
async function observe({ server }: TestServer): Promise<string> {
  return await server.query(`SELECT user, host FROM mysql.user WHERE user NOT LIKE 'salvor\\_%' ORDER BY 1, 2; SELECT * FROM other.secrets;
    SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME NOT LIKE 'salvor\\_%' ORDER BY 1;
    SELECT @@GLOBAL.general_log, @@GLOBAL.max_allowed_packet > 1;`);
}

async function readChildStatus(): Promise<string> {
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    const status = await readFile(`/proc/${entry}/status`, 'utf8').catch(() => '');
    if (status.startsWith('Name:\tmariadb\n') && status.includes(`PPid:\t${process.pid}\n`)) return status;
  }
  return '';
}
