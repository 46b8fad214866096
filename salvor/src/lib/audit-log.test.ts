import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import {
  appendFileSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { SalvorError } from '../errors.ts';
import { type AuditLine, AuditLog } from './audit-log.ts';

let state: string;
beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), 'salvor-audit-'));
});
afterEach(() => rmSync(state, { recursive: true }));

const NOW = new Date('2026-07-01T02:00:00Z');
const open = (maxBytes?: number): AuditLog =>
  new AuditLog(state, { clock: () => NOW, who: 'uid 0', ...(maxBytes === undefined ? {} : { maxBytes }) });
const path = (): string => join(state, 'audit.log');
const read = (file = path()): AuditLine[] =>
  readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as AuditLine);

test('a step has a line on disk before it and one after it, which says how it ended', async () => {
  const audit = open().for('mwtud5ya6orn');
  const seen: string[] = [];
  assert.equal(await audit('switch', '/data/disk/o1/x', () => seen.push(...read().map(({ result }) => result))), 1);
  assert.deepEqual(seen, ['begun']);
  const failure = new SalvorError('swap-locked', { database: 'd', transactions: 'SELECT password' });
  await assert.rejects(
    audit('drop-database', 'database d', () => Promise.reject(failure)),
    failure,
  );
  await assert.rejects(audit('drop-database', 'database e', () => Promise.reject(new Error('secret words'))));
  assert.deepEqual(
    read().map(({ action, on, result }) => [action, on, result]),
    [
      ['switch', '/data/disk/o1/x', 'begun'],
      ['switch', '/data/disk/o1/x', 'done'],
      ['drop-database', 'database d', 'begun'],
      ['drop-database', 'database d', 'swap-locked'],
      ['drop-database', 'database e', 'begun'],
      ['drop-database', 'database e', 'failed'],
    ],
  );
  assert.deepEqual(Object.keys(read()[0] ?? {}), ['time', 'step', 'task', 'who', 'action', 'on', 'result']);
  assert.doesNotMatch(readFileSync(path(), 'utf8'), /password|secret/);
  assert.equal(lstatSync(path()).mode & 0o7777, 0o600);
});

test('a path with line feeds or of any length makes no line of its own and no endless one', async () => {
  const audit = open().for(null);
  await audit('write-files', '/home/o1/x\n{"time":"forged"}\n', () => {});
  await audit('write-files', 'x'.repeat(100_000), () => {});
  assert.equal(read().length, 4);
  assert.ok((read()[2]?.on.length ?? 0) <= 4096);
});

test('a line that a crash has cut off does not swallow the next one', async () => {
  await open().for(null)('switch', '/a', () => {});
  appendFileSync(path(), '{"time":"2026-07-');
  await open().for(null)('switch', '/b', () => {});
  const lines = readFileSync(path(), 'utf8').trimEnd().split('\n');
  assert.equal(lines.length, 5);
  assert.equal((JSON.parse(lines[3] ?? '') as AuditLine).on, '/b');
});

test('a step whose first line can’t be written does not begin, and one whose last can’t was done', async () => {
  symlinkSync(join(state, 'elsewhere'), path());
  let isBegun = false;
  await assert.rejects(
    open().for(null)('switch', '/a', () => void (isBegun = true)),
    { code: 'ELOOP' },
  );
  assert.equal(isBegun, false);
  rmSync(path());
  const value = await open().for(null)('switch', '/a', () => {
    rmSync(path());
    symlinkSync(join(state, 'elsewhere'), path());
    return 7;
  });
  assert.equal(value, 7);
});

test('a full file gets a number, nine older ones are kept, and no line is lost before that', async () => {
  const audit = open(1000).for(null);
  for (let i = 0; i < 60; i++) await audit('switch', `/${i}`, () => {});
  const files = readdirSync(state).toSorted();
  assert.deepEqual(files, ['audit.log', ...Array.from({ length: 9 }, (_, i) => `audit.log.${i + 1}`)]);
  for (const file of files) assert.ok(lstatSync(join(state, file)).size <= 1000);
  const numbers = files.toReversed().flatMap((file) => read(join(state, file)).map(({ on }) => Number(on.slice(1))));
  assert.deepEqual(numbers.slice(-6), [57, 57, 58, 58, 59, 59]);
  assert.deepEqual(
    numbers,
    numbers.toSorted((a, b) => a - b),
  );
});

test('processes that write at the same time lose none of their lines, also while files get numbers', async () => {
  const script = join(state, 'write.ts');
  const module = fileURLToPath(new URL('audit-log.ts', import.meta.url));
  writeFileSync(
    script,
    `import { AuditLog } from ${JSON.stringify(module)};
     const audit = new AuditLog(${JSON.stringify(state)}, { clock: () => new Date(), who: 'uid 0', maxBytes: 4000 }).for(null);
     for (let i = 0; i < 40; i++) await audit('switch', process.argv[2] + '-' + i, () => {});`,
  );
  await Promise.all(['a', 'b', 'c'].map((name) => promisify(execFile)(process.execPath, [script, name])));
  const files = readdirSync(state).filter((name) => name.startsWith('audit.log'));
  const lines = files.flatMap((file) => read(join(state, file)));
  assert.ok(files.length > 1 && files.length < 10, `${files.length} files`);
  assert.equal(new Set(lines.map(({ on, result }) => `${on} ${result}`)).size, 240);
});
