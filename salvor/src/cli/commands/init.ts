import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { InitDocument } from '@salvor/contract';
import { SCHEMA_FILE, configSchema } from '../../agent/config-schema.ts';
import { openAgentFor } from '../../compose.ts';
import { SYSTEM_CONFIG, configPlaces, localDirectory, remoteUrl } from '../../config.ts';
import { SalvorError } from '../../errors.ts';
import { writeDurably } from '../../lib/write-durably.ts';
import { writeConfig } from '../../write-config.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { ProgressLine } from '../progress-line.ts';
import { counted, escapeControl } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { renderSites, sayNotSites } from './sites.ts';

export type InitFlags = {
  readonly home?: readonly string[];
  readonly state?: string;
  readonly local?: string;
  readonly remote?: string;
};

/** May be run again: what is there stays, what is new (an account, a flag) is added. */
export async function init(flags: InitFlags, context: CommandContext): Promise<CommandResult> {
  const local = flags.local === undefined ? undefined : localDirectory(flags.local, '.');
  if (local === null) throw new SalvorError('usage', { problem: '--local must be a directory of this machine' });
  const remote = flags.remote === undefined ? undefined : remoteUrl(flags.remote, '.');
  if (remote === null)
    throw new SalvorError('usage', { problem: '--remote must be a directory or sftp:user@host:/path' });
  const homes = flags.home?.map((home) => requireHome(home));

  const { config, written } = writeConfig(placeOfConfig(context), {
    ...(homes === undefined ? {} : { homes }),
    ...(flags.state === undefined ? {} : { state: resolve(flags.state) }),
    ...(local === undefined ? {} : { local }),
    ...(remote === undefined ? {} : { remote }),
  });
  writeSchema(dirname(config.file));
  await using agent = await openAgentFor(config, context);
  using progress = new ProgressLine(context.terminal, context.clock);
  const made = await agent.init({ signal: context.signal });
  progress.clear();
  const document: InitDocument = { config: config.file, written, ...made };
  return { document, text: render(document, context), exit: document.problems.length > 0 ? 3 : 0 };
}

/** Beside the configuration, for editors; of this version. One that can't be written there is no reason to stop. */
function writeSchema(directory: string): void {
  const file = join(directory, SCHEMA_FILE);
  const text = `${JSON.stringify(configSchema(), null, 2)}\n`;
  try {
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeDurably(file, text, 0o644);
  } catch {
    // The reader says of each line what is wrong with it, with or without an editor's help.
  }
}

/** A home that is mistyped would be a site that is never backed up. */
function requireHome(named: string): string {
  const home = resolve(named);
  if (!existsSync(home)) throw new SalvorError('home-missing', { home });
  return home;
}

/** The one that would be read; where there is none, the host's for root and one in this directory for others. */
function placeOfConfig({ configFile, environment }: CommandContext): string {
  const places = configPlaces(configFile, environment);
  const [only] = places;
  if (only !== undefined && places.length === 1) return only;
  return (
    places.find((place) => existsSync(place)) ?? (process.getuid?.() === 0 ? SYSTEM_CONFIG : resolve('salvor.yaml'))
  );
}

function render(document: InitDocument, { terminal }: CommandContext): string {
  const { config, written, accounts, sites, notSites, problems, stateDirectory, recoveryKit } = document;
  const paint = terminal.output;
  const lines = [
    `${written ? 'Wrote' : 'Kept'} ${escapeControl(config)}.`,
    ...accounts.flatMap(({ name, repository, remote }) =>
      [repository, remote]
        .filter((each) => each !== null)
        .map(
          ({ created, url }) =>
            `Account ${paint.bold(escapeControl(name))}: ${created ? 'created' : 'found'} the repository ${escapeControl(url)}.`,
        ),
    ),
  ];
  if (accounts.length === 0) {
    lines.push('No accounts found. Name the homes of the sites: salvor init --home DIR');
  } else {
    lines.push('', renderSites(sites, paint), '');
    lines.push(
      recoveryKit === null
        ? `The keys lie in ${escapeControl(stateDirectory)}/keys. Keep a copy somewhere else: without them no backup can be read.`
        : `The recovery kit is ${escapeControl(recoveryKit)}: print it and keep it away from this host. It opens every backup, also when this host is gone.`,
    );
  }
  lines.push(...renderProblems(problems, paint), ...sayNotSites(notSites));
  const [first] = sites;
  if (first !== undefined)
    lines.push(`${counted(sites.length, 'site')} found. Next: salvor backup ${escapeControl(first.uri)}`);
  return lines.join('\n');
}
