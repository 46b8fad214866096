/** A server that dies, a disk that is full, a repository that is damaged, a site that changes: at the step where it hurts. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { PIN_TAG, backup, forgetNamed, listSnapshots } from '@salvor/engine';
import { openConnection } from '../../src/databases/mariadb/connect.ts';
import { openAccountRepository } from '../../src/points/repositories.ts';
import { EVERYTHING, type FaultHost, hasCode, openFaultHost } from './fault-host.ts';

describe('a restore that meets a fault', () => {
  let test: FaultHost;
  let point: string;

  before(async () => {
    test = await openFaultHost();
    await using agent = await test.open();
    ({ point } = await agent.backup(test.site.uri, { reason: null }));
    await ruin();
  });
  after(() => test[Symbol.asyncDispose]());

  const ruin = async (): Promise<void> => {
    rmSync(join(test.site.path, 'files/pictures'), { recursive: true, force: true });
    appendFileSync(join(test.site.path, 'settings.php'), '\n// changed\n');
    await test.host.mariadb.query(`USE \`${test.site.database}\`; DELETE FROM sessions; DELETE FROM watchdog;`);
  };
  /** No rule removes a safety point, not even a person who names its snapshot. */
  const assertPinned = async (safetyPoint: string): Promise<void> => {
    const { repository: opened } = await openAccountRepository(test.config, test.host.account.name, 'local');
    const { snapshots } = await listSnapshots(opened, { tags: [`point:${safetyPoint}`] });
    assert.equal(snapshots.length, 1);
    const { removed, problems } = await forgetNamed(
      opened,
      snapshots.map(({ id }) => id),
    );
    assert.deepEqual([removed, problems.map(({ code }) => code)], [[], ['snapshot-pinned']]);
  };
  const repository = (): string => join(test.config.local, test.host.account.name);

  for (const step of [
    'plan',
    'safety point',
    'build',
    `build the files`,
    `build the database (marketexampleorg)`,
    'switch',
  ]) {
    it(`leaves the old site when the database server dies at the step “${step}”`, async () => {
      const ruined = await test.observe();
      let isKilled = false;
      {
        await using agent = await test.open((line) => {
          if (line !== `${step}: begins` || isKilled) return;
          isKilled = true;
          process.kill(test.host.mariadb.pid, 'SIGKILL');
        });
        await assert.rejects(agent.restore(test.site.uri, EVERYTHING), hasCode('database-unreachable', 'dump-failed'));
      }
      assert.ok(isKilled);
      await test.host.mariadb.kill('SIGKILL');
      await test.host.mariadb.start();
      await (await test.open())[Symbol.asyncDispose]();
      await test.assertUntouched(ruined);
      assert.equal(await test.host.mariadb.query("SHOW DATABASES LIKE 'salvor%'"), '');
      assert.ok(!existsSync(test.config.staging ?? '') || readdirSync(test.config.staging ?? '').length === 0);
    });
  }

  it('is cancelled between two steps and leaves the old site and no trace', async () => {
    const ruined = await test.observe();
    const cancel = new AbortController();
    await using agent = await test.open((line) => {
      if (line.startsWith('build the database (marketexampleorg): begins')) cancel.abort();
    });
    await assert.rejects(agent.restore(test.site.uri, { ...EVERYTHING, signal: cancel.signal }), hasCode('cancelled'));
    await test.assertUntouched(ruined);
    assert.equal((await agent.status()).tasks[0]?.state, 'rolled-back');
    assert.equal(await test.host.mariadb.query("SHOW DATABASES LIKE 'salvor%'"), '');
  });

  it('refuses a second task on the same site and names the first', async () => {
    await using other = await test.open();
    let refused: unknown;
    await using agent = await test.open((line) => {
      if (line === 'look at the databases: begins')
        refused ??= other.backup(test.site.uri, { reason: null }).catch((error: unknown) => error);
    });
    await agent.backup(test.site.uri, { reason: null });
    hasCode('site-busy')(await refused);
  });

  it('is no backup where the settings can’t be read: the file and its line are named', async () => {
    const settings = join(test.site.path, 'settings.php');
    copyFileSync(settings, `${settings}.kept`);
    try {
      appendFileSync(settings, '\n$databases = made_up_function();\n');
      await using agent = await test.open();
      const refused = await agent.backup(test.site.uri, { reason: null }).catch((error: unknown) => error);
      assert.ok(hasCode('site-unsupported')(refused));
      assert.match(String(refused), /settings\.php:\d+/);
    } finally {
      renameSync(`${settings}.kept`, settings);
    }
  });

  it('is a backup with the note where settings hold what was not run, and its point is as good as any', async () => {
    const settings = join(test.site.path, 'settings.php');
    copyFileSync(settings, `${settings}.kept`);
    try {
      appendFileSync(settings, "\nif (file_exists('/nowhere')) { system('true'); }\nrequire some_function();\n");
      await using agent = await test.open();
      const made = await agent.backup(test.site.uri, { reason: null });
      assert.equal(made.state, 'warned');
      assert.ok(
        made.problems.every(({ code }) => code.startsWith('settings-')),
        JSON.stringify(made.problems),
      );
      assert.ok(made.problems.length > 0);
      const { plan } = await agent.restore(test.site.uri, { ...EVERYTHING, dryRun: true });
      assert.equal(plan.point, made.point);
      assert.deepEqual(plan.obstacles, []);
    } finally {
      renameSync(`${settings}.kept`, settings);
    }
  });

  it('brings back a parent that is gone under the child that stays, which no undo may leave tied to what it keeps', async () => {
    const { database } = test.site;
    const sql = (text: string): Promise<string> => test.host.mariadb.query(`USE \`${database}\`; ${text}`);
    await sql(`CREATE TABLE parent (id INT PRIMARY KEY); INSERT INTO parent VALUES (1), (2);
      CREATE TABLE child (id INT PRIMARY KEY, parent INT, CONSTRAINT of_parent FOREIGN KEY (parent) REFERENCES parent (id));
      INSERT INTO child VALUES (1, 1), (2, 2)`);
    await using agent = await test.open();
    const made = await agent.backup(test.site.uri, { reason: null });
    const wish = { ...EVERYTHING, point: made.point, tables: ['parent'] };
    // While both are there only one of the two would be replaced.
    assert.deepEqual(
      (await agent.restore(test.site.uri, { ...wish, dryRun: true })).plan.obstacles.map(({ code }) => code),
      ['foreign-key'],
    );
    await sql('SET foreign_key_checks = 0; DROP TABLE parent');
    const restored = await agent.restore(test.site.uri, wish);
    assert.deepEqual(restored.problems, []);
    await assert.rejects(sql('INSERT INTO child VALUES (3, 3)'), /foreign key constraint fails/);
    await sql('INSERT INTO child VALUES (4, 2)');
    await sql('DELETE FROM child WHERE id = 4');
    const now = await test.observe();
    await assert.rejects(agent.undo(restored.task ?? ''), (error: unknown) => {
      assert.ok(hasCode('swap-foreign-key')(error));
      return assert.match(String(error), /child refers to .*parent \(of_parent\)/) ?? true;
    });
    await test.assertUntouched(now);
    await sql('ALTER TABLE child DROP FOREIGN KEY of_parent');
    await agent.undo(restored.task ?? '');
    assert.match(await sql('SHOW TABLES'), /child/);
    assert.doesNotMatch(await sql('SHOW TABLES'), /parent/);
    await sql('DROP TABLE child');
  });

  it('names no plan and changes nothing where another site uses the database too', async () => {
    const twin = test.host.site('harbour.example.org');
    const settings = join(twin.path, 'settings.php');
    const ruined = await test.observe();
    copyFileSync(settings, `${settings}.kept`);
    copyFileSync(join(test.site.path, 'settings.php'), settings);
    try {
      await using agent = await test.open();
      const { plan } = await agent.restore(test.site.uri, { ...EVERYTHING, dryRun: true });
      assert.deepEqual(
        plan.obstacles.map(({ code }) => code),
        ['database-shared'],
      );
      await assert.rejects(agent.restore(test.site.uri, EVERYTHING), hasCode('restore-obstructed'));
      await test.assertUntouched(ruined);
    } finally {
      renameSync(`${settings}.kept`, settings);
    }
  });

  it('names in its plan a key of another database that would hold a table of the site', async () => {
    const { database } = test.site;
    const sql = (text: string): Promise<string> => test.host.mariadb.query(text);
    await sql(`CREATE DATABASE stranger; CREATE TABLE stranger.waiting (uid INT UNSIGNED);`);
    const [parent] = (await sql(`SHOW KEYS FROM \`${database}\`.users WHERE Key_name = 'PRIMARY'`)).split('\n');
    const column = parent?.split('\t')[4] ?? '';
    const type = (
      await sql(
        `SELECT COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = '${database}' AND TABLE_NAME = 'users' AND COLUMN_NAME = '${column}'`,
      )
    ).trim();
    await sql(
      `ALTER TABLE stranger.waiting MODIFY uid ${type}, ADD FOREIGN KEY (uid) REFERENCES \`${database}\`.users (\`${column}\`)`,
    );
    try {
      await using agent = await test.open();
      for (const dropped of [false, true]) {
        if (dropped)
          await sql(
            `SET FOREIGN_KEY_CHECKS=0; CREATE TABLE \`${database}\`.users_kept LIKE \`${database}\`.users; INSERT INTO \`${database}\`.users_kept SELECT * FROM \`${database}\`.users; DROP TABLE \`${database}\`.users`,
          );
        const { plan } = await agent.restore(test.site.uri, { ...EVERYTHING, point, dryRun: true });
        assert.deepEqual(
          plan.obstacles.map(({ code }) => code),
          ['foreign-key'],
          `with the table ${dropped ? 'dropped' : 'there'}`,
        );
      }
    } finally {
      await sql('DROP DATABASE stranger');
    }
    await sql(`SET FOREIGN_KEY_CHECKS=0; RENAME TABLE \`${database}\`.users_kept TO \`${database}\`.users`);
  });

  it('adds what changed while it ran to the safety point: each write that the server had acknowledged is live or in it, also beside views, and undo brings it back', async () => {
    const changed = join(test.site.path, 'late.txt');
    const { database } = test.site;
    const written = new Set<string>();
    const end = new AbortController();
    const writing: Promise<void>[] = [];
    await using visitor = await openConnection(test.host.mariadb.rootLogin, { database });
    const write = async (): Promise<void> => {
      for (let number = 0; !end.signal.aborted; number += 1) {
        const sid = `late-${number}`;
        const values = `VALUES (1, '${sid}', 'x', 1, 'y')`;
        await visitor.execute(`INSERT INTO sessions (uid, sid, hostname, timestamp, session) ${values}`);
        written.add(sid);
        await sleep(1);
      }
    };
    await using agent = await test.open((line) => {
      if (line !== 'build: begins' || writing.length > 0) return;
      writeFileSync(changed, 'written while the restore ran\n');
      writing.push(write());
    });
    const restored = await agent.restore(test.site.uri, { ...EVERYTHING, point });
    end.abort();
    await Promise.all(writing);
    assert.equal(existsSync(changed), false);
    assert.ok((restored.changedMeanwhile?.files ?? 0) >= 1);
    assert.deepEqual(restored.changedMeanwhile?.tables, 1);
    assert.deepEqual(
      restored.problems.filter(({ code }) => code.startsWith('changed') || code.startsWith('late')),
      [],
    );
    const sidsIn = async (place: string): Promise<readonly string[]> =>
      (await test.host.mariadb.query(`SELECT sid FROM \`${place}\`.sessions WHERE sid LIKE 'late-%'`))
        .trim()
        .split('\n');
    const live = new Set(await sidsIn(database));
    const replaced = [...written].filter((sid) => !live.has(sid));
    assert.ok(replaced.length > 0, 'none came before the switch');
    const [kept] = (await test.host.mariadb.query(`SHOW DATABASES LIKE 'salvor_${restored.task ?? ''}_old'`)).split(
      '\n',
    );
    const old = new Set(await sidsIn(kept ?? ''));
    assert.deepEqual(
      replaced.filter((sid) => !old.has(sid)),
      [],
      'each is in the table that is kept',
    );
    await assertPinned(restored.safetyPoint ?? '');
    const to = join(test.host.directory, 'safety');
    const shown = await agent.restore(test.site.uri, { ...EVERYTHING, point: restored.safetyPoint ?? '', to });
    assert.deepEqual(shown.problems, []);
    assert.equal(readFileSync(join(to, 'site/late.txt'), 'utf8'), 'written while the restore ran\n');
    const dumps = join(to, 'databases', database);
    const [sessions] = readdirSync(dumps).filter((name) => name.endsWith('-sessions.sql'));
    const dumped = readFileSync(join(dumps, sessions ?? ''), 'utf8');
    assert.deepEqual(
      replaced.filter((sid) => !dumped.includes(`'${sid}'`)),
      [],
      'each is in the safety point',
    );
    const taken = (await agent.points(test.site.uri)).filter(({ reason }) => reason?.includes(restored.task ?? '?'));
    assert.equal(taken.length, 2, 'the one of before stays');
    assert.ok(taken.every(({ complete }) => complete));
    rmSync(to, { recursive: true });
    const undone = await agent.undo(restored.task ?? '');
    assert.equal(undone.state, 'succeeded');
    const again = new Set(await sidsIn(database));
    assert.deepEqual(
      replaced.filter((sid) => !again.has(sid)),
      [],
      'undo brings each back',
    );
    assert.equal(readFileSync(changed, 'utf8'), 'written while the restore ran\n');
    rmSync(changed);
    await test.host.mariadb.query(`DELETE FROM \`${database}\`.sessions WHERE sid LIKE 'late-%'`);
    await agent.confirm(restored.task ?? '');
    const { repository: opened } = await openAccountRepository(test.config, test.host.account.name, 'local');
    const { snapshots } = await listSnapshots(opened, { tags: [`task:${restored.task ?? ''}`] });
    assert.deepEqual(
      snapshots.map(({ tags }) => tags.includes(PIN_TAG)),
      [false, false],
      'both live as long as the rules say',
    );
  });

  it('asks for more of a name that two points begin with', async () => {
    const alike = (count: number): Uint8Array => Buffer.concat([Buffer.from('beef', 'hex'), randomBytes(count - 2)]);
    await using agent = await test.open(
      () => {},
      {},
      () => new Date(),
      alike,
    );
    for (const reason of ['one', 'two']) await agent.backup(test.site.uri, { reason });
    await assert.rejects(agent.ls('beef', '/'), hasCode('point-ambiguous'));
    await assert.rejects(agent.restore(test.site.uri, { ...EVERYTHING, point: 'beef' }), hasCode('point-ambiguous'));
    await assert.rejects(agent.ls('0', '/'), hasCode('point-unknown'));
  });

  it('refuses a point whose manifest counts other rows than its dump has, before the switch', async () => {
    const ruined = await test.observe();
    const written = join(test.host.directory, 'rewritten');
    await using agent = await test.open();
    await agent.restore(test.site.uri, { ...EVERYTHING, point, to: written });
    const manifest = join(written, 'manifest.json');
    const text = readFileSync(manifest, 'utf8').replace(/"rows": [1-9]\d*/, '"rows": 123456');
    const forged = 'f0'.repeat(16);
    writeFileSync(manifest, text.replace(point, forged));
    const account = test.host.account.name;
    const { repository } = await openAccountRepository(test.config, account, 'local');
    await backup({
      source: readdirSync(written).map((name) => ({ kind: 'tree', name, path: join(written, name) })),
      repositories: [repository],
      paths: [written],
      tags: ['salvor', `point:${forged}`, `account:${account}`, `site:${test.site.uri}`, 'origin:task'],
    });
    await assert.rejects(agent.restore(test.site.uri, { ...EVERYTHING, point: forged }), hasCode('restore-differs'));
    await test.assertUntouched(ruined);
    rmSync(written, { recursive: true });
  });

  it('keeps what it replaced for three days, then drops it, but not where it was written meanwhile', async () => {
    const later = (hours: number) => (): Date => new Date(Date.now() + hours * 3_600_000);
    const listKept = async (): Promise<string> => await test.host.mariadb.query("SHOW DATABASES LIKE 'salvor%'");
    {
      await using agent = await test.open();
      await agent.restore(test.site.uri, { ...EVERYTHING, point });
    }
    const kept = await listKept();
    assert.notEqual(kept, '');
    const staging = join(test.config.staging ?? '', test.host.account.name);
    const written = join(staging, readdirSync(staging)[0] ?? '', 'site/written-late.txt');
    {
      await using agent = await test.open(() => {}, {}, later(71));
      await agent.backup(test.site.uri, { reason: null });
      assert.equal(await listKept(), kept, 'dropped before its time');
    }
    const [first] = kept.split('\n');
    // As if a process had still had it open an hour after the switch: here by a clock that is ahead.
    execFileSync('touch', [written]);
    const journals = join(test.config.state, 'journals');
    for (const name of readdirSync(journals)) {
      const file = join(journals, name);
      const journal = JSON.parse(readFileSync(file, 'utf8')) as { undoUntil: string };
      journal.undoUntil = new Date(Date.parse(journal.undoUntil) - 3_600_000).toISOString();
      writeFileSync(file, JSON.stringify(journal));
    }
    {
      await using agent = await test.open(() => {}, {}, later(73));
      await agent.backup(test.site.uri, { reason: null });
      assert.ok((await listKept()).includes(first ?? ''), 'dropped although it was written');
    }
    for (const name of readdirSync(journals)) {
      const file = join(journals, name);
      const journal = JSON.parse(readFileSync(file, 'utf8')) as { undoUntil: string };
      journal.undoUntil = new Date(Date.parse(journal.undoUntil) + 3_600_000).toISOString();
      writeFileSync(file, JSON.stringify(journal));
    }
    await using agent = await test.open(() => {}, {}, later(74));
    await agent.backup(test.site.uri, { reason: null });
    assert.equal(await listKept(), '');
    assert.equal(existsSync(staging), false);
    await ruin();
  });

  describe('in its repository', () => {
    let kept: string;
    before(() => {
      kept = `${repository()}.kept`;
      cpSync(repository(), kept, { recursive: true });
    });
    const mend = (): void => {
      rmSync(repository(), { recursive: true, force: true });
      cpSync(kept, repository(), { recursive: true });
    };
    const overwrite = (directory: string): void => {
      for (const entry of readdirSync(join(repository(), directory), { recursive: true, withFileTypes: true })) {
        if (!entry.isFile()) continue;
        const path = join(entry.parentPath, entry.name);
        const bytes = readFileSync(path);
        // In the middle, and near the end, where a pack says what it holds.
        for (const at of [bytes.length >> 1, bytes.length - 40])
          bytes[Math.max(0, at)] = (bytes[Math.max(0, at)] ?? 0) ^ 0xff;
        chmodSync(path, 0o600);
        writeFileSync(path, bytes);
      }
    };
    const damages: readonly (readonly [string, () => void, readonly string[]])[] = [
      ['every pack is damaged', () => overwrite('data'), ['pack-damaged', 'tree-damaged', 'blob-missing']],
      ['the index is damaged', () => overwrite('index'), ['index-damaged']],
      [
        // Without its index alone it is found by what the packs say.
        'the index is gone, and the packs',
        () => ['index', 'data'].forEach((name) => rmSync(join(repository(), name), { recursive: true })),
        ['index-damaged', 'tree-damaged', 'blob-missing', 'point-unknown', 'repository-missing', 'storage-failed'],
      ],
      [
        'the snapshots are damaged',
        () => overwrite('snapshots'),
        ['snapshot-damaged', 'point-missing', 'point-unknown'],
      ],
      ['the key file is damaged', () => overwrite('keys'), ['key-damaged', 'wrong-password']],
      ['the config is damaged', () => overwrite('config'), ['config-damaged']],
      ['it is not there', () => rmSync(repository(), { recursive: true }), ['repository-missing']],
      ['the account’s key is another one', () => writeFileSync(keyFile(), `${'ab'.repeat(32)}\n`), ['wrong-password']],
      ['the account’s key is gone', () => unlinkSync(keyFile()), ['key-unreadable']],
      ['the account’s key is readable by others', () => chmodSync(keyFile(), 0o644), ['key-unreadable']],
    ];
    const keyFile = (): string => join(test.config.state, 'keys', test.host.account.name);
    for (const [what, damage, codes] of damages) {
      it(`changes nothing and says what is wrong where ${what}`, async () => {
        const ruined = await test.observe();
        const key = readFileSync(keyFile());
        const overwriteConfig = what.startsWith('the config');
        if (overwriteConfig) writeFileSync(join(repository(), 'config'), Buffer.alloc(120, 7));
        else damage();
        try {
          await using agent = await test.open();
          await assert.rejects(agent.restore(test.site.uri, { ...EVERYTHING, point }), hasCode(...codes));
          await test.assertUntouched(ruined);
          assert.equal(await test.host.mariadb.query("SHOW DATABASES LIKE 'salvor%new%'"), '');
        } finally {
          mend();
          writeFileSync(keyFile(), key);
          chmodSync(keyFile(), 0o600);
        }
      });
    }
  });

  it('a full disk under the repository fails the backup with its code, keeps every point and needs nothing but space', async () => {
    const local = join(test.host.directory, 'small');
    mkdirSync(local);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', local]);
    try {
      const state = join(test.host.directory, 'small-state');
      await using agent = await test.open(() => {}, { local, state });
      await agent.init();
      const first = await agent.backup(test.site.uri, { reason: null });
      try {
        writeFileSync(join(local, 'ballast'), Buffer.alloc(16 * 1024 * 1024));
      } catch {
        // As full as it gets.
      }
      writeFileSync(
        join(test.site.path, 'big.bin'),
        Buffer.from(Array.from({ length: 1_000_000 }, (_, i) => (i * 7919) % 251)),
      );
      await assert.rejects(agent.backup(test.site.uri, { reason: null }), hasCode('disk-full'));
      assert.deepEqual(
        (await agent.points(test.site.uri)).map(({ id }) => id),
        [first.point],
      );
      rmSync(join(local, 'ballast'));
      assert.equal((await agent.backup(test.site.uri, { reason: null })).state, 'succeeded');
    } finally {
      rmSync(join(test.site.path, 'big.bin'), { force: true });
      execFileSync('umount', [local]);
    }
  });
});
