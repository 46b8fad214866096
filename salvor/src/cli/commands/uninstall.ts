import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { UninstallDocument } from '@salvor/contract';
import { readInstallRecord } from '../../agent/install/install-record.ts';
import { renderReadingPage } from '../../agent/install/read-without-salvor.ts';
import { NO_SERVICE, openServiceManager } from '../../agent/install/service-manager.ts';
import { uninstallHost } from '../../agent/install/uninstall-host.ts';
import { SalvorError } from '../../errors.ts';
import { askConsent, requireConsentPossible } from '../consent.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { findInstallation, readRoot } from '../installation.ts';
import type { Paint } from '../paint.ts';
import { escapeControl } from '../readable.ts';
import { renderProblems } from '../render-problems.ts';

export type UninstallFlags = { readonly root?: string; readonly yes?: boolean };

const PAGE = 'how-to-read-these-backups.txt';

export async function uninstall(flags: UninstallFlags, context: CommandContext): Promise<CommandResult> {
  requireConsentPossible('To take the agent out of service', flags.yes === true, context);
  const root = readRoot(flags.root);
  const { file, config, state, local, thirdCopy } = findInstallation(context, root);
  const record = readInstallRecord(root, state);
  if (record === null) throw new SalvorError('not-installed', { state });
  if (flags.yes !== true)
    await askConsent('Stop the agent and remove its service? Backups, keys and archives stay.', context);
  const text = renderReadingPage({
    places: { state, local, remote: config?.remote ?? null },
    thirdCopy,
    accounts: namesOf(join(root, state, 'keys')),
    date: context.clock(),
  });
  const document = await uninstallHost({
    root,
    state,
    keeps: [file, local, thirdCopy],
    page: { path: join(dirname(local), PAGE), text },
    services: root === '' ? openServiceManager(record.init) : NO_SERVICE,
  });
  return { document, text: render(document, context.terminal.output), exit: document.state === 'succeeded' ? 0 : 3 };
}

/** Whoever has a key has a repository. */
function namesOf(keys: string): readonly string[] {
  return existsSync(keys) ? readdirSync(keys).filter((name) => !name.startsWith('.')) : [];
}

function render({ removed, users, kept, page, problems }: UninstallDocument, paint: Paint): string {
  return [
    paint.green('Salvor is out of service.'),
    ...removed.map((path) => `Removed ${escapeControl(path)}`),
    ...users.map((name) => `Removed the user ${escapeControl(name)}`),
    ...kept.map((path) => `Kept ${escapeControl(path)}`),
    ...renderProblems(problems, paint),
    `How to read the backups without it: ${escapeControl(page)}`,
  ].join('\n');
}
