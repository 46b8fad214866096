/**
 * What a `drush updatedb` that ended with 0 has said. Drush 4 to 9 end so too after an update that failed
 * (drush-ops/drush#198, #3094, #4299); and every Drush writes `[error]` for what a site may live with, as a library that a
 * module misses (#5306): sent back for that, no site of the kind could ever be moved (boa#1368). Hence two kinds of words:
 *
 *   that an update was not carried out     failed
 *   any other error                        told, and the task goes on
 */
import { stripVTControlCharacters } from 'node:util';

/** More than a person reads of it in a problem: the log has all. */
const MAX_DOUBTS = 5;
const MAX_LINE_CHARS = 300;

const MARK = String.raw`(?:\[\w+\]\s*)?`;
const FAILURES = new RegExp(
  [
    // Drush 8 and newer, of one update; Drupal's own update.php, of a query.
    `^${MARK}(?:Update failed: |Failed: )`,
    `^${MARK}(?:The update process was aborted|An error occurred (?:while|during|in) (?:the )?updat)`,
    // The server's answer to a statement, and PHP's end.
    String.raw`\bSQLSTATE\[(?!0)|\bYou have an error in your SQL syntax\b`,
    String.raw`\bPHP (?:Fatal|Parse) error: |^${MARK}(?:Fatal|Parse) error: |\bUncaught \S+`,
    String.raw`^${MARK}Error: (?:Class|Call to undefined|Interface)\b`,
  ].join('|'),
);
const DOUBTS = /\[(?:error|critical|alert|emergency)\]|\b(?:errors?|failed|failures?)\b/i;
const NOTHING =
  /\b(?:no|0|without|zero)\s+(?:\w+\s+)?(?:errors?|failed|failures?)\b|\b(?:errors?|failed|failures?):\s*0\b/i;
/** A row of the list of what is to be done, with what its author says of it. */
const LISTED = /\b(?:hook_update_n|post-update)\b|^\S+ module\s*:\s*\d|^\S+\s+\d{4,5}\s/;

/** Takes what Drush prints on both its streams, line by line, and keeps what counts. */
export class UpdateWords {
  /** The first line that says that an update was not carried out. */
  failure: string | null = null;
  readonly #doubts = new Set<string>();

  /** Lines that a person should read. */
  get doubts(): readonly string[] {
    return [...this.#doubts];
  }

  take(printed: string): void {
    const line = stripVTControlCharacters(printed).trim().slice(0, MAX_LINE_CHARS);
    if (FAILURES.test(line)) this.failure ??= line;
    if (this.#doubts.size < MAX_DOUBTS && DOUBTS.test(line) && !NOTHING.test(line) && !LISTED.test(line))
      this.#doubts.add(line);
  }
}
