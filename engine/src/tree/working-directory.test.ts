import assert from 'node:assert/strict';
import { closeSync, lstatSync, mkdirSync, openSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, beforeEach, describe, it } from 'node:test';
import { Chunker } from '../chunk/chunker.ts';
import { randomPolynomial } from '../chunk/polynomial.ts';
import type { Problem } from '../errors.ts';
import { makeNode } from '../libc.ts';
import { openWorkplace } from '../../test/fixtures.ts';
import { Exclusion, exclusionText } from './exclusion.ts';
import { readFile } from './read-file.ts';
import type { ReadFile } from './read-file.ts';
import { DirectoryScan } from './scan-directory.ts';
import type { ScannedSection } from './scan-directory.ts';
import { TreeRoot } from './tree-root.ts';
import { WorkingDirectory } from './working-directory.ts';
import type { DirectoryPlace } from './working-directory.ts';

const chunker = new Chunker(randomPolynomial());

/** The way of worker threads, and that of systems which deny it. */
for (const [title, open] of [
  ['in a working directory of the thread', () => WorkingDirectory.ofThread()],
  ['by descriptors alone', () => WorkingDirectory.byDescriptor()],
] as const) {
  describe(`a walk ${title}`, () => {
    const directory = open();
    let place: ReturnType<typeof openWorkplace>;
    let home: string;
    let root: number;
    before(() => {
      place = openWorkplace();
      home = join(place.path, 'home');
      mkdirSync(home);
      mkdirSync(join(place.path, 'secret/b'), { recursive: true });
      writeFileSync(join(place.path, 'secret/b/file'), 'secret');
      writeFileSync(join(place.path, 'secret/file'), 'secret');
      root = openSync(home, 'r');
    });
    after(() => {
      closeSync(root);
      place[Symbol.dispose]();
    });
    beforeEach(() => {
      rmSync(join(home, 'a'), { recursive: true, force: true });
      mkdirSync(join(home, 'a/b/\u00e9'), { recursive: true });
      writeFileSync(join(home, 'a/b/file'), 'own');
    });

    const seen = (below: string): DirectoryPlace => {
      const path = join(home, below);
      const { dev, ino } = lstatSync(path, { bigint: true });
      return { root, below: Buffer.from(below).toString('latin1'), path, device: dev, inode: ino };
    };
    type Scanned = ScannedSection | { readonly failure: Problem | null };
    const scan = (where: DirectoryPlace): Scanned => {
      const begun = DirectoryScan.begin(directory, {
        name: 'b',
        place: where,
        parent: null,
        exclusion: Exclusion.of(exclusionText({})),
        isStored: () => false,
        isLacking: () => false,
      });
      return 'failure' in begun ? begun : begun.section();
    };
    const read = (where: DirectoryPlace, name = 'file'): ReadFile & { content: string } => {
      let content = '';
      const found = readFile(directory, { place: where, name }, chunker, (chunk) => ((content += String(chunk)), 'id'));
      return { ...found, content };
    };
    const problemOf = (found: Scanned): string =>
      'failure' in found ? `${found.failure?.code} ${found.failure?.path}` : found.problems.map(String).join();
    const names = (found: Scanned): string[] =>
      'failure' in found ? [] : [...found.directories, ...found.files].map(({ name }) => name);

    it('finds what is in a directory below the root, and nothing amiss', () => {
      const where = seen('a/b');
      assert.deepEqual(names(scan(where)), ['\u00c3\u00a9', 'file']);
      assert.equal(read(where).content, 'own');
      assert.deepEqual(names(scan(seen('a/b/\u00e9'))), []);
      assert.deepEqual(names(scan({ ...seen('.'), below: '' })), ['a']);
    });

    it('goes through no link in the place of a directory, at the end of the way or on it', () => {
      for (const replaced of ['a/b', 'a']) {
        const where = seen('a/b');
        renameSync(join(home, replaced), join(home, 'moved'));
        symlinkSync(join(place.path, 'secret'), join(home, replaced));
        assert.equal(problemOf(scan(where)), `replaced ${home}/a/b`);
        assert.deepEqual(
          [read(where).problem?.code, read(where).problem?.path, read(where).content],
          ['replaced', `${home}/a/b/file`, ''],
        );
        rmSync(join(home, replaced));
        renameSync(join(home, 'moved'), join(home, replaced));
      }
    });

    it('reads no link and no device in the place of a file', () => {
      const where = seen('a/b');
      const file = join(home, 'a/b/file');
      rmSync(file);
      symlinkSync(join(place.path, 'secret/file'), file);
      assert.equal(read(where).problem?.code, 'replaced');
      rmSync(file);
      makeNode(file, 0o010600, 0n);
      assert.equal(read(where).problem?.code, 'replaced');
    });

    it('takes a file that was saved anew under its name as it is now', () => {
      const where = seen('a/b');
      writeFileSync(join(home, 'a/b/new'), 'newer');
      renameSync(join(home, 'a/b/new'), join(home, 'a/b/file'));
      const { node, problem, content } = read(where);
      assert.deepEqual([problem, content], [null, 'newer']);
      assert.match(node ?? '', /"size":5,/);
    });

    it('takes another directory that came into the place with its own metadata, and says so', () => {
      const where = seen('a/b');
      renameSync(join(home, 'a/b'), join(home, 'a/old'));
      mkdirSync(join(home, 'a/b'), { mode: 0o701 });
      writeFileSync(join(home, 'a/b/other'), '');
      const found = scan(where);
      assert.ok(!('failure' in found));
      assert.deepEqual(names(found), ['other']);
      assert.deepEqual(
        found.problems.map(({ code, path }) => [code, path]),
        [['replaced', `${home}/a/b`]],
      );
      assert.match(found.head ?? '', new RegExp(`^\\{"name":"b","type":"dir","mode":${2 ** 31 + 0o701},`));
    });

    it('misses nothing where a directory was removed, and tells where its file system went', () => {
      const where = seen('a/b');
      rmSync(join(home, 'a/b'), { recursive: true });
      assert.deepEqual(scan(where), { failure: null });
      assert.deepEqual(read(where), { node: null, bytes: 0, problem: null, content: '' });
      const onAnother = { ...where, device: where.device + 1n };
      assert.equal(problemOf(scan(onAnother)), `replaced ${home}/a/b`);
      assert.equal(read(onAnother).problem?.code, 'replaced');
    });
  });
}

describe('the root of a tree', () => {
  it('is reached without following links below the directory that is trusted, and with them above it', () => {
    using place = openWorkplace();
    const at = (name: string): string => join(place.path, name);
    mkdirSync(at('real/home/site'), { recursive: true });
    symlinkSync(at('real'), at('link'));
    symlinkSync('site', at('real/home/here'));
    const nameOf = (path: string, beneath?: string): string => {
      using root = TreeRoot.open({ path, ...(beneath === undefined ? {} : { beneath }) });
      return `${root.name} ${root.stats.isDirectory() ? 'directory' : 'other'}`;
    };
    assert.equal(nameOf(at('real/home/site'), at('real/home')), 'site directory');
    assert.equal(nameOf(at('link/home/site')), 'site directory');
    assert.equal(nameOf(at('link/home/here')), 'here other');
    assert.throws(() => nameOf(at('link/home/site'), place.path), { code: 'ENOTDIR' });
    assert.throws(() => nameOf(at('real'), at('real/home')), RangeError);
    assert.throws(() => nameOf(at('real/home/gone')), { code: 'ENOENT' });
  });
});
