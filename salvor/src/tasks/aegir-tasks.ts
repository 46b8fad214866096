/**
 * What Aegir does with a site at this moment: tasks that its panel has as processing, and its commands among the
 * processes of the host, as a task may also be begun by hand. Waiting for them is all that we do with them.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import type { Problem } from '@salvor/contract';
import { openConnection, quoteName } from '../databases/mariadb/connect.ts';
import { SalvorError } from '../errors.ts';
import type { LivingAegir } from '../sites/find-aegir.ts';
import { siteKey } from '../sites/site.ts';

/** In words: `its task 4711 (migrate)`, `drush @example.org provision-backup (process 99)`. */
export type AegirTask = { readonly shown: string };

export type AegirLook = {
  readonly running: readonly AegirTask[];
  /** Where the panel could not be asked: its processes alone were looked at. */
  readonly problem: Problem | null;
};

/** Its queue takes what began longer ago for lost. */
const MAX_TASK_HOURS = 8;
const PROCESSING = -1;
const POLL_MS = 2000;

export async function lookAtAegir(aegir: LivingAegir, uri: string, signal?: AbortSignal): Promise<AegirLook> {
  const processes = findCommands(uri, aegir.account.uid);
  try {
    return { running: [...(await readQueue(aegir, uri, signal)), ...processes], problem: null };
  } catch (error) {
    if (!(error instanceof SalvorError) || error.code === 'cancelled') throw error;
    const message = `the panel of Aegir could not be asked what runs on ${uri}: ${error.message}`;
    return { running: processes, problem: { code: 'aegir-unseen', message, path: siteKey(aegir.panel) } };
  }
}

export type WaitOptions = {
  readonly withinMs: number;
  readonly say: (line: string) => void;
  readonly signal: AbortSignal;
  readonly pollMs?: number;
};

/** Returns when nothing of Aegir runs on the site. Throws `aegir-busy` after `withinMs`. */
export async function waitForAegir(aegir: LivingAegir, uri: string, options: WaitOptions): Promise<AegirLook> {
  const { withinMs, say, signal, pollMs = POLL_MS } = options;
  const began = performance.now();
  for (let said = ''; ;) {
    const look = await lookAtAegir(aegir, uri, signal);
    if (look.running.length === 0) return look;
    const what = look.running.map(({ shown }) => shown).join(', ');
    if (performance.now() - began >= withinMs) throw new SalvorError('aegir-busy', { site: uri, what });
    if (what !== said) say(`waits for Aegir: ${what}`);
    said = what;
    await setTimeout(pollMs, undefined, { signal });
  }
}

async function readQueue(
  { panel }: LivingAegir,
  uri: string,
  signal: AbortSignal | undefined,
): Promise<readonly AegirTask[]> {
  const [database] = panel.databases;
  if (database === undefined) throw new SalvorError('database-missing', { database: panel.uri, server: '', user: '' });
  const { login, name, prefix } = database;
  await using connection = await openConnection(login, { database: name, signal });
  const table = (base: string): string => quoteName(name, prefix + base);
  // Each try of a task is a revision of its node: the node tells the last.
  const rows = await connection.query<{ nid: number; type: Buffer | string }>(
    `SELECT t.nid AS nid, t.task_type AS type FROM ${table('hosting_task')} t
     JOIN ${table('node')} n ON n.vid = t.vid JOIN ${table('hosting_context')} c ON c.nid = t.rid
     WHERE t.task_status = ? AND c.name IN (?, ?) AND t.executed > UNIX_TIMESTAMP() - ?`,
    [PROCESSING, uri, uri === panel.uri ? 'hostmaster' : uri, MAX_TASK_HOURS * 3600],
  );
  return rows.map(({ nid, type }) => ({ shown: `its task ${nid} (${type.toString()})` }));
}

/** `drush @example.org provision-…` and `drush provision-… example.org` of the account's own user. */
function findCommands(uri: string, uid: number): readonly AegirTask[] {
  const own = new Set([uri, `@${uri}`, `'@${uri}'`, `--uri=${uri}`]);
  return readdirSync('/proc').flatMap((name) => {
    const words = /^\d+$/.test(name) ? wordsOf(name, uid) : [];
    const isDrush = words.some((word) => /(?:^|\/)drush(?:\d+|\.php|\.phar|\.launcher)?$/.test(word));
    const command = words.find((word) => /^(?:provision|hosting)-[a-z-]+$/.test(word));
    if (!isDrush || command === undefined || !words.some((word) => own.has(word))) return [];
    return [{ shown: `drush ${command} (process ${name})` }];
  });
}

function wordsOf(pid: string, uid: number): readonly string[] {
  try {
    const owner = /^Uid:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
    return Number(owner) === uid ? readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0') : [];
  } catch {
    // It has ended meanwhile.
    return [];
  }
}
