/**
 * What is done on the empty machine: `node empty-machine.ts JOB.json`, inside of its namespace. Starts an empty database server,
 * recovers, serves the sites and prints what it saw as JSON.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import type { RecoverDocument } from '@salvor/contract';
import { openMariaDb } from '../../../demo/mariadb-server.ts';
import { SALVOR } from '../cli/run-cli.ts';
import { type ServedSite, type SiteLook, lookAtSites } from './look-at-sites.ts';

export type MachineJob = {
  readonly directory: string;
  readonly config: string;
  readonly kit: string;
  readonly sites: readonly ServedSite[];
  /** Of the demo's web server. */
  readonly scripts: string;
  /** Commands in their order; one with `killAfterMs` is killed then, if it has not ended. The kit comes over stdin. */
  readonly commands: readonly { readonly args: readonly string[]; readonly killAfterMs?: number }[];
  /** Statements for the empty database server, before anything else. */
  readonly sql?: string;
  /** Run by a shell before the sites are looked at. */
  readonly script?: string;
  /** URIs of the sites that are looked at. */
  readonly look: readonly string[];
};

export type MachineCommand = {
  readonly exit: number | null;
  readonly seconds: number;
  readonly document: RecoverDocument | null;
  readonly output: string;
  readonly complaint: string;
};

export type MachineReport = {
  readonly commands: readonly MachineCommand[];
  readonly script: string;
  readonly looks: readonly SiteLook[];
  readonly passwd: string;
  readonly group: string;
  readonly shadow: string;
  readonly configuration: string | null;
  /** Private directories of recoveries that are not there any more. */
  readonly left: readonly string[];
};

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as MachineJob;
await using mariadb = await openMariaDb({ directory: join(job.directory, 'mariadb') });
if (job.sql !== undefined) await mariadb.query(job.sql);
const temporary = join(job.directory, 'tmp');
mkdirSync(temporary);
const commands: MachineCommand[] = [];
for (const command of job.commands) commands.push(await runSalvor(command));
const script = job.script === undefined ? '' : await runScript(job.script);
const scripts = join(job.directory, 'scripts');
cpSync(job.scripts, scripts, { recursive: true });
const looked = job.sites.filter(({ uri }) => job.look.includes(uri));
const report: MachineReport = {
  commands,
  script,
  looks: await lookAtSites(looked, { mariadb, scripts }),
  passwd: readFileSync('/etc/passwd', 'utf8'),
  group: readFileSync('/etc/group', 'utf8'),
  shadow: readFileSync('/etc/shadow', 'utf8'),
  configuration: existsSync(job.config) ? readFileSync(job.config, 'utf8') : null,
  left: readdirSync(temporary).filter((name) => name.startsWith('salvor-recovery')),
};
process.stdout.write(JSON.stringify(report));

async function runSalvor({ args, killAfterMs }: MachineJob['commands'][number]): Promise<MachineCommand> {
  const began = performance.now();
  const child = spawn(SALVOR, [...args, '--json', '--config', job.config], {
    // Processes have their numbers from this machine alone: what they leave must not be taken for another one's.
    env: { ...process.env, HOME: '/root', TMPDIR: temporary },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => {});
  child.stdin.end(readFileSync(job.kit));
  const closed = once(child, 'close');
  const timer = killAfterMs === undefined ? null : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  if (timer !== null) clearTimeout(timer);
  const seconds = (performance.now() - began) / 1000;
  let document: RecoverDocument | null = null;
  try {
    document = JSON.parse(output) as RecoverDocument;
  } catch {
    // Killed, or what was said tells more.
  }
  return { exit: child.exitCode, seconds, document, output: document === null ? output : '', complaint };
}

async function runScript(body: string): Promise<string> {
  const child = spawn('sh', ['-ec', body], {
    cwd: '/root',
    env: { ...process.env, HOME: '/root' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  if (child.exitCode !== 0) throw new Error(`the script ended with ${child.exitCode}: ${output}\n${complaint}`);
  return output;
}
