import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { DatabaseLogin } from '../databases/mariadb/connect.ts';
import { makeSite, openTestServer, type TestServer } from '../databases/mariadb/test-database.ts';
import type { SharingSite, SiteDatabase } from '../sites/site.ts';
import { findOwnNames } from './own-names.ts';

describe('what is a site’s in a database that others name too', () => {
  let server: TestServer;
  let login: DatabaseLogin;
  let other: DatabaseLogin;
  let stranger: DatabaseLogin;
  before(async () => {
    server = await openTestServer();
    const site = await makeSite(server, 'pool', 'CREATE TABLE wp_a (i INT);');
    ({ login } = site);
    stranger = (await makeSite(server, 'elsewhere', '')).login;
    const second = await makeSite(server, 'third', '');
    other = second.login;
    await server.server.query(`GRANT SELECT ON pool.* TO '${second.account.user}'@localhost`);
  });
  after(() => server[Symbol.asyncDispose]());

  const sharing = (prefixes: readonly string[], as = other, isNetwork = false): SharingSite => ({
    site: `o1/${prefixes.join('-') || 'none'}.test`,
    prefixes,
    isNetwork,
    login: as,
  });
  const find = async (
    prefix: string,
    sharedWith: readonly SharingSite[],
    more: { isNetwork?: boolean; otherPrefixes?: string[] } = {},
  ) => {
    const { isNetwork = false, otherPrefixes = [] } = more;
    const database: SiteDatabase = { engine: 'mariadb', name: 'pool', login, prefix, otherPrefixes, sharedWith };
    const { names, obstacles, notes } = await findOwnNames({ isNetwork }, database, undefined);
    return { names, obstacles: obstacles.map(({ code }) => code), notes: notes.map(({ code }) => code) };
  };
  const ALONE = { names: null, obstacles: [], notes: [] };

  test('is everything where nobody else does, or only those whom the server does not let in', async () => {
    assert.deepEqual(await find('wp_', []), ALONE);
    const wrong = { ...other, password: 'wrong' };
    const nobody = { ...other, user: 'nobody-at-all' };
    for (const refused of [stranger, wrong, nobody])
      assert.deepEqual(await find('wp_', [sharing(['wp_'], refused)]), ALONE, refused.user);
  });

  test('is what begins with its own prefixes where another one is let in, with a log-in of his own or the same one', async () => {
    for (const as of [other, login])
      assert.deepEqual(await find('a_', [sharing(['b_', 'c_'], as)], { otherPrefixes: ['s_', 'far.'] }), {
        names: { own: ['a_', 's_'], others: ['b_', 'c_'] },
        obstacles: [],
        notes: [],
      });
  });

  test('cannot be told from another’s with the same prefix, nor where a network has blogs of that one', async () => {
    assert.deepEqual((await find('a_', [sharing(['a_'])])).obstacles, ['database-shared']);
    assert.deepEqual((await find('b_', [sharing(['c_', 's_'])], { otherPrefixes: ['s_'] })).obstacles, [
      'database-shared',
    ]);
    assert.deepEqual((await find('wp_', [sharing(['wp_2_'])], { isNetwork: true })).obstacles, ['prefix-ambiguous']);
    assert.deepEqual((await find('wp_2_', [sharing(['wp_'], other, true)])).obstacles, ['prefix-ambiguous']);
  });

  test('is told with a word where one prefix begins like another, either way, and where there is none', async () => {
    for (const [ours, theirs] of [
      ['a_', 'a_b_'],
      ['a_b_', 'a_'],
      ['', 'a_'],
      ['a_', ''],
      ['wp_', 'wp_2_'],
      ['wp_', 'wp_shop_'],
    ] as const) {
      const found = await find(ours, [sharing([theirs])]);
      assert.deepEqual([found.obstacles, found.notes], [[], ['prefix-nested']], `${ours} ${theirs}`);
    }
    assert.deepEqual((await find('a_', [sharing(['b_'])])).notes, []);
  });

  test('is not guessed where the server is away', async () => {
    const away = { ...other, address: { socket: '/nowhere/s' } };
    await assert.rejects(find('a_', [sharing(['b_'], away)]), { code: 'database-unreachable' });
  });
});
