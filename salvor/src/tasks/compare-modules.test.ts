import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { Readable } from 'node:stream';
import type { Module } from '../archives/archive-manifest.ts';
import { readDumpedModules } from '../points/read-point-modules.ts';
import { type TestServer, dumpAll, makeSite, openTestServer } from '../databases/mariadb/test-database.ts';
import { quoteText } from '../databases/mariadb/connect.ts';
import type { CodeModule, CodeModules } from '../sites/code-modules.ts';
import { type ComparedCode, type ModuleComparison, compareModules } from './compare-modules.ts';
import { type InstalledModule, readInstalledModules } from './installed-modules.ts';

function* cut(bytes: Buffer, size: number): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

type Row = readonly [name: string, schema: number | null, removed?: number, type?: CodeModule['type']];

function code(core: string, rows: readonly Row[]): CodeModules {
  const modules = rows.map(([name, schema, removed = null, type = 'module']) => {
    const module: CodeModule = { name, type, version: '1.0', schema, removed, path: `/p/${name}` };
    return [name, module] as const;
  });
  return { core, modules: new Map(modules), isCut: false };
}

function installed(rows: readonly (readonly [string, number | null])[]): readonly InstalledModule[] {
  return rows.map(([name, schema]) => ({ name, type: 'module', schema }));
}

function compare(given: Pick<ComparedCode, 'installed' | 'to'> & Partial<ComparedCode>): ModuleComparison {
  return compareModules({ version: given.to.core, from: null, root: '/p', ...given });
}

const codesOf = ({ obstacles, notes }: ModuleComparison): unknown => [
  obstacles.map(({ code: each, path }) => `${each} ${path ?? ''}`.trim()),
  notes.map(({ code: each, path }) => `${each} ${path ?? ''}`.trim()),
];

describe('modules compared with the code of a platform', () => {
  const to = code('10.2.3', [
    ['node', 8003],
    ['views', 10_100, 8500],
    ['new', null],
  ]);

  it('fit where each is there and no update is missing', () => {
    const found = compare({
      installed: installed([
        ['node', 8003],
        ['views', 10_100],
        ['new', 8000],
      ]),
      to,
    });
    assert.deepEqual(codesOf(found), [[], []]);
  });

  it('that are newer, too old or not there stand in the way, and those with updates are told', () => {
    const wanted = installed([
      ['node', 8004],
      ['views', 8400],
      ['gone', 8001],
      ['new', 8001],
    ]);
    assert.deepEqual(codesOf(compare({ installed: wanted, to })), [
      ['module-newer node', 'module-too-old views', 'module-missing gone', 'module-newer new'],
      [],
    ]);
    const older = compare({ installed: installed([['views', 9000]]), to });
    assert.deepEqual(codesOf(older), [[], ['updates-due']]);
    assert.deepEqual(older.updates, [{ module: 'views', from: 9000, to: 10_100 }]);
  });

  it('that are as wrong where the site lies now stop nobody', () => {
    const from = code('10.1.0', [['node', 8003]]);
    const found = compare({
      installed: installed([
        ['node', 8004],
        ['gone', 8001],
      ]),
      from,
      to,
    });
    assert.deepEqual(codesOf(found), [[], ['module-newer-already node', 'module-missing-already gone']]);
  });

  it('do not go to an older core, nor over to Drupal 8 by an update', () => {
    const none = installed([]);
    assert.deepEqual(codesOf(compare({ installed: none, version: '11.0.1', to })), [['core-older /p'], []]);
    assert.deepEqual(codesOf(compare({ installed: none, version: '7.98', to })), [['core-not-updatable /p'], []]);
    assert.deepEqual(codesOf(compare({ installed: none, version: '6.38', to: code('7.98', []) })), [[], []]);
    assert.deepEqual(codesOf(compare({ installed: none, version: '8.9.20', to })), [[], []]);
  });

  it('are named up to a bound', () => {
    const many = installed(Array.from({ length: 80 }, (_, n) => [`m${n}`, null] as const));
    const { obstacles } = compare({ installed: many, to });
    assert.equal(obstacles.length, 51);
    assert.match(obstacles.at(-1)?.message ?? '', /and 30 more/);
  });
});

