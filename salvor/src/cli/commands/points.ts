import type { PointDocument, PointsDocument } from '@salvor/contract';
import { openAgent } from '../../compose.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { watchProblems } from '../from-copy.ts';
import type { Paint } from '../paint.ts';
import { escapeControl, readableBytes, readableTime, shortPoint } from '../readable.ts';
import { renderTable } from '../table.ts';

export async function points(site: string, context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  const { onProblem, exit } = watchProblems(context);
  const document = await agent.points(site, { onProblem, signal: context.signal });
  return { document, text: render(site, document, context.terminal.output), exit: exit() };
}

function render(site: string, document: PointsDocument, paint: Paint): string {
  if (document.length === 0) return `No points yet. Make one with: salvor backup ${escapeControl(site)}`;
  return renderTable<PointDocument>(
    document,
    [
      { title: 'POINT', value: ({ id }) => shortPoint(id) },
      { title: 'TIME', value: ({ time }) => readableTime(time) },
      { title: 'MADE BY', value: ({ origin, safety }) => (safety ? `${origin} (safety)` : origin) },
      { title: 'HOLDS', value: ({ holds }) => holds.join(', ') },
      { title: 'SIZE', value: ({ bytes }) => readableBytes(bytes), align: 'right' },
      { title: 'COPIES', value: ({ copies }) => copies.join(', ') },
      { title: 'STATE', value: ({ complete }) => (complete ? 'complete' : 'with problems') },
      { title: 'PROVEN', value: ({ proof }) => (proof === null ? '' : `${proof.result} ${readableTime(proof.time)}`) },
      { title: 'REASON', value: ({ reason }) => reason ?? '' },
    ],
    paint,
  );
}
