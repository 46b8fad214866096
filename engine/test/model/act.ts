/** One operation of the model, in this process. */
import {
  EngineError,
  backup,
  copy,
  entriesOfPaths,
  forgetNamed,
  heal,
  listSnapshots,
  openLocalStorage,
  openRepository,
  prune,
} from '../../src/index.ts';
import type { Repository } from '../../src/index.ts';

export type Place = { readonly directory: string; readonly key: string };

export type Act =
  | { readonly kind: 'backup'; readonly places: readonly Place[]; readonly source: string }
  | { readonly kind: 'forget'; readonly place: Place; readonly keep: number }
  | { readonly kind: 'prune'; readonly place: Place; readonly maxUnusedPercent: number }
  | { readonly kind: 'copy'; readonly from: Place; readonly to: Place }
  | { readonly kind: 'heal'; readonly damaged: Place; readonly healthy: Place };

const open = async (place: Place): Promise<Repository> => openRepository(openLocalStorage(place.directory), place.key);

/** Does it; the root trees of the snapshots that it made of the source. A lock of another is no failure here. */
export async function act(wanted: Act): Promise<readonly string[]> {
  try {
    return await perform(wanted);
  } catch (error) {
    if (error instanceof EngineError && error.code === 'repository-locked') return [];
    throw error;
  }
}

async function perform(wanted: Act): Promise<readonly string[]> {
  switch (wanted.kind) {
    case 'backup': {
      const repositories = await Promise.all(wanted.places.map(open));
      const result = await backup({
        source: entriesOfPaths([wanted.source]),
        repositories,
        paths: [wanted.source],
        workers: 2,
      });
      return result.snapshots.map(({ tree }) => tree);
    }
    case 'forget': {
      const repository = await open(wanted.place);
      const { snapshots } = await listSnapshots(repository);
      const gone = snapshots.slice(0, Math.max(0, snapshots.length - wanted.keep));
      await forgetNamed(
        repository,
        gone.map(({ id }) => id),
      );
      return [];
    }
    case 'prune':
      await prune(await open(wanted.place), {
        maxUnused: { kind: 'percent', percent: wanted.maxUnusedPercent },
      });
      return [];
    case 'copy':
      await copy({ from: await open(wanted.from), to: await open(wanted.to) });
      return [];
    case 'heal': {
      const { left } = await heal({ damaged: await open(wanted.damaged), healthy: await open(wanted.healthy) });
      if (left.length > 0) throw new Error(`not healed: ${JSON.stringify(left)}`);
      return [];
    }
    default:
      return wanted satisfies never;
  }
}
