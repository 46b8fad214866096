/** What `install`, `upgrade` and `uninstall` are about: which configuration, which places, which program. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { type Config, DEFAULTS, SYSTEM_CONFIG, loadConfig, parseConfig } from '../config.ts';
import type { CommandContext } from './command.ts';

/** The directory that this program lies in. */
export const PROGRAM: string = resolve(import.meta.dirname, '../../..');

export type Installation = {
  /** As seen from inside the root. */
  readonly file: string;
  /** Null where there is none yet. */
  readonly config: Config | null;
  readonly state: string;
  readonly local: string;
  readonly thirdCopy: string;
};

/** A service has no directory of its own to look in: without `--config` it is the system's. `root` is empty for this host's own. */
export function findInstallation({ configFile, environment }: CommandContext, root: string): Installation {
  const file = resolve(configFile ?? environment.configFile ?? SYSTEM_CONFIG);
  const at = join(root, file);
  const config = !existsSync(at)
    ? null
    : root === ''
      ? loadConfig([file])
      : parseConfig(readFileSync(at, 'utf8'), file);
  const { state, local, thirdCopy } = config ?? {
    ...DEFAULTS,
    thirdCopy: join(dirname(DEFAULTS.local), 'sql'),
  };
  return { file, config, state, local, thirdCopy };
}

/** Empty for this host's own, which `/` is too. */
export function readRoot(named: string | undefined): string {
  const root = named === undefined ? '/' : resolve(named);
  return root === '/' ? '' : root;
}
