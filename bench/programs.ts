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

/** What a program is run with, each a command line; `backUpTwice` may take more than one. */
export type Program = {
  readonly name: string;
  readonly backup: (repository: Repository, ...paths: readonly string[]) => Command;
  readonly backUpTwice: (one: Repository, other: Repository, path: string) => readonly Command[];
  readonly restore: (repository: Repository, target: string) => Command;
  readonly dump: (repository: Repository, file: string) => Command;
  readonly ls: (repository: Repository) => Command;
};

const SALVOR = fileURLToPath(new URL('../bin/salvor', import.meta.url));

export const PROGRAMS: Readonly<Record<Side, Program>> = {
  ours: {
    name: 'salvor',
    backup: (repository, ...paths) => salvor(repository, 'backup', '--host', 'bench', ...paths),
    backUpTwice: (one, other, path) => [salvor(one, 'backup', '--host', 'bench', '--also-repo', other.directory, path)],
    restore: (repository, target) => salvor(repository, 'restore', 'latest', '--target', target),
    dump: (repository, file) => salvor(repository, 'dump', 'latest', file),
    ls: (repository) => salvor(repository, 'ls', 'latest'),
  },
  peer: {
    name: 'restic',
    backup: (repository, ...paths) => restic(repository, 'backup', '--host', 'bench', ...paths),
    backUpTwice: (one, other, path) =>
      [one, other].map((repository) => restic(repository, 'backup', '--host', 'bench', path)),
    restore: (repository, target) => restic(repository, 'restore', 'latest', '--target', target),
    dump: (repository, file) => restic(repository, 'dump', 'latest', file),
    ls: (repository) => restic(repository, 'ls', 'latest'),
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

/** Ours, on a repository. */
export function salvor({ directory, passwordFile }: Repository, verb: string, ...args: readonly string[]): Command {
  return [SALVOR, 'repo', verb, '--repo', directory, '--password-file', passwordFile, ...args];
}
