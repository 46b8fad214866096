/**
 * The settings files of one site's directory, whether it is live or built in staging: read, and given new text. Owns
 * which files these are; what becomes of them is `sites/rewrite-settings.ts`.
 *
 *   using directory = openRoot(staged);
 *   const { files, problems } = rewriteSettingsIn(directory, changes);      // reads only: the preview
 *   writeSettings(directory, files);
 *   const again = checkLogIns(readUnpackedSite(staged, …), databasesAfter(site.databases, changes.connections));
 *
 * Everything goes through the open directory and follows no link.
 */
import { closeSync, fsyncSync, readdirSync, renameSync, writeSync } from 'node:fs';
import { MAX_PHP_FILE_BYTES } from '../lib/php-syntax.ts';
import { hold, setMode, setOwner } from '../lib/beneath/held.ts';
import type { OpenDirectory } from '../lib/beneath/open-directory.ts';
import { openFileAt, readPieces } from '../lib/beneath/read-file.ts';
import { type Spot, createFileAt, lookAt, pathOfSpot, spotIn, syncSpots, unlinkAt } from '../lib/beneath/spot.ts';
import { SalvorError } from '../errors.ts';
import { rewriteSettings } from '../sites/rewrite-settings.ts';
import { type RewrittenSettings, type SettingsChanges, notRewritten } from '../sites/settings-changes.ts';
import type { SiteProblem } from '../sites/site.ts';

/**
 * Files at the top of a site's directory that say who it is: `settings.php` and its like, Aegir's `drushrc.php` and
 * BOA's `local.drushrc.php`, `wp-config.php`; not what WordPress's own code has of such names. No other file's text is rewritten: `docs/identity.md` says why.
 */
export function isIdentityFile(name: string): boolean {
  if (name === 'wp-settings.php' || name === 'wp-config-sample.php') return false;
  return /(?:^|[._-])settings(?:[._-][^/]*)?\.php$|^(?:local\.)?drushrc\.php$|^wp-config[^/]*\.php$/i.test(name);
}

export type RewrittenFile = RewrittenSettings & { readonly name: string; readonly before: Uint8Array };

export type RewrittenFiles = {
  /** Those that hold something of the old, changed or only named. By name. */
  readonly files: readonly RewrittenFile[];
  /** How many secrets are new; and those that stay where new ones are wanted, by file and place. */
  readonly freshSecrets: number;
  readonly keptSecrets: readonly string[];
  /** Each stops the task. */
  readonly problems: readonly SiteProblem[];
};

/** Reads the settings in a directory and works out what they become; writes nothing. */
export function rewriteSettingsIn(directory: OpenDirectory, changes: SettingsChanges): RewrittenFiles {
  const files: RewrittenFile[] = [];
  const problems: SiteProblem[] = [];
  const keptSecrets: string[] = [];
  let freshSecrets = 0;
  for (const name of readdirSync(`/proc/self/fd/${directory.fd}`).filter(isIdentityFile).toSorted()) {
    const shown = `${changes.naming.path.from}/${name}`;
    const read = readSmallFile(spotIn(directory, name));
    if (read === null) continue;
    if ('why' in read) {
      problems.push(notRewritten(shown, 0, read.why));
      continue;
    }
    const rewritten = rewriteSettings({ name, bytes: read.bytes }, changes);
    problems.push(...rewritten.problems);
    freshSecrets += rewritten.freshSecrets;
    keptSecrets.push(...rewritten.keptSecrets.map((place) => `${place} in ${name}`));
    if (rewritten.places.length + rewritten.left.length > 0) files.push({ ...rewritten, name, before: read.bytes });
  }
  return { files, freshSecrets, keptSecrets, problems };
}

/**
 * Puts the new text in place of the old, with its owner and mode and the time of now (PHP's cache looks at nothing else).
 * For a staging directory, which nobody else writes. Throws `file-changed` where a file is not what was read.
 */
export function writeSettings(directory: OpenDirectory, files: readonly RewrittenFile[]): void {
  for (const { name, before, bytes } of files) {
    if (Buffer.compare(before, bytes) === 0) continue;
    const spot = spotIn(directory, name);
    const now = readSmallFile(spot);
    if (now === null || 'why' in now || Buffer.compare(now.bytes, before) !== 0)
      throw new SalvorError('file-changed', { path: spot.path });
    replaceFile(directory, spot, bytes);
  }
}

function replaceFile(directory: OpenDirectory, spot: Spot, bytes: Uint8Array): void {
  const beside = spotIn(directory, `.${String(spot.name)}.new`);
  // Of a run that was killed in between.
  if (lookAt(beside) !== null) unlinkAt(beside);
  const fd = createFileAt(beside, 0o600);
  try {
    for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  const old = lookAt(spot);
  using made = hold(beside, null);
  if (old === null || made === null) throw new SalvorError('file-changed', { path: spot.path });
  if (process.getuid?.() === 0) setOwner(made, { uid: Number(old.uid), gid: Number(old.gid) });
  setMode(made, Number(old.mode) & 0o7777);
  renameSync(pathOfSpot(beside), pathOfSpot(spot));
  syncSpots(directory);
}

/** Null where nothing is there. */
function readSmallFile(spot: Spot): { readonly bytes: Buffer } | { readonly why: string } | null {
  const there = lookAt(spot);
  if (there === null) return null;
  if (there.isSymbolicLink()) return { why: 'the file is a link, and what it leads to may be another site’s too' };
  if (!there.isFile()) return { why: 'it is no regular file' };
  if (there.size > BigInt(MAX_PHP_FILE_BYTES)) return { why: `it is larger than ${MAX_PHP_FILE_BYTES} bytes` };
  using file = openFileAt(spot);
  return file === null ? null : { bytes: Buffer.concat([...readPieces(file)]) };
}
