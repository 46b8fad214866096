import { hash } from 'node:crypto';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { errnoOf } from '../../lib/errno.ts';
import { writeDurably } from '../../lib/write-durably.ts';

/** What `install` wrote, so that `upgrade` and `uninstall` touch that and nothing else. Paths as seen from inside the root. */
const InstallRecord = z.object({
  version: z.string(),
  program: z.string(),
  init: z.enum(['systemd', 'sysv']),
  installedAt: z.string(),
  link: z.string(),
  /** With the SHA-256 of what was written. */
  files: z.record(z.string(), z.string()),
  /** Users of the system that were made. */
  users: z.array(z.string()).default([]),
});
export type InstallRecord = Readonly<z.infer<typeof InstallRecord>>;

/** Null where nothing was installed, or by hand. */
export function readInstallRecord(root: string, state: string): InstallRecord | null {
  try {
    return InstallRecord.parse(JSON.parse(readFileSync(fileOf(root, state), 'utf8')));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return null;
    throw error;
  }
}

export function writeInstallRecord(root: string, state: string, record: InstallRecord): void {
  writeDurably(fileOf(root, state), `${JSON.stringify(record, null, 2)}\n`, 0o600);
}

export function removeInstallRecord(root: string, state: string): void {
  rmSync(fileOf(root, state), { force: true });
}

export function sumOf(text: string | Uint8Array): string {
  return hash('sha256', text, 'hex');
}

function fileOf(root: string, state: string): string {
  return join(root, state, 'installed.json');
}
