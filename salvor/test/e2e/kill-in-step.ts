import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as sleep } from 'node:timers/promises';
import type { DemoHost } from '../../../demo/host.ts';
import { salvorPlaces } from '../../../demo/salvor-command.ts';
import { SALVOR } from '../cli/run-cli.ts';

/**
 * Runs the command and kills it so long after it has begun with this step, or with the first of several of that
 * name. Where it has no such step, or is through by then, it has ended by itself.
 */
export async function killInStep(
  host: DemoHost,
  args: readonly string[],
  step: string,
  afterMs: number,
): Promise<void> {
  const { config, stateDir } = salvorPlaces(host);
  using log = new DatabaseSync(join(stateDir, 'salvor.sqlite'), { readOnly: true });
  const said = log.prepare(
    "SELECT COUNT(*) AS lines FROM task_log WHERE line = ?1 || ': begins' OR line LIKE ?1 || ' (%): begins'",
  );
  const countBegun = (): number => Number(said.get(step)?.['lines']);
  const before = countBegun();
  const child = spawn(SALVOR, args, {
    env: { ...process.env, HOME: host.directory, SALVOR_CONFIG: config },
    stdio: 'ignore',
  });
  const exited = once(child, 'exit');
  while (countBegun() === before && child.exitCode === null) await sleep(1);
  await sleep(afterMs);
  child.kill('SIGKILL');
  await exited;
}
