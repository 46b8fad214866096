import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, describe, test } from 'node:test';
import { type Manifests, type Verdict, checkArchitecture } from './architecture/check-architecture.ts';
import type { SourceTexts } from './architecture/read-sources.ts';
import { importTable } from './architecture/rooms.ts';

const root = join(import.meta.dirname, '..');
const CODE = '{engine,contract,salvor,web,demo,bench,scripts,test}/**/*.{ts,tsx,mts,mjs,js}';

function readProject(): { texts: SourceTexts; manifests: Manifests } {
  const paths = globSync(CODE, { cwd: root, exclude: (path) => /(?:^|\/)(?:node_modules|dist)$/.test(path) });
  const texts = Object.fromEntries(paths.map((path) => [path, readFileSync(join(root, path), 'utf8')]));
  const manifests = Object.fromEntries(
    ['', 'engine', 'contract', 'salvor', 'web'].map((folder) => [
      folder,
      JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')),
    ]),
  );
  return { texts, manifests };
}

describe('the project', () => {
  let verdict: Verdict;
  before(() => {
    const { texts, manifests } = readProject();
    verdict = checkArchitecture(texts, manifests);
  });

  test('has no import that the table of rooms does not allow, no foreign brand and no cycle', () => {
    const lines = verdict.violations.map(({ path, line, message }) => `${path}:${line} ${message}`);
    assert.deepEqual(lines, []);
  });

  test('was really read: files, imports and brands were seen', () => {
    assert.ok(verdict.filesSeen > 20, `${verdict.filesSeen} files`);
    assert.ok(verdict.importsSeen > verdict.filesSeen, `${verdict.importsSeen} imports`);
    assert.ok(verdict.brandsSeen.includes('BlobId'), verdict.brandsSeen.join(' '));
  });

  test('shows in ARCHITECTURE.md the table that is executed', () => {
    const document = unpadded(readFileSync(join(root, 'ARCHITECTURE.md'), 'utf8'));
    const table = importTable().join('\n');
    assert.ok(document.includes(`\n${unpadded(table)}\n\n`), `the table should be:\n${table}`);
  });
});

/** The formatter pads the cells of tables. */
function unpadded(text: string): string {
  return text.replaceAll(/ *\| */g, '|').replaceAll(/\|-+/g, '|---');
}

const manifests: Manifests = {
  '': { devDependencies: { 'fast-check': '1.0.0' } },
  engine: { dependencies: { koffi: '1.0.0', '@salvor/contract': '0.1.0' } },
  contract: {},
  salvor: {
    dependencies: { '@salvor/engine': '0.1.0', '@salvor/contract': '0.1.0', commander: '1.0.0' },
    imports: { '#hub/*': './src/hub/*' },
  },
  web: {},
};

/** Files that keep every rule; a plant is one file more. */
const house: SourceTexts = {
  'contract/src/index.ts': 'export const ROUTES = [] as const;',
  'engine/src/ids.ts':
    'import type { Brand } from "./brand.ts"; export type BlobId = Brand<string, "BlobId">; export const parseBlobId = (text: string) => text as BlobId;',
  'engine/src/brand.ts': 'export type Brand<T, N> = T & { readonly "~brand": N };',
  'engine/src/libc.ts': 'import koffi from "koffi"; export const libc = koffi;',
  'salvor/src/agent/queue.ts': 'import { backUp } from "../tasks/backup.ts"; export const queue = backUp;',
  'salvor/src/config.ts': 'export type Config = string; export const readConfig = (): Config => "";',
  'salvor/src/agent/agent.ts': 'import type { Config } from "../config.ts"; export type A = Config;',
  'salvor/src/agent/logins.ts': 'export const logins = 1;',
  'salvor/src/cli/commands/repo.ts': 'import { x } from "@salvor/engine"; export const repo = x;',
  'salvor/src/databases/mariadb/connect.ts': 'export type Login = string; export const connect = 1;',
  'salvor/src/databases/mariadb/probe.ts': 'export const probe = 1;',
  'salvor/src/doors/sftp.ts': 'import { logins } from "../agent/logins.ts"; export const door = logins;',
  'salvor/src/hub/api.ts': 'import { ROUTES } from "@salvor/contract"; export const api = ROUTES;',
  'salvor/src/lib/move.ts': 'import { libc } from "@salvor/engine/libc"; export const move = libc;',
  'salvor/src/points/point.ts': 'export const point = 1;',
  'salvor/src/sites/site.ts':
    'import type { Login } from "../databases/mariadb/connect.ts"; import { probe } from "../databases/mariadb/probe.ts"; export const site: Login = `${probe}`;',
  'salvor/src/tasks/backup.ts':
    'import { point } from "../points/point.ts"; import "@salvor/engine"; export const backUp = point;',
  'salvor/src/tasks/backup.test.ts':
    'import "fast-check"; import "../hub/api.ts"; const id = "x" as BlobId; await import(`./${id}`);',
  'demo/demo.ts': 'import "../salvor/src/hub/api.ts"; import "@salvor/engine"; import "commander";',
};

