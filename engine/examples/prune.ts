/** Removes what no snapshot needs any more. Run: node engine/examples/prune.ts DIRECTORY */
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { backup, entriesOfPaths, forgetNamed, initRepository, openLocalStorage, prune } from '@salvor/engine';

export async function example(directory: string): Promise<string> {
  const site = join(directory, 'site');
  await mkdir(site, { recursive: true });
  const storage = openLocalStorage(join(directory, 'repository'));
  const repository = await initRepository(storage, { kind: 'password', text: 'correct horse' });
  const night = async (): Promise<string> => {
    await writeFile(join(site, 'image'), randomBytes(500_000));
    const made = await backup({ source: entriesOfPaths([site]), repositories: [repository], paths: [site] });
    return made.snapshots[0]?.id ?? '';
  };
  const first = await night();
  await night();
  await forgetNamed(repository, [first]);

  // What would be done can be looked at before it is.
  const { plan } = await prune(repository, { dryRun: true });
  const { bytesFreed } = await prune(repository, { maxUnused: { kind: 'percent', percent: 5 } });
  return `${plan.bytesUnused} bytes were unused, ${bytesFreed} bytes were freed`;
}

if (import.meta.main)
  process.stdout.write(`${await example(process.argv[2] ?? '.')}
`);
