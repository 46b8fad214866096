/** The catalogue is a cache: where STATE/salvor.sqlite is gone all that it listed is there again, from repositories and disk. */
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  ConfirmDocument,
  DailyDocument,
  PointsDocument,
  RecoverCatalogueDocument,
  TasksDocument,
} from '@salvor/contract';
import { PIN_TAG } from '@salvor/engine';
import type { DemoSite } from '../../../demo/host.ts';
import { runRestic, salvorPlaces } from '../../../demo/salvor-command.ts';
import { findOwnArchives } from '../../src/points/archive-catalogue.ts';
import { openStore } from '../../src/store/open-store.ts';
import { type TestHost, openTestHost } from './open-test-host.ts';

describe('a catalogue that is lost', () => {
  let test: TestHost;
  let site: DemoSite;
  let known: PointsDocument;

  before(async () => {
    const drupalSites = ['a.example.org'];
    test = await openTestHost({
      archives: true,
      withRemote: true,
      withoutWordPress: true,
      drupalSites,
      nodes: 8,
      files: 8,
    });
    [site] = test.host.sites as [DemoSite];
  });
  after(() => test[Symbol.asyncDispose]());

  const points = (): Promise<PointsDocument> => test.run(['points', site.uri], PointsDocument);
  const lose = (): void => {
    for (const name of ['salvor.sqlite', 'salvor.sqlite-wal', 'salvor.sqlite-shm'])
      rmSync(join(salvorPlaces(test.host).stateDir, name), { force: true });
  };
  const pinned = async (): Promise<number> => {
    const { output } = await runRestic(test.host, ['snapshots', '--json']);
    return (JSON.parse(output) as { tags: string[] }[]).filter(({ tags }) => tags.includes(PIN_TAG)).length;
  };

  it('costs the list of tasks, and no point, archive, pin or what a confirmation goes by', async () => {
    await test.backUp(site);
    const restored = await test.restore(site);
    await test.run(['daily'], DailyDocument);
    known = await points();
    assert.equal(known.length, 3);
    assert.equal(known.filter(({ archive }) => archive !== null).length, 2);
    assert.equal(await pinned(), 1);

    lose();
    // Which other copy has them only a list or a look there knows: that is asked for below.
    const withoutCopies = (all: PointsDocument): unknown => all.map((point) => ({ ...point, copies: [] }));
    assert.deepEqual(withoutCopies(await points()), withoutCopies(known));
    assert.deepEqual(await test.run(['tasks'], TasksDocument), []);
    assert.equal((await test.run(['confirm', restored.task ?? ''], ConfirmDocument)).state, 'succeeded');
    assert.equal(await pinned(), 0);
  });

  it('is as it was after recover --only catalogue: other copies, and whose archives are whose', async () => {
    lose();
    const rebuilt = await test.run(['recover', '--only', 'catalogue'], RecoverCatalogueDocument);
    const archives = known.flatMap(({ archive }) => (archive === null ? [] : [archive.path]));
    assert.deepEqual([rebuilt.points, rebuilt.archives], [known.length, archives.length]);
    assert.deepEqual(
      await points(),
      known.map((point) => ({ ...point, copies: ['local', 'remote'] })),
    );
    // What a night leaves out, as it is in the points beside.
    await using store = await openStore(salvorPlaces(test.host).stateDir);
    assert.deepEqual((await findOwnArchives(store, test.host.account.name)).toSorted(), archives.toSorted());
  });
});
