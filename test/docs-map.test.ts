import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');
const read = (file: string): string => readFileSync(join(root, file), 'utf8');

/** Where a path in a document may begin: the map names files by their room where that is plain. */
const STARTS = ['', 'salvor/src', 'engine/src', 'test'];

for (const document of ['ARCHITECTURE.md', 'CONTRIBUTING.md', 'README.md', 'SECURITY.md', 'docs/dependencies.md']) {
  test(`${document} names no file or folder of the project that is not there`, () => {
    const named = [...read(document).matchAll(/`((?:[\w.*<>-]+\/)+[\w.*<>-]*|[A-Z]+\.md)`/g)].map((hit) =>
      String(hit[1]),
    );
    assert.ok(document !== 'ARCHITECTURE.md' || named.length > 30, `${named.length} paths seen`);
    // Rooms to come have their row in the table of imports; `sites/<uri>/` and `private/` lie on a host.
    const table = /\| room [^]*?\n\n/.exec(read(document))?.[0] ?? '';
    const missing = named.filter((path) => !table.includes(`\`${path}\``) && !isOnHost(path) && !isThere(path));
    assert.deepEqual(missing, []);
  });
}

test('ARCHITECTURE.md stays short enough to be read: 200 lines', () => {
  assert.ok(read('ARCHITECTURE.md').split('\n').length <= 201);
});

test('each invariant in ARCHITECTURE.md has a test or says what it comes with', () => {
  const rows = read('ARCHITECTURE.md').match(/^\| \d+ +\|.*$/gm) ?? [];
  assert.equal(rows.length, 12);
  for (const row of rows) assert.match(row, /`[^`]+\.test\.ts`|comes with|until then/, row);
});

test('the code map of ARCHITECTURE.md has every folder of the engine and the product', () => {
  const map = read('ARCHITECTURE.md');
  const folders = globSync('{engine,salvor}/src/*/', { cwd: root }).map((path) => path.replace(/\/?$/, '/'));
  assert.ok(folders.length > 5);
  const absent = folders.filter((path) => !map.includes(`\`${path}`) && !map.includes(`\`${path.split('/')[2]}/\``));
  assert.deepEqual(absent, []);
});

function isThere(path: string): boolean {
  const pattern = path.replaceAll(/<\w+>/g, '*').replace(/\/$/, '');
  return STARTS.some((start) => globSync(join(start, pattern), { cwd: root }).length > 0);
}

function isOnHost(path: string): boolean {
  return /^(?:sites\/<uri>\/|STATE\/|<mount>\/|<file system>)/.test(path) || /^(?:\.|node_modules)\//.test(path);
}
