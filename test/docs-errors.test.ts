import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { CATALOGUES, WIRE_CODES, renderErrorsDoc } from '../scripts/errors-doc.ts';

const root = join(import.meta.dirname, '..');

describe('the catalogues of errors', () => {
  test('are what docs/errors.md says', () => {
    const document = readFileSync(join(root, 'docs/errors.md'), 'utf8');
    assert.equal(document, renderErrorsDoc(), 'docs/errors.md is stale: run npm run docs:errors');
  });

  test('say what happened as a sentence and what to do as one', () => {
    for (const [, section] of renderErrorsDoc().split(/^### /m).entries()) {
      assert.doesNotMatch(section, /undefined|\[object|NaN/, section);
    }
    for (const { entries } of CATALOGUES) {
      for (const [code, { hint }] of Object.entries(entries)) assert.ok(hint.length > 10, `${code} has no hint`);
    }
  });

  test('agree with what crosses the wire on exit codes', () => {
    for (const { entries } of CATALOGUES) {
      for (const [code, { exit }] of Object.entries(entries)) {
        assert.equal(WIRE_CODES[code]?.exit ?? exit, exit, `${code} has two exit codes`);
      }
    }
  });

  test('have each code that crosses the wire, but for a fault of our own', () => {
    const known = new Set(CATALOGUES.flatMap(({ entries }) => Object.keys(entries)));
    assert.deepEqual(
      Object.keys(WIRE_CODES).filter((code) => !known.has(code)),
      ['internal'],
    );
  });

  test('have no code that no test names', () => {
    const files = globSync('{engine,contract,salvor,demo}/**/*.test.ts', { cwd: root, exclude: ['**/node_modules'] });
    const tests = files.map((path) => readFileSync(join(root, path), 'utf8')).join('\n');
    const codes = new Set(CATALOGUES.flatMap(({ entries }) => Object.keys(entries)));
    const untested = [...codes].filter((code) => !new RegExp(`(['"\`])${code}\\1`).test(tests)).toSorted();
    assert.deepEqual(untested, []);
  });
});
