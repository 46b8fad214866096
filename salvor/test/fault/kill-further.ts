/**
 * What single shapes need besides the two sites: one of two databases, one with a database that can't be saved, a
 * WordPress, the panel of a living Aegir with a command that has it do things.
 */
import { appendFileSync, chmodSync, chownSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BuildHostOptions, DemoHost, DemoSite } from '../../../demo/host.ts';
import { toPhp } from '../../../demo/php-value.ts';
import { switchVhostOff } from '../../src/sites/switch-off-vhost.ts';
import type { ShapeName } from './kill-shapes.ts';

export const PAIR_URI = 'pair.example.org';
export const UNSAVED_URI = 'unsaved.example.org';
/** By URI: the database that a site has besides the one of its pages. */
const FURTHER: Readonly<Record<string, string>> = { [PAIR_URI]: 'visitsofpair', [UNSAVED_URI]: 'lostone' };
/** The user that settings name for the database that can't be saved: the server knows nobody of that name. */
const NOBODY = 'nobodys';

type FurtherShapes = { readonly uris: readonly string[]; readonly hasWordPress: boolean; readonly hasPanel: boolean };

function furtherOf(shapes: readonly ShapeName[]): FurtherShapes {
  const uris = [
    ...(shapes.includes('pair') ? [PAIR_URI] : []),
    ...(shapes.includes('delete-unsaved') ? [UNSAVED_URI] : []),
  ];
  return { uris, hasWordPress: shapes.includes('wordpress'), hasPanel: shapes.includes('beside') };
}

/** For `buildHost`: none that no shape needs, as each is looked at after every hit. */
export function sitesFor(shapes: readonly ShapeName[]): Pick<BuildHostOptions, 'withoutWordPress' | 'furtherSites'> {
  const { uris, hasWordPress } = furtherOf(shapes);
  return { withoutWordPress: !hasWordPress, furtherSites: uris };
}

/** Before the first point. */
export async function addFurther(host: DemoHost, shapes: readonly ShapeName[]): Promise<void> {
  const { uris, hasPanel } = furtherOf(shapes);
  for (const uri of uris) await addDatabase(host, host.site(uri));
  if (hasPanel) await addPanel(host);
  for (const { cms, path } of host.sites) if (cms === 'wordpress') forgetStyles(join(path, 'wp-config.php'));
}

/** Else a WordPress writes into its database with the first page of every minute: a page of the kill test changes nothing. */
function forgetStyles(settings: string): void {
  const text = readFileSync(settings, 'utf8');
  writeFileSync(settings, text.replace("define('WP_DEBUG', false);\n", "$&define('SCRIPT_DEBUG', true);\n"));
}

/** Its own, by name; that of its pages first. */
export function databasesOf({ uri, database }: Pick<DemoSite, 'uri' | 'database'>): readonly string[] {
  const further = FURTHER[uri];
  return further === undefined ? [database] : [database, further];
}

async function addDatabase({ mariadb }: DemoHost, site: DemoSite): Promise<void> {
  const [, database = ''] = databasesOf(site);
  const isSaved = site.uri === PAIR_URI;
  await mariadb.query(
    `CREATE DATABASE ${database}; USE ${database}; CREATE TABLE visits (id INT PRIMARY KEY, page VARCHAR(80));
     CREATE TABLE referrers (id INT PRIMARY KEY, url TEXT); INSERT INTO referrers VALUES (1, 'https://other.example.org/');
     INSERT INTO visits SELECT seq, CONCAT('/page/', seq) FROM seq_1_to_500;
     CREATE DEFINER=${site.user}@localhost SQL SECURITY INVOKER VIEW first_visits AS SELECT * FROM visits WHERE id < 10;
     ${isSaved ? `GRANT ALL ON ${database}.* TO ${site.user}@localhost;` : ''}`,
  );
  const login = {
    driver: 'mysql',
    database,
    username: isSaved ? site.user : NOBODY,
    password: site.password,
    host: 'localhost',
    unix_socket: mariadb.socket,
    prefix: '',
  };
  appendFileSync(join(site.path, 'settings.php'), `$databases['visits']['default'] = ${toPhp(login)};\n`);
}

/** With the site's own ruin: of the second database too. */
export async function ruinFurther({ mariadb }: DemoHost, site: DemoSite): Promise<void> {
  const [, database] = databasesOf(site);
  if (database !== undefined)
    await mariadb.query(
      `USE ${database}; DELETE FROM visits WHERE id % 3 = 0; DROP TABLE referrers; DROP VIEW first_visits;
       CREATE TABLE stray (id INT PRIMARY KEY); INSERT INTO stray VALUES (1);`,
    );
}

/** The market's site becomes the panel: it has the tables of Aegir's queue, and no task runs. */
async function addPanel(host: DemoHost): Promise<void> {
  const panel = host.site('market.example.org');
  const context = { context_type: 'site', uri: panel.uri };
  const file = join(host.home, '.drush/hostmaster.alias.drushrc.php');
  writeFileSync(file, `<?php\n$aliases['hostmaster'] = ${toPhp(context)};\n`);
  await host.mariadb.query(
    `USE \`${panel.database}\`; CREATE TABLE hosting_context (nid INT UNSIGNED PRIMARY KEY, name VARCHAR(100) UNIQUE);
     CREATE TABLE hosting_task (vid INT UNSIGNED PRIMARY KEY, nid INT UNSIGNED, task_type LONGTEXT, rid INT, task_status INT, executed INT, delta INT);`,
  );
  writeFileSync(commandOf(host), COMMAND);
  chmodSync(commandOf(host), 0o755);
  const served = join(host.home, VHOSTS, 'vhost.d/harbour.example.org');
  const away = join(host.home, VHOSTS, 'harbour.example.org.away');
  writeFileSync(away, switchVhostOff(readFileSync(served, 'utf8')), { mode: 0o600 });
  chownSync(away, host.account.uid, host.account.gid);
}

const VHOSTS = 'config/server_master/nginx';

/** In place of Aegir's: switches a site off and on again by one exchange, with time to be hit before and after it. */
const COMMAND = `#!/usr/bin/perl
use strict;
use POSIX;
my $vhosts = "$ENV{HOME}/${VHOSTS}";
my ($served, $away) = ("$vhosts/vhost.d/$ENV{SALVOR_SITE}", "$vhosts/$ENV{SALVOR_SITE}.away");
select(undef, undef, undef, 0.1);
# renameat2 with RENAME_EXCHANGE; both paths are absolute.
my $renameat2 = (POSIX::uname())[4] eq 'aarch64' ? 276 : 316;
syscall($renameat2, -100, $served, -100, $away, 2) == 0 or die "$served: $!";
select(undef, undef, undef, 0.1);
`;

function commandOf({ home }: DemoHost): string {
  return join(home, 'static/aegir.pl');
}

/** A policy by which tasks that are Aegir's are handed over to it. */
export function handOverPolicy(host: DemoHost): string {
  return `policy:
  adopt: beside
  aegir: { command: [${JSON.stringify(commandOf(host))}], wait: 60s }
  webServer: { kind: nginx, php: unix:/run/php.sock }
`;
}
