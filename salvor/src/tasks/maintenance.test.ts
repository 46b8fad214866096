import assert from 'node:assert/strict';
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { Problem } from '@salvor/contract';
import { parseTaskId } from './task-id.ts';
import { closeSite, openSite, planMaintenance } from './maintenance.ts';

const TASK = parseTaskId('0123456789ab') ?? assert.fail('no id');

describe('the file that keeps visitors out', () => {
  let home: string;
  let path: string;
  let problems: Problem[];
  beforeEach(() => {
    home = realpathSync(mkdtempSync(join(tmpdir(), 'salvor-maintenance-')));
    path = join(home, 'site');
    mkdirSync(path);
    utimesSync(path, 1e9, 1e9);
    problems = [];
  });
  afterEach(() => rmSync(home, { recursive: true }));

  const journal = () => ({
    task: TASK,
    site: { account: 'o1', uri: 'x', path, home },
    switch: null,
    maintenance: planMaintenance(path),
  });
  const run = { note: (...found: Problem[]): void => void problems.push(...found), say: (): void => {} };
  const isUntouched = (left: readonly string[] = []): void => {
    assert.deepEqual(readdirSync(path), left);
    assert.equal(lstatSync(path).mtimeMs, 1e12);
  };

  it('is there whole or not at all, can be read by the web server, and is no change of its directory', () => {
    const announced = journal();
    closeSite(announced, new Date(1_700_000_000_000), run);
    isUntouched(['.maintenance']);
    assert.equal(
      readFileSync(join(path, '.maintenance'), 'utf8'),
      `<?php $upgrading = 1700000000; // salvor ${TASK}\n`,
    );
    assert.equal(lstatSync(join(path, '.maintenance')).mode & 0o777, 0o644);
    openSite(announced);
    isUntouched();
    openSite(announced);
    assert.deepEqual(problems, []);
  });

  it('goes where its task was killed before all of it was written', () => {
    const announced = journal();
    writeFileSync(join(path, `.maintenance.salvor-${TASK}`), '');
    openSite(announced);
    isUntouched();
  });

  it('of somebody else, and a link or a directory of its name, stay and are told', () => {
    const others = [
      () => writeFileSync(join(path, '.maintenance'), '<?php $upgrading = 1; // salvor 0123456789ac'),
      () => symlinkSync('/etc/passwd', join(path, '.maintenance')),
      () => mkdirSync(join(path, '.maintenance')),
    ];
    for (const make of others) {
      make();
      utimesSync(path, 1e9, 1e9);
      const announced = journal();
      closeSite(announced, new Date(), run);
      openSite(announced);
      assert.deepEqual(
        problems.splice(0).map(({ code }) => code),
        ['maintenance-not-set'],
      );
      isUntouched(['.maintenance']);
      rmSync(join(path, '.maintenance'), { recursive: true });
    }
  });

  it('is for nobody where the site is gone', () => {
    rmSync(path, { recursive: true });
    assert.equal(planMaintenance(path), null);
    closeSite(journal(), new Date(), run);
    openSite(journal());
    assert.deepEqual(problems, []);
  });
});