/** One claim a row: path, text, what must be said of it. */
const PLANTS: readonly (readonly [claim: string, path: string, text: string, message: RegExp])[] = [
  ['a relative import', 'salvor/src/hub/a.ts', 'import { site } from "../sites/site.ts";', /hub may not import sites/],
  [
    'a type-only import',
    'salvor/src/hub/a.ts',
    'import type { site } from "../points/point.ts";',
    /hub may not import points/,
  ],
  ['an import for its effect', 'salvor/src/hub/a.ts', 'import "../tasks/backup.ts";', /hub may not import tasks/],
  [
    'a dynamic import',
    'salvor/src/hub/a.ts',
    'export const a = () => import("../points/point.ts");',
    /hub may not import points/,
  ],
  [
    'a dynamic import of a template',
    'salvor/src/hub/a.ts',
    'await import(`../points/point.ts`);',
    /hub may not import points/,
  ],
  [
    'a computed import',
    'salvor/src/hub/a.ts',
    'const path = "../points/point.ts"; await import(path);',
    /write the file name as a literal/,
  ],
  ['an export from', 'salvor/src/hub/a.ts', 'export * from "../points/point.ts";', /hub may not import points/],
  [
    'an import type',
    'salvor/src/hub/a.ts',
    'export type A = import("../points/point.ts").A;',
    /hub may not import points/,
  ],
  ['a require', 'salvor/src/hub/a.ts', 'require("../points/point.ts");', /hub may not import points/],
  [
    'a worker',
    'salvor/src/hub/a.ts',
    'new Worker(new URL("../points/point.ts", import.meta.url));',
    /hub may not import points/,
  ],
  [
    'a worker named without ./',
    'salvor/src/tasks/a.ts',
    'new Worker(new URL("gone.ts", import.meta.url));',
    /there is no such file/,
  ],
  [
    'an import.meta.resolve',
    'salvor/src/hub/a.ts',
    'import.meta.resolve("../points/point.ts");',
    /hub may not import points/,
  ],
  ['an alias', 'salvor/src/tasks/a.ts', 'import "#hub/api.ts";', /tasks may not import hub/],
  ['an alias that nobody declared', 'salvor/src/tasks/a.ts', 'import "#nowhere/api.ts";', /"imports" does not name/],
  ['the engine in the hub', 'salvor/src/hub/a.ts', 'import "@salvor/engine";', /hub may not import engine/],
  ['the agent in the hub', 'salvor/src/hub/a.ts', 'import "../agent/queue.ts";', /hub may not import agent/],
  [
    'more than types of the configuration in the agent',
    'salvor/src/agent/a.ts',
    'import { readConfig } from "../config.ts";',
    /agent may not import config/,
  ],
  ['the engine in the agent', 'salvor/src/agent/a.ts', 'import "@salvor/engine";', /agent may not import engine/],
  ['the whole engine in lib', 'salvor/src/lib/a.ts', 'import "@salvor/engine";', /lib may not import engine/],
  [
    'the engine in a command that is not repo',
    'salvor/src/cli/commands/ls.ts',
    'import "@salvor/engine";',
    /cli may not import engine/,
  ],
  [
    'an entry that the engine does not have',
    'salvor/src/tasks/a.ts',
    'import "@salvor/engine/src/ids.ts";',
    /is no room's/,
  ],
  [
    'more than a probe in sites',
    'salvor/src/sites/a.ts',
    'import { connect } from "../databases/mariadb/connect.ts";',
    /sites may not import databases/,
  ],
  ['more than log-ins in a door', 'salvor/src/doors/a.ts', 'import "../agent/queue.ts";', /doors may not import agent/],
  [
    'anything that imports cli',
    'salvor/src/agent/a.ts',
    'import "../cli/commands/repo.ts";',
    /agent may not import cli/,
  ],
  ['a workspace in the engine', 'engine/src/a.ts', 'import "@salvor/contract";', /engine may not import contract/],
  [
    'another workspace by its path',
    'salvor/src/tasks/a.ts',
    'import "../../../engine/src/ids.ts";',
    /by its package name/,
  ],
  ['a package that is not declared', 'engine/src/a.ts', 'import "commander";', /engine\/package.json does not declare/],
  ['a part of a package that is not declared', 'engine/src/a.ts', 'import "@x/y/z";', /imports @x\/y, which/],
  ['a package for tests in the product', 'salvor/src/tasks/a.ts', 'import "fast-check";', /does not declare/],
  ['a test in the product', 'salvor/src/tasks/a.ts', 'import "./backup.test.ts";', /may not import what is around it/],
  ['a file that is not there', 'salvor/src/tasks/a.ts', 'import "./gone.ts";', /there is no such file/],
  ['a file in no room', 'salvor/src/utils/a.ts', 'export const a = 1;', /lies in no room/],
  [
    'a brand minted elsewhere',
    'engine/src/a.ts',
    'export const a = "x" as BlobId;',
    /mints BlobId: only engine\/src\/ids.ts/,
  ],
  [
    'brands minted by the list',
    'salvor/src/tasks/a.ts',
    'export const a = ["x"] as unknown as readonly BlobId[];',
    /mints BlobId/,
  ],
  ['a brand minted in the old way', 'engine/src/a.ts', 'export const a = <BlobId>"x";', /mints BlobId/],
];

