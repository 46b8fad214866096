/**
 * Lets the heap grow for as long as bytes stream through this process. V8 counts buffers, which lie outside its heap, against
 * a limit that it sets close above what the heap holds: with 30 MB of code and rules loaded, all of it is gone through anew
 * for each ten megabytes of buffers, on all cores (a quarter of the processor's time of an archive, measured). With this it
 * is done a third as often, for at most twice the heap in memory.
 *
 * V8's flag counts for all threads and from the next collection on; the last one who needs it takes it back.
 */
import { setFlagsFromString } from 'node:v8';

/** Percent that the heap may grow by between two collections. */
const GROWTH = 200;
/** V8's own choice. */
const ORDINARY = 0;

let needs = 0;

/** Until it is disposed. */
export function letHeapGrow(setFlag: typeof setFlagsFromString = setFlagsFromString): Disposable {
  const setGrowth = (percent: number): void => setFlag(`--heap-growing-percent=${percent}`);
  if (needs++ === 0) setGrowth(GROWTH);
  let isNeeded = true;
  return {
    [Symbol.dispose]: () => {
      if (isNeeded && --needs === 0) setGrowth(ORDINARY);
      isNeeded = false;
    },
  };
}
