import assert from 'node:assert/strict';
import { lstatSync, mkdirSync, readFileSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestHost, wpConfigOf } from '../sites/layouts/test-host.ts';
import type { Site } from '../sites/site.ts';
import { invertMove, makeMove, planMove } from './move-site.ts';
import { type NamesTask, findContexts, planNames } from './plan-names.ts';
import { locateNames, stageNames } from './stage-names.ts';

const O1 = 'data/disk/o1';
const SEVEN = `${O1}/static/seven`;
const NEXT = `${O1}/static/next/web`;

const SITES_PHP = `<?php\n$sites['shop.test'] = 'a.test'; # ours\n$sites['b.shop.test'] = 'b.test';\n`;

/** A tenant of BOA with two sites on one platform, and a second one that Composer made. */
async function openNamedHost(): Promise<{ readonly host: TestHost; readonly site: Site } & Disposable> {
  const host = new TestHost();
  host.user('o1', 2001, O1);
  host.aegirHome(O1);
  host.drupal(SEVEN, '7.98');
  host.drupal(NEXT, '7.98');
  const platform = (name: string, root: string): void =>
    host.context(O1, `platform_${name}`, {
      context_type: 'platform',
      root: host.at(root),
      web_server: '@server_master',
    });
  platform('Seven', SEVEN);
  platform('Next', `${O1}/static/next`);
  for (const uri of ['a.test', 'b.test']) {
    host.aegirSite(O1, SEVEN, uri, { values: { platform: '@platform_Seven', aliases: [`www.${uri}`] } });
    host.link(`${O1}/clients/c/${uri}`, host.at(`${SEVEN}/sites/${uri}`));
    host.write(`${O1}/.drush/sites/${uri}.site.yml`, `live:\n  root: ${host.at(SEVEN)}\n  uri: ${uri} # ${uri}\n`);
  }
  host.link(`${SEVEN}/sites/old.a.test`, 'a.test');
  host.write(`${SEVEN}/sites/sites.php`, SITES_PHP);
  const { sites } = await host.find();
  const site = sites.find(({ uri }) => uri === 'a.test');
  assert.ok(site);
  return { host, site, [Symbol.dispose]: () => host[Symbol.dispose]() };
}

function siteOn(host: TestHost, root: string, uri: string): (NamesTask & { readonly operation: 'clone' })['to'] {
  return { uri, path: host.at(`${root}/sites/${uri}`), platform: { root: host.at(root) } };
}

/** `change path` below the home. */
function namesOf(host: TestHost, site: Site, task: NamesTask): string[] {
  const { names, obstacles } = planNames(site, task);
  assert.deepEqual(obstacles, []);
  return names.map(({ path, change }) => `${change} ${path.slice(host.at(O1).length + 1)}`).toSorted();
}

/** Everything below the home but the directories of sites: link targets and contents. */
function snapshot(directory: string, at = ''): string[] {
  return readdirSync(join(directory, at))
    .toSorted()
    .flatMap((name): string[] => {
      const path = join(at, name);
      const stat = lstatSync(join(directory, path));
      if (stat.isSymbolicLink()) return [`${path} -> ${readlinkSync(join(directory, path))}`];
      return stat.isDirectory()
        ? snapshot(directory, path)
        : [`${path} ${stat.mode & 0o777} ${readFileSync(join(directory, path), 'latin1')}`];
    });
}

/** Makes what is planned as a task's switch does, looks, and takes it back. */
function switchNames(host: TestHost, site: Site, task: NamesTask, look: () => void): void {
  const { changes } = planNames(site, task);
  const configured = host.at('.salvor');
  const places = locateNames(changes, { account: 'o1', task: 't1', configured });
  mkdirSync(join(configured, 'o1/t1'), { recursive: true, mode: 0o700 });
  stageNames(changes, places, site.account);
  const moves = places.map(planMove);
  for (const move of moves) makeMove(move);
  look();
  for (const move of moves.toReversed()) makeMove(invertMove(move));
}