describe('modules that a site runs', () => {
  let test: TestServer;
  /** What the archive of a point lists: out of the parts of a dump, without the server. */
  const dumped = async (
    { name: database, login }: Awaited<ReturnType<typeof makeSite>>,
    cms: 'drupal' | 'backdrop' | 'wordpress',
    prefix = '',
  ): Promise<readonly Module[] | null> => {
    const parts = await dumpAll(test, login, database);
    return await readDumpedModules(cms, (name) => {
      const part = parts.find(({ table }) => table === `${prefix}${name}`);
      // Ends of pieces lie anywhere.
      return part === undefined ? null : Readable.from(cut(part.bytes, 7));
    });
  };
  before(async () => {
    test = await openTestServer();
  });
  after(() => test[Symbol.asyncDispose]());

  it('are read from the configuration of a Drupal 8 or later', async () => {
    const extension =
      'a:3:{s:6:"module";a:3:{s:4:"node";i:0;s:6:"system";i:0;s:8:"standard";i:1000;}s:5:"theme";a:1:{s:7:"olivero";i:0;}s:7:"profile";s:8:"standard";}';
    const site = await makeSite(
      test,
      'modules_new',
      `CREATE TABLE x_config (collection VARCHAR(255), name VARCHAR(255), data LONGBLOB, PRIMARY KEY (collection, name));
       INSERT INTO x_config VALUES ('', 'core.extension', ${quoteText(extension)}), ('', 'system.site', 'a:0:{}');
       CREATE TABLE x_key_value (collection VARCHAR(128), name VARCHAR(128), value LONGBLOB, PRIMARY KEY (collection, name));
       INSERT INTO x_key_value VALUES ('system.schema', 'system', 'i:10201;'), ('system.schema', 'node', 's:4:"8003";'), ('state', 'node', 'i:1;');`,
    );
    assert.deepEqual(await readInstalledModules(site.login, { name: site.name, prefix: 'x_' }), [
      { name: 'node', type: 'module', schema: 8003 },
      { name: 'system', type: 'module', schema: 10_201 },
      { name: 'standard', type: 'profile', schema: null },
      { name: 'olivero', type: 'theme', schema: null },
    ]);
    assert.equal(await readInstalledModules(site.login, { name: site.name, prefix: '' }), null);
    assert.deepEqual(await dumped(site, 'drupal', 'x_'), [
      { name: 'node', version: null, schema: 8003, enabled: true },
      { name: 'system', version: null, schema: 10_201, enabled: true },
      { name: 'standard', version: null, schema: null, enabled: true },
    ]);
    assert.equal(await dumped(site, 'drupal'), null);
  });

  it('are read from the table of a Drupal 7', async () => {
    const site = await makeSite(
      test,
      'modules_old',
      `CREATE TABLE system (filename VARCHAR(255) PRIMARY KEY, name VARCHAR(255), type VARCHAR(12), status INT, schema_version SMALLINT);
       INSERT INTO system VALUES ('modules/node/node.module', 'node', 'module', 1, 7015), ('modules/x/x.module', 'x', 'module', 0, 7001),
         ('profiles/standard/standard.profile', 'standard', 'module', 1, 0), ('themes/bartik/bartik.info', 'bartik', 'theme', 1, -1);`,
    );
    assert.deepEqual(await readInstalledModules(site.login, { name: site.name, prefix: '' }), [
      { name: 'node', type: 'module', schema: 7015 },
      { name: 'standard', type: 'profile', schema: 0 },
      { name: 'bartik', type: 'theme', schema: null },
    ]);
    const listed = [
      { name: 'node', version: null, schema: 7015, enabled: true },
      { name: 'x', version: null, schema: 7001, enabled: false },
      { name: 'standard', version: null, schema: 0, enabled: true },
    ];
    assert.deepEqual(await dumped(site, 'drupal'), listed);
  });

  it('of a dump have the version that Drupal 6, 7 and Backdrop keep with them, whatever its texts and columns are like', async () => {
    const info = `a:2:{s:4:"name";s:9:"It's\n(1),";s:7:"version";s:6:"1.30.1";}`;
    const site = await makeSite(
      test,
      'modules_backdrop',
      `CREATE TABLE bd_system (filename VARCHAR(255) COMMENT 'a, b \\n  \`c\`', name VARCHAR(255), type VARCHAR(12), owner VARCHAR(255), status INT, weight INT,
         seen INT AS (weight + 1) VIRTUAL, schema_version SMALLINT, info BLOB, PRIMARY KEY (filename));
       INSERT INTO bd_system (filename, name, type, owner, status, weight, schema_version, info) VALUES
         ('core/modules/node/node.module', 'node', 'module', '', 1, 0, 1015, ${quoteText(info)}),
         ('modules/it''s;\\n(a),\\\\.module', 'odd', 'module', NULL, 1, -5, 1000, NULL),
         ('modules/never.module', 'never', 'module', '', 0, 0, -1, ''),
         ('themes/basis/basis.info', 'basis', 'theme', '', 1, 0, -1, ${quoteText(info)});`,
    );
    assert.deepEqual(await dumped(site, 'backdrop', 'bd_'), [
      { name: 'node', version: '1.30.1', schema: 1015, enabled: true },
      { name: 'odd', version: null, schema: 1000, enabled: true },
    ]);
  });

  it('of a dump of WordPress are its active plugins', async () => {
    const plugins = 'a:2:{i:0;s:19:"akismet/akismet.php";i:1;s:9:"hello.php";}';
    const site = await makeSite(
      test,
      'modules_wordpress',
      `CREATE TABLE wp_options (option_id BIGINT PRIMARY KEY, option_name VARCHAR(191), option_value LONGTEXT, autoload VARCHAR(20));
       INSERT INTO wp_options VALUES (1, 'note', 'active_plugins are none', 'no'), (2, 'active_plugins', ${quoteText(plugins)}, 'yes');`,
    );
    assert.deepEqual(await dumped(site, 'wordpress', 'wp_'), [
      { name: 'akismet', version: null, schema: null, enabled: true },
      { name: 'hello', version: null, schema: null, enabled: true },
    ]);
    assert.equal(await dumped(site, 'drupal', 'wp_'), null);
    // What another tool wrote, or somebody by hand, is nobody's list.
    const torn = Readable.from([Buffer.from("INSERT INTO `options` VALUES ('active_plugins'")]);
    assert.equal(await readDumpedModules('wordpress', () => torn), null);
  });
});
