/**
 * Puts the parts together: configuration → agent. The only place that makes services, and that knows which clock,
 * which chance and which randomness they get. What is opened here is closed by disposing what is returned, in the
 * opposite order.
 */
import { randomBytes } from 'node:crypto';
import type { RecoverDocument } from '@salvor/contract';
import { openAgent as openAgentOf } from './agent/agent.ts';
import type { Agent } from './agent/agent.ts';
import { Locks } from './agent/locks.ts';
import { type Uptime, readUptime } from './agent/clock-watch.ts';
import { nameCaller } from './lib/process-identity.ts';
import { type RecoverTools, type RecoverWanted, recoverMachine as recoverMachineOf } from './agent/recover-machine.ts';
import type { AgentServices } from './agent/open-task-room.ts';
export { type TypedKit, readKit, readTypedKit } from './points/read-kit.ts';
import { adoptConfig } from './write-config.ts';
import { configPlaces, loadConfig } from './config.ts';
import type { Config, Environment } from './config.ts';

export type Composition = {
  /** `--config FILE` */
  readonly configFile: string | null;
  readonly environment: Environment;
  readonly clock: () => Date;
};

/** The agent of the configuration that is found. Throws as `loadConfig` does. */
export async function openAgent(composition: Composition): Promise<Agent> {
  return openAgentFor(loadConfig(configPlaces(composition.configFile, composition.environment)), composition);
}

/** The agent of a configuration. */
export async function openAgentFor(
  config: Config,
  { clock, uptime = readUptime }: Pick<Composition, 'clock'> & { readonly uptime?: () => Uptime },
): Promise<Agent> {
  return openAgentOf(config, servicesOf(clock, uptime));
}

function servicesOf(clock: () => Date, uptime: () => Uptime): AgentServices {
  return {
    clock,
    random: Math.random,
    randomBytes: (count) => randomBytes(count),
    who: nameCaller(),
    say: () => {},
    uptime,
  };
}

/** Brings a lost host back on this machine; its configuration lies at `file` then. Throws as `recoverMachine` of the agent does. */
export async function recoverMachine(
  file: string,
  wanted: RecoverWanted,
  { clock, signal, onProgress }: Pick<RecoverTools, 'clock' | 'signal' | 'onProgress'>,
): Promise<RecoverDocument> {
  return await recoverMachineOf(wanted, {
    ...servicesOf(clock, readUptime),
    signal,
    onProgress,
    configure: (saved, change) => adoptConfig(file, saved, change),
  });
}

export type ServeOptions = {
  /** Reads the configuration as it is now. */
  readonly load: () => Config;
  readonly clock: () => Date;
  readonly uptime?: () => Uptime;
  /** Waits so long, or until the signal says stop. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
};

/** How often the queue is looked at, and the configuration: a change is in force without a restart. */
const ROUND_MS = 30_000;

/**
 * Serves a host until the signal says stop, the only process that does (throws `agent-running`): jobs when they are due, and the tasks that are nobody's. A configuration that
 * can't be read any more is told once, and the one before stays in force.
 */
export async function serveHost({ load, clock, uptime, pause, signal, onLine }: ServeOptions): Promise<void> {
  let config = load();
  let told = '';
  using held = new DisposableStack();
  held.use(held.use(new Locks(config.state)).lockAgent());
  onLine(`serves with ${config.file}`);
  while (!signal.aborted) {
    try {
      config = load();
      told = '';
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text !== told) onLine(`keeps the configuration of before: ${text}`);
      told = text;
    }
    try {
      await using agent = await openAgentFor(config, { clock, ...(uptime === undefined ? {} : { uptime }) });
      await agent.serveRound({ signal, onLine });
    } catch (error) {
      if (signal.aborted) break;
      onLine(`a round failed: ${error instanceof Error ? error.message : String(error)}`);
    }
    await pause(ROUND_MS, signal);
  }
  onLine('stops');
}
