import { DoctorDocument } from '@salvor/contract';
import { setTimeout as sleep } from 'node:timers/promises';
import { finding } from '../../agent/doctor/findings.ts';
import { readInstallRecord } from '../../agent/install/install-record.ts';
import { upgradeHost } from '../../agent/install/upgrade-host.ts';
import { Locks } from '../../agent/locks.ts';
import { openRun } from '../../lib/run.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { escapeControl } from '../readable.ts';
import { examine } from './doctor.ts';
import { installOptions } from './install.ts';

/** Run by the version that is to be. */
export async function upgrade(context: CommandContext): Promise<CommandResult> {
  const options = installOptions({}, context);
  // What starts the host has not changed with the version.
  const init = readInstallRecord('', options.state)?.init ?? options.init;
  const document = await upgradeHost({
    ...options,
    ...installOptions({ init }, context),
    examineBefore: (program) => askDoctor(program, options.config, context.signal),
    examineAfter: async () => {
      const isServed = await awaitAgent(options.state);
      const found = await examine(context);
      // It is there with the new version, or the upgrade has failed.
      const dead = isServed
        ? []
        : [{ ...finding('agent-not-running'), severity: 'error' as const, path: options.program }];
      return { ...found, findings: [...dead, ...found.findings] };
    },
  });
  const { from, to, program, saved } = document;
  const text = [
    context.terminal.output.green(
      `Upgraded from ${escapeControl(from)} to ${escapeControl(to)}, which lies in ${escapeControl(program)}.`,
    ),
    `What was there before is saved in ${escapeControl(saved)}.`,
  ].join('\n');
  return { document, text, exit: 0 };
}

/** Null where that version has no doctor, or does not run any more. */
async function askDoctor(program: string, config: string, signal: AbortSignal): Promise<DoctorDocument | null> {
  const pieces: Uint8Array[] = [];
  await using child = openRun(`${program}/bin/salvor`, { args: ['doctor', '--json', '--config', config], signal });
  try {
    for await (const bytes of child.stdout) pieces.push(bytes);
  } catch {
    // It ends with 1 or 3 where it has found something: the document says what.
    signal.throwIfAborted();
  }
  const parsed = DoctorDocument.safeParse(parseJson(Buffer.concat(pieces).toString('utf8')));
  return parsed.success ? parsed.data : null;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

const START_STEP_MS = 200;
const MAX_START_MS = 20_000;

async function awaitAgent(state: string): Promise<boolean> {
  using locks = new Locks(state);
  for (let waited = 0; waited < MAX_START_MS; waited += START_STEP_MS) {
    if (locks.findAgent() !== null) return true;
    await sleep(START_STEP_MS);
  }
  return false;
}
