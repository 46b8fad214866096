import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const root = join(import.meta.dirname, '..');

type Manifest = Readonly<
  Partial<Record<'dependencies' | 'devDependencies' | 'optionalDependencies', Readonly<Record<string, string>>>>
>;

/** `name version` of all that the manifests ask for. */
function readWanted(): readonly string[] {
  const wanted = new Set<string>();
  for (const folder of ['', 'engine', 'contract', 'salvor', 'web']) {
    const manifest = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as Manifest;
    for (const part of [manifest.dependencies, manifest.devDependencies, manifest.optionalDependencies]) {
      for (const [name, version] of Object.entries(part ?? {})) wanted.add(`${name} ${version}`);
    }
  }
  return [...wanted].toSorted();
}

test('docs/dependencies.md has each dependency of each package.json at its version, with a reason, and no other', () => {
  const document = readFileSync(join(root, 'docs/dependencies.md'), 'utf8');
  const rows = [...document.matchAll(/^\| `(?<name>[^`]+)`\s*\| (?<version>\S+)\s*\| [^|]+\| (?<why>[^|]{20,})\|$/gm)];
  assert.deepEqual(rows.map(({ groups }) => `${groups?.['name']} ${groups?.['version']}`).toSorted(), readWanted());
});

test('every dependency is pinned to one version', () => {
  for (const wanted of readWanted()) assert.match(wanted, / \d+\.\d+\.\d+$/);
});
