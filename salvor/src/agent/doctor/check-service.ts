import { existsSync } from 'node:fs';
import type { Check } from './examine-host.ts';
import { finding } from './findings.ts';

/** Where what starts the agent at boot may lie: ours, and those of a package. */
const SERVICE_FILES = [
  '/etc/systemd/system/salvor-agent.service',
  '/lib/systemd/system/salvor-agent.service',
  '/etc/init.d/salvor-agent',
];

/** Whether somebody begins the nights. */
export const checkService: Check = ({ locks }) => {
  const isInstalled = SERVICE_FILES.some((path) => existsSync(path));
  return Promise.resolve([
    ...(locks.findAgent() === null ? [finding('agent-not-running')] : []),
    ...(isInstalled ? [] : [finding('agent-not-installed')]),
  ]);
};
