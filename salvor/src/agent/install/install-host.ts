/**
 * Puts Salvor into service on a host, or into the tree of an image. May be run again: what is there and right stays.
 *
 *   trusted program? → nothing of others in the way? → directories → link and service files → users → record → enable → start
 *
 * A crash in between leaves files without a record, which the next run writes again and takes as its own.
 */
import { existsSync, readFileSync, readlinkSync, rmSync, symlinkSync, chmodSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { InstallDocument } from '@salvor/contract';
import { SalvorError } from '../../errors.ts';
import { makeDirectories } from '../../lib/make-directories.ts';
import { makeOwnUsers } from '../../lib/own-users.ts';
import { writeDurably } from '../../lib/write-durably.ts';
import { type InstallRecord, readInstallRecord, sumOf, writeInstallRecord } from './install-record.ts';
import { type InstallPlan, type InstallWish, planInstall } from './plan-install.ts';
import type { ServiceManager } from './service-manager.ts';
import { requireTrustedProgram } from './trusted-program.ts';
import { isThere } from '../../lib/is-there.ts';

export type InstallOptions = InstallWish & {
  /** The root that all of it is written beneath; empty for this host's own. */
  readonly root: string;
  readonly version: string;
  readonly clock: () => Date;
  readonly services: ServiceManager;
};

/** Throws `root-needed`, `program-missing`, `program-exposed`, `install-obstructed`. */
export async function installHost(options: InstallOptions): Promise<InstallDocument> {
  const { root, program, config, version, init, state } = options;
  if (root === '' && process.getuid?.() !== 0) throw new SalvorError('root-needed', { what: 'To install the agent' });
  requireTrustedProgram(join(root, program));
  const plan = planInstall(options);
  requireFree(plan, root, readInstallRecord(root, state));
  const written = writePlan(plan, root);
  const users = await makeOwnUsers(root);
  const before = readInstallRecord(root, state);
  writeInstallRecord(root, state, {
    version,
    program,
    init,
    installedAt: options.clock().toISOString(),
    link: plan.link.path,
    files: Object.fromEntries(plan.files.map(({ path, text }) => [path, sumOf(text)])),
    users: [...new Set([...(before?.users ?? []), ...users])],
  });
  await options.services.enable();
  const isConfigured = existsSync(join(root, config));
  if (isConfigured) await options.services.start();
  return {
    root: root === '' ? '/' : root,
    version,
    program,
    init,
    config,
    isConfigured,
    isStarted: isConfigured && root === '',
    written,
    users: [...users],
  };
}

/** Makes what the plan names beneath a root. Paths of what was not so before. */
export function writePlan(plan: InstallPlan, root: string): readonly string[] {
  const written: string[] = [];
  for (const { path, mode } of plan.directories) {
    const at = join(root, path);
    if (!existsSync(at)) written.push(path);
    makeDirectories(at, 0o755);
    chmodSync(at, mode);
  }
  for (const { path, mode, text } of plan.files) {
    const at = join(root, path);
    if (!existsSync(at) || readFileSync(at, 'utf8') !== text) written.push(path);
    makeDirectories(dirname(at), 0o755);
    writeDurably(at, text, mode);
    chmodSync(at, mode);
  }
  const at = join(root, plan.link.path);
  if (readLink(at) !== plan.link.target) {
    makeDirectories(dirname(at), 0o755);
    rmSync(at, { force: true });
    symlinkSync(plan.link.target, at);
    written.push(plan.link.path);
  }
  return written;
}

/** What somebody else put in our place is not replaced: he has a reason. */
function requireFree(plan: InstallPlan, root: string, before: InstallRecord | null): void {
  const at = join(root, plan.link.path);
  const target = readLink(at);
  const isOurs = target !== null && target.endsWith('/bin/salvor');
  if (isThere(at) && !isOurs)
    throw new SalvorError('install-obstructed', { path: plan.link.path, why: 'it is no link to a bin/salvor' });
  for (const { path, text } of plan.files) {
    const there = readText(join(root, path));
    if (there === null || there === text || sumOf(there) === before?.files[path]) continue;
    if (there.includes("Written by 'salvor install'") && before === null) continue;
    throw new SalvorError('install-obstructed', { path, why: 'it was changed, or written by somebody else' });
  }
}

function readText(path: string): string | null {
  return existsSync(path) ? readFileSync(path, 'utf8') : null;
}

function readLink(path: string): string | null {
  try {
    return readlinkSync(path);
  } catch {
    return null;
  }
}
