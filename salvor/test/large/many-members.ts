import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createReadStream, createWriteStream, existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import { ConfirmDocument, ErrorDocument, IdentityDocument } from '@salvor/contract';
import { memberOf } from '../../src/archives/tar/test-tar.ts';
import { encodeEnd, encodeHeader } from '../../src/archives/tar/write-header.ts';
import { openTestHost } from '../e2e/open-test-host.ts';
import { packAsAegir } from '../fault/kill-sites.ts';

const URI = 'many.example.org';
const BLOCK_BYTES = 512;
const MEMBERS_A_DIRECTORY = 1000;
/** What a host writes meanwhile: logs, tables, the archive of a task. */
const INODES_OF_OTHERS = 2000;

/**
 * Tiny members without end: behind our own manifest, which does not know them, they are refused; in an archive as Aegir packs it they are
 * a site of as many files, which is made, and taken away again with nothing left.
 */
export async function tryManyMembers(count: number, say: (line: string) => void): Promise<void> {
  await using test = await openTestHost({ archives: true, withoutWordPress: true, nodes: 5, files: 5 });
  const site = test.host.site('market.example.org');
  const { directory } = test.host;
  const platform = dirname(dirname(site.path));
  const importing = (file: string): string[] => ['import', file, '--uri', URI, '--platform', platform];
  const made = join(platform, 'sites', URI);

  const ours = (await test.backUp(site)).archive?.path ?? '';
  const hostile = join(directory, 'hostile.tar.gz');
  await appendMembers(ours, hostile, count);
  say(`an archive of ours with ${count} members more, of ${statSync(hostile).size} bytes`);
  const before = inodesOf(directory);
  const refused = await test.attempt(importing(hostile));
  assert.equal(ErrorDocument.parse(refused.document).error.code, 'archive-hostile');
  assertNothingLeft(made);
  say('refused (archive-hostile), nothing left');

  const foreign = join(directory, `${site.uri}-20260101.120000.tar.gz`);
  const many = join(directory, `${URI}-20260101.120000.tar.gz`);
  packAsAegir(test.host, site, foreign);
  await appendMembers(foreign, many, count);
  const { task, state } = await test.run(importing(many), IdentityDocument);
  const files = Number(execFileSync('sh', ['-c', 'find "$1/files/many" -type f | wc -l', 'sh', made]).toString());
  assert.deepEqual([state, files], ['succeeded', count]);
  say(`an archive as of Aegir's is a site of ${files} files more`);
  const undone = await test.undo(task);
  assertNothingLeft(made);
  await test.run(['confirm', undone.task ?? ''], ConfirmDocument);
  const left = inodesOf(directory) - before;
  assert.ok(left < INODES_OF_OTHERS, `${left} inodes are left`);
  say(`taken back, ${left} inodes more than before`);
}

/** The archive with members of one byte each behind those that it has. */
async function appendMembers(archive: string, to: string, count: number): Promise<void> {
  const whole = await unpackedOf(archive);
  await pipeline(
    async function* () {
      yield whole;
      const content = Buffer.alloc(BLOCK_BYTES);
      content[0] = 0x78;
      let blocks: Buffer[] = [];
      for (let number = 0; number < count; number++) {
        const name = `./files/many/${Math.floor(number / MEMBERS_A_DIRECTORY)}/${number}.txt`;
        blocks.push(encodeHeader(memberOf({ name, size: 1 })), content);
        if (blocks.length < 2 * MEMBERS_A_DIRECTORY && number + 1 < count) continue;
        yield Buffer.concat(blocks);
        blocks = [];
      }
      yield encodeEnd(whole.length + 2 * BLOCK_BYTES * count);
    },
    createGzip({ level: 1 }),
    createWriteStream(to),
  );
}

/** Without the empty blocks that end it. */
async function unpackedOf(archive: string): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of createReadStream(archive).pipe(createGunzip())) pieces.push(piece as Buffer);
  const whole = Buffer.concat(pieces);
  let end = whole.length;
  while (whole.subarray(end - BLOCK_BYTES, end).every((byte) => byte === 0)) end -= BLOCK_BYTES;
  return whole.subarray(0, end);
}

function assertNothingLeft(made: string): void {
  assert.ok(!existsSync(made), `${made} is there`);
  assert.deepEqual(
    readdirSync(dirname(made)).filter((name) => name.includes('many')),
    [],
  );
}

function inodesOf(path: string): number {
  const { files, ffree } = statfsSync(path);
  return files - ffree;
}
