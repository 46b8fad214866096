import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import type { Command } from 'commander';
import * as contract from '@salvor/contract';
import { buildProgram } from '../salvor/src/cli/program.ts';

const ROW = /^\| `([a-z -]+)` +\| `?([\w ]+?)`? +\|/gm;
const rows = [...readFileSync(join(import.meta.dirname, '../docs/repo.md'), 'utf8').matchAll(ROW)];

function verbsOf(command: Command, prefix = ''): readonly string[] {
  return command.commands.flatMap((verb) => {
    const name = `${prefix}${verb.name()}`;
    return verb.commands.length > 0 ? verbsOf(verb, `${name} `) : [name];
  });
}

describe('docs/repo.md', () => {
  test('has a row for each verb of `salvor repo`, and no other', () => {
    const program = buildProgram({ write: () => undefined, writeError: () => undefined }, async () => undefined);
    const repo = program.commands.find((command) => command.name() === 'repo');
    assert.ok(repo !== undefined);
    assert.deepEqual(rows.map(([, verb = '']) => verb).toSorted(), verbsOf(repo).toSorted());
  });

  test('names documents that the contract has, and each that it has for these verbs', () => {
    const named = new Set(rows.map(([, , document = '']) => document).filter((name) => name.endsWith('Document')));
    const known = Object.keys(contract).filter((name) => /^Repo\w+Document$/.test(name));
    assert.deepEqual([...named].filter((name) => name.startsWith('Repo')).toSorted(), known.toSorted());
    assert.ok(named.has('LsDocument') && 'LsDocument' in contract);
  });

  test('tells of an example in the help of each verb', () => {
    const help = readFileSync(join(import.meta.dirname, '../salvor/src/cli/program.test.ts.snapshot'), 'utf8');
    for (const [, verb = ''] of rows) {
      const shown = new RegExp(`Usage: salvor repo ${verb} [^]*?Exit codes`).exec(help)?.[0] ?? '';
      assert.match(shown, new RegExp(`Examples:[^]*salvor repo ${verb} `), verb);
    }
  });
});
