import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { openArchive } from './open-archive.ts';
import { sitePartOf } from './site-export.ts';
import { bytesOf, memberOf, streamOf, tarOf } from './tar/test-tar.ts';

const file = (name: string, text: string): Parameters<typeof tarOf>[0][number] => ({
  member: memberOf({ name, size: Buffer.byteLength(text) }),
  content: Buffer.from(text),
});

async function read(members: Parameters<typeof tarOf>[0]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const entries = openArchive(streamOf(tarOf(members)), { name: 'a.tar', onProblem: () => {} });
  for await (const entry of sitePartOf(entries, 'a.tar')) {
    if (entry.kind === 'dump') found.set('the dump', (await bytesOf(entry.content)).toString());
    else if (entry.kind === 'member') found.set(entry.member.path, (await bytesOf(entry.member.content)).toString());
  }
  return found;
}

describe('Backup and Migrate’s archive of a whole site', () => {
  const manifest =
    '[Global]\nformatversion = "2011-07-02"\n[Site 0]\ndocroot = "docroot"\nsitedir = "docroot/sites/shop.example"\n';

  test('gives the site’s directory and its dump, and no code of the platform', async () => {
    const found = await read([
      file('MANIFEST.ini', manifest),
      file('database.sql', '-- a dump\n'),
      file('docroot/index.php', '<?php'),
      file('docroot/sites/shop.example/settings.php', '<?php // own'),
      file('docroot/sites/shop.example/files/a.txt', 'a'),
      file('docroot/sites/other.example/settings.php', '<?php // other'),
    ]);
    assert.deepEqual(
      [...found],
      [
        ['the dump', '-- a dump\n'],
        ['settings.php', '<?php // own'],
        ['files/a.txt', 'a'],
      ],
    );
  });

  test('that names its site’s directory from the docroot is read too', async () => {
    const found = await read([
      file('MANIFEST.ini', manifest.replace('"docroot/sites', '"sites')),
      file('docroot/sites/shop.example/a', 'a'),
    ]);
    assert.deepEqual([...found.keys()], ['a']);
  });

  test('without a manifest in front, or one that names no site, is refused', async () => {
    await assert.rejects(read([file('docroot/index.php', '<?php'), file('MANIFEST.ini', manifest)]), {
      code: 'archive-unsupported',
    });
    await assert.rejects(read([file('MANIFEST.ini', '[Site 0]\n'), file('docroot/index.php', '<?php')]), {
      code: 'archive-unsupported',
    });
  });
});
