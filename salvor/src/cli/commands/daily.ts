import { EXIT_OF_STATE } from '@salvor/contract';
import type { DailyAccount, DailyCopy, DailyDocument } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import { counted, readableBytes, shortPoint } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { renderTable } from '../table.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export type DailyFlags = WaitFlags & { readonly account?: string };

export async function daily(flags: DailyFlags, context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  const document = await agent.daily({ account: flags.account ?? null, ...waiting.options });
  waiting.end();
  return { document, text: render(document, context.terminal.output), exit: EXIT_OF_STATE[document.state] };
}

function render({ accounts }: DailyDocument, paint: Paint): string {
  if (accounts.length === 0) return 'No accounts found. Name their homes with: salvor init --home DIR';
  const table = renderTable(
    accounts,
    [
      { title: 'ACCOUNT', value: ({ account }) => account },
      { title: 'STATE', value: ({ state }) => state },
      { title: 'SITES', value: ({ sites }) => String(sites) },
      { title: 'FILES', value: ({ files }) => String(files) },
      { title: 'DATABASES', value: ({ databases }) => String(databases) },
      { title: 'READ', value: ({ bytesRead }) => readableBytes(bytesRead) },
      { title: 'STORED', value: ({ bytesStored }) => readableBytes(bytesStored) },
      { title: 'COPIES', value: ({ copies }) => copies.map(copyText).join(', ') },
      { title: 'POINT', value: ({ point }) => (point === null ? '' : shortPoint(point)) },
    ],
    paint,
  );
  const problems = renderProblems(
    accounts.flatMap((account) => account.problems),
    paint,
  );
  return [verdict(accounts, paint), table, ...(problems.length === 0 ? [] : [problems.join('\n')])].join('\n\n');
}

function verdict(accounts: readonly DailyAccount[], paint: Paint): string {
  const done = accounts.filter(({ point }) => point !== null).length;
  const text = `${done} of ${counted(accounts.length, 'account')} ${done === 1 ? 'has' : 'have'} a new point.`;
  return done === accounts.length ? paint.green(text) : paint.yellow(text);
}

function copyText({ copy, state }: DailyCopy): string {
  return state === 'complete' ? copy : `${copy} behind`;
}
