/**
 * What is done on the empty machine: `node empty-machine.ts JOB.json`, inside of its namespace. Starts an empty database server,
 * recovers, serves the sites and prints what it saw as JSON.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { RecoverDocument } from '@salvor/contract';
import { openMariaDb } from '../../../demo/mariadb-server.ts';
import { Random } from '../../../demo/random.ts';
import { SALVOR } from '../cli/run-cli.ts';
import { type ServedSite, type SiteLook, lookAtSites } from './look-at-sites.ts';

export type MachineJob = {
  readonly directory: string;
  readonly config: string;
  readonly kit: string;
  readonly sites: readonly ServedSite[];
  /** Of the demo's web server. */
  readonly scripts: string;
  /**
   * Before the commands: recoveries that are killed, each in another of its steps, until one has come to its end; of all steps
   * such a share, as the seed picks them.
   */
  readonly kills?: { readonly share: number; readonly seed: number };
  /** Commands in their order. The kit comes over stdin. */
  readonly commands: readonly { readonly args: readonly string[] }[];
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
  /** Steps that recoveries were killed in. */
  readonly hits: readonly string[];
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

const STEPS = fileURLToPath(new URL('recover-steps.ts', import.meta.url));
/** A step may be over by then, and the next one is hit. */
const MAX_LATE_MS = 100;

const job = JSON.parse(readFileSync(process.argv[2] ?? '', 'utf8')) as MachineJob;
await using mariadb = await openMariaDb({ directory: join(job.directory, 'mariadb') });
if (job.sql !== undefined) await mariadb.query(job.sql);
const temporary = join(job.directory, 'tmp');
mkdirSync(temporary);
// Processes have their numbers from this machine alone: what they leave must not be taken for another one's.
const ENVIRONMENT = { ...process.env, HOME: '/root', TMPDIR: temporary };
const hits = job.kills === undefined ? [] : await killAtSteps(job.kills);
const commands: MachineCommand[] = [];
for (const command of job.commands) commands.push(await runSalvor(command));
const script = job.script === undefined ? '' : await runScript(job.script);
const scripts = join(job.directory, 'scripts');
cpSync(job.scripts, scripts, { recursive: true });
const looked = job.sites.filter(({ uri }) => job.look.includes(uri));
const report: MachineReport = {
  hits,
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

/** A step that was passed over is not looked at again. */
async function killAtSteps({ share, seed }: { share: number; seed: number }): Promise<readonly string[]> {
  const random = new Random(seed).fork('kills');
  const known = new Set<string>();
  const killed: string[] = [];
  for (;;) {
    const child = spawn(process.execPath, ['--no-warnings', STEPS, job.config], {
      env: ENVIRONMENT,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    child.stdin.end(readFileSync(job.kit));
    const closed = once(child, 'close');
    let hit: string | null = null;
    for await (const step of createInterface({ input: child.stdout })) {
      if (hit !== null || known.has(step)) continue;
      known.add(step);
      if (random.between(1, 1000) > share * 1000) continue;
      hit = step;
      setTimeout(() => child.kill('SIGKILL'), random.between(0, MAX_LATE_MS));
    }
    await closed;
    if (child.exitCode === 0) return killed;
    if (hit === null) throw new Error(`a recovery after ${killed.at(-1) ?? 'nothing'} ended with ${child.exitCode}`);
    killed.push(hit);
  }
}

async function runSalvor({ args }: MachineJob['commands'][number]): Promise<MachineCommand> {
  const began = performance.now();
  const child = spawn(SALVOR, [...args, '--json', '--config', job.config], {
    env: ENVIRONMENT,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => {});
  child.stdin.end(readFileSync(job.kit));
  const closed = once(child, 'close');
  const [output, complaint] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  const seconds = (performance.now() - began) / 1000;
  let document: RecoverDocument | null = null;
  try {
    document = JSON.parse(output) as RecoverDocument;
  } catch {
    // What was said tells more.
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
