import type { InstallDocument } from '@salvor/contract';
import { type InstallOptions, installHost } from '../../agent/install/install-host.ts';
import type { InitSystem } from '../../agent/install/plan-install.ts';
import { NO_SERVICE, findInitSystem, openServiceManager } from '../../agent/install/service-manager.ts';
import type { CommandContext, CommandResult } from '../command.ts';
import { PROGRAM, findInstallation, readRoot } from '../installation.ts';
import type { Paint } from '../paint.ts';
import { escapeControl } from '../readable.ts';
import { readVersion } from '../../lib/version.ts';

export type InstallFlags = { readonly root?: string; readonly program?: string; readonly init?: InitSystem };

export async function install(flags: InstallFlags, context: CommandContext): Promise<CommandResult> {
  const document = await installHost(installOptions(flags, context));
  return { document, text: render(document, context.terminal.output), exit: 0 };
}

/** For this host, or beneath another root. */
export function installOptions(flags: InstallFlags, context: CommandContext): InstallOptions {
  const root = readRoot(flags.root);
  const init = flags.init ?? findInitSystem(root);
  const { file, state, local, thirdCopy } = findInstallation(context, root);
  return {
    root,
    program: flags.program ?? PROGRAM,
    config: file,
    init,
    state,
    local,
    thirdCopy,
    version: readVersion(),
    clock: context.clock,
    services: root === '' ? openServiceManager(init) : NO_SERVICE,
  };
}

function render(
  { version, program, written, users, isConfigured, isStarted, root, init }: InstallDocument,
  paint: Paint,
): string {
  const lines = [
    paint.green(
      `Salvor ${version} of ${escapeControl(program)} is installed${root === '/' ? '' : ` beneath ${escapeControl(root)}`}.`,
    ),
    ...(written.length === 0 ? ['All was there already.'] : written.map((path) => `Wrote ${escapeControl(path)}`)),
  ];
  lines.push(...users.map((name) => `Made the user ${name}, who has no rights and no log-in`));
  if (isStarted) lines.push('The agent runs, and starts at boot. See how the host stands with: salvor doctor');
  else if (!isConfigured)
    lines.push(
      `Next: salvor init   then: ${init === 'systemd' ? 'systemctl start salvor-agent' : '/etc/init.d/salvor-agent start'}`,
    );
  else lines.push('Its agent starts when that system boots.');
  return lines.join('\n');
}
