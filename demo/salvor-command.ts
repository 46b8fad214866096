import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import type { DemoHost } from './host.ts';

/** Where Salvor keeps what it has of a demo host: beside the home, inside the host's directory. */
export type SalvorPlaces = {
  readonly config: string;
  readonly stateDir: string;
  readonly repositories: string;
  /** Scratch trees, and what a restore replaced, till its grace ends. */
  readonly staging: string;
  /** The account's repository and the file with its key, as stock restic takes them. */
  readonly repository: string;
  readonly keyFile: string;
  /** Where second copies lie, for a host that keeps them. */
  readonly remote: string;
};

export type SalvorRun = {
  readonly exit: number;
  /** What `--json` gave, or null where it gave nothing. */
  readonly document: unknown;
  readonly output: string;
  readonly complaint: string;
};

const SALVOR = fileURLToPath(new URL('../bin/salvor', import.meta.url));

export function salvorPlaces(host: DemoHost): SalvorPlaces {
  const directory = join(host.directory, 'salvor');
  const stateDir = join(directory, 'state');
  const repositories = join(directory, 'repositories');
  return {
    config: join(directory, 'salvor.yaml'),
    stateDir,
    repositories,
    staging: join(directory, 'staging'),
    repository: join(repositories, host.account.name),
    keyFile: join(stateDir, 'keys', host.account.name),
    remote: join(directory, 'remote'),
  };
}

/**
 * The flags of the first command. Writes down before it what has no flag: the server's socket, which no default knows,
 * and a place for scratch trees inside the host's directory, which by default is at the top of the file system.
 */
export function initFlags(host: DemoHost): readonly string[] {
  const places = salvorPlaces(host);
  mkdirSync(join(host.directory, 'salvor'), { recursive: true });
  if (!existsSync(places.config)) {
    writeFileSync(
      places.config,
      `# The demo's own server and a place for scratch trees: on a host both are found.
mariadb:
  socket: ${JSON.stringify(host.mariadb.socket)}
staging: ${JSON.stringify(places.staging)}
`,
    );
  }
  return ['--home', host.home, '--state', places.stateDir, '--local', places.repositories];
}

/** Runs `salvor ARGS --json` on the demo host to its end; never throws for its exit code. */
export async function runSalvor(
  host: DemoHost,
  args: readonly string[],
  options: { readonly signal?: AbortSignal } = {},
): Promise<SalvorRun> {
  const { exit, output, complaint } = await runTool([SALVOR, ...args, '--json'], host, options);
  return { exit, document: parseDocument(output), output, complaint };
}

/** What a command with `--json` printed, or null where that is no document: its exit code and what it said tell more. */
export function parseDocument(output: string): unknown {
  try {
    return JSON.parse(output);
  } catch {
    return null;
  }
}

/** Runs stock restic on the account's repository, without a cache outside the host's directory. */
export async function runRestic(
  host: DemoHost,
  args: readonly string[],
  { copy = 'local', ...options }: { readonly signal?: AbortSignal; readonly copy?: 'local' | 'remote' } = {},
): Promise<Omit<SalvorRun, 'document'>> {
  const places = salvorPlaces(host);
  const { name } = host.account;
  const repository = copy === 'local' ? places.repository : join(places.remote, name);
  const keyFile = copy === 'local' ? places.keyFile : join(places.stateDir, 'remote-keys', name);
  return runTool(['restic', '--no-cache', '--repo', repository, '--password-file', keyFile, ...args], host, options);
}

async function runTool(
  command: readonly [string, ...string[]],
  host: DemoHost,
  { signal }: { readonly signal?: AbortSignal },
): Promise<Omit<SalvorRun, 'document'>> {
  const [file, ...args] = command;
  const child = spawn(file, args, {
    // Nothing is to be written into the home of whoever runs the demo.
    env: { ...process.env, HOME: host.directory, SALVOR_CONFIG: salvorPlaces(host).config },
    cwd: host.directory,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(signal === undefined ? {} : { signal }),
  });
  const closed = once(child, 'close') as Promise<[number | null, NodeJS.Signals | null]>;
  const [output, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { exit: code ?? 1, output, complaint };
}
