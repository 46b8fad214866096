/** How long a restore will take, from what earlier ones of this host took. Pure. */

/** What is measured: reading what is there for the safety point, building files, loading tables. */
export const RATE_KINDS = ['safety', 'files', 'tables'] as const;
export type RateKind = (typeof RATE_KINDS)[number];

/** Bytes and the seconds that they took, summed, older ones counting less. */
export type Rate = { readonly bytes: number; readonly seconds: number };
export type Rates = Readonly<Record<RateKind, Rate>>;

/** Of a small server, where nothing was measured yet: bytes a second. */
const FIRST: Readonly<Record<RateKind, number>> = { safety: 80e6, files: 60e6, tables: 6e6 };
/** Looking, opening, switching: what the smallest restore takes. */
const LEAST_SECONDS = 2;
/** Below this a measured time says more of starting than of the rate. */
const LEAST_BYTES = 20e6;

export const NO_RATES: Rates = {
  safety: { bytes: 0, seconds: 0 },
  files: { bytes: 0, seconds: 0 },
  tables: { bytes: 0, seconds: 0 },
};

export function estimateSeconds(rates: Rates, bytes: Readonly<Record<RateKind, number>>): number {
  const seconds = RATE_KINDS.map((kind) => bytes[kind] / bytesPerSecond(rates, kind));
  return Math.ceil(LEAST_SECONDS + seconds.reduce((sum, part) => sum + part, 0));
}

/** What was measured before counts half as much as this. */
export function addRate(rates: Rates, kind: RateKind, measured: Rate): Rates {
  if (measured.bytes < LEAST_BYTES || measured.seconds <= 0) return rates;
  const { bytes, seconds } = rates[kind];
  return { ...rates, [kind]: { bytes: bytes / 2 + measured.bytes, seconds: seconds / 2 + measured.seconds } };
}

function bytesPerSecond(rates: Rates, kind: RateKind): number {
  const { bytes, seconds } = rates[kind];
  return bytes > 0 && seconds > 0 ? bytes / seconds : FIRST[kind];
}
