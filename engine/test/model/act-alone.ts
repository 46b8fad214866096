/** The same as a process that can be killed: the operation as JSON in the first argument, trees on stdout. */
import { act } from './act.ts';
import type { Act } from './act.ts';

for (const tree of await act(JSON.parse(process.argv[2] ?? '{}') as Act)) console.log(tree);
