/** A renamed site's values: every kind that can hold its name has the new one, whole, and nothing of anybody else's has. */
import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { IdentityDocument } from '@salvor/contract';
import type { DemoSite } from '../../../demo/host.ts';
import { type ObservedSite, observeSite } from '../../../demo/observe-site.ts';
import { type TestHost, assertSameSite, openTestHost } from './open-test-host.ts';

const OLD = 'market.example.org';
const NEW = 'a-much-longer.bazaar.example.org';

/** As PHP's `serialize()`: lengths are of bytes. */
const serialise = (texts: readonly (string | Buffer)[]): Buffer =>
  Buffer.concat([
    Buffer.from(`a:${texts.length}:{`),
    ...texts.flatMap((text, index) => {
      const bytes = Buffer.from(text);
      return [Buffer.from(`i:${index};s:${bytes.length}:"`), bytes, Buffer.from('";')];
    }),
    Buffer.from('}'),
  ]);

/** The values of a site of that name, by the column that they stand in. */
function valuesOf(name: string): Readonly<Record<string, Buffer>> {
  const path = `sites/${name}/files`;
  const wide = `a é ł 漢 🦉 ${path}/ü漢🦉.png 🦉`;
  const inner = serialise([path, 'é', `//${name}/x`]);
  return {
    four: Buffer.from(wide),
    three: Buffer.from(wide.replaceAll('🦉', '語')),
    two: Buffer.from(wide.replaceAll('🦉', '語')),
    one: Buffer.from(`é ß ${path}/ü.png`),
    serialised: serialise([wide, inner, serialise([inner, 'plain'])]),
    json: Buffer.from(
      JSON.stringify({ at: `https://${name}/ü`, [path]: [wide, { deep: `/${path}` }] }).replaceAll('/', '\\/'),
    ),
    plain_json: Buffer.from(JSON.stringify({ list: [path, JSON.stringify({ again: `http://${name}/` })] })),
    long_blob: serialise([wide, inner]),
    bytes: Buffer.concat([Buffer.from([0, 0xff, 0xfe, 0x80]), Buffer.from(path), Buffer.from([0xc3, 0, 0xf0, 0x9f])]),
  };
}

/** What must stay, whatever the site is called. */
const OTHERS = [
  'sites/harbour.example.org/files',
  `https://cdn.example/sites/${OLD}/x`,
  `sites/${OLD}.au/x sites/my.${OLD}/x https://www.${OLD}/ https://${OLD}.au/`,
  `info@${OLD}`,
  `${OLD} is our name`,
  `a:1:{i:0;s:3:"sites/${OLD}/cut`,
];

const COLUMNS: Readonly<Record<string, string>> = {
  four: 'LONGTEXT CHARACTER SET utf8mb4',
  three: 'TEXT CHARACTER SET utf8mb3',
  two: 'TEXT CHARACTER SET ucs2',
  one: 'VARCHAR(200) CHARACTER SET latin1',
  serialised: 'LONGTEXT CHARACTER SET utf8mb4',
  json: 'LONGTEXT CHARACTER SET utf8mb4',
  plain_json: 'JSON',
  long_blob: 'LONGBLOB',
  bytes: 'VARBINARY(300)',
};

