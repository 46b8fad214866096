/** Sites without a directory of their own name: a Drupal in `sites/default`, and a WordPress that lies with its code in one directory. */
import assert from 'node:assert/strict';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
  lchownSync,
  readdirSync,
} from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, describe, it } from 'node:test';
import type { IdentityDocument } from '@salvor/contract';
import { type DemoHost, type DemoSite, buildHost } from '../../../demo/host.ts';
import {
  type ObservedSite,
  differences,
  observeDatabase,
  observePage,
  observeSite,
  observeTree,
} from '../../../demo/observe-site.ts';
import { type PlainAccount, layOutPlain } from '../../../demo/plain-account.ts';
import type { Agent } from '../../src/agent/agent.ts';
import { configOf, hasCode, openTestAgent } from '../fault/fault-host.ts';
import { assertSameSite } from './open-test-host.ts';

const WISH = { newUri: null, platform: null, mask: false, dryRun: false } as const;
const php = (value: string): string => `a:1:{s:4:"logo";s:${Buffer.byteLength(value)}:"${value}";}`;

describe('sites without a directory of their own name', { concurrency: 1 }, () => {
  const stack = new AsyncDisposableStack();
  let host: DemoHost;
  let plain: PlainAccount;
  let drupal: DemoSite;
  let wordpress: DemoSite;
  let agent: Agent;
  let drupalWas: ObservedSite;
  let wordpressWas: ObservedSite;

  before(async () => {
    host = stack.use(await buildHost({ posts: 3, nodes: 8, files: 8 }));
    plain = await layOutPlain(host, stack);
    drupal = plain.drupal;
    wordpress = plain.wordpress ?? assert.fail('no WordPress');
    await host.mariadb.query(
      `USE \`${drupal.database}\`; SET NAMES utf8mb4; CREATE TABLE notes (id INT PRIMARY KEY, body LONGTEXT);
       INSERT INTO notes VALUES (1, '${php('sites/default/files/ü.png')}'),
         (2, '<img src="//shop.example.org/sites/default/files/a.png"> http://other.example.org/sites/default/x'),
         (3, '${join(drupal.path, 'files')} /srv/other/sites/default/files default sites');
       USE \`${wordpress.database}\`; INSERT INTO wp_options (option_name, option_value) VALUES
         ('harbour_paths', '${php(join(wordpress.path, 'wp-content/uploads'))}'), ('harbour_near', '${wordpress.path}-old/x');`,
    );
    await plain.serve(wordpress.path, Number(new URL(wordpress.url).port));
    await plain.serve(dirname(dirname(drupal.path)), Number(new URL(drupal.url).port));
    await observePage(wordpress.url);
    agent = stack.use(await openTestAgent(configOf(host, plain.home)));
    await agent.init();
    drupalWas = await observeSite(host, drupal);
    wordpressWas = await observeSite(host, wordpress);
  });
  after(() => stack[Symbol.asyncDispose]());

  const read = async (database: string, sql: string): Promise<string> =>
    (await host.mariadb.query(`USE \`${database}\`; ${sql}`)).trim();
  const notes = (database: string): Promise<string> => read(database, 'SELECT body FROM notes ORDER BY id');
  /** Of a site that moves. */
  const databaseOf = ({ plan }: IdentityDocument): string => plan.databases[0]?.newName ?? '';
  const assertUntouched = async (): Promise<void> => {
    assertSameSite(drupalWas, await observeSite(host, drupal));
    assertSameSite(wordpressWas, await observeSite(host, wordpress));
  };
  /** Both, where settings changed places there and back: their directory has the time of that. */
  const assertBack = async (): Promise<void> => {
    const isTimed = (name: string): boolean => name === '.';
    for (const [site, was] of [[drupal, drupalWas] as const, [wordpress, wordpressWas] as const]) {
      const now = await observeSite(host, site);
      assert.deepEqual(differences(was.files, now.files, isTimed), []);
      assert.deepEqual(differences(was.database, now.database), []);
      if (site === drupal) drupalWas = now;
      else wordpressWas = now;
    }
  };
  /** As a visitor who asks for this name. */
  const visit = async (port: number, name: string): Promise<{ status: number; body: string }> => {
    const { promise, resolve, reject } = Promise.withResolvers<{ status: number; body: string }>();
    request({ port, host: '127.0.0.1', headers: { host: name }, timeout: 30_000 }, (answer) => {
      void text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, body }), reject);
    })
      .on('error', reject)
      .end();
    return await promise;
  };
  const found = async (): Promise<readonly (readonly [string, string, number])[]> =>
    (await agent.sites()).sites.map(({ uri, path, problems }) => [uri, path, problems.length]);

  it('are found by their paths', async () => {
    assert.deepEqual(await found(), [
      ['journal.example.org', wordpress.path, 0],
      ['shop.example.org', drupal.path, 0],
    ]);
  });

  it('a Drupal in sites/default is cloned into a directory of the new name, and Drupal finds it there', async () => {
    const preview = await agent.clone(drupal.uri, { ...WISH, newUri: 'stall.example.org', dryRun: true });
    assert.deepEqual(
      [preview.plan.obstacles, preview.plan.address],
      [[], { from: ['shop.example.org'], to: 'stall.example.org' }],
    );
    const root = dirname(dirname(drupal.path));
    assert.deepEqual(preview.plan.names, [{ path: join(root, 'sites/sites.php'), change: 'made' }]);
    const done = await agent.clone(drupal.uri, { ...WISH, newUri: 'stall.example.org' });
    assert.deepEqual([done.state, done.problems], ['succeeded', []]);
    const path = join(root, 'sites/stall.example.org');
    assert.equal(done.plan.newPath, path);
    const [made] = done.plan.databases;
    assert.equal(
      await notes(made?.newName ?? ''),
      [
        php('sites/stall.example.org/files/ü.png'),
        '<img src="//stall.example.org/sites/stall.example.org/files/a.png"> http://other.example.org/sites/default/x',
        `${join(path, 'files')} /srv/other/sites/default/files default sites`,
      ].join('\n'),
    );
    assert.deepEqual(
      (await found()).map(([uri]) => uri),
      ['journal.example.org', 'shop.example.org', 'stall.example.org'],
    );
    const port = Number(new URL(drupal.url).port);
    assert.equal((await visit(port, 'stall.example.org')).status, 200);
    assert.match((await visit(port, 'stall.example.org')).body, /sites\/stall\.example\.org\/files/);
    assert.match((await visit(port, 'shop.example.org')).body, /sites\/default\/files/);
    await assertUntouched();
    await agent.undo(done.task ?? '');
    assert.ok(!existsSync(path) && !existsSync(join(root, 'sites/sites.php')));
    await assertUntouched();
  });

  it('a WordPress is cloned into another directory with its code, its addresses and paths its own, its users masked', async () => {
    const target = join(plain.home, 'gazette.example.org');
    const wish = { ...WISH, newUri: 'gazette.example.org', platform: target, mask: true };
    const users = 'SELECT user_email, user_pass FROM wp_users ORDER BY ID';
    mkdirSync(target);
    lchownSync(target, host.account.uid, host.account.gid);
    writeFileSync(join(target, 'mine.txt'), 'mine\n');
    const taken = await agent.clone(wordpress.uri, { ...wish, dryRun: true });
    assert.deepEqual(
      taken.plan.obstacles.map(({ code }) => code),
      ['place-taken'],
    );
    rmSync(join(target, 'mine.txt'));
    const done = await agent.clone(wordpress.uri, wish);
    assert.deepEqual([done.state, done.problems], ['succeeded', []]);
    const [made] = done.plan.databases;
    const database = made?.newName ?? '';
    const option = (name: string): Promise<string> =>
      read(database, `SELECT option_value FROM wp_options WHERE option_name = '${name}'`);
    assert.deepEqual(
      [await option('siteurl'), await option('home'), await option('harbour_paths'), await option('harbour_near')],
      [
        'http://gazette.example.org',
        'http://gazette.example.org',
        php(join(target, 'wp-content/uploads')),
        `${wordpress.path}-old/x`,
      ],
    );
    const old = new URL(wordpress.url).host;
    assert.equal(await read(database, `SELECT COUNT(*) FROM wp_posts WHERE post_content LIKE '%//${old}%'`), '0');
    assert.notEqual(await read(database, users), await read(wordpress.database, users));
    const same = (tree: ObservedSite['files']): ObservedSite['files'] =>
      new Map([...tree].filter(([name]) => name !== 'wp-config.php' && name !== '.'));
    assert.deepEqual(differences(same(wordpressWas.files), same(observeTree(target))), []);
    const port = await plain.serve(target);
    const page = await visit(port, 'gazette.example.org');
    assert.equal(page.status, 200);
    assert.ok(page.body.includes('http://gazette.example.org/') && !page.body.includes(old));
    assert.deepEqual((await found())[0], ['gazette.example.org', target, 0]);
    await assertUntouched();
    await agent.undo(done.task ?? '');
    // What was there before it.
    assert.deepEqual(readdirSync(target), []);
    rmSync(target, { recursive: true });
    await assertUntouched();
  });

  it('a clone of a WordPress is refused where it would lie in another site, or nobody says where', async () => {
    const codes = async (platform: string | null): Promise<readonly string[]> =>
      (
        await agent.clone(wordpress.uri, { ...WISH, newUri: 'gazette.example.org', platform, dryRun: true })
      ).plan.obstacles.map(({ code }) => code);
    assert.deepEqual(await codes(null), ['site-in-docroot']);
    assert.deepEqual(await codes(join(wordpress.path, 'copy')), ['place-inside-site']);
    assert.deepEqual(await codes('/srv/gazette.example.org'), ['site-outside-home']);
    assert.deepEqual(await codes(join(plain.home, 'missing/gazette.example.org')), ['site-parent-missing']);
    await assert.rejects(
      agent.migrate(wordpress.uri, { ...WISH, platform: dirname(dirname(drupal.path)) }),
      hasCode('identity-obstructed'),
    );
  });

  it('a rename changes the address that they are visited by and leaves them where they lie, and undo takes it back', async () => {
    const inode = lstatSync(wordpress.path).ino;
    const done = await agent.rename(wordpress.uri, { ...WISH, newUri: 'gazette.example.org' });
    assert.deepEqual([done.state, done.problems], ['succeeded', []]);
    assert.deepEqual([done.plan.newPath, lstatSync(wordpress.path).ino], [wordpress.path, inode]);
    const database = databaseOf(done);
    assert.notEqual(database, wordpress.database);
    assert.equal(
      await read(database, "SELECT option_value FROM wp_options WHERE option_name IN ('home', 'siteurl')"),
      'http://gazette.example.org\nhttp://gazette.example.org',
    );
    const isOther = (name: string): boolean => ['.', 'wp-config.php'].includes(name);
    assert.deepEqual(differences(wordpressWas.files, observeTree(wordpress.path), isOther), []);
    assert.ok(readFileSync(join(wordpress.path, 'wp-config.php'), 'utf8').includes(`'DB_NAME', '${database}'`));
    const port = Number(new URL(wordpress.url).port);
    assert.match((await visit(port, 'gazette.example.org')).body, /http:\/\/gazette\.example\.org\//);
    assert.deepEqual(
      (await found()).map(([uri]) => uri),
      ['journal.example.org', 'shop.example.org'],
    );
    await agent.undo(done.task ?? '');
    await assertBack();

    const renamed = await agent.rename(drupal.uri, { ...WISH, newUri: 'stall.example.org' });
    assert.deepEqual([renamed.state, renamed.problems], ['succeeded', []]);
    assert.match(await notes(databaseOf(renamed)), /\/\/stall\.example\.org\/sites\/default\/files\/a\.png/);
    assert.match(readFileSync(join(drupal.path, 'settings.php'), 'utf8'), /Settings of market/);
    await agent.undo(renamed.task ?? '');
    await assertBack();
  });

  it('a Drupal in sites/default moves to the default place of other code, which gives way and comes back by undo', async () => {
    const root = dirname(dirname(drupal.path));
    const next = join(plain.home, 'next.example.org/web');
    for (const path of [dirname(next), next, join(next, 'core/lib'), join(next, 'sites/default')])
      mkdirSync(path, { recursive: true });
    writeFileSync(join(next, 'core/lib/Drupal.php'), readFileSync(join(root, 'core/lib/Drupal.php')));
    writeFileSync(join(next, 'sites/default/default.settings.php'), '<?php // newer\n');
    const done = await agent.migrate(drupal.uri, { ...WISH, platform: next, keepDatabase: true });
    assert.deepEqual([done.state, done.problems.map(({ code }) => code)], ['warned', ['drush-missing']]);
    assert.deepEqual([done.plan.newPath, existsSync(drupal.path)], [join(next, 'sites/default'), false]);
    assert.deepEqual((await found())[1], ['next.example.org', join(next, 'sites/default'), 0]);
    assert.match(
      await notes(drupal.database),
      new RegExp(`^${join(next, 'sites/default/files')} /srv/other/sites/default`, 'm'),
    );
    const isMoved = (name: string): boolean => /\.(?:cache_\w+|notes)$/.test(name);
    assert.deepEqual(
      differences(drupalWas.database, await observeDatabase(host.mariadb, drupal.database), isMoved),
      [],
    );
    await agent.undo(done.task ?? '');
    assert.deepEqual(readdirSync(join(next, 'sites/default')), ['default.settings.php']);
    await assertUntouched();

    // Somebody else's site is there: it gets a directory of its own name.
    writeFileSync(
      join(next, 'sites/default/settings.php'),
      "<?php $databases['default']['default'] = ['driver' => 'sqlite', 'database' => 'x'];\n",
    );
    const beside = await agent.migrate(drupal.uri, { ...WISH, platform: next });
    assert.equal(beside.plan.newPath, join(next, 'sites/shop.example.org'));
    assert.match(await notes(databaseOf(beside)), /^a:1:\{.*sites\/shop\.example\.org\/files\/ü\.png/);
    assert.match(
      readFileSync(join(next, 'sites/sites.php'), 'utf8'),
      /\['shop\.example\.org'\] = 'shop\.example\.org'/,
    );
    await agent.undo(beside.task ?? '');
    assert.ok(!existsSync(join(next, 'sites/sites.php')));
    rmSync(dirname(next), { recursive: true });
    await assertUntouched();
  });
});
