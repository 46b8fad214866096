/**
 * Runs all test files, or those that the patterns name, each in a process of its own, and ends with 1 where one fails.
 *
 *   node scripts/run-tests.ts [PATTERN…]
 *
 * What `node --test` does, but for the order: that takes files by name, and so the longest ones, which take minutes,
 * came last, when nothing was left to run beside them. Here they come first.
 */
import { globSync } from 'node:fs';
import { run } from 'node:test';
import report from './test-reporter.ts';

const ALL = '{engine,contract,salvor,demo,scripts,bench,test}/**/*.test.ts';

/** Where tests take long, the longest first: they work on whole hosts. All others come after them. */
const LONGEST = [
  'salvor/test/fault/',
  'salvor/test/recover/',
  'salvor/test/days/',
  'salvor/test/e2e/agent',
  'demo/demo',
  'salvor/test/',
  'demo/',
  'salvor/src/databases/',
  'engine/test/',
];
/** As an address: threads and processes that a test starts take it from wherever they are. */
const QUICK_IMPORTS = new URL('../salvor/src/lib/resolve-sources.ts', import.meta.url).href;
/** On two cores: tests wait for servers and disks a good part of their time. */
const AT_ONCE = 3;

const patterns = process.argv.length > 2 ? process.argv.slice(2) : [ALL];
const files = globSync(patterns, { exclude: ['**/node_modules/**'] }).toSorted(
  (one, other) => rank(one) - rank(other) || (one < other ? -1 : 1),
);

function rank(file: string): number {
  const found = LONGEST.findIndex((start) => file.startsWith(start));
  return found < 0 ? LONGEST.length : found;
}

// Good is only what has said so at its end, and no file at all is no such thing.
process.exitCode = 1;
if (files.length === 0) throw new Error(`no test file is called ${patterns.join(' or ')}`);
const tests = run({ files, concurrency: AT_ONCE, execArgv: ['--import', QUICK_IMPORTS] });
tests.on('test:summary', ({ file, success }) => {
  if (file === undefined) process.exitCode = success ? 0 : 1;
});
tests.compose(report).pipe(process.stdout);
