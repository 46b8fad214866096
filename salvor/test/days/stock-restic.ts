/** What stock restic says of the simulated host's repositories: which snapshots there are, and what is in them. */
import { join } from 'node:path';
import { runCommand } from '../../../bench/measure/run-command.ts';

export type CopyPlace = 'local' | 'remote';
export type Half = 'files' | 'databases';

/** `point` is the account's; `time` in milliseconds. */
export type ListedSnapshot = {
  readonly id: string;
  readonly point: string;
  readonly half: Half;
  readonly time: number;
  readonly tree: string;
};

/** Where the two copies lie in the simulated host's directory, and their keys in its state. */
const PLACES = { local: ['repositories', 'keys'], remote: ['remote', 'remote-keys'] } as const;
const PATIENCE_MS = 600_000;

export class StockRestic {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async run(account: string, place: CopyPlace, ...command: readonly string[]): Promise<Buffer> {
    const [repositories, keys] = PLACES[place];
    const repository = join(this.#directory, repositories, account);
    const key = join(this.#directory, 'state', keys, account);
    const { output } = await runCommand(
      ['restic', '--no-cache', '--quiet', '--repo', repository, '--password-file', key, ...command],
      { work: this.#directory, signal: AbortSignal.timeout(PATIENCE_MS) },
    );
    return output;
  }

  async snapshots(account: string, place: CopyPlace): Promise<readonly ListedSnapshot[]> {
    const listed = JSON.parse((await this.run(account, place, 'snapshots', '--json')).toString()) as readonly {
      id: string;
      time: string;
      tree: string;
      tags: readonly string[];
    }[];
    return listed.map(({ id, time, tree, tags }) => {
      const tagged = (name: string): string =>
        tags.find((tag) => tag.startsWith(`${name}:`))?.slice(name.length + 1) ?? '';
      return { id, point: tagged('point'), half: tagged('holds') as Half, time: Date.parse(time), tree };
    });
  }
}
