import type { DoctorDocument, DoctorFinding } from '@salvor/contract';
import { examineFailure } from '../../agent/doctor/examine-host.ts';
import type { Agent } from '../../agent/agent.ts';
import { openAgentFor } from '../../compose.ts';
import { type Config, configPlaces, loadConfig } from '../../config.ts';
import { describeError } from '../describe-error.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import { counted, escapeControl } from '../readable.ts';

const EXITS = { succeeded: 0, warned: 3, failed: 1 } as const satisfies Record<DoctorDocument['state'], 0 | 1 | 3>;

/** An installation that can't be opened is a finding, not a failure of the doctor. */
export async function doctor(context: CommandContext): Promise<CommandResult> {
  const document = await examine(context);
  return { document, text: renderDoctor(document, context.terminal.output), exit: EXITS[document.state] };
}

/** What is found, also where the installation can't be opened. */
export async function examine(context: CommandContext): Promise<DoctorDocument> {
  let config: Config;
  try {
    config = loadConfig(configPlaces(context.configFile, context.environment));
  } catch (error) {
    return examineFailure('configuration', error);
  }
  let agent: Agent;
  try {
    agent = await openAgentFor(config, context);
  } catch (error) {
    context.signal.throwIfAborted();
    return examineFailure('state', Object.assign(new Error(describeError(error).message), describeError(error)));
  }
  await using opened = agent;
  return await opened.doctor({ signal: context.signal });
}

/** The heaviest first, each with what to do on the next line. */
export function renderDoctor({ checks, findings, state }: DoctorDocument, paint: Paint): string {
  const lines = checks.map(({ name, findings: count }) =>
    count === 0 ? `${paint.green('ok')}    ${name}` : `${paint.yellow(String(count).padEnd(4))}  ${name}`,
  );
  const weights: readonly DoctorFinding['severity'][] = ['error', 'warning', 'note'];
  const told = weights.flatMap((severity) =>
    findings.filter((one) => one.severity === severity).map((one) => renderFinding(one, paint)),
  );
  return [lines.join('\n'), ...told, verdict(findings, state, paint)].join('\n\n');
}

function renderFinding({ code, severity, message, remedy }: DoctorFinding, paint: Paint): string {
  const colour = { error: paint.red, warning: paint.yellow, note: paint.dim }[severity];
  return `${colour(`${severity}:`)} ${escapeControl(message)} ${paint.dim(`(${code})`)}\n  ${escapeControl(remedy)}`;
}

function verdict(findings: readonly DoctorFinding[], state: DoctorDocument['state'], paint: Paint): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const warnings = findings.filter(({ severity }) => severity === 'warning').length;
  switch (state) {
    case 'succeeded':
      return paint.green('All is in order.');
    case 'warned':
      return paint.yellow(`Backups are made; ${counted(warnings, 'warning')}.`);
    case 'failed':
      return paint.red(`${counted(errors, 'error')}${warnings === 0 ? '' : ` and ${counted(warnings, 'warning')}`}.`);
    default:
      return state satisfies never;
  }
}
