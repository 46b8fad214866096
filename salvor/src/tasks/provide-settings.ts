/**
 * Settings for a site whose archive has none, as Backup and Migrate leaves them out: no more than the log-in, in whose
 * place the new one is written afterwards as in any other, and the secret that Drupal wants.
 */
import { chownSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Platform } from '../sites/site.ts';
import { isThere } from '../lib/is-there.ts';

/** `directory` is ours alone. False where it has settings, or is of no Drupal. `secret` is letters and digits. */
export function provideSettings(
  directory: string,
  platform: Pick<Platform, 'cms' | 'version'>,
  owner: { readonly uid: number; readonly gid: number },
  secret: string,
): boolean {
  const has = (name: string): boolean => isThere(join(directory, name));
  if (platform.cms !== 'drupal' || has('settings.php')) return false;
  const path = join(directory, 'settings.php');
  writeFileSync(path, settingsOf(Number.parseInt(platform.version ?? '', 10), secret), { flag: 'wx', mode: 0o440 });
  if (process.getuid?.() === 0) chownSync(path, owner.uid, owner.gid);
  return true;
}

function settingsOf(major: number, secret: string): string {
  if (major < 7) return `<?php\n\n$db_url = 'mysqli://imported:imported@localhost/imported';\n$db_prefix = '';\n`;
  const salt = major === 7 ? '$drupal_hash_salt' : "$settings['hash_salt']";
  return `<?php

$databases['default']['default'] = array(
  'driver' => 'mysql',
  'database' => 'imported',
  'username' => 'imported',
  'password' => 'imported',
  'host' => 'localhost',
  'port' => '',
  'prefix' => '',
);
${salt} = '${secret}';
`;
}
