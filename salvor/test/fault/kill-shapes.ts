/**
 * What is done to a site while it is hit. Restored: the whole of it, chosen paths, chosen tables, another site's point, a
 * site that does not lie in one piece. Given another name: a clone, a rename, a move to another platform, also on another disk. Made of an archive.
 * Taken away. Switched off, by the file in its directory. Each begins with the same ruin of its site and ends, undone, with
 * that ruin again.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, cpSync, lchownSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { writePlatform } from '../../../demo/aegir-account.ts';
import type { DemoHost, DemoSite } from '../../../demo/host.ts';

export const SHAPES = [
  'whole',
  'paths',
  'tables',
  'into',
  'scattered',
  'clone',
  'rename',
  'migrate',
  'elsewhere',
  'import',
  'delete',
  'disable',
] as const;
export type ShapeName = (typeof SHAPES)[number];

export type Shape = {
  /** Whose point it is. */
  readonly source: DemoSite;
  /** Whose files and tables change. */
  readonly target: DemoSite;
  /** What is typed. `POINT` stands for the source's point, `ARCHIVE` for a file that was exported out of it. */
  readonly command: readonly string[];
  /** Where files of the target lie, before or after; its own directory where it is left out. */
  readonly places?: readonly string[];
  /** What undone ones keep would fill the disk that they come to. */
  readonly isOnSmallDisk?: true;
  /** The beginning of the name of a database that only the new one has. */
  readonly database?: string;
};

/** The name that sites get. */
const NEW_URI = 'second.example.org';
const NEW_DATABASE = 'secondexampleorg';
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
    case 'import': {
      const platform = dirname(dirname(harbour.path));
      return { ...becomingSecond(harbour), command: ['import', 'ARCHIVE', '--uri', NEW_URI, '--platform', platform] };
    }
    case 'delete': {
      const places = [harbour.path, join(host.account.home, '.drush', `${harbour.uri}.alias.drushrc.php`)];
      const command = ['delete', harbour.uri, '--confirm', harbour.uri, '--yes'];
      return { source: harbour, target: harbour, command, places };
    }
    case 'rename': {
      const places = [harbour.path, join(dirname(harbour.path), NEW_URI)];
      return { source: harbour, target: harbour, command: ['rename', harbour.uri, NEW_URI, '--yes'], places };
    }
    case 'migrate': {
      const places = [harbour.path, join(nextPlatformOf(host), 'sites', harbour.uri)];
      const command = ['migrate', harbour.uri, '--platform', nextPlatformOf(host), '--yes'];
      return { source: harbour, target: harbour, command, places };
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
      return { source: harbour, target: harbour, command: ['disable', harbour.uri] };
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

function nextPlatformOf(host: DemoHost): string {
  return join(dirname(dirname(dirname(host.site('harbour.example.org').path))), NEXT_PLATFORM);
}

/** The same code once more, and no site on it. There is no Drush: that is told, and the site stands. */
export async function addPlatform(host: DemoHost): Promise<void> {
  const root = dirname(dirname(host.site('harbour.example.org').path));
  const next = nextPlatformOf(host);
  cpSync(root, next, { recursive: true, filter: (path) => !path.startsWith(`${root}/sites/`) });
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

/** The same code on a disk of its own. */
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
     INSERT INTO tickets (name) VALUES ('a'), ('b');`,
  );
}

/** Files go, come and change; tables go, come and change; views and a trigger's table too. */
export async function ruin(host: DemoHost, site: DemoSite): Promise<void> {
  const { path, database } = site;
  rmSync(join(path, 'files/pictures'), { recursive: true });
  writeFileSync(join(path, 'stray.txt'), 'not in the point\n');
  writeFileSync(join(path, 'private/stray.txt'), 'not in the point\n');
  renameSync(join(path, 'modules/custom'), join(path, 'modules/moved'));
  renameSync(join(path, 'modules/moved'), join(path, 'modules/custom'));
  appendFileSync(join(path, CHANGED_PHP), '// changed\n');
  await host.mariadb.query(
    `USE \`${database}\`; DELETE FROM sessions; DROP TABLE watchdog, tickets; DROP SEQUENCE numbers; DROP VIEW recent_content;
     CREATE TABLE stray (id INT PRIMARY KEY, text TEXT); INSERT INTO stray VALUES (1, 'not in the point');`,
  );
}
