import { setTimeout as sleep } from 'node:timers/promises';
import { serveHost } from '../../compose.ts';
import { configPlaces, loadConfig } from '../../config.ts';
import type { CommandContext } from '../command.ts';
import { escapeControl } from '../readable.ts';

/** Writes a line for each thing that it does to stderr, where whoever supervises it keeps them. */
export async function agent({
  configFile,
  environment,
  clock,
  uptime,
  signal,
  terminal,
}: CommandContext): Promise<null> {
  await serveHost({
    load: () => loadConfig(configPlaces(configFile, environment)),
    clock,
    ...(uptime === undefined ? {} : { uptime }),
    signal,
    pause: async (ms) => {
      // Told to stop while it waits, it stops: that is no failure.
      await sleep(ms, undefined, { signal }).catch(() => undefined);
    },
    onLine: (line) => terminal.stderr.write(`${clock().toISOString()} ${escapeControl(line)}\n`),
  });
  return null;
}
