import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { makeContext } from './make-context.ts';
import type { AegirContext } from './read-alias.ts';

test('a context is what PHP reads it as, with the servers that the home has', () => {
  const context = (name: string, type: AegirContext['type'], values: Record<string, string>): AegirContext => ({
    name,
    type,
    file: '',
    values: new Map(Object.entries(values)),
    lists: new Map(),
  });
  const contexts = [
    context('server_local', 'server', { db_service_type: 'mysql' }),
    context('server_master', 'server', { db_service_type: '' }),
    context('platform_X', 'platform', { web_server: '@server_web' }),
  ];
  const read = (bytes: Buffer): unknown =>
    JSON.parse(
      execFileSync('php', [], { input: `${bytes.toString('latin1')}\necho json_encode($aliases);` }).toString(),
    );
  const platform = { name: 'platform_X', root: "/h/it's" };
  const made = read(makeContext('new.test', 'new.test', platform, contexts)) as Record<string, Record<string, unknown>>;
  assert.deepEqual(made['new.test'], {
    context_type: 'site',
    platform: '@platform_X',
    server: '@server_web',
    db_server: '@server_local',
    uri: 'new.test',
    root: "/h/it's",
    site_path: "/h/it's/sites/new.test",
    site_enabled: true,
    language: 'en',
    aliases: [],
    redirection: false,
    cron_key: '',
    drush_aliases: [],
  });
  const near = [...contexts, context('old.test', 'site', { db_server: '@server_db' })];
  assert.match(makeContext('new.test', 'new.test', platform, near).toString(), /'db_server' => '@server_db'/);
});
