/** What a restore says before it does anything: counts, time, space, and what stands in its way or is well to know. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { RestorePlan } from '@salvor/contract';
import type { TaskProgress } from '../../src/tasks/task-run.ts';
import { EVERYTHING, type FaultHost, openFaultHost } from '../fault/fault-host.ts';

describe('the plan of a restore', () => {
  let test: FaultHost;
  let point: string;

  before(async () => {
    test = await openFaultHost();
    await sql(
      "INSERT INTO key_value (collection, name, value) VALUES ('system.schema', 'system', 'i:10201;') ON DUPLICATE KEY UPDATE value = 'i:10201;'",
    );
    await using agent = await test.open();
    ({ point } = await agent.backup(test.site.uri, { reason: null }));
  });
  after(() => test[Symbol.asyncDispose]());

  const sql = (text: string): Promise<string> => test.host.mariadb.query(`USE \`${test.site.database}\`; ${text}`);
  const plan = async (change: object = {}): Promise<RestorePlan> => {
    await using agent = await test.open();
    return (await agent.restore(test.site.uri, { ...EVERYTHING, point, ...change, dryRun: true })).plan;
  };
  const codes = (problems: RestorePlan['notes']): readonly string[] => problems.map(({ code }) => code);

  it('counts what is new, changed, deleted and kept, and says how long it will take', async () => {
    rmSync(join(test.site.path, 'files/pictures/1.png'));
    writeFileSync(join(test.site.path, 'files/pictures/2.png'), 'changed');
    writeFileSync(join(test.site.path, 'stray.txt'), 'not in the point');
    await sql('DROP TABLE watchdog; CREATE TABLE stray (i INT)');
    // An archive has times of whole seconds: then contents are compared, also of files whose names are not UTF-8.
    execFileSync('find', [join(test.site.path, 'files/odd'), '-exec', 'touch', '-h', '-d', '2020-02-02', '{}', '+']);
    const { files, tables, deletes, seconds, bytes, switch: way, obstacles, notes } = await plan();
    assert.deepEqual(
      { new: files?.new, changed: files?.changed, deleted: files?.deleted },
      { new: 1, changed: 1, deleted: 1 },
    );
    assert.ok((files?.kept ?? 0) > 10);
    assert.deepEqual(deletes, { files: ['stray.txt'], tables: [`${test.site.database}.stray`] });
    assert.equal(tables?.deleted, 1);
    assert.ok((seconds ?? 0) > 0 && bytes > 1000);
    assert.deepEqual([way, codes(obstacles), codes(notes)], [{ files: 'exchange', databases: 'rename' }, [], []]);
  });

  it('goes by what restores of this host took, and tells its progress in percent', async () => {
    const seen: TaskProgress[] = [];
    const planned = await plan();
    const lines: string[] = [];
    {
      await using agent = await test.open((line) => lines.push(line));
      await agent.restore(test.site.uri, { ...EVERYTHING, point, onProgress: (progress) => seen.push(progress) });
    }
    // What is as it was is not read from the repository again.
    const told = lines
      .flatMap((line) => /^of (\d+) bytes (\d+) were there already/.exec(line)?.slice(1) ?? [])
      .map(Number);
    // A file of two names is copied once.
    assert.ok((told[1] ?? 0) <= planned.bytesKept && (told[1] ?? 0) > planned.bytesKept * 0.99, told.join());
    assert.ok(planned.bytesKept > 0 && planned.bytesKept < (told[0] ?? 0));
    for (const step of ['build the files', `build the database (${test.site.database})`]) {
      const last = seen.filter((progress) => progress.step === step && progress.bytesTotal !== null).at(-1);
      assert.ok(last !== undefined, `no progress of ${step}`);
      assert.ok(last.bytes <= (last.bytesTotal ?? 0) && last.bytes > 0, JSON.stringify(last));
    }
    writeFileSync(
      join(test.config.state, 'rates.json'),
      JSON.stringify({ files: { bytes: 1e6, seconds: 1e4 }, tables: { bytes: 1e6, seconds: 1e4 }, safety: null }),
    );
    const { seconds } = await plan();
    assert.ok((seconds ?? 0) > 1000, String(seconds));
  });

  it('refuses a database that is newer than the platform under it, and tells of one that is older', async () => {
    const core = join(test.site.path, '../../core/modules/system');
    mkdirSync(core, { recursive: true });
    const write = (text: string): void => writeFileSync(join(core, 'system.install'), text);
    write('<?php\nfunction system_update_last_removed() {\n  return 8901;\n}\nfunction system_update_10101() {}\n');
    const newer = await plan();
    assert.deepEqual(codes(newer.obstacles), ['schema-newer']);
    assert.match(newer.obstacles[0]?.message ?? '', /10201.*10101/);
    assert.deepEqual(codes((await plan({ only: 'files' })).obstacles), []);
    assert.deepEqual(codes((await plan({ tables: ['sessions'] })).obstacles), []);
    write('<?php\nfunction system_update_10201() {}\nfunction system_update_11001() {}\n');
    const older = await plan();
    assert.deepEqual([codes(older.obstacles), codes(older.notes)], [[], ['schema-older']]);
    write('<?php\nfunction system_update_last_removed() { return 10201; }\n');
    assert.deepEqual(codes((await plan()).notes), []);
    rmSync(join(core, '../..'), { recursive: true });
  });

  it('names who else reaches into the database', async () => {
    const { database } = test.site;
    await sql(
      `CREATE USER reporter@localhost IDENTIFIED BY 'x'; GRANT SELECT ON \`${database}\`.users TO reporter@localhost;
       CREATE DATABASE reports; CREATE VIEW reports.people AS SELECT * FROM \`${database}\`.users`,
    );
    const { notes, obstacles } = await plan();
    assert.deepEqual([codes(notes), codes(obstacles)], [['grant-from-outside', 'view-from-outside'], []]);
    assert.match(notes[0]?.message ?? '', /reporter/);
    assert.match(notes[1]?.message ?? '', /reports\.people/);
    await sql('DROP USER reporter@localhost; DROP DATABASE reports');
  });

  it('names what tasks left that nobody knows any more', async () => {
    const staging = join(test.config.staging ?? '', test.host.account.name, '0123456789ab');
    mkdirSync(staging, { recursive: true });
    await sql('CREATE DATABASE salvor_0123456789ab_old');
    const { notes } = await plan();
    assert.deepEqual(codes(notes).toSorted(), ['stray-database', 'stray-directory']);
    await sql('DROP DATABASE salvor_0123456789ab_old');
    rmSync(staging, { recursive: true });
    assert.deepEqual(codes((await plan()).notes), []);
  });

  it('waits for a task of the site that could be neither finished nor undone', async () => {
    const journals = join(test.config.state, 'journals');
    const name = readdirSync(journals)[0] ?? '';
    const journal = JSON.parse(readFileSync(join(journals, name), 'utf8')) as Record<string, unknown>;
    const task = '0123456789ab';
    const broken = {
      ...journal,
      task,
      phase: 'started',
      process: { pid: 999_999, start: 'gone' },
      scratchDatabases: [{ server: { socket: '/nonexistent.sock' }, name: `salvor_${task}_new`, user: 'x' }],
      stagings: [],
    };
    writeFileSync(join(journals, `${task}.json`), JSON.stringify(broken));
    assert.deepEqual(codes((await plan()).obstacles), ['task-unfinished']);
    rmSync(join(journals, `${task}.json`));
  });
});
