import assert from 'node:assert/strict';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openRoot } from '../lib/beneath/open-directory.ts';
import { checkLogIns, databasesAfter } from '../sites/check-log-ins.ts';
import type { Connection } from '../sites/connection-fields.ts';
import { CLOAKED, drushrcOf, settingsOf, wpConfigOf } from '../sites/layouts/test-host.ts';
import type { SettingsChanges } from '../sites/settings-changes.ts';
import type { Site, SiteDatabase } from '../sites/site.ts';
import { readUnpackedSite } from './read-stored-site.ts';
import { isIdentityFile, rewriteSettingsIn, writeSettings } from './settings-of-site.ts';

const OLD: Connection = { name: 'old', user: 'u', password: 'pw', address: { socket: '/run/mysqld/mysqld.sock' } };
const NEW: Connection = { ...OLD, name: 'new', user: 'u2', password: `n'"\\$ é` };

/** A home with a staged directory, which gets the files that are handed in. */
class StagedSite implements Disposable {
  readonly home: string = realpathSync(mkdtempSync(join(tmpdir(), 'salvor-settings-')));
  readonly staged: string = join(this.home, 'staged');
  readonly changes: SettingsChanges = {
    connections: [{ from: OLD, to: NEW }],
    naming: {
      uri: { from: 'old.test', to: 'new.test' },
      root: { from: join(this.home, 'plat'), to: join(this.home, 'plat') },
      path: { from: join(this.home, 'plat/sites/old.test'), to: join(this.home, 'plat/sites/new.test') },
      moved: [],
      aliases: [],
      context: null,
    },
  };

  constructor(files: Readonly<Record<string, string>>) {
    mkdirSync(this.staged);
    for (const [name, text] of Object.entries(files)) writeFileSync(join(this.staged, name), text);
  }

  /** Problems of rewriting and, where there are none, of reading again. */
  rewrite(): string[] {
    using directory = openRoot(this.staged);
    const { files, problems } = rewriteSettingsIn(directory, this.changes);
    if (problems.length > 0) return problems.map(({ message }) => message);
    writeSettings(directory, files);
    const database: SiteDatabase = {
      engine: 'mariadb',
      name: 'old',
      login: OLD,
      prefix: this.#prefix(),
      otherPrefixes: [],
      sharedWith: [],
    };
    return checkLogIns(this.read(), databasesAfter([database], this.changes.connections)).map(({ message }) => message);
  }

  #prefix(): string {
    return this.read().cms === 'wordpress' ? 'wp_' : '';
  }

  read(): Site {
    const account = { name: 'o1', uid: 0, gid: 0, home: this.home, logins: [], webGroup: null };
    const { root, path } = this.changes.naming;
    const platform = { name: 'plat', root: root.to, cms: 'drupal', version: null } as const;
    const site = { uri: 'new.test', path: path.to, version: null };
    return readUnpackedSite(this.staged, { platform, site }, account, {
      override: undefined,
      defaultSocket: undefined,
    });
  }

  [Symbol.dispose](): void {
    rmSync(this.home, { recursive: true });
  }
}

const LOGIN = { database: 'old' };

test('settings of every kind say exactly the new log-in when they are read again', () => {
  for (const files of [
    { 'settings.php': settingsOf(LOGIN) },
    { 'settings.php': CLOAKED, 'drushrc.php': drushrcOf('old.test', LOGIN) },
    { 'settings.php': `<?php\ninclude __DIR__ . '/settings.local.php';\n`, 'settings.local.php': settingsOf(LOGIN) },
    { 'settings.php': `<?php\n$db_url = 'mysqli://u:pw@localhost/old';\n`, 'local.settings.php': '<?php\n' },
    { 'wp-config.php': wpConfigOf('old') },
  ] satisfies readonly Readonly<Record<string, string>>[]) {
    using site = new StagedSite(files);
    assert.deepEqual(site.rewrite(), [], JSON.stringify(files));
    const [database] = site.read().databases;
    assert.deepEqual(
      [database?.name, database?.login.user, database?.login.password],
      [NEW.name, NEW.user, NEW.password],
    );
  }
});

test('a log-in that comes from another file, from the environment or through a link is found out', () => {
  using elsewhere = new StagedSite({
    'settings.php': `<?php\ninclude __DIR__ . '/db.php';\n`,
    'db.php': settingsOf(LOGIN),
  });
  assert.match(
    elsewhere.rewrite().join(),
    /still say another name and user and password for the database new: it comes from a file/,
  );

  using environment = new StagedSite({
    'settings.php': `<?php\n$databases['default']['default'] = ['driver' => 'mysql', 'database' => getenv('DB'), 'username' => 'u', 'password' => 'pw'];`,
  });
  assert.match(environment.rewrite().join(), /environment variable DB/);

  using linked = new StagedSite({});
  writeFileSync(join(linked.home, 'shared.php'), settingsOf(LOGIN));
  symlinkSync('../shared.php', join(linked.staged, 'settings.php'));
  assert.match(linked.rewrite().join(), /the file is a link/);
  assert.equal(readFileSync(join(linked.home, 'shared.php'), 'utf8'), settingsOf(LOGIN));
});

test('a file keeps owner and mode and gets a new time; one that changed meanwhile is not written', () => {
  using site = new StagedSite({ 'settings.php': settingsOf(LOGIN), 'drushrc.php': drushrcOf('old.test', LOGIN) });
  const path = join(site.staged, 'settings.php');
  chmodSync(path, 0o440);
  using directory = openRoot(site.staged);
  const { files } = rewriteSettingsIn(directory, site.changes);
  assert.deepEqual(
    files.map(({ name }) => name),
    ['drushrc.php', 'settings.php'],
  );
  writeFileSync(join(site.staged, 'drushrc.php'), '<?php\n');
  assert.throws(() => writeSettings(directory, files), { code: 'file-changed' });
  writeSettings(directory, files.slice(1));
  assert.equal(statSync(path).mode & 0o777, 0o440);
  assert.match(readFileSync(path, 'utf8'), /'database' => 'new'/);
});

test('which files say who a site is', () => {
  const names =
    'settings.php settings.local.php local.settings.php civicrm.settings.php drushrc.php local.drushrc.php wp-config.php';
  for (const name of names.split(' ')) assert.ok(isIdentityFile(name), name);
  for (const name of [
    'settings.php.bak',
    'default.settings.txt',
    'services.yml',
    'index.php',
    'mysettings.php',
    '.env',
  ])
    assert.ok(!isIdentityFile(name), name);
});
