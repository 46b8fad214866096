/**
 * One night in a process of its own, so that it can be killed: `node night.ts CONFIG TIME UPTIME` runs the nightly job at a
 * made-up time and prints its document.
 */
import { openAgentFor } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';

const [file = '', time = '', seconds = ''] = process.argv.slice(2);
const began = performance.now();
const now = (): Date => new Date(Date.parse(time) + performance.now() - began);
await using agent = await openAgentFor(loadConfig([file]), {
  clock: now,
  uptime: () => ({ boot: 'one', seconds: Number(seconds) + (performance.now() - began) / 1000 }),
});
const document = await agent.daily({ account: null });
process.stdout.write(JSON.stringify(document));
