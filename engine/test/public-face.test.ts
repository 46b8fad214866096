/** Whoever uses the engine reads its doc comments: each export has one. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';

const SOURCE = join(import.meta.dirname, '../src');
const EXPORT = /export (?:type )?\{([^}]+)\} from '\.\/([^']+)'/g;

/** Name → the file that declares it. */
function exportsOfIndex(): Map<string, string> {
  const found = new Map<string, string>();
  for (const [, names = '', file = ''] of readFileSync(join(SOURCE, 'index.ts'), 'utf8').matchAll(EXPORT))
    for (const name of names.split(',').map((each) => each.trim())) if (name !== '') found.set(name, file);
  return found;
}

function isDocumented(name: string, file: string): boolean {
  const lines = readFileSync(join(SOURCE, file), 'utf8').split('\n');
  const at = lines.findIndex((line) =>
    new RegExp(`^export (?:async |abstract )?(?:function\\*?|class|const|type|interface) ${name}\\b`).test(line),
  );
  assert.ok(at >= 0, `${file} declares ${name}`);
  return lines[at - 1]?.trim().endsWith('*/') === true;
}

describe('the public face of the engine', () => {
  it('has a doc comment on each export', () => {
    const exports = exportsOfIndex();
    assert.ok(exports.size > 100);
    const bare = [...exports]
      .filter(([name, file]) => !isDocumented(name, file))
      .map(([name, file]) => `${file}: ${name}`);
    assert.deepEqual(bare, []);
  });
});
