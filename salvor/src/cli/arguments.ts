/** What more than one verb takes, said in the same words. */
import { Option } from 'commander';

/** Which copy of a point is read. */
export function fromCopy(): Option {
  const said = 'read this copy alone (default: local, and remote where that has it not or is damaged)';
  return new Option('--from <copy>', said).choices(['local', 'remote']);
}

export const PLATFORM = 'another platform of the account: its name, or its root';
export const TASK = 'id of a task, as tasks and status show it';
export const WAIT = 'wait for a site that another task has, instead of failing at once';
export const SITE = 'URI of a site, or ACCOUNT/URI where two accounts have it';
