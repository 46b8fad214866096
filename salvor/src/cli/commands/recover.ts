import { existsSync, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline/promises';
import { buffer } from 'node:stream/consumers';
import { EXIT_OF_STATE } from '@salvor/contract';
import type { RecoverAccount, RecoverCatalogueDocument, RecoverDocument } from '@salvor/contract';
import { type TypedKit, openAgent, readKit, readTypedKit, recoverMachine } from '../../compose.ts';
import { SYSTEM_CONFIG, configPlaces } from '../../config.ts';
import { SalvorError } from '../../errors.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import type { Paint } from '../paint.ts';
import { ProgressLine } from '../progress-line.ts';
import { counted, escapeControl, readableBytes, readableTime, shortPoint } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';
import { writeAll } from '../terminal.ts';

export type RecoverFlags = {
  readonly kit?: string;
  readonly from?: 'local' | 'remote';
  readonly account?: string;
  readonly site?: string;
  readonly only?: 'configuration' | 'catalogue' | 'copies';
  readonly dryRun?: boolean;
};

export async function recover(flags: RecoverFlags, context: CommandContext): Promise<CommandResult> {
  if (flags.only === 'catalogue') return await recoverCatalogue(context);
  if (flags.only === 'copies') return await recoverCopies(flags, context);
  const kit = await kitOf(flags.kit, context);
  const file = placeOfConfig(context);
  using progress = new ProgressLine(context.terminal, context.clock);
  const wanted = {
    kit,
    from: flags.from ?? null,
    account: flags.account ?? null,
    site: flags.site ?? null,
    only: flags.only ?? null,
    dryRun: flags.dryRun === true,
  };
  const { clock, signal } = context;
  const document = await recoverMachine(file, wanted, { clock, signal, onProgress: progress.show });
  progress.clear();
  return { document, text: render(document, context.terminal.output), exit: EXIT_OF_STATE[document.state] };
}

/** On the host itself, with its own keys: no kit is needed. */
async function recoverCatalogue(context: CommandContext): Promise<CommandResult> {
  await using agent = await openAgent(context);
  const { points, archives, problems } = await agent.rebuildCatalogue({ signal: context.signal });
  const state = problems.length === 0 ? 'succeeded' : 'warned';
  const text = `${counted(points, 'point')} and ${counted(archives, 'archive')} of tasks in the catalogue.`;
  const document: RecoverCatalogueDocument = { state, points, archives, problems: [...problems] };
  const lines = [text, ...renderProblems(problems, context.terminal.output)];
  return { document, text: lines.join('\n'), exit: EXIT_OF_STATE[state] };
}

/** On the host itself too: what one copy has lost comes out of the other. */
async function recoverCopies({ account, dryRun }: RecoverFlags, context: CommandContext): Promise<CommandResult> {
  if (dryRun === true)
    throw new SalvorError('usage', { problem: '--only copies has no --dry-run: salvor doctor says which are gone' });
  await using agent = await openAgent(context);
  using progress = new ProgressLine(context.terminal, context.clock);
  const document = await agent.recoverCopies(account ?? null, { signal: context.signal, onProgress: progress.show });
  progress.clear();
  const { copies, problems, state } = document;
  const lines = copies.map(
    ({ account: of, copy, url, snapshots }) =>
      `Made the ${copy} repository of ${escapeControl(of)} again in ${escapeControl(url)}: ${counted(snapshots, 'snapshot')} came over.`,
  );
  if (copies.length === 0 && problems.length === 0) lines.push('No repository is gone.');
  const text = [...lines, ...renderProblems(problems, context.terminal.output)].join('\n');
  return { document, text, exit: EXIT_OF_STATE[state] };
}

/** The one that is named, else the host's: that of whatever directory the command is typed in is no lost host's. */
function placeOfConfig({ configFile, environment }: CommandContext): string {
  const places = configPlaces(configFile, environment);
  const [only] = places;
  return only !== undefined && places.length === 1 ? only : SYSTEM_CONFIG;
}

async function kitOf(named: string | undefined, context: CommandContext): Promise<ReturnType<typeof readKit>> {
  if (named === '-') return readKit((await buffer(context.terminal.stdin)).toString('utf8'), 'what came over stdin');
  if (named !== undefined) {
    if (!existsSync(named)) throw new SalvorError('kit-unreadable', { kit: named, why: 'there is no such file' });
    return readKit(readFileSync(named, 'utf8'), named);
  }
  if (!context.terminal.canAsk)
    throw new SalvorError('usage', { problem: 'name the recovery kit with --kit FILE, or --kit - for stdin' });
  return readTypedKit(await askKit(context));
}

/** What stands on the printed page. Keys are typed here and nowhere else: a command line is seen by everybody. */
async function askKit({ terminal, signal }: CommandContext): Promise<TypedKit> {
  using asking = createInterface({ input: terminal.stdin, output: terminal.stderr, signal });
  // Line by line, also where all of it is pasted at once.
  const lines = asking[Symbol.asyncIterator]();
  const ask = async (question: string): Promise<string> => {
    await writeAll(terminal.stderr, `${question}: `);
    const line = await lines.next();
    if (line.done === true) throw new SalvorError('cancelled', { what: 'the kit was not typed to its end' });
    return line.value.trim();
  };
  const url = await ask('Address of the copy, a directory or sftp:user@host:/path');
  const recoveryKey = await ask('Recovery key (blanks do not matter)');
  if (url.startsWith('/')) return { url, recoveryKey, login: null };
  const keyFile = await ask('File with the private key to log in with');
  const hostKeysFile = await ask('File with the keys that the server must show, as known_hosts has them');
  return { url, recoveryKey, login: { keyFile, hostKeysFile } };
}

function render(document: RecoverDocument, paint: Paint): string {
  const { dryRun, host, from, recorded, config, written, accounts, databaseUsers, hostFiles, points, problems } =
    document;
  const lines = [
    `${dryRun ? 'Would recover' : 'Recovered'} ${escapeControl(host)} from its ${from} copy.`,
    recorded === null
      ? paint.yellow('It has left no record of itself: its users and the users of its databases are yours to make.')
      : `Its configuration and users are those of ${readableTime(recorded)}.`,
    ...(dryRun
      ? []
      : [`${written ? 'Wrote' : 'Kept'} ${escapeControl(config)}. ${counted(points, 'point')} in the catalogue.`]),
    ...accounts.flatMap((account) => renderAccount(account, paint)),
  ];
  if (databaseUsers.length > 0) lines.push(`${counted(databaseUsers.length, 'user')} of database servers made.`);
  if (hostFiles !== null)
    lines.push(
      `The host's own files (/etc, crontabs) lie in ${escapeControl(hostFiles)}: take from them what this machine needs.`,
    );
  if (dryRun) lines.push('Nothing was changed (--dry-run).');
  return [...lines, ...renderProblems(problems, paint)].join('\n');
}

function renderAccount(
  { account, state, point, time, users, homes, files, bytes, sites, problems }: RecoverAccount,
  paint: Paint,
): readonly string[] {
  const done = sites.filter((site) => site.state === 'succeeded' || site.state === 'warned').length;
  const night = point === null || time === null ? '' : `, the night of ${readableTime(time)} (${shortPoint(point)})`;
  const what =
    state === 'planned'
      ? counted(sites.length, 'site')
      : `${done} of ${counted(sites.length, 'site')}, ${counted(files, 'file')}, ${readableBytes(bytes)}`;
  const mark = { planned: paint.bold, succeeded: paint.green, warned: paint.yellow, failed: paint.red }[state];
  return [
    '',
    `${mark(escapeControl(account))}: ${what}${night}`,
    ...(users.length === 0 ? [] : [`  users: ${users.map((user) => escapeControl(user)).join(', ')}`]),
    ...homes.map((home) => `  ${escapeControl(home.path)}: ${home.state}`),
    ...renderProblems([...problems, ...sites.flatMap((site) => site.problems)], paint).map((line) => `  ${line}`),
  ];
}