test('a rename moves every name of the site and none of its neighbour’s, and is taken back whole', async () => {
  using named = await openNamedHost();
  const { host, site } = named;
  const task: NamesTask = { operation: 'rename', to: siteOn(host, SEVEN, 'new.test') };
  assert.deepEqual(namesOf(host, site, task), [
    'changed static/seven/sites/old.a.test',
    'changed static/seven/sites/sites.php',
    'made .drush/new.test.alias.drushrc.php',
    'made .drush/sites/new.test.site.yml',
    'made clients/c/new.test',
    'removed .drush/a.test.alias.drushrc.php',
    'removed .drush/sites/a.test.site.yml',
    'removed clients/c/a.test',
  ]);
  const before = snapshot(host.at(O1));
  switchNames(host, site, task, () => {
    const text = (path: string): string => readFileSync(host.at(path), 'utf8');
    assert.equal(text(`${SEVEN}/sites/sites.php`), SITES_PHP.replace(`= 'a.test'`, `= 'new.test'`));
    assert.match(text(`${O1}/.drush/new.test.alias.drushrc.php`), /\$aliases\['new\.test'\][^]*'uri' => 'new\.test'/);
    assert.equal(
      text(`${O1}/.drush/sites/new.test.site.yml`),
      `live:\n  root: ${host.at(SEVEN)}\n  uri: new.test # a.test\n`,
    );
    assert.equal(readlinkSync(host.at(`${SEVEN}/sites/old.a.test`)), 'new.test');
    assert.equal(readlinkSync(host.at(`${O1}/clients/c/new.test`)), host.at(`${SEVEN}/sites/new.test`));
    const now = snapshot(host.at(O1));
    const isOfB = (line: string): boolean => /b\.test/.test(line.split(' ')[0] ?? '');
    assert.deepEqual(now.filter(isOfB), before.filter(isOfB));
  });
  assert.deepEqual(snapshot(host.at(O1)), before);
});

test('a clone gets an alias and its client’s link, and no further name of its origin', async () => {
  using named = await openNamedHost();
  const { host, site } = named;
  const task: NamesTask = { operation: 'clone', to: siteOn(host, SEVEN, 'copy.test') };
  assert.deepEqual(namesOf(host, site, task), [
    'made .drush/copy.test.alias.drushrc.php',
    'made .drush/sites/copy.test.site.yml',
    'made clients/c/copy.test',
  ]);
  switchNames(host, site, task, () =>
    assert.match(readFileSync(host.at(`${O1}/.drush/copy.test.alias.drushrc.php`), 'utf8'), /'aliases' => array\(\),/),
  );
});

test('a migration takes further names along, and the context names the platform as Aegir does', async () => {
  using named = await openNamedHost();
  const { host, site } = named;
  const to = siteOn(host, NEXT, 'a.test');
  const task: NamesTask = { operation: 'migrate', to };
  assert.deepEqual(findContexts(site, to), {
    from: { name: 'platform_Seven', root: host.at(SEVEN) },
    to: { name: 'platform_Next', root: host.at(`${O1}/static/next`) },
  });
  assert.deepEqual(namesOf(host, site, task), [
    'changed .drush/a.test.alias.drushrc.php',
    'changed .drush/sites/a.test.site.yml',
    'changed clients/c/a.test',
    'changed static/seven/sites/sites.php',
    'made static/next/web/sites/old.a.test',
    'made static/next/web/sites/sites.php',
    'removed static/seven/sites/old.a.test',
  ]);
  switchNames(host, site, task, () => {
    const text = (path: string): string => readFileSync(host.at(path), 'utf8');
    assert.match(
      text(`${O1}/.drush/a.test.alias.drushrc.php`),
      new RegExp(`'root' => '${host.at(`${O1}/static/next`)}',`),
    );
    assert.match(text(`${O1}/.drush/a.test.alias.drushrc.php`), /'platform' => '@platform_Next'/);
    assert.match(text(`${O1}/.drush/sites/a.test.site.yml`), new RegExp(`root: ${host.at(NEXT)}\n`));
    assert.equal(text(`${NEXT}/sites/sites.php`), `<?php\n$sites['shop.test'] = 'a.test';\n`);
    assert.equal(text(`${SEVEN}/sites/sites.php`), `<?php\n # ours\n$sites['b.shop.test'] = 'b.test';\n`);
  });
});

