/** Mends a repository that lost a pack: its index first, then its snapshots. Run: node engine/examples/repair.ts DIRECTORY */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  backup,
  check,
  entriesOfPaths,
  initRepository,
  openLocalStorage,
  openView,
  findSnapshot,
  repairIndex,
  repairPacks,
  repairSnapshots,
} from '@salvor/engine';

export async function example(directory: string): Promise<string> {
  const site = join(directory, 'site');
  await mkdir(site, { recursive: true });
  await writeFile(join(site, 'index.php'), '<?php echo 1;');
  const storage = openLocalStorage(join(directory, 'repository'));
  const repository = await initRepository(storage, { kind: 'password', text: 'correct horse' });
  await backup({ source: entriesOfPaths([site]), repositories: [repository], paths: [site] });
  const view = await openView(repository, await findSnapshot(repository, 'latest'));
  const [piece = ''] = (await view.stat(join(site, 'index.php'))).contentIds;
  const lost = (await repository.index()).find('data', piece)?.pack ?? '';

  // A pack that is damaged gives up what is whole in it; the other copy of the repository may have the rest (`heal`).
  await repairPacks(repository, [lost]);
  // Then a disk loses one, and the index is told.
  await backup({ source: entriesOfPaths([site]), repositories: [repository], paths: [site], parent: 'none' });
  const [pack] = await storage.list('data');
  if (pack !== undefined) await storage.remove({ kind: 'data', id: pack.id });
  const { packsDropped } = await repairIndex(repository);
  const { repaired } = await repairSnapshots(repository, { forget: true });
  const { errors } = await check(repository, { readData: true });
  return `${packsDropped.length} pack dropped, ${repaired.length > 0 ? 'snapshots mended' : 'nothing mended'}, ${errors.length} errors left`;
}

if (import.meta.main)
  process.stdout.write(`${await example(process.argv[2] ?? '.')}
`);
