/**
 * How `npm test` prints: node's own `spec` reporter, readable test by test, and at the very end its closing counts in
 * the form that every watcher of test runs knows (`# tests 12`), which `spec` draws with a sign of its own and puts
 * before the failures.
 */
import { compose } from 'node:stream';
import { type TestEvent, spec } from 'node:test/reporters';
import { stripVTControlCharacters } from 'node:util';

/** One closing count as `spec` draws it: a sign, a name and a number. */
const COUNT = /^\u2139 ((?:tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) [\d.]+)$/;

/** A reporter in node's sense: test events in, text out. */
export default async function* report(events: AsyncIterable<TestEvent>): AsyncGenerator<string> {
  const counts: string[] = [];
  for await (const text of compose(events, new spec())) {
    const kept: string[] = [];
    for (const line of String(text).split('\n')) {
      const count = COUNT.exec(stripVTControlCharacters(line))?.[1];
      if (count === undefined) kept.push(line);
      else counts.push(`# ${count}`);
    }
    yield kept.join('\n');
  }
  yield `${counts.join('\n')}\n`;
}
