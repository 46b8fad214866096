/**
 * The long form of the lost host: `npm run recover:machine -- [--accounts 4] [--sites 40] [--kills 0] [--seed N]` builds one,
 * backs it up once, and brings it back on an empty machine from its recovery kit and the remote copy alone, killed before in such
 * a share of its steps (1 for each of them). Ends with an error unless every site answers as it did within 15 minutes.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { LostHost } from '../salvor/test/recover/lost-host.ts';

const MAX_SECONDS = 15 * 60;

const { values } = parseArgs({
  options: {
    accounts: { type: 'string', default: '4' },
    sites: { type: 'string', default: '40' },
    kills: { type: 'string', default: '0' },
    seed: { type: 'string' },
  },
});
const seed = Number(values.seed ?? randomInt(2 ** 31));
console.log(`seed ${seed}`);
await using lost = await LostHost.open({ accounts: Number(values.accounts), sites: Number(values.sites), seed });
console.log(`${lost.host.accounts.length} accounts, ${lost.sites.length} sites, backed up once`);
const args = ['recover', '--kit', '-'];
const report = await lost.onEmptyMachine({
  kills: { share: Number(values.kills), seed },
  commands: [{ args }],
  look: lost.sites.map(({ uri }) => uri),
});
for (const step of report.hits) console.log(`killed in “${step}”`);
for (const { exit, seconds } of report.commands) console.log(`exit ${exit ?? 'killed'} after ${seconds.toFixed(1)} s`);
const document = report.commands.at(-1)?.document;
assert.equal(document?.state, 'succeeded', JSON.stringify(report.commands.at(-1), null, 1));
assert.deepEqual(report.looks, lost.looks);
const seconds = report.commands.reduce((sum, command) => sum + command.seconds, 0);
assert.ok(seconds < MAX_SECONDS, `${seconds} s`);
console.log(`All ${report.looks.length} sites answer as they did, after ${seconds.toFixed(1)} s.`);
