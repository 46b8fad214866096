import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasCode } from '../../test/fault/fault-host.ts';
import { checkLogIns } from '../sites/check-log-ins.ts';
import type { SiteDatabase } from '../sites/site.ts';
import { requireRewritten } from './build-new-site.ts';

const database = (name: string): SiteDatabase => ({
  engine: 'mariadb',
  name,
  login: { address: { socket: '/run/mysqld/mysqld.sock' }, user: name, password: 'x' },
  prefix: '',
  otherPrefixes: [],
  sharedWith: [],
});

test('a clone whose settings would still name a database of its origin does not appear', () => {
  const read = { settings: '/sites/new/settings.php', problems: [] };
  requireRewritten(checkLogIns({ ...read, databases: [database('new')] }, [database('new')]));
  for (const found of [[database('old')], [], [database('new'), database('old')]])
    assert.throws(
      () => requireRewritten(checkLogIns({ ...read, databases: found }, [database('new')])),
      hasCode('settings-not-rewritten'),
    );
});
