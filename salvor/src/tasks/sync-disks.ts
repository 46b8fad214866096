import { openConnection } from '../databases/mariadb/connect.ts';
import { readDataDirectory } from '../databases/mariadb/probe.ts';
import { syncFileSystemOf } from '../lib/write-durably.ts';
import type { Switch, SwitchTools } from './switch-site.ts';

/**
 * What was built is on disk before the switch, whose every rename waits for the disk: it would carry all of that along
 * while visitors wait for it.
 */
export async function syncDisks(
  { tables, moves }: Switch,
  home: string,
  { administratorOf }: Pick<SwitchTools, 'administratorOf'>,
  signal: AbortSignal,
): Promise<void> {
  const directories = new Set(moves.map(({ staging }) => staging));
  for (const { server } of tables) {
    await using connection = await openConnection(await administratorOf(server, home), { signal });
    const data = await readDataDirectory(connection);
    if (data !== null) directories.add(data);
  }
  for (const directory of directories) syncFileSystemOf(directory);
}
