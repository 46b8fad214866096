/** The middle one, or the mean of the two in the middle. */
export function median(figures: readonly number[]): number {
  const sorted = figures.toSorted((one, other) => one - other);
  const [low, high] = [(sorted.length - 1) >> 1, sorted.length >> 1];
  return ((sorted[low] ?? Number.NaN) + (sorted[high] ?? Number.NaN)) / 2;
}

/** To thousandths: of seconds, that is what the clock and the start of a process are good for. */
export function roundFigure(figure: number): number {
  return Math.round(figure * 1000) / 1000;
}