describe('the check', () => {
  test('finds nothing in a house that keeps the rules', () => {
    assert.deepEqual(checkArchitecture(house, manifests).violations, []);
  });

  for (const [claim, path, text, message] of PLANTS) {
    test(`catches ${claim}`, () => {
      const { violations } = checkArchitecture({ ...house, [path]: text }, manifests);
      assert.equal(violations.length, 1, JSON.stringify(violations));
      assert.equal(violations[0]?.path, path);
      assert.match(violations[0]?.message ?? '', message);
    });
  }

  test('catches a cycle of rooms', () => {
    const plants = {
      'salvor/src/points/a.ts': 'import { b } from "../tasks/b.ts"; export const a = b;',
      'salvor/src/tasks/b.ts': 'import { point } from "../points/point.ts"; export const b = point;',
    };
    const { violations } = checkArchitecture({ ...house, ...plants }, manifests);
    assert.ok(
      violations.some(({ message }) => /cycle of rooms: .*points → tasks/.test(message)),
      JSON.stringify(violations),
    );
  });

  test('is not fooled by imports in comments, strings and templates', () => {
    const text =
      '// import "../points/point.ts"\n/* import("../points/point.ts") */ export const a = `import "../points/point.ts" ${"x"}`;';
    assert.deepEqual(checkArchitecture({ ...house, 'salvor/src/hub/a.ts': text }, manifests).violations, []);
  });
});
