/**
 * The long form of the simulated days: `npm run simulate:days -- [--days 14] [--accounts 4] [--sites 40] [--seed N]`, and
 * thirty bad nights in a row before. The seed is printed and can be given back.
 */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { parseArgs } from 'node:util';
import { liveThroughBadNights } from '../salvor/test/days/bad-nights.ts';
import { simulateDays } from '../salvor/test/days/simulate.ts';

const { values } = parseArgs({
  options: {
    days: { type: 'string', default: '14' },
    accounts: { type: 'string', default: '4' },
    sites: { type: 'string', default: '40' },
    requests: { type: 'string', default: '50' },
    seed: { type: 'string' },
  },
});
const seed = Number(values.seed ?? randomInt(2 ** 31));
console.log(`seed ${seed}`);
console.log(`${await liveThroughBadNights({ everyDays: 1 })} bad nights cost no whole point its time.`);
const report = await simulateDays(
  {
    accounts: Number(values.accounts),
    sites: Number(values.sites),
    days: Number(values.days),
    requests: Number(values.requests),
    seed,
    killPercent: 40,
    kills: { 2: 'night', 6: 'agent', 8: 'server' },
    remoteAway: [5, 6, 7],
    clockJumps: [9, 11],
  },
  (line) => console.log(line),
);
assert.ok(
  Object.values(report.killed).every((times) => times > 0),
  `not all were killed: ${JSON.stringify(report.killed)}`,
);
console.log('Every promise was kept.', report);
