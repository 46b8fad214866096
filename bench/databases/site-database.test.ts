import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Random } from '../../demo/random.ts';
import { openMariaDb } from '../../demo/mariadb-server.ts';
import { Prose } from './prose.ts';
import { SiteDatabase } from './site-database.ts';

test('a day adds rows at the end, or changes two in a hundred side by side, or anywhere', async () => {
  await using server = await openMariaDb();
  const random = new Random(1);
  const site = new SiteDatabase(server, 'site', random, new Prose(random.fork('prose')));
  await site.fill(200);
  const read = async (): Promise<Map<number, string>> => {
    const rows = await server.query('SELECT nid, MD5(CONCAT(vid, uuid)) FROM site.node ORDER BY nid');
    return new Map(
      rows
        .trim()
        .split('\n')
        .map((row) => [Number(row.split('\t')[0]), row]),
    );
  };
  const live = async (mix: Parameters<typeof site.live>[0]): Promise<number[]> => {
    const before = await read();
    await site.live(mix);
    return [...(await read())].filter(([nid, row]) => before.get(nid) !== row).map(([nid]) => nid);
  };
  assert.deepEqual(await live('append'), [201]);
  const neighbours = await live('clustered');
  assert.deepEqual(
    neighbours,
    [0, 1, 2, 3].map((next) => (neighbours[0] ?? 0) + next),
  );
  const anywhere = await live('spread');
  assert.equal(anywhere.length, 4);
  assert.ok((anywhere.at(-1) ?? 0) - (anywhere[0] ?? 0) > 20);
});
