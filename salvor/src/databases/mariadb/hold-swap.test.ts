import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openMariaDb } from '../../../../demo/mariadb-server.ts';
import { openConnection } from './connect.ts';
import { holdSwap, inspectSwap } from './inspect-swap.ts';
import { planSwap, WHOLE_DATABASE } from './plan-swap.ts';

test('a switch whose client is gone is waited for before it is told how far it has come', async () => {
  await using server = await openMariaDb();
  await server.query('CREATE DATABASE live; CREATE DATABASE salvor_t_new; CREATE DATABASE salvor_t_old');
  await server.query('CREATE TABLE live.a (i INT); CREATE TABLE salvor_t_new.a (i INT)');
  const plan = planSwap(
    {
      liveTables: ['a'],
      scratchTables: ['a'],
      partitioned: [],
      liveObjects: [],
      scratchObjects: [],
      scratchDefaults: [],
      foreignKeys: [],
      danglingKeys: [],
    },
    {
      live: 'live',
      scratch: 'salvor_t_new',
      old: 'salvor_t_old',
      scope: WHOLE_DATABASE,
      definer: { user: 'u', host: 'localhost' },
      definers: [],
    },
  );
  const killed = await openConnection(server.rootLogin);
  await holdSwap(killed, 'live');
  // Its last statement goes on in the server for a while, as a RENAME of many tables does.
  const statement = killed
    .query('SELECT SLEEP(1)')
    .then(() => killed.execute('RENAME TABLE live.a TO salvor_t_old.a, salvor_t_new.a TO live.a'))
    .then(() => killed.close());
  assert.equal((await inspectSwap(server.rootLogin, plan)).state, 'after');
  await statement;
});
