import { existsSync } from 'node:fs';
import { run } from '../../lib/run.ts';
import { INIT_FILE, type InitSystem, SERVICE } from './plan-install.ts';

/** What starts and stops the agent on this host. */
export type ServiceManager = {
  /** Told of a service that is new or has changed; from then on it starts at boot. */
  enable(): Promise<void>;
  start(): Promise<void>;
  /** Also of one that does not run. */
  stop(): Promise<void>;
  /** From then on nothing starts it at boot; its files are still there. */
  disable(): Promise<void>;
};

/** Which of the two this root has; the one that runs, where it is this host's. */
export function findInitSystem(root: string): InitSystem {
  const places = root === '' ? ['/run/systemd/system'] : ['/lib/systemd/systemd', '/usr/lib/systemd/systemd'];
  return places.some((path) => existsSync(`${root}${path}`)) ? 'systemd' : 'sysv';
}

export function openServiceManager(init: InitSystem): ServiceManager {
  return init === 'systemd' ? SYSTEMD : SYSV;
}

/** For a root that is not this host's: what starts it is its own business, at its own boot. */
export const NO_SERVICE: ServiceManager = {
  enable: () => Promise.resolve(),
  start: () => Promise.resolve(),
  stop: () => Promise.resolve(),
  disable: () => Promise.resolve(),
};

const systemctl = async (...args: readonly string[]): Promise<void> => {
  await run('systemctl', { args });
};

const SYSTEMD: ServiceManager = {
  enable: async () => {
    await systemctl('daemon-reload');
    await systemctl('enable', '--quiet', SERVICE);
  },
  start: () => systemctl('restart', SERVICE),
  stop: () => systemctl('stop', SERVICE),
  disable: async () => {
    await systemctl('disable', '--quiet', SERVICE);
    await systemctl('daemon-reload');
  },
};

const SYSV: ServiceManager = {
  enable: () => updateRc('defaults'),
  start: () => initScript('start'),
  stop: () => initScript('stop'),
  disable: () => updateRc('remove'),
};

async function initScript(verb: string): Promise<void> {
  // Its own process group and files: what it starts must not end with us, nor hold our output open.
  if (existsSync(INIT_FILE)) await run('sh', { args: ['-c', `exec ${INIT_FILE} ${verb} </dev/null`] });
}

/** Where neither tool is there, whoever minds the host starts it as he starts everything else. */
async function updateRc(verb: 'defaults' | 'remove'): Promise<void> {
  if (existsSync('/usr/sbin/update-rc.d')) await run('update-rc.d', { args: ['-f', SERVICE, verb] });
  else if (existsSync('/sbin/chkconfig'))
    await run('chkconfig', { args: [verb === 'defaults' ? '--add' : '--del', SERVICE] });
}
