import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { RowCutter } from './cut-rows.ts';
import { RowKey } from './row-key.ts';
import { splitDump } from './split-dump.ts';

type Row = { readonly id: number; readonly text: string };

const HEADER = '--\n-- Table structure for table `t`\n--\n\n';
const PREFIX = 'INSERT INTO `t` VALUES\n';
const FOOTER = '/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;\n-- Dump completed\n';
const MEAN = 4096;

/** As the tool writes a value. */
function quote(text: string): string {
  const escapes: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\0': '\\0' };
  return `'${text.replace(/[\\'"]/g, '\\$&').replace(/[\n\r\0]/g, (found) => escapes[found] ?? '')}'`;
}

const render = ({ id, text }: Row): string => `(${id},${quote(text)},NULL)`;

/** A table as the tool writes it: a statement ends where the next row would make it longer than `net`. */
function dumpOf(rows: readonly Row[], { structure = 'CREATE TABLE `t` (…);', net = 100_000 } = {}): string {
  const statements: string[][] = [];
  let length = Infinity;
  for (const row of rows) {
    const line = render(row);
    if (length + line.length > net) {
      statements.push([]);
      length = 0;
    }
    statements.at(-1)?.push(line);
    length += line.length + 2;
  }
  const inserts = statements.map((lines) => `${PREFIX}${lines.join(',\n')};\n`).join('');
  return `${HEADER}${structure}\n\n${inserts}/*!40000 ALTER TABLE \`t\` ENABLE KEYS */;\n`;
}

async function cut(dump: string, { size = 65_536, meanBytes = MEAN, key = ['id'] } = {}): Promise<Buffer[]> {
  const all = Buffer.from(dump + FOOTER);
  const source = (async function* () {
    for (let at = 0; at < all.length; at += size) yield all.subarray(at, at + size);
  })();
  const pieces: Buffer[] = [];
  for await (const section of splitDump(source, 'd', () => ({ columns: ['id', 'text', 'none'], key, meanBytes }))) {
    for await (const bytes of section.bytes) if (section.kind === 'table') pieces.push(Buffer.from(bytes));
  }
  return pieces;
}

/** What is in the second that is not in the first. */
function newPieces(before: readonly Buffer[], after: readonly Buffer[]): Buffer[] {
  const known = new Set(before.map((piece) => piece.toString('latin1')));
  return after.filter((piece) => !known.has(piece.toString('latin1')));
}

/** Ends of statements between rows taken out, wherever they are: the same rows in the same order are the same text. */
const withoutBreaks = (dump: string): string => dump.replaceAll(`;\n${PREFIX}`, ',\n');

function makeRows(count: number, seed: number): Row[] {
  let state = seed;
  const next = (): number => (state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 0x9e3779b9) >>> 0;
  return Array.from({ length: count }, (_, at) => ({
    id: at * 3,
    text: `row ${next()} ${'lorem ipsum '.repeat(next() % 30)}`,
  }));
}

const anyText = fc.string({
  unit: fc.constantFrom(
    'a',
    "'",
    '"',
    '\\',
    '\n',
    '\r',
    '\0',
    ',',
    ';',
    '(',
    ')',
    '`',
    'é',
    '😀',
    '--',
    '/*',
    'VALUES',
    PREFIX,
  ),
  maxLength: 120,
});
const anyRows = fc
  .array(fc.record({ id: fc.nat(), text: anyText }), { minLength: 1, maxLength: 400, size: 'max' })
  .map((rows) => rows.toSorted((a, b) => a.id - b.id));

