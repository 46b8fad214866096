/**
 * Writes what `salvor init` was told into `salvor.yaml`. What a person wrote there stays: comments, order,
 * settings that were not named. A reader never sees half a file.
 */
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { parseDocument, stringify } from 'yaml';
import { DEFAULTS, holdsPassword, parseConfig } from './config.ts';
import type { Config } from './config.ts';
import { errnoOf } from './lib/errno.ts';
import { writeDurably } from './lib/write-durably.ts';
import { makeDirectories } from './lib/make-directories.ts';

export type ConfigChange = {
  readonly state?: string;
  readonly homes?: readonly string[];
  readonly local?: string;
  readonly remote?: string;
};

/**
 * Makes `file` say what `change` says, and creates it where it is missing. Returns the configuration that is in
 * force and whether anything was written. Throws as `parseConfig` does, before anything is written.
 */
export function writeConfig(
  file: string,
  change: ConfigChange,
): { readonly config: Config; readonly written: boolean } {
  const before = readIfThere(file);
  const text = before === null ? newConfig(change) : changeConfig(before, file, change);
  const config = parseConfig(text, file);
  if (before !== null && isSame(config, parseConfig(before, file))) return { config, written: false };
  replaceFile(file, text, holdsPassword(config) ? 0o600 : modeOf(file));
  return { config, written: true };
}

/** How the second place of a host is reached on a machine that takes its place. */
export type AdoptedPlaces = {
  /** Named where there is no configuration to go on with. */
  readonly homes: readonly string[];
  readonly local: string | null;
  readonly remote: {
    readonly url: string;
    readonly identityFile: string | null;
    readonly knownHosts: string | null;
  } | null;
};

/**
 * The configuration of a lost host on the machine that takes its place: the file that is there, else `saved`, else a new one.
 * With `places` it is written where it was missing, with a log-in for the remote place where the one that it names is not there.
 * Throws as `parseConfig` does.
 */
export function adoptConfig(
  file: string,
  saved: string | null,
  places: AdoptedPlaces | null,
): { readonly config: Config; readonly written: boolean } {
  const before = readIfThere(file);
  if (before !== null) return { config: parseConfig(before, file), written: false };
  if (places === null) return { config: parseConfig(saved ?? '{}', file), written: false };
  const { homes, local, remote } = places;
  const text = saved ?? newConfig({ homes, ...(local === null ? {} : { local }) });
  const document = parseDocument(text);
  if (remote !== null && !hasLogin(parseConfig(text, file))) {
    const { url, identityFile, knownHosts } = remote;
    document.set(
      'remote',
      document.createNode(identityFile === null || knownHosts === null ? url : { url, identityFile, knownHosts }),
    );
  }
  const adopted = document.toString({ lineWidth: 0 });
  const config = parseConfig(adopted, file);
  replaceFile(file, adopted, 0o600);
  return { config, written: true };
}

/** Whether the log-in that a configuration names is there, or none is needed. */
function hasLogin({ remote }: Config): boolean {
  if (remote === null) return false;
  if (remote.url.startsWith('/')) return true;
  return [remote.identityFile, remote.knownHosts].every((path) => path !== null && existsSync(path));
}

/** A new file explains itself: it is where a hoster looks first. */
function newConfig(change: ConfigChange): string {
  const homes = change.homes ?? [];
  return `# yaml-language-server: $schema=salvor.schema.json
# Salvor's configuration.

# The homes of the accounts. Where none is named they are found: /var/aegir, /data/disk/*, /home/*, /var/www and the like.
${homes.length > 0 ? line('homes', homes) : '# homes:\n#   - /data/disk/o1\n'}
# The agent's store, journals and the repositories' keys. Keep a copy of its directory 'keys' somewhere else:
# without them no backup can be read.
${line('state', change.state ?? DEFAULTS.state)}
# Each account's repository lies in a directory of its own in this one, by preference on another disk.
${line('local', change.local ?? DEFAULTS.local)}
# A second repository of each account, by preference in another place: a directory, or sftp:user@host:/path.
${change.remote === undefined ? '# remote: sftp:backup@store.example:/srv/salvor\n' : line('remote', change.remote)}`;
}

function line(key: string, value: unknown): string {
  return stringify({ [key]: value }, { lineWidth: 0 });
}

function changeConfig(before: string, file: string, change: ConfigChange): string {
  parseConfig(before, file);
  const document = parseDocument(before);
  // Nothing but comments: somebody's notes.
  if (document.contents === null) return `${before.trimEnd()}\n${newConfig(change)}`;
  for (const [key, value] of Object.entries(change)) document.set(key, document.createNode(value));
  return document.toString({ lineWidth: 0 });
}

function isSame(a: Config, b: Config): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

function readIfThere(file: string): string | null {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

function modeOf(file: string): number {
  return (statSync(file, { throwIfNoEntry: false })?.mode ?? 0o644) & 0o777;
}

/** What a crash left of an earlier try is not written into. */
function replaceFile(file: string, text: string, mode: number): void {
  makeDirectories(dirname(file), 0o755);
  rmSync(`${file}.new`, { force: true });
  writeDurably(file, text, mode);
}
