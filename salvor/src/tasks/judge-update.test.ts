import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { UpdateWords } from './judge-update.ts';

function judgeUpdate(lines: readonly string[]): Pick<UpdateWords, 'failure' | 'doubts'> {
  const words = new UpdateWords();
  for (const line of lines) words.take(line);
  return { failure: words.failure, doubts: words.doubts };
}

describe('of a drush updatedb that ended with 0', () => {
  it('words that an update was not carried out are a failure', () => {
    for (const line of [
      ' [error]  Update failed: node_update_8301',
      'Failed: Drupal\\Core\\Utility\\UpdateException: no such field',
      '\u001B[31;40m\u001B[1m[error]\u001B[0m  Update failed: system_update_9001',
      " [error]  Drupal\\Core\\Database\\DatabaseNotFoundException: SQLSTATE[HY000] [1049] Unknown database 'd'",
      "You have an error in your SQL syntax; check the manual for the right syntax to use near '(6505' [warning]",
      " [error]  Error: Class 'Drupal\\x\\Y' not found in x_update_8144() (line 3 of x.install).",
      'PHP Fatal error:  Allowed memory size of 134217728 bytes exhausted',
      'PHP Parse error: syntax error, unexpected end of file',
      'The update process was aborted prematurely while running update # 7001 in x.module.',
    ]) {
      const { failure } = judgeUpdate(['Performing update', line, ' [success] Finished performing updates.']);
      assert.notEqual(failure, null, line);
    }
  });

  it('any other error is told, each once and not too many, and is no failure', () => {
    const missing = ' [error]  (Colorbox library) The library is not installed. (Currently using Not installed)';
    const lines = [missing, missing, 'Requirements check reports errors.', 'Cache clear failed [warning]'];
    assert.deepEqual(judgeUpdate(lines), {
      failure: null,
      doubts: [missing.trim(), 'Requirements check reports errors.', 'Cache clear failed [warning]'],
    });
    const many = Array.from({ length: 50 }, (_, n) => `[error] number ${n}`);
    assert.equal(judgeUpdate(many).doubts.length, 5);
  });

  it('what is in order has nothing to say', () => {
    const lines = [
      'Module   Update ID  Type           Description',
      'search   8001       hook_update_n  Fixes the error that failed on update.',
      'search   log_more   post-update    Failed: log-ins are counted.',
      'views 7301 Removes failed rows',
      ' [notice] Update started: search_update_8001',
      ' [ok] 12 updates, 0 errors, failed: 0',
      ' [success] Finished performing updates without errors.',
      ' [success] No database updates required.',
    ];
    assert.deepEqual(judgeUpdate(lines.filter((line) => !line.includes('Failed:'))), { failure: null, doubts: [] });
    assert.deepEqual(judgeUpdate(lines), { failure: null, doubts: [] });
  });
});
