/**
 * Puts the parts together: configuration → agent. The only place that makes services, and that knows which clock,
 * which chance and which randomness they get. What is opened here is closed by disposing what is returned, in the
 * opposite order.
 */
import { randomBytes } from 'node:crypto';
import type { RecoverDocument } from '@salvor/contract';
import type { Agent } from './agent/agent.ts';
import { Locks } from './agent/locks.ts';
import { type AgentCalls, socketOf } from './agent/socket/call-table.ts';
import { connectAgent } from './agent/socket/connect-agent.ts';
import { Way } from './agent/way.ts';
import { openCallListener } from './agent/socket/listen-calls.ts';
import { readVersion } from './lib/version.ts';
import { type Uptime, readUptime } from './agent/clock-watch.ts';
import type { RecoverTools, RecoverWanted } from './agent/recover-machine.ts';
import type { AgentServices } from './agent/open-task-room.ts';
export { type TypedKit, readKit, readTypedKit } from './points/read-kit.ts';
import { adoptConfig } from './write-config.ts';
import { prepareForMonths, releaseMemory } from './lib/release-memory.ts';
import { nameCaller, nameProcess } from './lib/process-identity.ts';
import { tellPolicyChange } from './policies/policy-change.ts';
import type { PolicyLevels } from './policies/policy-levels.ts';
import { configPlaces, loadConfig } from './config.ts';
import type { Config, Environment } from './config.ts';

export type Composition = {
  /** `--config FILE` */
  readonly configFile: string | null;
  readonly environment: Environment;
  readonly clock: () => Date;
  /** The machine's own where it is absent. */
  readonly uptime?: () => Uptime;
};

/**
 * The agent of the configuration that is found: the one that runs on this host, over its local socket, else one in this
 * process, under the same locks. Throws as `loadConfig` does.
 */
export async function openAgent(composition: Composition): Promise<AgentCalls> {
  const config = loadConfig(configPlaces(composition.configFile, composition.environment));
  const running = await connectAgent(socketOf(config.state), { version: readVersion(), config: config.file });
  return running ?? (await openAgentFor(config, composition));
}

/** The agent of a configuration. Its parts are loaded here: a command that asks the one that runs needs none of them. */
export async function openAgentFor(
  config: Config,
  {
    clock,
    uptime = readUptime,
    who = nameCaller(),
    way = new Way(),
  }: Pick<Composition, 'clock'> & Partial<Pick<AgentServices, 'uptime' | 'who' | 'way'>>,
): Promise<Agent> {
  const agent = await import('./agent/agent.ts');
  return await agent.openAgent(config, servicesOf(clock, uptime, who, way));
}

function servicesOf(clock: () => Date, uptime: () => Uptime, who: string, way: Way = new Way()): AgentServices {
  return {
    way,
    clock,
    random: Math.random,
    randomBytes: (count) => randomBytes(count),
    who,
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
  const agent = await import('./agent/recover-machine.ts');
  return await agent.recoverMachine(wanted, {
    ...servicesOf(clock, readUptime, nameCaller()),
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
  /** Of nights and of what is asked for meanwhile, alike. */
  readonly way?: Way;
  /** Waits so long, or until the signal says stop. */
  readonly pause: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly signal: AbortSignal;
  readonly onLine: (line: string) => void;
  /** Gives memory back when work has ended. */
  readonly release?: () => void;
};

/** How often the queue is looked at, and the configuration: a change is in force without a restart. */
const ROUND_MS = 30_000;

/**
 * Serves a host until the signal says stop, the only process that does (throws `agent-running`): jobs when they are due,
 * the tasks that are nobody's, and what commands ask for. A configuration that can't be read any more is told once, and
 * the one before stays in force.
 */
export async function serveHost({
  load,
  clock,
  uptime,
  way = new Way(),
  pause,
  signal,
  onLine,
  release = releaseMemory,
}: ServeOptions): Promise<void> {
  let config = load();
  let told = '';
  let rulesBefore: PolicyLevels | null = null;
  await using held = new AsyncDisposableStack();
  prepareForMonths();
  held.use(held.use(new Locks(config.state)).lockAgent());
  held.use(
    await openCallListener({
      path: socketOf(config.state),
      version: readVersion(),
      config: () => config.file,
      // What salvor.yaml says now, not at the last round: whoever asks has just read it.
      open: ({ pid, uid }) => openAgentFor(load(), { clock, way, who: nameProcess(pid, uid) }),
      onIdle: release,
    }),
  );
  onLine(`serves with ${config.file}`);
  while (!signal.aborted) {
    try {
      const next = load();
      const changes = tellPolicyChange(config.policies, next.policies);
      for (const line of changes) onLine(line);
      if (changes.length > 0) rulesBefore = config.policies;
      config = next;
      told = '';
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text !== told) onLine(`keeps the configuration of before: ${text}`);
      told = text;
    }
    try {
      await using agent = await openAgentFor(config, { clock, way, ...(uptime === undefined ? {} : { uptime }) });
      // Before anything goes by the new rules.
      if (rulesBefore !== null) for (const line of await agent.tellForget(rulesBefore)) onLine(line);
      rulesBefore = null;
      await agent.serveRound({ signal, onLine });
    } catch (error) {
      if (signal.aborted) break;
      onLine(`a round failed: ${error instanceof Error ? error.message : String(error)}`);
    }
    release();
    await pause(ROUND_MS, signal);
  }
  onLine('stops');
}
