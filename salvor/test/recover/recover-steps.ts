/** `node recover-steps.ts CONFIG <KIT` recovers as the command does, and prints the name of each step when it begins. */
import { readFileSync, writeSync } from 'node:fs';
import { readKit, recoverMachine } from '../../src/compose.ts';

const wanted = { from: null, account: null, site: null, only: null, dryRun: false };
let last = '';
await recoverMachine(
  process.argv[2] ?? '',
  { kit: readKit(readFileSync(0, 'utf8'), 'stdin'), ...wanted },
  {
    clock: () => new Date(),
    signal: new AbortController().signal,
    onProgress: ({ step }) => {
      // How far it is stands behind the name.
      const name = step.replace(/:.*/, '');
      if (name !== last) writeSync(1, `${name}\n`);
      last = name;
    },
  },
);
