/**
 * The long form of the simulated days: `npm run simulate:days -- [--days 14] [--accounts 4] [--sites 40] [--seed N]`, and
 * thirty bad nights in a row before. The seed is printed and can be given back.
 */
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
    remoteAway: [5, 6, 7],
    clockJumps: [9, 11],
  },
  (line) => console.log(line),
);
console.log('Every promise was kept.', report);
