/**
 * What is restored while it is hit: the whole of a site, chosen paths, chosen tables, another site's point, and a site
 * that does not lie in one piece. Each begins with the same ruin of its site and ends, undone, with that ruin again.
 */
import { execFileSync } from 'node:child_process';
import { appendFileSync, lchownSync, mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { DemoHost, DemoSite } from '../../../demo/host.ts';

export const SHAPES = ['whole', 'paths', 'tables', 'into', 'scattered'] as const;
export type ShapeName = (typeof SHAPES)[number];

export type Shape = {
  /** Whose point it is. */
  readonly source: DemoSite;
  /** Whose files and tables change. */
  readonly target: DemoSite;
  /** What `restore SITE POINT` is given besides. */
  readonly flags: readonly string[];
};

/** A file of PHP that differs between ruin and point: a switch gives it its own time. */
const CHANGED_PHP = 'modules/custom/harbour/harbour.module';

/** In these an entry is put by the shape `paths`: they have the time of that. */
export const TOUCHED_DIRECTORIES: ReadonlySet<string> = new Set(['.', 'modules/custom/harbour']);

/** Of a host with the two Drupal sites, one of them scattered by `scatter`. */
export function shapeOf(host: DemoHost, name: ShapeName): Shape {
  const harbour = host.site('harbour.example.org');
  const market = host.site('market.example.org');
  switch (name) {
    case 'whole':
      return { source: harbour, target: harbour, flags: [] };
    case 'paths':
      return { source: harbour, target: harbour, flags: ['--path', 'files', '--path', CHANGED_PHP] };
    case 'tables':
      return { source: harbour, target: harbour, flags: ['--table', 'sessions', '--table', 'watchdog'] };
    case 'into':
      return { source: harbour, target: market, flags: ['--into', market.uri] };
    case 'scattered':
      return { source: market, target: market, flags: [] };
    default:
      return name satisfies never;
  }
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
    `USE \`${database}\`; DELETE FROM sessions; DROP TABLE watchdog; DROP VIEW recent_content;
     CREATE TABLE stray (id INT PRIMARY KEY, text TEXT); INSERT INTO stray VALUES (1, 'not in the point');`,
  );
}
