/** What the sites of a kill host lie in, and how they lie there: code, disks, places outside of a site, archives. */
import { execFileSync } from 'node:child_process';
import { cpSync, lchownSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writePlatform } from '../../../demo/aegir-account.ts';
import type { DemoHost, DemoSite } from '../../../demo/host.ts';
import { toPhp } from '../../../demo/php-value.ts';

export const NEXT_PLATFORM = 'drupal-10-next';

/** Where sites are served from. */
export function platformsOf(host: DemoHost): readonly string[] {
  const first = dirname(dirname(host.site('harbour.example.org').path));
  const roots = host.sites.map(({ path }) => dirname(dirname(path)));
  return [...new Set([first, nextPlatformOf(host), apartPlatformOf(host), ...roots])];
}

export function nextPlatformOf(host: DemoHost): string {
  return join(dirname(dirname(dirname(host.site('harbour.example.org').path))), NEXT_PLATFORM);
}

/** What an update does to a database, one after another and none of it at once: it may be hit between any two. */
const UPDATES = [
  'CREATE TABLE updated (id INT PRIMARY KEY, note TEXT) ENGINE=InnoDB',
  "INSERT INTO updated VALUES (1, 'by the new code')",
  'ALTER TABLE sessions ADD COLUMN updated INT NOT NULL DEFAULT 0',
  "UPDATE key_value SET value = 'i:10300;'",
  'DROP TABLE stray',
  'RENAME TABLE legacy_import TO legacy_updated; CREATE VIEW legacy_import AS SELECT * FROM legacy_updated',
];

/** In place of Drush: it logs in as the site does, and writes. */
function drushOf({ mariadb }: DemoHost): string {
  return `#!/usr/bin/env php
<?php
mysqli_report(MYSQLI_REPORT_ERROR | MYSQLI_REPORT_STRICT);
foreach ($argv as $word) if (preg_match('/^--(root|uri)=(.*)$/', $word, $found)) $wish[$found[1]] = $found[2];
require "{$wish['root']}/sites/{$wish['uri']}/drushrc.php";
$password = urldecode($options['db_passwd']);
$database = new mysqli('localhost', $options['db_user'], $password, $options['db_name'], 0, '${mariadb.socket}');
foreach (${toPhp(UPDATES.flatMap((update) => update.split('; ')))} as $update) {
  $database->query($update);
  usleep(20000);
}
`;
}

/** In place of a Drush that has nothing to update. */
export const IDLE_DRUSH = '#!/bin/sh\nexit 0\n';

/** The same code once more, no site on it, and a Drush: one that has updates for each site of a kill host that comes. */
export async function addPlatform(host: DemoHost, drush: string = drushOf(host)): Promise<void> {
  const root = dirname(dirname(host.site('harbour.example.org').path));
  const next = nextPlatformOf(host);
  cpSync(root, next, { recursive: true, filter: (path) => !path.startsWith(`${root}/sites/`) });
  mkdirSync(join(next, 'vendor/bin'));
  writeFileSync(join(next, 'vendor/bin/drush'), drush, { mode: 0o755 });
  execFileSync('chown', ['-R', `${host.account.uid}:${host.account.gid}`, next]);
  await writePlatform(host.account, { name: 'drupal_10_next', root: next });
}

/** Where another disk is mounted in the home, with code on it. */
export function apartDiskOf(host: DemoHost): string {
  return join(host.home, 'distro/002');
}

export function apartPlatformOf(host: DemoHost): string {
  return join(apartDiskOf(host), 'drupal-10-apart');
}

/** The same code on a disk of its own. There is no Drush: that is told, and the site stands. */
export async function addDisk(host: DemoHost): Promise<Disposable> {
  const disk = apartDiskOf(host);
  const root = dirname(dirname(host.site('harbour.example.org').path));
  const apart = apartPlatformOf(host);
  mkdirSync(disk);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', disk]);
  using mounted = new DisposableStack();
  mounted.defer(() => void execFileSync('umount', ['--lazy', disk]));
  cpSync(root, apart, { recursive: true, filter: (path) => !path.startsWith(`${root}/sites/`) });
  execFileSync('chown', ['-R', `${host.account.uid}:${host.account.gid}`, disk]);
  await writePlatform(host.account, { name: 'drupal_10_apart', root: apart });
  return mounted.move();
}

/** Where a scattered site's files lie. */
export function movedFilesOf(host: DemoHost): string {
  return join(host.home, 'static/files/market.files');
}

/** Its `files` lie outside of it with a link in their place, and `private` is a mount of its own. */
export function scatter(host: DemoHost, site: DemoSite): Disposable {
  const { uid, gid } = host.account;
  const target = movedFilesOf(host);
  mkdirSync(join(target, '..'), { recursive: true });
  lchownSync(join(target, '..'), uid, gid);
  renameSync(join(site.path, 'files'), target);
  symlinkSync(target, join(site.path, 'files'));
  lchownSync(join(site.path, 'files'), uid, gid);
  const mount = join(site.path, 'private');
  const kept = `${mount}.kept`;
  renameSync(mount, kept);
  mkdirSync(mount);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', mount]);
  execFileSync('cp', ['-a', `${kept}/.`, mount]);
  rmSync(kept, { recursive: true });
  return { [Symbol.dispose]: () => execFileSync('umount', ['--lazy', mount]) };
}

/** A table whose definition names its database, beside the sequence that its default is taken from. */
export async function bindDefault(host: DemoHost, { database }: DemoSite): Promise<void> {
  await host.mariadb.query(
    `USE \`${database}\`; CREATE SEQUENCE numbers; CREATE TABLE tickets (id BIGINT DEFAULT NEXTVAL(numbers) PRIMARY KEY, name TEXT);
     INSERT INTO tickets (name) VALUES ('a'), ('b'); CREATE VIEW ticket_names AS SELECT name FROM tickets;`,
  );
}

/** As Aegir packs a site: the dump among the files, by the stock client as the site's own user. */
export function packAsAegir(
  { mariadb }: DemoHost,
  { path, database, user, password }: DemoSite,
  archive: string,
): void {
  const dump = join(path, 'database.sql');
  const words = ['--no-defaults', `--socket=${mariadb.socket}`, `--user=${user}`, '--single-transaction', '--routines'];
  // A default that takes from a sequence of another name can't be loaded under the locks that this client writes.
  words.push(...['tickets', 'numbers', 'ticket_names'].map((name) => `--ignore-table=${database}.${name}`));
  const env = { PATH: process.env['PATH'], MYSQL_PWD: password };
  writeFileSync(dump, execFileSync('mariadb-dump', [...words, database], { env, maxBuffer: 1 << 28 }));
  execFileSync('tar', ['-czf', archive, '-C', path, '.']);
  rmSync(dump);
}
