/**
 * What is done to a site while it is hit. Restored: the whole of it, chosen paths, chosen tables, another site's point, a
 * site that does not lie in one piece. Given another name: a clone, also a masked one, a rename, a move to another platform,
 * where Drush updates it, under a new name, to another disk. Made of an archive. Taken away, it or a clone of it. Switched
 * off. Each begins with the same ruin of its site and ends, undone, with that ruin again.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, lchownSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writePlatform } from '../../../demo/aegir-account.ts';
import type { DemoHost, DemoSite } from '../../../demo/host.ts';
import { toPhp } from '../../../demo/php-value.ts';

export const SHAPES = [
  'whole',
  'paths',
  'tables',
  'into',
  'scattered',
  'clone',
  'masked',
  'rename',
  'migrate',
  'migrate-as',
  'elsewhere',
  'import',
  'import-old',
  'delete',
  'delete-clone',
  'disable',
] as const;
export type ShapeName = (typeof SHAPES)[number];

export type Shape = {
  /** Whose point it is. */
  readonly source: DemoSite;
  /** Whose files and tables change. */
  readonly target: DemoSite;
  /** What is typed. `POINT` stands for the source's point, `ARCHIVE` for a file that was exported out of it, `OLD` for one as Aegir packs it. */
  readonly command: readonly string[];
  /** Where files of the target lie, before or after; its own directory where it is left out. */
  readonly places?: readonly string[];
  /** What undone ones keep would fill the disk that they come to. */
  readonly isOnSmallDisk?: true;
  /** The beginning of the name of a database that only the new one has. */
  readonly database?: string;
  /** Its table of users, where each task puts other words in their place. */
  readonly masked?: string;
  /** What stands before the shape begins, made and confirmed by it; it goes with it. */
  readonly begins?: readonly string[];
  /** Whose page the new one answers with; source and target where it is left out. */
  readonly served?: readonly string[];
};

/** The name that sites get. */
export const NEW_URI = 'second.example.org';
export const NEW_DATABASE = 'secondexampleorg';
export const NEXT_PLATFORM = 'drupal-10-next';

/** A file of PHP that differs between ruin and point: a switch gives it its own time. */
const CHANGED_PHP = 'modules/custom/harbour/harbour.module';

/** What has the time of its task: directories in which the shape `paths` puts an entry, the file that `disable` makes. */
export const TIMED_BY_TASK: ReadonlySet<string> = new Set(['.', 'modules/custom/harbour', '.maintenance']);

