import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type TestServer, makeSite, openTestServer } from '../databases/mariadb/test-database.ts';
import { quoteText } from '../databases/mariadb/connect.ts';
import type { CodeModule, CodeModules } from '../sites/code-modules.ts';
import { type ComparedCode, type ModuleComparison, compareModules } from './compare-modules.ts';
import { type InstalledModule, installedFromPackages, readInstalledModules } from './installed-modules.ts';

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
  });

  it('are those that the list of an archive has as enabled', () => {
    const found = installedFromPackages([
      { name: 'views', version: null, schema: 7301, enabled: true },
      { name: 'x', version: null, schema: 1, enabled: false },
      { name: 'never', version: null, schema: -1, enabled: true },
    ]);
    assert.deepEqual(
      found.map(({ name, schema }) => [name, schema]),
      [
        ['views', 7301],
        ['never', null],
      ],
    );
  });
});
