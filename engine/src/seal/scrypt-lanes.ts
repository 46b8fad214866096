/** The lanes of scrypt that one thread mixes (ROMix of RFC 7914, section 5), two at a time. */
const PAGE_BYTES = 65_536;
const WORDS = 16;

type Mix = (inA: number, withA: number, outA: number, inB: number, withB: number, outB: number, r: number) => void;

/** What `mixLanes` works in, two lanes at a time: N blocks each, one that is being mixed, and its next form. */
export function laneMemory(N: number, r: number): WebAssembly.Memory {
  const pages = Math.ceil((2 * 128 * r * (N + 2)) / PAGE_BYTES);
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
}

/** Mixes `blocks`, some lanes of 128·r bytes each, in their place. */
export function mixLanes(
  module: WebAssembly.Module,
  memory: WebAssembly.Memory,
  blocks: Uint8Array,
  { N, r }: { readonly N: number; readonly r: number },
): void {
  const bytes = 128 * r;
  const instance = new WebAssembly.Instance(module, { m: { m: memory } });
  const [mix, mixWith] = [instance.exports['mix'] as Mix, instance.exports['mixWith'] as Mix];
  const words = new DataView(memory.buffer);
  const lane = bytes * (N + 1);
  const spare = 2 * lane;
  for (let at = 0; at < blocks.length; at += 2 * bytes) {
    const second = at + bytes < blocks.length ? at + bytes : at;
    spread(blocks.subarray(at, at + bytes), words, 0);
    spread(blocks.subarray(second, second + bytes), words, lane);
    for (let n = 0; n < N; n++) mix(n * bytes, 0, (n + 1) * bytes, lane + n * bytes, 0, lane + (n + 1) * bytes, r);
    let [a, b] = [N * bytes, lane + N * bytes];
    let [nextA, nextB] = [spare, spare + bytes];
    for (let n = 0; n < N; n++) {
      const withA = (words.getUint32(a + bytes - 64, true) & (N - 1)) * bytes;
      const withB = lane + (words.getUint32(b + bytes - 64, true) & (N - 1)) * bytes;
      mixWith(a, withA, nextA, b, withB, nextB, r);
      [a, nextA, b, nextB] = [nextA, a, nextB, b];
    }
    gather(words, a, blocks.subarray(at, at + bytes));
    if (second !== at) gather(words, b, blocks.subarray(second, second + bytes));
  }
}

/** Into the order of words that the module wants. */
function spread(from: Uint8Array, to: DataView, at: number): void {
  const view = new DataView(from.buffer, from.byteOffset, from.byteLength);
  for (let block = 0; block < from.length; block += 64)
    for (let n = 0; n < WORDS; n++)
      to.setUint32(at + block + 4 * n, view.getUint32(block + 4 * ((5 * n) % WORDS), true), true);
}

function gather(from: DataView, at: number, to: Uint8Array): void {
  const view = new DataView(to.buffer, to.byteOffset, to.byteLength);
  for (let block = 0; block < to.length; block += 64)
    for (let n = 0; n < WORDS; n++)
      view.setUint32(block + 4 * ((5 * n) % WORDS), from.getUint32(at + block + 4 * n, true), true);
}
