/** Keeps 7 days, 4 weeks and 12 months of snapshots, and removes the others: `node forget.ts DIRECTORY PASSWORD-FILE` */
import { readFileSync } from 'node:fs';
import { calendarOf, forget, openLocalStorage, openRepository, renderCalendar, simulateForget } from '@salvor/engine';
import type { ForgetPolicy } from '@salvor/engine';

const [directory = '', passwordFile = ''] = process.argv.slice(2);
const repository = await openRepository(openLocalStorage(directory), readFileSync(passwordFile, 'utf8').trim());
const policy: ForgetPolicy = { keep: { daily: 7, weekly: 4, monthly: 12 } };
// What would go is shown first; snapshots that carry the tag `salvor-pin` never do.
const preview = await forget(repository, { policy, dryRun: true });
for (const group of preview.plan.groups) process.stdout.write(`${renderCalendar(calendarOf(group))}\n`);
// And what the policy will keep after a year of nights.
const { days } = simulateForget(policy, { from: new Date(), runs: 365 });
process.stdout.write(`after a year: snapshots of ${days.filter(({ kept }) => kept.length > 0).length} days\n`);
const { removed } = await forget(repository, { policy });
process.stdout.write(`removed ${removed.length} snapshots\n`);