describe('the values of a renamed site', { concurrency: 1 }, () => {
  let test: TestHost;
  let site: DemoSite;
  let other: DemoSite;
  let was: ObservedSite;
  let otherWas: ObservedSite;
  let local: string;
  const linesOf = (name: string): string => `// ${OLD}\n$conf['x'] = 'sites/${name}/files sites/${other.uri}/files';\n`;

  before(async () => {
    test = await openTestHost({ withoutWordPress: true, nodes: 5, files: 5 });
    site = test.host.site(OLD);
    other = test.host.site('harbour.example.org');
    const values = Object.entries(valuesOf(OLD)).map(([column, value]) => {
      const hex = `x'${value.toString('hex')}'`;
      return ['long_blob', 'bytes'].includes(column) ? hex : `CONVERT(${hex} USING utf8mb4)`;
    });
    await test.host.mariadb.query(
      `USE \`${site.database}\`; SET NAMES utf8mb4;
       CREATE TABLE widths (id INT PRIMARY KEY, ${Object.entries(COLUMNS)
         .map(([name, type]) => `${name} ${type}`)
         .join(', ')});
       INSERT INTO widths VALUES (1, ${values.join(', ')});
       CREATE TABLE others (id INT PRIMARY KEY, v LONGTEXT CHARACTER SET utf8mb4);
       INSERT INTO others VALUES ${OTHERS.map((text, id) => `(${id}, CONVERT(x'${Buffer.from(text).toString('hex')}' USING utf8mb4))`).join(', ')};`,
    );
    appendFileSync(join(site.path, 'local.settings.php'), linesOf(OLD));
    local = readFileSync(join(site.path, 'local.settings.php'), 'utf8');
    was = await observeSite(test.host, site);
    otherWas = await observeSite(test.host, other);
  });
  after(() => test[Symbol.asyncDispose]());

  async function stored(): Promise<Readonly<Record<string, string>>> {
    const expressions = Object.keys(COLUMNS).map((name) =>
      ['long_blob', 'bytes'].includes(name) ? `HEX(${name})` : `HEX(CONVERT(${name} USING utf8mb4))`,
    );
    const row = await test.host.mariadb.query(`SELECT ${expressions.join(', ')} FROM \`${site.database}\`.widths`);
    const hexes = row.trim().split('\t');
    return Object.fromEntries(
      Object.keys(COLUMNS).map((name, n) => [name, Buffer.from(hexes[n] ?? '', 'hex').toString('latin1')]),
    );
  }
  const wanted = (name: string): Readonly<Record<string, string>> =>
    Object.fromEntries(Object.entries(valuesOf(name)).map(([column, value]) => [column, value.toString('latin1')]));
  async function others(): Promise<string[]> {
    const rows = await test.host.mariadb.query(`SELECT HEX(v) FROM \`${site.database}\`.others ORDER BY id`);
    return rows
      .trim()
      .split('\n')
      .map((hex) => Buffer.from(hex, 'hex').toString());
  }

  it('a preview lists each place and changes nothing; the rename does what was shown; undo brings all back', async () => {
    assert.deepEqual(await stored(), wanted(OLD));
    const { plan } = await test.run(['rename', OLD, NEW, '--keep-database', '--dry-run'], IdentityDocument);
    assertSameSite(was, await observeSite(test.host, site));
    const shown = (plan.rewrites.values ?? []).filter(({ table }) => ['widths', 'others'].includes(table));
    assert.deepEqual(
      shown.map(({ table, column, values, replaced, foreign }) => [table, column, values, replaced, foreign]),
      [
        ['others', 'v', 0, 0, 1],
        ['widths', 'four', 1, 1, 0],
        ['widths', 'three', 1, 1, 0],
        ['widths', 'two', 1, 1, 0],
        ['widths', 'one', 1, 1, 0],
        ['widths', 'serialised', 1, 5, 0],
        ['widths', 'json', 1, 4, 0],
        ['widths', 'plain_json', 1, 2, 0],
        ['widths', 'long_blob', 1, 3, 0],
        ['widths', 'bytes', 1, 1, 0],
      ],
    );
    const settings = plan.rewrites.settings.find(({ file }) => file === 'local.settings.php');
    assert.deepEqual(settings, {
      file: 'local.settings.php',
      places: [
        {
          line: local.split('\n').length - 1,
          what: 'name-or-path',
          before: `sites/${OLD}/files sites/${other.uri}/files`,
          after: `sites/${NEW}/files sites/${other.uri}/files`,
        },
      ],
      left: [local.split('\n').length - 2],
    });

    const done = await test.attempt(['rename', OLD, NEW, '--keep-database', '--yes']);
    const document = IdentityDocument.parse(done.document);
    // The serialised value that is cut off is told, and is the only problem.
    assert.deepEqual([done.exit, document.problems.map(({ code }) => code)], [3, ['value-damaged']]);
    assert.deepEqual(document.rewritten, plan.rewrites.values, 'what was shown is what was done');
    assert.deepEqual(await stored(), wanted(NEW));
    assert.deepEqual(await others(), OTHERS);
    const renamed = join(dirname(site.path), NEW);
    const now = readFileSync(join(renamed, 'local.settings.php'), 'utf8');
    assert.equal(
      now,
      local.replace(linesOf(OLD), () => linesOf(NEW)),
    );
    assertSameSite(otherWas, await observeSite(test.host, other));

    await test.undo(document.task);
    assert.ok(!existsSync(renamed));
    assert.deepEqual(await stored(), wanted(OLD));
    assertSameSite(was, await observeSite(test.host, site));
    assertSameSite(otherWas, await observeSite(test.host, other));
  });
});