describe('cutting the rows of a dumped table', () => {
  test('keeps every byte but for the ends of statements, whatever is in the values', async () => {
    await fc.assert(
      fc.asyncProperty(anyRows, fc.integer({ min: 1, max: 5000 }), async (rows, net) => {
        const dump = dumpOf(rows, { net });
        const pieces = await cut(dump);
        assert.equal(withoutBreaks(Buffer.concat(pieces).toString()), withoutBreaks(dump));
      }),
      { numRuns: 150 },
    );
  });

  test('does not depend on how the bytes come in, nor on where the tool ended its statements', async () => {
    await fc.assert(
      fc.asyncProperty(
        anyRows,
        fc.integer({ min: 1, max: 9000 }),
        fc.integer({ min: 1, max: 5000 }),
        async (rows, size, net) => {
          assert.deepEqual(await cut(dumpOf(rows, { net }), { size }), await cut(dumpOf(rows)));
        },
      ),
      { numRuns: 60 },
    );
  });

  test('gives pieces from half to three halves of the mean, but for the structure and the last', async () => {
    const pieces = await cut(dumpOf(makeRows(20_000, 1)));
    const inner = pieces.slice(1, -1).map((piece) => piece.length);
    // A statement's beginning comes on top of the largest.
    assert.ok(Math.max(...inner) <= MEAN * 1.5 + PREFIX.length, `${Math.max(...inner)}`);
    assert.ok(Math.min(...inner) >= MEAN / 2, `${Math.min(...inner)}`);
    const mean = inner.reduce((sum, bytes) => sum + bytes, 0) / inner.length;
    assert.ok(mean > MEAN * 0.85 && mean < MEAN * 1.15, `${mean}`);
    const statements = Buffer.concat(pieces).toString().split(PREFIX).slice(1);
    assert.ok(Math.max(...statements.map((text) => text.length)) < 1_010_000);
    assert.ok(statements.length > 3 && statements.length < pieces.length / 50, `${statements.length}`);
  });

  test('a value that changes, also in length, costs its own piece and hardly ever another one', async () => {
    const rows = makeRows(4000, 2);
    const before = await cut(dumpOf(rows));
    let cost = 0;
    for (let at = 7; at < rows.length; at += 61) {
      const changed = rows.with(at, { id: rows[at]?.id ?? 0, text: `${rows[at]?.text} and ${'more '.repeat(at % 9)}` });
      const found = newPieces(before, await cut(dumpOf(changed)));
      assert.ok(found.length <= 6, `row ${at} changes ${found.length} pieces`);
      cost += found.length;
    }
    const changes = Math.ceil((rows.length - 7) / 61);
    assert.ok(cost / changes < 1.15, `${cost} pieces for ${changes} changes`);
  });

  test('a value that changes and not its length costs exactly one piece', async () => {
    const rows = makeRows(3000, 3);
    const before = await cut(dumpOf(rows));
    for (let at = 0; at < rows.length; at += 97) {
      const { id, text } = rows[at] as Row;
      const found = newPieces(before, await cut(dumpOf(rows.with(at, { id, text: text.toUpperCase() }))));
      assert.equal(found.length, 1, `row ${at}`);
    }
  });

  test('rows that are added or removed anywhere cost few pieces, at the end at most two and the structure', async () => {
    const rows = makeRows(4000, 4);
    const before = await cut(dumpOf(rows));
    let cost = 0;
    for (let at = 5; at < rows.length; at += 101) {
      const added = rows.toSpliced(at, 0, { id: at * 3 - 1, text: 'a new one' });
      cost += newPieces(before, await cut(dumpOf(added))).length;
      cost += newPieces(before, await cut(dumpOf(rows.toSpliced(at, 1)))).length;
    }
    const changes = 2 * Math.ceil((rows.length - 5) / 101);
    assert.ok(cost / changes < 2, `${cost} pieces for ${changes} changes`);
    const grown = dumpOf([...rows, { id: 99_999, text: 'the newest' }], {
      structure: 'CREATE … AUTO_INCREMENT=100000;',
    });
    assert.ok(newPieces(before, await cut(grown)).length <= 3);
  });

  test('without a key rows are told apart by all that is in them', async () => {
    const rows = makeRows(3000, 5);
    const before = await cut(dumpOf(rows), { key: [] });
    assert.ok(before.length > 100);
    const after = await cut(dumpOf(rows.toSpliced(1500, 1)), { key: [] });
    assert.ok(newPieces(before, after).length <= 3);
  });

  test('a table that is smaller than a piece is one', async () => {
    assert.equal((await cut(dumpOf(makeRows(5, 6)))).length, 1);
    assert.equal((await cut(dumpOf([]))).length, 1);
  });

  test('a row of many megabytes is passed on in parts and has a statement of its own', async () => {
    const rows = makeRows(3000, 7);
    const giant = { id: 4501, text: `it's ${'0123456789abcdef'.repeat(400_000)}` };
    const dump = dumpOf([...rows.slice(0, 1500), giant, ...rows.slice(1500)], { net: 1_000_000 });
    const pieces = await cut(dump);
    assert.equal(withoutBreaks(Buffer.concat(pieces).toString()), withoutBreaks(dump));
    assert.ok(Math.max(...pieces.map((piece) => piece.length)) <= 256 * 1024 + 8192);
    const own = Buffer.concat(pieces)
      .toString()
      .split(PREFIX)
      .find((text) => text.startsWith('(4501,'));
    assert.match(own ?? '', /^\(4501,[^)]*\);\n$/);
    const others = newPieces(await cut(dumpOf(rows)), pieces);
    assert.ok(others.length <= 6_400_000 / (256 * 1024) + 6, `${others.length}`);
    assert.deepEqual(await cut(dump, { size: 1001 }), pieces);
  });

  test('coarser cuts give fewer pieces and the same dump', async () => {
    const dump = dumpOf(makeRows(20_000, 8));
    const [fine, coarse] = [await cut(dump), await cut(dump, { meanBytes: 65_536 })];
    assert.ok(coarse.length < fine.length / 10);
    assert.equal(withoutBreaks(Buffer.concat(coarse).toString()), withoutBreaks(dump));
  });

  test('what is given away is never written again', () => {
    const cutter = new RowCutter({ columns: ['a'], key: ['a'], meanBytes: 1024 });
    cutter.text(Buffer.from('structure\n'));
    cutter.insert(Buffer.from(PREFIX));
    const seen: { readonly piece: Buffer; readonly was: string }[] = [];
    for (let row = 0; row < 20_000; row++) {
      cutter.row(Buffer.from(`(${row},'${'x'.repeat(row % 200)}'),\n`), true);
      for (const piece of cutter.take()) seen.push({ piece, was: piece.toString('latin1') });
    }
    assert.ok(seen.length > 1000);
    for (const { piece, was } of seen) assert.equal(piece.toString('latin1'), was);
  });
});

