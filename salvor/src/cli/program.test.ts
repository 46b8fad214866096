import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { runCli } from '../../test/cli/run-cli.ts';

/** Every command that can be typed, as its help is asked for. */
const COMMANDS = [
  [],
  ['init'],
  ['keys'],
  ['keys', 'rotate'],
  ['recover'],
  ['backup'],
  ['restore'],
  ['undo'],
  ['confirm'],
  ['delete'],
  ['disable'],
  ['enable'],
  ['verify'],
  ['tasks'],
  ['task'],
  ['task', 'log'],
  ['task', 'cancel'],
  ['status'],
  ['doctor'],
  ['install'],
  ['upgrade'],
  ['uninstall'],
  ['sites'],
  ['points'],
  ['ls'],
  ['cat'],
  ['repo'],
  ['repo', 'init'],
  ['repo', 'backup'],
  ['repo', 'restore'],
  ['repo', 'snapshots'],
  ['repo', 'ls'],
  ['repo', 'check'],
  ['repo', 'dump'],
  ['repo', 'copy'],
  ['repo', 'heal'],
  ['repo', 'test-connection'],
  ['repo', 'forget'],
  ['repo', 'tag'],
  ['repo', 'find'],
  ['repo', 'diff'],
  ['repo', 'versions'],
  ['repo', 'stats'],
  ['repo', 'prune'],
  ['repo', 'unlock'],
  ['repo', 'key'],
  ['repo', 'key', 'list'],
  ['repo', 'key', 'add'],
  ['repo', 'key', 'remove'],
  ['repo', 'key', 'passwd'],
  ['repo', 'repair'],
  ['repo', 'repair', 'index'],
  ['repo', 'repair', 'packs'],
  ['repo', 'repair', 'snapshots'],
] as const;

describe('help', () => {
  for (const command of COMMANDS) {
    const typed = ['salvor', ...command].join(' ');
    test(`of '${typed}' is what it was`, async (t) => {
      const { exit, out, err } = await runCli([...command, '--help']);
      assert.equal(exit, 0);
      assert.equal(err, '');
      t.assert.snapshot(out);
    });
    test(`of '${typed}' fits a terminal of 100 columns and tells the exit codes`, async () => {
      const { out } = await runCli([...command, '--help']);
      for (const line of out.split('\n')) assert.ok(line.length <= 100, line);
      for (const code of [0, 1, 2, 3]) assert.match(out, new RegExp(`^  ${code}  \\w`, 'm'));
    });
  }

  test("of 'salvor' alone is the overview, which names every command", async () => {
    const { exit, out, err } = await runCli([]);
    assert.deepEqual([exit, err], [0, '']);
    for (const [name] of COMMANDS) assert.match(out, new RegExp(`^  ${name ?? ''}`, 'm'));
  });

  test('of every command offers --json', async () => {
    for (const command of COMMANDS) {
      if (command.length === 0 || ['keys', 'repo', 'repo,key', 'repo,repair', 'task'].includes(command.join()))
        continue;
      assert.match((await runCli([...command, '--help'])).out, /^ {2}--json /m, command.join(' '));
    }
  });
});
