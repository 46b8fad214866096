import { existsSync } from 'node:fs';
import type { Check } from './examine-host.ts';
import { findMissingUsers } from '../../lib/own-users.ts';
import { finding } from './findings.ts';

/** Where what starts the agent at boot may lie: ours, and those of a package. */
const SERVICE_FILES = [
  '/etc/systemd/system/salvor-agent.service',
  '/lib/systemd/system/salvor-agent.service',
  '/etc/init.d/salvor-agent',
];

/** Whether somebody begins the nights, and whether what handles foreign data has users of its own. */
export const checkService: Check = ({ locks }) => {
  const isInstalled = SERVICE_FILES.some((path) => existsSync(path));
  return Promise.resolve([
    ...(locks.findAgent() === null ? [finding('agent-not-running')] : []),
    ...(isInstalled ? findUsers() : [finding('agent-not-installed')]),
  ]);
};

function findUsers(): ReturnType<typeof finding>[] {
  return process.getuid?.() === 0 ? findMissingUsers().map((user) => finding('own-user-missing', { user })) : [];
}
