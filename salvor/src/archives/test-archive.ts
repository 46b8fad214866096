/** What the tests of writing and reading archives share: a small site's directory, and one call that writes it. */
import { randomBytes } from 'node:crypto';
import { chmodSync, lchownSync, linkSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimes, setXattr } from '@salvor/engine/libc';
import { archiveNames } from './archive-name.ts';
import type { ArchiveSink } from './archive-sink.ts';
import type { ArchiveSource, SourceDatabase } from './archive-source.ts';
import { entriesOfDirectory } from './directory-source.ts';
import { openDirectorySink } from './directory-sink.ts';
import { nameUnfinished } from './unfinished.ts';
import { type ArchiveWanted, type WrittenArchive, writeArchive } from './write-archive.ts';

export const PASSWORD = 'kQ7%xy z"w\'9';
export const TIME = new Date('2026-11-26T01:02:03.456Z');
const URI = 'example.com';
const DUMP = '-- a dump\nCREATE TABLE `node` (`nid` int);\nINSERT INTO `node` VALUES (1),(2);\n-- Dump completed\n';

export type TestSite = Disposable & {
  readonly top: string;
  readonly site: string;
  readonly out: string;
  readonly scratch: string;
};

/** A site as Aegir has one, with what is awkward in it. */
export function makeTestSite(): TestSite {
  const top = mkdtempSync(join(tmpdir(), 'salvor-archive-'));
  const [site, out, scratch] = ['site', 'out', 'scratch'].map((name) => {
    mkdirSync(join(top, name));
    return join(top, name);
  }) as [string, string, string];
  for (const directory of ['files', 'files/css', 'private', 'private/files', 'modules'])
    mkdirSync(join(site, directory));
  const files: Readonly<Record<string, string | Buffer>> = {
    'settings.php': `<?php\n$databases['default']['default'] = array(\n  'database' => 'example',\n  'password' => '${PASSWORD.replaceAll("'", "\\'")}',\n);\n`,
    'drushrc.php': `<?php\n$options['uri'] = '${URI}';\n$options['db_name'] = 'example';\n$options['db_passwd'] = '${encodeURIComponent(PASSWORD).replaceAll("'", '%27')}';\n$options['packages'] = array('modules' => array('system' => array('schema_version' => 7084, 'status' => 1, 'version' => '7.98'), 'views' => array('schema_version' => '7301', 'status' => 0, 'info' => array('version' => '7.x-3.25'))));\n$_SERVER['db_passwd'] = $options['db_passwd'];\n`,
    'local.settings.php': `<?php\n$conf['colour'] = 'navy';\n`,
    'files/picture.png': randomBytes(200_000),
    'files/empty': '',
    'files/css/css_1.css': 'a { }',
    'private/files/papers.txt': 'private\n'.repeat(1000),
    'modules/name with\nline end.module': '<?php\n',
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(site, name), content);
  writeFileSync(Buffer.concat([Buffer.from(join(site, 'files/')), Buffer.from([0xff, 0x41])]), 'bytes');
  linkSync(join(site, 'files/picture.png'), join(site, 'files/same.png'));
  symlinkSync('../files', join(site, 'modules/files'));
  symlinkSync('/data/disk/o1/static/files/example.com.files', join(site, 'outside'));
  for (const name of ['settings.php', 'drushrc.php']) {
    lchownSync(join(site, name), 1001, 33);
    chmodSync(join(site, name), 0o440);
  }
  lchownSync(site, 1001, 33);
  chmodSync(join(site, 'files'), 0o2770);
  setXattr(join(site, 'files/empty'), 'user.note', Buffer.from('kept'));
  setTimes(join(site, 'files/empty'), 0n, 1_600_000_000_123_456_789n);
  return { top, site, out, scratch, [Symbol.dispose]: () => rmSync(top, { recursive: true, force: true }) };
}

export function databaseOf(name: string, dump: string = DUMP): SourceDatabase {
  const bytes = Buffer.from(dump);
  const open = async function* (): AsyncGenerator<Uint8Array> {
    yield bytes.subarray(0, 10);
    yield bytes.subarray(10);
  };
  return {
    name,
    bytes: bytes.length,
    server: '10.11',
    charset: 'utf8mb4',
    collation: 'utf8mb4_general_ci',
    tables: 1,
    open,
  };
}

const OWNERS = {
  user: (id: number) => (id === 0 ? 'root' : null),
  group: (id: number) => (id === 33 ? 'www-data' : null),
};

export function sourceOf(site: string, databases: readonly SourceDatabase[] = [databaseOf('example')]): ArchiveSource {
  return { entries: () => entriesOfDirectory(site, OWNERS), databases, moved: [] };
}

export function wantedOf(told: Partial<ArchiveWanted> = {}): ArchiveWanted {
  const compression = told.compression ?? 'gzip';
  return {
    about: {
      uri: URI,
      time: TIME.toISOString(),
      point: null,
      task: null,
      reason: 'a test',
      host: 'host',
      account: 'o1',
      site: { path: '/data/disk/o1/distro/001/drupal-7-prod/sites/example.com', cms: 'drupal', version: '7.98' },
      platform: { name: 'drupal-7-prod', root: '/data/disk/o1/distro/001/drupal-7-prod', version: '7.98' },
      tools: { salvor: '0.0.0' },
    },
    excludes: [],
    rowless: [],
    secrets: { passwords: [PASSWORD], open: ['example', URI] },
    passwords: 'replaced',
    modules: null,
    drushrc: { uri: URI, db_name: 'example', db_user: 'example' },
    compression,
    level: 5,
    names: archiveNames(URI, TIME, compression),
    ...told,
  };
}

/** Writes an archive of the site into its `out`. `around` may put another sink in the ordinary one's place. */
export async function writeTestArchive(
  made: TestSite,
  told: Partial<ArchiveWanted> = {},
  source: ArchiveSource = sourceOf(made.site),
  around: (sink: ArchiveSink) => ArchiveSink = (sink) => sink,
  signal: AbortSignal = new AbortController().signal,
): Promise<WrittenArchive> {
  await using sink = await openDirectorySink({
    directory: made.out,
    mode: 0o640,
    owner: { uid: 1001, gid: 33 },
    unfinished: nameUnfinished('a test'),
  });
  return await writeArchive(source, wantedOf(told), around(sink), { scratch: made.scratch, signal, threads: 2 });
}
