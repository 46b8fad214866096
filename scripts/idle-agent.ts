/**
 * How much memory the agent takes while it has nothing to do: on the demo's host, after it has made a night of all accounts, and
 * two rounds later. Resident bytes of all its processes. Ends with 1 above the goal.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, readdirSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { SALVOR } from '../salvor/test/cli/run-cli.ts';
import { salvorPlaces } from '../demo/salvor-command.ts';
import { openTestHost } from '../salvor/test/e2e/open-test-host.ts';

const GOAL_MIB = 150;
/** Two rounds of the agent. */
const REST_MS = 65_000;

await using test = await openTestHost({ withRemote: true });
const agent = spawn(SALVOR, ['agent', '--config', salvorPlaces(test.host).config], {
  stdio: ['ignore', 'ignore', 'pipe'],
});
let nights = 0;
for await (const line of createInterface({ input: agent.stderr })) {
  if (line.includes(': nightly begins')) process.stdout.write(`${line}\n`);
  // The account's and the host's own.
  if (/: nightly (?:succeeded|warned)/.test(line) && ++nights === 2) break;
}
const atWork = readMib(agent);
await sleep(REST_MS);
const idle = readMib(agent);
process.stdout.write(`after its nights: ${atWork} MiB; idle: ${idle} MiB (goal: ${GOAL_MIB})\n`);
agent.kill('SIGTERM');
await once(agent, 'close');
process.exitCode = idle <= GOAL_MIB ? 0 : 1;

/** Of the process and those that it has started. */
function readMib({ pid }: ChildProcess): number {
  const family = new Set([String(pid)]);
  const all = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  for (let size = 0; size !== family.size;) {
    size = family.size;
    for (const process of all) {
      const parent = /^\d+ \(.*\) \S (\d+)/s.exec(read(`/proc/${process}/stat`))?.[1];
      if (parent !== undefined && family.has(parent)) family.add(process);
    }
  }
  const kib = [...family].map((process) => Number(/^VmRSS:\s+(\d+)/m.exec(read(`/proc/${process}/status`))?.[1] ?? 0));
  return Math.round(kib.reduce((sum, one) => sum + one, 0) / 1024);
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
