/**
 * What `salvor doctor` can find: each code with its weight, what is so and what to do. What another part of the product
 * throws has a code, a message and a hint of its own already, and comes through `findingOfError`.
 */
import type { DoctorFinding } from '@salvor/contract';
import { codeOf } from '../../lib/errno.ts';

type FindingContext = Readonly<Record<string, string | number>>;
type FindingEntry = {
  readonly severity: DoctorFinding['severity'];
  readonly message: (context: FindingContext) => string;
  readonly remedy: (context: FindingContext) => string;
};

/** Alphabetical. */
export const FINDINGS = {
  'account-without-repository': {
    severity: 'warning',
    message: (c) => `account ${c['account']} has no ${c['copy']} repository yet`,
    remedy: () => 'make it now with: salvor init   (the next night makes it too)',
  },
  'aegir-deletes-archives': {
    severity: 'warning',
    message: (c) => `Aegir (${c['panel']}) deletes archives of its sites by rules of its own (${c['module']})`,
    remedy: () => 'switch the feature off in Aegir, under Hosting › Features: our rules let go of archives too',
  },
  'aegir-makes-archives': {
    severity: 'note',
    message: (c) => `Aegir (${c['panel']}) backs its sites up by itself too (${c['module']})`,
    remedy: () => 'if our nights are enough, switch the feature off in Aegir, under Hosting › Features',
  },
  'agent-not-running': {
    severity: 'warning',
    message: () => 'no agent serves this host: no night begins by itself',
    remedy: () => 'start it with: systemctl start salvor-agent   (set it up with: salvor install)',
  },
  'agent-not-installed': {
    severity: 'warning',
    message: () => 'no service of this host starts the agent at boot',
    remedy: () => 'set it up with: salvor install',
  },
  'clock-behind': {
    severity: 'error',
    message: (c) =>
      `the newest point of ${c['account']} is of ${c['time']}, which lies ahead: the clock of this host is wrong`,
    remedy: () => 'set the clock (timedatectl set-ntp true); until then nothing is let go of by its age',
  },
  'clock-jumped': {
    severity: 'warning',
    message: () => 'the clock has jumped within the last day',
    remedy: () =>
      'look at the clock; if it is right nothing is to be done: what it jumped by counts as no age, and the night after the next lets go of what is old again',
  },
  'clock-unsynchronised': {
    severity: 'note',
    message: () => 'nothing keeps the clock of this host right',
    remedy: () => 'switch on time synchronisation: timedatectl set-ntp true, or install chrony',
  },
  'copies-share-disk': {
    severity: 'warning',
    message: (c) => `the local and the remote repositories (${c['remote']}) lie on one disk: if it dies, both are gone`,
    remedy: () => 'name another place for the second copy: remote of salvor.yaml, such as sftp:user@host:/path',
  },
  'copy-behind': {
    severity: 'warning',
    message: (c) =>
      `${c['points']} of account ${c['account']} are not in the remote copy, the oldest of ${c['oldest']}`,
    remedy: (c) => `see why with: salvor task log ${c['task']}   the next night brings them over; now: salvor daily`,
  },
  'foreign-job-deletes': {
    severity: 'warning',
    message: (c) => `${c['name']} (${c['file']}) ${c['what']}`,
    remedy: (c) => String(c['remedy']),
  },
  'foreign-job-empties': {
    severity: 'warning',
    message: (c) => `${c['name']} (${c['file']}) ${c['what']}`,
    remedy: (c) => String(c['remedy']),
  },
  'foreign-job-repeats': {
    severity: 'note',
    message: (c) => `${c['name']} (${c['file']}) ${c['what']}`,
    remedy: (c) => String(c['remedy']),
  },
  'home-not-frozen': {
    severity: 'note',
    message: (c) => `${c['homes']}: read as it changes, because ${c['lacks']}`,
    remedy: () =>
      'leave a fifth of each volume free in its group, or a tenth of its pool or dataset: then a night reads the files as they were in one instant',
  },
  'home-shares-disk': {
    severity: 'warning',
    message: (c) => `the local repositories lie on the disk of ${c['homes']}: if it dies, both are gone`,
    remedy: (c) =>
      c['hasRemote'] === 'yes'
        ? 'put them on another disk (local of salvor.yaml), or live by the remote copy alone'
        : 'put them on another disk (local of salvor.yaml), and name a second place (remote)',
  },
  'inodes-short': {
    severity: 'error',
    message: (c) => `the disk of ${c['place']} has room for only ${c['left']} more files`,
    remedy: () => 'remove files there, or use another disk',
  },
  'mode-too-open': {
    severity: 'error',
    message: (c) => `${c['what']} ${c['fault']}`,
    remedy: (c) => `chown root: ${c['path']} && chmod ${c['mode']} ${c['path']}   and think about who may have read it`,
  },
  'night-failed': {
    severity: 'error',
    message: (c) => `the last night of ${c['account']} (${c['time']}) ended ${c['state']}`,
    remedy: (c) => `see why with: salvor task log ${c['task']}`,
  },
  'night-late': {
    severity: 'error',
    message: (c) => `account ${c['account']} has had no good night since the one of ${c['since']} was due`,
    remedy: () => 'see that the agent runs (systemctl status salvor-agent), or run it now with: salvor daily',
  },
  'night-with-problems': {
    severity: 'warning',
    message: (c) => `the last night of ${c['account']} (${c['time']}) named ${c['problems']}`,
    remedy: (c) => `read them with: salvor task log ${c['task']}`,
  },
  'no-accounts': {
    severity: 'error',
    message: () => 'no account with sites was found on this host: nothing is backed up',
    remedy: () => 'name the homes with: salvor init --home DIR',
  },
  'one-copy': {
    severity: 'warning',
    message: () => 'there is one copy: no remote place is named',
    remedy: () => 'name a second place: salvor init --remote sftp:user@host:/path',
  },
  'own-user-missing': {
    severity: 'note',
    message: (c) =>
      `this host has no user ${c['user']}: foreign data is handled as nobody, as whom other programs run too`,
    remedy: () => 'make it with: salvor install',
  },
  'pins-old': {
    severity: 'warning',
    message: (c) =>
      `${c['points']} of account ${c['account']}, holding ${c['bytes']}, wait for somebody to confirm a task; the oldest is of ${c['oldest']}`,
    remedy: () => 'look at the tasks with: salvor tasks   and end what is right with: salvor confirm TASK',
  },
  'program-missing': {
    severity: 'error',
    message: (c) => `${c['program']} is not installed: ${c['why']}`,
    remedy: (c) => `install it (Debian: ${c['package']})`,
  },
  'program-useful': {
    severity: 'note',
    message: (c) => `${c['program']} is not installed: ${c['why']}`,
    remedy: (c) => `install it (Debian: ${c['package']})`,
  },
  'recovery-kit-missing': {
    severity: 'warning',
    message: () => 'there is no recovery kit: nobody could open the backups if this host were gone',
    remedy: () => 'write it with: salvor init   then print it and keep it away from this host',
  },
  'recovery-key-unproven': {
    severity: 'error',
    message: (c) =>
      `the recovery key does not open the ${c['copy']} repository of ${c['account']} (it last did: ${c['proven']}): ${c['why']}`,
    remedy: () =>
      'give each repository its key for it again with: salvor init   and look whether the printed kit is the newest',
  },
  'recovery-kit-stale': {
    severity: 'warning',
    message: (c) => `the recovery kit is not of now: ${c['why']}`,
    remedy: () => 'write it anew with: salvor init   then print it, and destroy the one of before',
  },
  'repository-lock-old': {
    severity: 'warning',
    message: (c) => `a lock lies in the ${c['copy']} repository of ${c['account']} since ${c['time']}`,
    remedy: (c) => `if no other program works on it: salvor repo unlock --repo ${c['url']} --password-file ${c['key']}`,
  },
  'repository-lost': {
    severity: 'error',
    message: (c) => `the ${c['copy']} repository of ${c['account']} was made and is not there any more (${c['url']})`,
    remedy: (c) =>
      `mount its disk; if it is gone for good, make it again out of the other copy with: salvor recover --only copies --account ${c['account']}`,
  },
  'site-has-problems': {
    severity: 'warning',
    message: (c) => `${c['site']}: ${c['problem']}`,
    remedy: () => 'put right what its settings say; until then its points are not complete',
  },
  'space-low': {
    severity: 'error',
    message: (c) => `the disk of ${c['place']} has only ${c['free']} left`,
    remedy: () => 'free some space there, keep less (keep of the policy), or use a larger disk',
  },
  'space-runs-out': {
    severity: 'warning',
    message: (c) =>
      `the repositories in ${c['place']} grow by up to ${c['perDay']} a day, and ${c['free']} are free: full in about ${c['days']}`,
    remedy: () => 'use a larger disk, or keep less: see what would go with: salvor policy simulate ACCOUNT',
  },
  'task-hung': {
    severity: 'warning',
    message: (c) => `${c['problem']}`,
    remedy: () => 'look at that process, and end it if it does nothing',
  },
  'task-unrecovered': {
    severity: 'error',
    message: (c) =>
      `task ${c['task']} (${c['operation']} of ${c['site']}) could neither be finished nor taken back: ${c['error']}`,
    remedy: (c) =>
      `read what stands now with: salvor task log ${c['task']}   every command tries again once its cause is gone`,
  },
} as const satisfies Record<string, FindingEntry>;

export type FindingCode = keyof typeof FINDINGS;

export function finding(code: FindingCode, context: FindingContext = {}, path: string | null = null): DoctorFinding {
  const entry: FindingEntry = FINDINGS[code];
  return { code, severity: entry.severity, message: entry.message(context), remedy: entry.remedy(context), path };
}

/** What was thrown where something was tried. */
export function findingOfError(
  error: unknown,
  severity: DoctorFinding['severity'],
  path: string | null = null,
): DoctorFinding {
  const message = error instanceof Error ? error.message : String(error);
  const hint = error instanceof Error && 'hint' in error ? String(error.hint) : '';
  return {
    code: codeOf(error) ?? 'check-failed',
    severity,
    message: message.replace(/\.$/, '') || 'it failed without a word',
    remedy: hint === '' ? 'look at what it says; the other checks were made all the same' : hint.replace(/\.$/, ''),
    path,
  };
}
