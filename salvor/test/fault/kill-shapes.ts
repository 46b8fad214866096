/**
 * What is done to a site while it is hit. Restored: the whole of it, chosen paths, chosen tables, another site's point, a
 * site that does not lie in one piece, one of two databases, a WordPress. Given another name: a clone, also a masked one, a
 * rename, a move to another platform, where Drush updates it, under a new name, with the database that it has, to another
 * disk. Made of an archive. Taken away, it or a clone of it, also where a database of it can't be saved. Switched off, also
 * by an Aegir that it is handed over to. Each begins with the same ruin of its site and ends, undone, with that ruin again.
 */
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import type { DemoHost, DemoSite } from '../../../demo/host.ts';
import { PAIR_URI, UNSAVED_URI, handOverPolicy } from './kill-further.ts';
import { CHANGED_PHP } from './kill-ruin.ts';
import { apartPlatformOf, nextPlatformOf } from './kill-sites.ts';

export const SHAPES = [
  'whole',
  'paths',
  'tables',
  'into',
  'scattered',
  'pair',
  'wordpress',
  'clone',
  'masked',
  'rename',
  'rename-kept',
  'migrate',
  'migrate-as',
  'migrate-kept',
  'elsewhere',
  'import',
  'import-old',
  'delete',
  'delete-clone',
  'delete-unsaved',
  'disable',
  'beside',
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
  /** The beginning of the name of a database that only the new one has: one of `NEW_DATABASES`. */
  readonly database?: string;
  /** Its table of users, where each task puts other words in their place. */
  readonly masked?: string;
  /** What stands before the shape begins, made and confirmed by it; it goes with it. */
  readonly begins?: readonly string[];
  /** Whose page the new one answers with; source and target where it is left out. */
  readonly served?: readonly string[];
  /** A database that can't be saved stays where it is, and the task says so: hit at its server, that is each. */
  readonly mayLeaveDatabases?: true;
  /** In place of the host's own policy: Aegir's command does it, and `enable` is its way back, not `undo`. */
  readonly handedOverBy?: string;
};

/** Whether a database, or a user, is one that a task has made for a site. */
export function isMade(name: string): boolean {
  return NEW_DATABASES.some((beginning) => name.startsWith(beginning));
}

/** The name that sites get. */
export const NEW_URI = 'second.example.org';
const NEW_DATABASE = 'secondexampleorg';
/** Of one that keeps its name: that of its old database is taken. */
const NEXT_DATABASE = 'harbourexampleor_0';
/** With the underscore of the server's patterns as it is: no other name is like it. */
export const NEW_DATABASES: readonly string[] = [NEW_DATABASE, NEXT_DATABASE];

/** What has the time of its task: directories in which the shape `paths` puts an entry, the file that `disable` makes. */
export const TIMED_BY_TASK: ReadonlySet<string> = new Set(['.', 'modules/custom/harbour', '.maintenance']);

/** Of a host with the two Drupal sites, one of them scattered by `scatter`, and those that `sitesFor` names. */
export function shapeOf(host: DemoHost, name: ShapeName): Shape {
  const harbour = host.site('harbour.example.org');
  const market = host.site('market.example.org');
  switch (name) {
    case 'whole':
      return restoringWhole(harbour);
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
      return restoringWhole(market);
    case 'pair':
      return restoringWhole(host.site(PAIR_URI));
    case 'wordpress':
      return restoringWhole(wordPressOf(host));
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
    case 'delete':
      return deleting(host, harbour);
    case 'delete-unsaved':
      return { ...deleting(host, host.site(UNSAVED_URI), '--without-backup'), mayLeaveDatabases: true };
    case 'delete-clone': {
      const command = ['delete', NEW_URI, '--confirm', NEW_URI, '--yes'];
      return {
        ...becomingSecond(harbour),
        command,
        begins: ['clone', harbour.uri, NEW_URI],
        served: [harbour.uri],
      };
    }
    case 'rename':
      return { ...renaming(harbour), database: NEW_DATABASE };
    case 'rename-kept':
      return renaming(harbour, '--keep-database');
    case 'migrate':
      return { ...migrating(harbour, nextPlatformOf(host)), database: NEXT_DATABASE };
    case 'migrate-as':
      return { ...migrating(harbour, nextPlatformOf(host), NEW_URI), database: NEW_DATABASE };
    case 'migrate-kept':
      return migrating(harbour, nextPlatformOf(host), harbour.uri, '--keep-database');
    case 'elsewhere':
      return { ...migrating(harbour, apartPlatformOf(host)), database: NEXT_DATABASE, isOnSmallDisk: true };
    case 'disable':
      return disabling(harbour);
    case 'beside':
      return { ...disabling(harbour), handedOverBy: handOverPolicy(host) };
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

function restoringWhole(site: DemoSite): Shape {
  return { source: site, target: site, command: restoring(site) };
}

function deleting({ account }: DemoHost, site: DemoSite, ...flags: readonly string[]): Shape {
  const places = [site.path, join(account.home, '.drush', `${site.uri}.alias.drushrc.php`)];
  const command = ['delete', site.uri, '--confirm', site.uri, '--yes', ...flags];
  return { source: site, target: site, command, places, served: [] };
}

function renaming(site: DemoSite, ...flags: readonly string[]): Shape {
  const places = [site.path, join(dirname(site.path), NEW_URI)];
  const command = ['rename', site.uri, NEW_URI, ...flags, '--yes'];
  return { source: site, target: site, command, places, served: [NEW_URI] };
}

/** Under the name that it has, or a new one. */
function migrating(site: DemoSite, root: string, uri = site.uri, ...flags: readonly string[]): Shape {
  const words = uri === site.uri ? [] : [uri];
  return {
    source: site,
    target: site,
    command: ['migrate', site.uri, ...words, '--platform', root, ...flags, '--yes'],
    places: [site.path, join(root, 'sites', uri)],
    served: [uri],
  };
}

function disabling(site: DemoSite): Shape {
  return { source: site, target: site, command: ['disable', site.uri], served: [] };
}

function wordPressOf({ sites }: DemoHost): DemoSite {
  return sites.find(({ cms }) => cms === 'wordpress') ?? assert.fail('no WordPress');
}
