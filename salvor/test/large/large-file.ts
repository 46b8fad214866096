import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, lchownSync, openSync, renameSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { openTestHost } from '../e2e/open-test-host.ts';

/** More than a signed number of 32 bits counts: where other tools' backups break off. */
const BYTES = 2 ** 31 + 12_345;

/** One file of a site that is larger than 2 GiB: in its archive as GNU tar reads it, and back out of its point, to the byte. */
export async function tryLargeFile(say: (line: string) => void): Promise<void> {
  await using test = await openTestHost({ archives: true, withoutWordPress: true, nodes: 5, files: 5 });
  const site = test.host.site('market.example.org');
  const file = join(site.path, 'files/film.iso');
  const descriptor = openSync(file, 'w');
  ftruncateSync(descriptor, BYTES);
  writeSync(descriptor, 'begins');
  writeSync(descriptor, 'ends', BYTES - 4);
  closeSync(descriptor);
  lchownSync(file, test.host.account.uid, test.host.account.gid);
  const { archive, point } = await test.backUp(site);
  say(`backed up: a file of ${BYTES} bytes, in an archive of ${archive?.bytes}`);
  const compare = 'tar -xOzf "$1" ./files/film.iso | cmp - "$2"';
  execFileSync('sh', ['-c', compare, 'sh', archive?.path ?? '', file]);
  say('GNU tar gives it out of the archive to the byte');
  const was = join(test.host.directory, 'was.iso');
  renameSync(file, was);
  const restored = await test.restore(site, point ?? '', '--path', 'files/film.iso');
  assert.equal(restored.state, 'succeeded');
  execFileSync('cmp', [file, was]);
  say('restored to the byte');
}
