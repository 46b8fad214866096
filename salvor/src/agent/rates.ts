import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { writeDurably } from '../lib/write-durably.ts';
import { NO_RATES, RATE_KINDS, type Rate, type RateKind, type Rates, addRate } from '../tasks/estimate-restore.ts';

/** What restores of this host took: STATE/rates.json. A help for estimates and no more: what can't be read is begun anew. */
export class MeasuredRates {
  readonly #file: string;

  constructor(stateDirectory: string) {
    this.#file = join(stateDirectory, 'rates.json');
  }

  read(): Rates {
    try {
      const read = JSON.parse(readFileSync(this.#file, 'utf8')) as Partial<Rates>;
      return Object.fromEntries(RATE_KINDS.map((kind) => [kind, asRate(read[kind])])) as Rates;
    } catch {
      return NO_RATES;
    }
  }

  add(kind: RateKind, measured: Rate): void {
    const before = this.read();
    const after = addRate(before, kind, measured);
    if (after !== before) writeDurably(this.#file, `${JSON.stringify(after)}\n`);
  }
}

function asRate(read: Partial<Rate> | undefined): Rate {
  const isWhole = Number.isFinite(read?.bytes) && Number.isFinite(read?.seconds);
  return isWhole ? { bytes: Number(read?.bytes), seconds: Number(read?.seconds) } : { bytes: 0, seconds: 0 };
}
