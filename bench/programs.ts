import { fileURLToPath } from 'node:url';

/** The two sides of every row. */
export type Side = 'ours' | 'peer';
export const SIDES: readonly Side[] = ['ours', 'peer'];

/** A repository on the disk, with what restic keeps beside it. */
export type Repository = {
  readonly directory: string;
  readonly passwordFile: string;
  /** restic's cache of this repository alone. */
  readonly cache: string;
};

export type Command = readonly [string, ...string[]];

export type Program = {
  readonly name: string;
  readonly backup: (repository: Repository, path: string) => Command;
  readonly restore: (repository: Repository, target: string) => Command;
};

const SALVOR = fileURLToPath(new URL('../bin/salvor', import.meta.url));

export const PROGRAMS: Readonly<Record<Side, Program>> = {
  ours: {
    name: 'salvor',
    backup: (repository, path) => salvor(repository, 'backup', '--host', 'bench', path),
    restore: (repository, target) => salvor(repository, 'restore', 'latest', '--target', target),
  },
  peer: {
    name: 'restic',
    backup: (repository, path) => restic(repository, 'backup', '--host', 'bench', path),
    restore: (repository, target) => restic(repository, 'restore', 'latest', '--target', target),
  },
};

/** Stock restic as it is by default: with a cache, in a place of its own. */
export function restic(
  { directory, passwordFile, cache }: Repository,
  verb: string,
  ...args: readonly string[]
): Command {
  return ['restic', '--repo', directory, '--password-file', passwordFile, '--cache-dir', cache, verb, ...args];
}

function salvor({ directory, passwordFile }: Repository, verb: string, ...args: readonly string[]): Command {
  return [SALVOR, 'repo', verb, '--repo', directory, '--password-file', passwordFile, ...args];
}