/** Of a host with the two Drupal sites, one of them scattered by `scatter`. */
export function shapeOf(host: DemoHost, name: ShapeName): Shape {
  const harbour = host.site('harbour.example.org');
  const market = host.site('market.example.org');
  switch (name) {
    case 'whole':
      return { source: harbour, target: harbour, command: restoring(harbour) };
    case 'paths':
      return {
        source: harbour,
        target: harbour,
        command: restoring(harbour, '--path', 'files', '--path', CHANGED_PHP),
      };
    case 'tables':
      return {
        source: harbour,
        target: harbour,
        command: restoring(harbour, '--table', 'sessions', '--table', 'watchdog'),
      };
    case 'into':
      return { source: harbour, target: market, command: restoring(harbour, '--into', market.uri) };
    case 'scattered':
      return { source: market, target: market, command: restoring(market) };
    case 'clone':
      return { ...becomingSecond(harbour), command: ['clone', harbour.uri, NEW_URI] };
    case 'masked':
      return {
        ...becomingSecond(harbour),
        command: ['clone', harbour.uri, NEW_URI, '--mask'],
        masked: 'users_field_data',
      };
    case 'import':
    case 'import-old': {
      const archive = name === 'import' ? 'ARCHIVE' : 'OLD';
      const platform = dirname(dirname(harbour.path));
      return { ...becomingSecond(harbour), command: ['import', archive, '--uri', NEW_URI, '--platform', platform] };
    }
    case 'delete': {
      const places = [harbour.path, join(host.account.home, '.drush', `${harbour.uri}.alias.drushrc.php`)];
      const command = ['delete', harbour.uri, '--confirm', harbour.uri, '--yes'];
      return { source: harbour, target: harbour, command, places, served: [] };
    }
    case 'delete-clone': {
      const command = ['delete', NEW_URI, '--confirm', NEW_URI, '--yes'];
      return {
        ...becomingSecond(harbour),
        command,
        begins: ['clone', harbour.uri, NEW_URI],
        served: [harbour.uri],
      };
    }
    case 'rename': {
      const places = [harbour.path, join(dirname(harbour.path), NEW_URI)];
      return {
        source: harbour,
        target: harbour,
        command: ['rename', harbour.uri, NEW_URI, '--yes'],
        places,
        served: [NEW_URI],
      };
    }
    case 'migrate': {
      const places = [harbour.path, join(nextPlatformOf(host), 'sites', harbour.uri)];
      const command = ['migrate', harbour.uri, '--platform', nextPlatformOf(host), '--yes'];
      return { source: harbour, target: harbour, command, places };
    }
    case 'migrate-as': {
      const places = [harbour.path, join(nextPlatformOf(host), 'sites', NEW_URI)];
      const command = ['migrate', harbour.uri, NEW_URI, '--platform', nextPlatformOf(host), '--yes'];
      return { source: harbour, target: harbour, command, places, served: [NEW_URI] };
    }
    case 'elsewhere': {
      const root = apartPlatformOf(host);
      const places = [harbour.path, join(root, 'sites', harbour.uri)];
      return {
        source: harbour,
        target: harbour,
        command: ['migrate', harbour.uri, '--platform', root, '--yes'],
        places,
        isOnSmallDisk: true,
      };
    }
    case 'disable':
      return { source: harbour, target: harbour, command: ['disable', harbour.uri], served: [] };
    default:
      return name satisfies never;
  }
}

function becomingSecond(source: DemoSite): Omit<Shape, 'command'> {
  const target = { ...source, uri: NEW_URI, path: join(dirname(source.path), NEW_URI) };
  return { source, target, database: NEW_DATABASE };
}

function restoring({ uri }: DemoSite, ...flags: readonly string[]): readonly string[] {
  return ['restore', uri, 'POINT', ...flags, '--yes'];
}

/** Where sites are served from. */
export function platformsOf(host: DemoHost): readonly string[] {
  return [dirname(dirname(host.site('harbour.example.org').path)), nextPlatformOf(host), apartPlatformOf(host)];
}

function nextPlatformOf(host: DemoHost): string {
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

function apartPlatformOf(host: DemoHost): string {
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

/** What the page of a ruin says, and no other. */
export const RUINED = 'ruined';

/**
 * Files go, come and change; tables go, come and change; views and a trigger's table too. Its rows and its files are still of
 * one site: the page answers, and says that it is the old one.
 */
export async function ruin(host: DemoHost, site: DemoSite): Promise<void> {
  const { path, database, user } = site;
  rmSync(join(path, 'files/pictures'), { recursive: true });
  writeFileSync(join(path, 'stray.txt'), 'not in the point\n');
  writeFileSync(join(path, 'private/stray.txt'), 'not in the point\n');
  renameSync(join(path, 'modules/custom'), join(path, 'modules/moved'));
  renameSync(join(path, 'modules/moved'), join(path, 'modules/custom'));
  appendFileSync(join(path, CHANGED_PHP), '// changed\n');
  await host.mariadb.query(
    `USE \`${database}\`; DELETE FROM sessions; DROP TABLE watchdog, tickets; DROP SEQUENCE numbers; DROP VIEW ticket_names;
     CREATE OR REPLACE DEFINER=\`${user}\`@localhost SQL SECURITY INVOKER VIEW recent_content AS
       SELECT nid, CONCAT('${RUINED} ', title) AS title, changed, 'nobody' AS author FROM node_field_data;
     DELETE FROM file_managed WHERE uri LIKE 'public://pictures/%';
     UPDATE harbour_state SET value = REPLACE(REPLACE(value, ',"watchdog"', ''), '"name":"', '"name":"${RUINED} ');
     CREATE TABLE stray (id INT PRIMARY KEY, text TEXT); INSERT INTO stray VALUES (1, 'not in the point');`,
  );
}