test('of a WordPress on shared code the names in sites.php change where there is one, and none is made', async () => {
  using host = new TestHost();
  host.user('o1', 2001, O1);
  host.aegirHome(O1);
  const code = `${O1}/static/blogs`;
  host.wordpress(code);
  host.write(`${code}/sites/a.test/wp-config.php`, wpConfigOf('a'));
  const find = async (): Promise<Site> =>
    (await host.find()).sites.find(({ uri }) => uri === 'a.test') ?? assert.fail('no WordPress');
  const task: NamesTask = { operation: 'rename', to: siteOn(host, code, 'c.test') };
  const namesOfWordPress = async (wanted: NamesTask): Promise<string[]> =>
    namesOf(host, await find(), wanted).filter((line) => line.includes('sites.php'));
  assert.deepEqual(await namesOfWordPress(task), []);
  host.write(`${code}/sites/sites.php`, SITES_PHP.replace('shop.test', '8080.127.0.0.1'));
  assert.deepEqual(await namesOfWordPress(task), ['changed static/blogs/sites/sites.php']);
  switchNames(host, await find(), task, () => {
    const text = readFileSync(host.at(`${code}/sites/sites.php`), 'utf8');
    assert.equal(text, SITES_PHP.replace("'shop.test'] = 'a.test'", "'8080.127.0.0.1'] = 'c.test'"));
  });
  assert.deepEqual(await namesOfWordPress({ operation: 'clone', to: siteOn(host, code, 'c.test') }), []);
  assert.deepEqual(await namesOfWordPress({ operation: 'delete' }), ['changed static/blogs/sites/sites.php']);
});

test('a delete takes lines and files of the site alone', async () => {
  using named = await openNamedHost();
  const { host, site } = named;
  assert.deepEqual(namesOf(host, site, { operation: 'delete' }), [
    'changed static/seven/sites/sites.php',
    'removed .drush/a.test.alias.drushrc.php',
    'removed .drush/sites/a.test.site.yml',
    'removed clients/c/a.test',
    'removed static/seven/sites/old.a.test',
  ]);
});

test('names that are taken, lead elsewhere or are links stop it', async () => {
  using named = await openNamedHost();
  const { host, site } = named;
  const codes = (operation: 'clone' | 'rename', uri: string): string[] =>
    planNames(site, { operation, to: siteOn(host, SEVEN, uri) }).obstacles.map(
      ({ code, path }) => `${code} ${path?.slice(host.at(O1).length + 1)}`,
    );
  assert.deepEqual(codes('clone', 'b.shop.test'), ['name-taken static/seven/sites/sites.php']);
  assert.deepEqual(codes('rename', 'shop.test'), [], 'a further name of its own becomes its name');
  assert.deepEqual(codes('clone', 'b.test'), [
    'alias-taken .drush/b.test.alias.drushrc.php',
    'alias-taken .drush/sites/b.test.site.yml',
    'name-taken clients/c/b.test',
  ]);
  const alias = `${O1}/.drush/a.test.alias.drushrc.php`;
  const text = readFileSync(host.at(alias), 'utf8');
  host.write(alias, text.replace(host.at(SEVEN), host.at(`${O1}/static/live`)));
  assert.deepEqual(codes('rename', 'new.test'), ['alias-elsewhere .drush/a.test.alias.drushrc.php']);
  host.remove(alias);
  host.write(`${O1}/aliases/a`, text);
  host.link(alias, host.at(`${O1}/aliases/a`));
  assert.deepEqual(codes('rename', 'new.test'), ['name-is-link .drush/a.test.alias.drushrc.php']);
});

test('what was changed after the plan is not overwritten', async () => {
  using named = await openNamedHost();
  const { host, site } = named;
  const task: NamesTask = { operation: 'rename', to: siteOn(host, SEVEN, 'new.test') };
  const { changes } = planNames(site, task);
  const configured = host.at('.salvor');
  const places = locateNames(changes, { account: 'o1', task: 't1', configured });
  mkdirSync(join(configured, 'o1/t1'), { recursive: true, mode: 0o700 });
  writeFileSync(host.at(`${SEVEN}/sites/sites.php`), `${SITES_PHP}# more\n`);
  assert.throws(() => stageNames(changes, places, site.account), { code: 'file-changed' });
});
