/**
 * The command itself in a process of its own, at a made-up time, so that it can be killed: `node command-at.ts TIME UPTIME
 * ARGUMENT…` is `salvor ARGUMENT…` but for the clock, which goes on from TIME, and the seconds since the boot.
 */
import { run } from '../../src/cli/run.ts';
import { openTerminal } from '../../src/cli/terminal.ts';
import { readEnvironment } from '../../src/config.ts';

const [time = '', seconds = '', ...args] = process.argv.slice(2);
const began = performance.now();
const environment = readEnvironment();
process.exitCode = await run(args, {
  terminal: openTerminal(environment),
  environment,
  clock: () => new Date(Date.parse(time) + performance.now() - began),
  uptime: () => ({ boot: 'one', seconds: Number(seconds) + (performance.now() - began) / 1000 }),
  signal: new AbortController().signal,
});
