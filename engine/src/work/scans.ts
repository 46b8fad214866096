/** The directories that one worker is listing: most are done in one go, huge ones go on when they are asked for more. */
import { openBlob, openPieces } from '../pack/open-blob.ts';
import { WHOLE_LISTING_BYTES } from '../limits.ts';
import type { MasterKey } from '../seal/master-key.ts';
import { Exclusion } from '../tree/exclusion.ts';
import { ParentListing, runOf, runsOf } from '../tree/parent-listing.ts';
import { DirectoryScan } from '../tree/scan-directory.ts';
import type { WorkingDirectory } from '../tree/working-directory.ts';
import type { DirectoryToScan, ListingParts, ScanAnswer, SealedTree } from './backup-jobs.ts';
import type { SealChain } from './seal-chain.ts';

export type ScanTools = {
  readonly directory: WorkingDirectory;
  readonly chain: Pick<SealChain, 'isStored' | 'isLacking'>;
  /** Opens the parent's listings. */
  readonly sourceKey: MasterKey;
  readonly storeTree: (parts: ListingParts) => string;
};

export class Scans {
  readonly #tools: ScanTools;
  readonly #open = new Map<number, DirectoryScan>();
  #count = 0;

  constructor(tools: ScanTools) {
    this.#tools = tools;
  }

  begin({ name, place, parent, exclusion }: DirectoryToScan): ScanAnswer {
    const { chain, directory } = this.#tools;
    const scan = DirectoryScan.begin(directory, {
      name,
      place,
      parent: parent === null ? null : this.#openParent(parent),
      exclusion: Exclusion.of(exclusion),
      isStored: (id) => chain.isStored('data', id),
      isLacking: (id) => chain.isLacking('data', id),
    });
    return 'failure' in scan ? scan : this.#nextSection(scan, null);
  }

  /** The next section of a directory that had more. */
  goOn(number: number): ScanAnswer {
    const scan = this.#open.get(number);
    if (scan === undefined) throw new RangeError(`no directory ${number} is being listed`);
    return this.#nextSection(scan, number);
  }

  #nextSection(scan: DirectoryScan, number: number | null): ScanAnswer {
    const { nodes, directories, files, problems, unmodifiedFiles, unmodifiedBytes, lacking, head } = scan.section();
    const rest = { directories, files, problems, unmodifiedFiles, unmodifiedBytes, lacking, head };
    const isComplete = directories.length === 0 && files.length === 0;
    const more = scan.isDone ? null : (number ?? ++this.#count);
    if (more !== null) this.#open.set(more, scan);
    else if (number !== null) this.#open.delete(number);
    if (!isComplete) return { ...rest, nodes, tree: null, more };
    const texts = nodes.filter((node) => node !== null);
    if (number === null && more === null) return { ...rest, nodes: [], tree: this.#tools.storeTree(texts), more };
    return { ...rest, nodes: Uint8Array.from(Buffer.from(texts.join(','))), tree: null, more };
  }

  /** A parent listing that is damaged is no parent: everything below is read again. */
  #openParent({ id, sealed, plainBytes }: SealedTree): ParentListing | null {
    const { sourceKey } = this.#tools;
    try {
      if ((plainBytes ?? sealed.length) <= WHOLE_LISTING_BYTES)
        return new ParentListing(runOf(openBlob(sourceKey, id, sealed, plainBytes)));
      return new ParentListing(runsOf(openPieces(sourceKey, id, sealed, plainBytes)()));
    } catch (error) {
      if (error instanceof RangeError) return null;
      throw error;
    }
  }
}