describe('the key of a row', () => {
  const hashOf = (row: string, columns: readonly string[], key: readonly string[], prefix = PREFIX): number =>
    new RowKey({ columns, key }, Buffer.from(prefix)).hash(Buffer.from(row), 0, row.length);

  test('is found behind values that hold quotes, commas, brackets and backslashes', () => {
    const columns = ['a', 'b', 'c', 'd'];
    const first = hashOf("('x\\'),(\\\\',0x2c29,_binary 'q,''r',42)", columns, ['d']);
    assert.equal(first, hashOf('(NULL,0,1.5e10,42)', columns, ['d']));
    assert.notEqual(first, hashOf('(NULL,0,1.5e10,43)', columns, ['d']));
  });

  test('is all of its columns, each apart', () => {
    const columns = ['a', 'b', 'c'];
    const key = ['c', 'a'];
    assert.equal(hashOf("('a',1,'bc')", columns, key), hashOf("('a',2,'bc')", columns, key));
    assert.notEqual(hashOf("('ab',1,'c')", columns, key), hashOf("('a',1,'bc')", columns, key));
  });

  test('is looked for where the INSERT names its columns, and the whole row where it names another', () => {
    const prefix = 'INSERT INTO `t` (`b,``)`, `a`) VALUES ';
    assert.equal(hashOf("('x',1)", ['a', 'b,`)'], ['a'], prefix), hashOf("('y',1)", ['a', 'b,`)'], ['a'], prefix));
    assert.notEqual(hashOf("('x',1)", ['a', 'b'], ['gone']), hashOf("('y',1)", ['a', 'b'], ['gone']));
  });
});
