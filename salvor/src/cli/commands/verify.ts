import { EXIT_OF_STATE, type VerifyCheck, type VerifyDocument } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import { escapeControl } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { renderTable } from '../table.ts';
import { type WaitFlags, watchWait } from '../wait.ts';

export async function verify(site: string, flags: WaitFlags, context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  using waiting = watchWait(flags, context);
  const document = await agent.verify(site, waiting.options);
  waiting.end();
  return { document, text: render(document, context.terminal.output), exit: EXIT_OF_STATE[document.state] };
}

function render({ state, proof, problems }: VerifyDocument, paint: Paint): string {
  const table = renderTable(
    proof.checks,
    [
      { title: 'CHECK', value: ({ check }) => TITLES[check] },
      { title: 'OUTCOME', value: ({ outcome }) => (outcome === 'not-asked' ? 'not asked' : outcome) },
      { title: '', value: ({ why, count, check }) => why ?? countOf(check, count) },
    ],
    paint,
  );
  const name = escapeControl(proof.uri);
  const verdict =
    state === 'succeeded'
      ? paint.green(`${name} works.`)
      : state === 'warned'
        ? paint.yellow(`${name} works, and not all of it is as it should be.`)
        : paint.red(`${name} is not as it must be.`);
  return [verdict, table, ...renderProblems(problems, paint)].join('\n');
}

const TITLES = {
  settings: 'settings are read',
  'log-in': 'log-in works',
  grants: 'rights are its own',
  tables: 'tables answer',
  'virtual-host': 'virtual host',
  files: 'files for the web',
  page: 'page answers',
  private: 'private is private',
} as const satisfies Record<VerifyCheck['check'], string>;

function countOf(check: VerifyCheck['check'], count: number): string {
  if (check === 'page') return '';
  const what =
    check === 'tables'
      ? 'table'
      : check === 'files'
        ? 'path'
        : check === 'private'
          ? 'file'
          : check === 'virtual-host'
            ? 'virtual host'
            : 'database';
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
