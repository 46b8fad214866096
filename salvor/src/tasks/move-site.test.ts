import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { codeOf } from '../lib/errno.ts';
import { makeTenantHome, swapping } from '../lib/beneath/test-tenant.ts';
import { invertMove, makeMove, planMove, surveyMove } from './move-site.ts';

function makePlaces(): { home: string; live: string; staging: string; staged: string; [Symbol.dispose]: () => void } {
  const top = mkdtempSync(join(tmpdir(), 'salvor-move-'));
  const places = {
    home: join(top, 'home'),
    live: join(top, 'home/sites/x'),
    staging: join(top, 'staging'),
    staged: join(top, 'staging/site'),
  };
  mkdirSync(places.live, { recursive: true });
  mkdirSync(places.staged, { recursive: true });
  writeFileSync(join(places.live, 'which'), 'old');
  writeFileSync(join(places.staged, 'which'), 'new');
  return { ...places, [Symbol.dispose]: () => rmSync(top, { recursive: true }) };
}

const read = (directory: string): string => readFileSync(join(directory, 'which'), 'utf8');

test('two directories change places, the survey tells before from after, and the inverse takes it back', () => {
  using places = makePlaces();
  const move = planMove(places);
  assert.equal(surveyMove(move), 'before');
  makeMove(move);
  assert.equal(read(places.live), 'new');
  assert.equal(read(places.staged), 'old');
  assert.equal(surveyMove(move), 'after');
  assert.equal(surveyMove(invertMove(move)), 'before');
  makeMove(invertMove(move));
  assert.equal(read(places.live), 'old');
});

test('a site that is gone gets its directory, and taking it back leaves the place empty', () => {
  using places = makePlaces();
  rmSync(places.live, { recursive: true });
  const move = planMove(places);
  makeMove(move);
  assert.equal(read(places.live), 'new');
  assert.equal(surveyMove(move), 'after');
  makeMove(invertMove(move));
  assert.equal(existsSync(places.live), false);
  assert.equal(read(places.staged), 'new');
  assert.equal(surveyMove(move), 'before');
});

test('a link that the tenant put above the site is not followed', () => {
  using places = makePlaces();
  const elsewhere = join(places.home, 'elsewhere');
  renameSync(join(places.home, 'sites'), elsewhere);
  symlinkSync(elsewhere, join(places.home, 'sites'));
  assert.throws(() => planMove(places), { code: 'path-leads-out' });
});

test('a move that someone else interfered with is neither before nor after', () => {
  using places = makePlaces();
  const move = planMove(places);
  rmSync(places.staged, { recursive: true });
  assert.equal(surveyMove(move), 'lost');
});

test('a tenant who swaps what the site lies in for a link, while moves are made, gets nothing moved into or out of where it leads', async () => {
  await using tenant = await makeTenantHome();
  const sites = tenant.put('sites');
  tenant.put('sites/x');
  tenant.put('sites/x/which', 'old');
  // What a move that follows the link would meet.
  mkdirSync(join(tenant.foreign, 'x'));
  const staging = join(tenant.top, 'staging');
  const places = { home: tenant.home, live: join(sites, 'x'), staging, staged: join(staging, 'site') };
  mkdirSync(places.staged, { recursive: true });
  writeFileSync(join(places.staged, 'which'), 'new');
  const before = tenant.observeForeign();
  let made = 0;
  const refused = new Set<string>();
  let refusals = 0;
  {
    await using racer = await tenant.run(swapping(sites, tenant.foreign));
    const end = Date.now() + 10_000;
    while ((made < 20 || refusals < 20 || !refused.has('path-leads-out')) && Date.now() < end)
      try {
        makeMove(planMove(places));
        made += 1;
      } catch (error) {
        refused.add(codeOf(error) ?? String(error));
        refusals += 1;
      }
    assert.equal(racer.process.exitCode, null);
  }
  assert.ok(made >= 20 && refused.has('path-leads-out'), `${made} moves, refused as ${[...refused].join()}`);
  assert.deepEqual(
    [...refused].toSorted().filter((code) => !['ENOENT', 'path-leads-out', 'path-missing'].includes(code)),
    [],
  );
  assert.equal(tenant.observeForeign(), before);
  const away = `${sites}.away`;
  const live = existsSync(away) ? away : sites;
  assert.deepEqual([read(join(live, 'x')), read(places.staged)].toSorted(), ['new', 'old']);
});
