/**
 * What an installation consists of besides the program itself: directories with their modes, the command's link, and what
 * starts the agent at boot. Pure: a plan can be shown, written beneath another root, and compared with what is there.
 */
import { dirname, join } from 'node:path';
import { renderInitScript, renderLogRotation } from './init-script.ts';
import { renderUnit } from './service-unit.ts';

export const SERVICE = 'salvor-agent';
export const UNIT_FILE = `/etc/systemd/system/${SERVICE}.service`;
export const INIT_FILE = `/etc/init.d/${SERVICE}`;
export const COMMAND_LINK = '/usr/local/bin/salvor';

export type InitSystem = 'systemd' | 'sysv';

export type InstallWish = {
  /** The directory of the program, which holds `bin/salvor`. Absolute, as everything here is seen from inside the root. */
  readonly program: string;
  readonly config: string;
  readonly init: InitSystem;
  readonly state: string;
  readonly local: string;
  readonly thirdCopy: string;
};

export type InstallPlan = {
  /** Made where they are missing; those that are there keep what they hold and get this mode. */
  readonly directories: readonly { readonly path: string; readonly mode: number }[];
  readonly files: readonly { readonly path: string; readonly mode: number; readonly text: string }[];
  readonly link: { readonly path: string; readonly target: string };
};

/** The agent is root's; users of the system are made for what handles foreign data (`lib/own-users.ts`). */
export function planInstall(wish: InstallWish): InstallPlan {
  const { program, config, init, state, local, thirdCopy } = wish;
  const command = join(program, 'bin/salvor');
  const service = { command, config, places: [state, local, thirdCopy] };
  return {
    directories: [
      { path: dirname(config), mode: 0o755 },
      { path: state, mode: 0o700 },
      { path: local, mode: 0o700 },
      { path: thirdCopy, mode: 0o700 },
    ],
    files:
      init === 'systemd'
        ? [{ path: UNIT_FILE, mode: 0o644, text: renderUnit(service) }]
        : [
            { path: INIT_FILE, mode: 0o755, text: renderInitScript(service) },
            { path: `/etc/logrotate.d/${SERVICE}`, mode: 0o644, text: renderLogRotation() },
          ],
    link: { path: COMMAND_LINK, target: command },
  };
}
