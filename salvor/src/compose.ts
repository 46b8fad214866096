/**
 * Puts the parts together: configuration → agent. The only place that makes services, and that knows which clock,
 * which chance and which randomness they get. What is opened here is closed by disposing what is returned, in the
 * opposite order.
 */
import { randomBytes } from 'node:crypto';
import { openAgent as openAgentOf } from './agent/agent.ts';
import type { Agent } from './agent/agent.ts';
import { type Uptime, readUptime } from './agent/clock-watch.ts';
import { nameCaller } from './lib/process-identity.ts';
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
  return openAgentOf(config, {
    clock,
    random: Math.random,
    randomBytes: (count) => randomBytes(count),
    who: nameCaller(),
    say: () => {},
    uptime,
  });
}
