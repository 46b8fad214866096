import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';
import { SalvorError } from '../errors.ts';
import type { CommandContext } from './command.ts';

/** Throws `consent-missing` where nobody can be asked and `--yes` was not given: before anything is opened. */
export function requireConsentPossible(what: string, isGiven: boolean, { terminal }: CommandContext): void {
  if (!isGiven && !terminal.canAsk) throw new SalvorError('consent-missing', { what });
}

/** Asks, and throws `cancelled` for any answer but yes. */
export async function askConsent(question: string, context: CommandContext): Promise<void> {
  const { terminal, signal } = context;
  const asking = createInterface({ input: terminal.stdin, output: terminal.stderr });
  try {
    // Ctrl-D and Ctrl-C close the line without an answer.
    const closed = once(asking, 'close').then(() => '');
    const answer = await Promise.race([asking.question(`${question} [y/N] `, { signal }), closed]);
    if (/^y(es)?$/i.test(answer.trim())) return;
  } finally {
    asking.close();
  }
  throw new SalvorError('cancelled', { what: 'you did not say yes, and nothing was changed' });
}
