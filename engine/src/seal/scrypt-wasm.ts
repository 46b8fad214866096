/**
 * The mixing of blocks that scrypt spends its time with (RFC 7914, sections 3 and 4), as WebAssembly with vectors. Two
 * lanes run interleaved: each is a long chain of steps that wait for the one before, so that the second costs little.
 * The module is written out here as that of the chunker is: it is one function, in two forms.
 *
 * Blocks of 64 bytes lie with their words in the order of the diagonals of Salsa20's square (word n is word 5n mod 16):
 * four vectors are the square then, and a round is four steps on all of its columns at once.
 *
 *   mix(inA, withA, outA, inB, withB, outB, r):      out = BlockMix(in)           `with` is not looked at
 *   mixWith(inA, withA, outA, inB, withB, outB, r):  out = BlockMix(in xor with)
 *
 * Addresses are those of 128·r bytes each; what is read and what is written may not overlap.
 */
const I32 = 0x7f;
const V128 = 0x7b;

/** Locals: parameters first, then where odd blocks go, the counter, the squares of both lanes, and one for steps. */
type Lane = {
  readonly from: number;
  readonly with: number;
  readonly to: readonly [number, number];
  readonly square: number;
};
const A: Lane = { from: 0, with: 1, to: [2, 7], square: 10 };
const B: Lane = { from: 3, with: 4, to: [5, 8], square: 14 };
const R = 6;
const LEFT = 9;
const STEP = 18;
const BLOCK_BYTES = 64;
const ROUND_PAIRS = 4;
/** Of the shared memory that the module takes: 4 GiB. */
const MAX_PAGES = 65_536;

function unsigned(value: number): number[] {
  const out: number[] = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return [...out, rest];
    out.push((rest & 0x7f) | 0x80);
  }
}

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const tee = (local: number): number[] => [0x22, local];
const i32 = (value: number): number[] => [0x41, ...(value < 64 ? [value] : [(value & 0x7f) | 0x80, value >> 7])];
const vector = (operation: number, ...more: number[]): number[] => [0xfd, ...unsigned(operation), ...more];
const load = (offset: number): number[] => vector(0x00, 4, ...unsigned(offset));
const store = (offset: number): number[] => vector(0x0b, 4, ...unsigned(offset));
const OR = vector(0x50);
const XOR = vector(0x51);
const SHL = vector(0xab);
const SHR_U = vector(0xad);
const ADD = vector(0xae);
const ADD32 = [0x6a];
const SUB32 = [0x6b];
const SHL32 = [0x74];
const LOOP = [0x03, 0x40];
const END = [0x0b];
const BR_IF = [0x0d, 0];

/** Word n of the result is word n + `by` of the vector. */
const turn = (local: number, by: number): number[] => [
  ...get(local),
  ...get(local),
  ...vector(0x0d, ...Array.from({ length: 16 }, (_, n) => (n + 4 * by) % 16)),
  ...set(local),
];

const both = (code: (lane: Lane) => number[]): number[] => [...code(A), ...code(B)];

/** square[to] ^= (square[a] + square[b]) rotated left. */
const step = ({ square }: Lane, to: number, a: number, b: number, bits: number): number[] => [
  ...get(square + a),
  ...get(square + b),
  ...ADD,
  ...tee(STEP),
  ...i32(bits),
  ...SHL,
  ...get(STEP),
  ...i32(32 - bits),
  ...SHR_U,
  ...OR,
  ...get(square + to),
  ...XOR,
  ...set(square + to),
];

const steps = (order: readonly (readonly [number, number, number, number])[]): number[] =>
  order.flatMap(([to, a, b, bits]) => both((lane) => step(lane, to, a, b, bits)));

const turns = (one: number, two: number, three: number): number[] =>
  both(({ square }) => [...turn(square + 1, one), ...turn(square + 2, two), ...turn(square + 3, three)]);

/** Columns, then rows, which are columns once the diagonals are turned. */
const roundPair = [
  ...steps([
    [1, 0, 3, 7],
    [2, 1, 0, 9],
    [3, 2, 1, 13],
    [0, 3, 2, 18],
  ]),
  ...turns(3, 2, 1),
  ...steps([
    [3, 0, 1, 7],
    [2, 3, 0, 9],
    [1, 2, 3, 13],
    [0, 1, 2, 18],
  ]),
  ...turns(1, 2, 3),
];

const PARTS = [0, 1, 2, 3];

/** One block of 64 bytes of each lane, the even or the odd one of a pair. */
const mixBlock = (odd: 0 | 1, isWith: boolean): number[] => {
  const at = (part: number): number => odd * BLOCK_BYTES + part * 16;
  return [
    ...both(({ from, with: other, to, square }) =>
      PARTS.flatMap((part) => [
        ...get(to[odd]),
        ...get(square + part),
        ...get(from),
        ...load(at(part)),
        ...XOR,
        ...(isWith ? [...get(other), ...load(at(part)), ...XOR] : []),
        ...tee(square + part),
        ...store(part * 16),
      ]),
    ),
    ...Array.from({ length: ROUND_PAIRS }, () => roundPair).flat(),
    ...both(({ to, square }) =>
      PARTS.flatMap((part) => [
        ...get(to[odd]),
        ...get(to[odd]),
        ...load(part * 16),
        ...get(square + part),
        ...ADD,
        ...tee(square + part),
        ...store(part * 16),
      ]),
    ),
  ];
};

const advance = (local: number, bytes: number): number[] => [...get(local), ...i32(bytes), ...ADD32, ...set(local)];

/** Leaves the address of the last block. */
const lastBlock = (local: number): number[] => [
  ...get(local),
  ...get(R),
  ...i32(7),
  ...SHL32,
  ...ADD32,
  ...i32(BLOCK_BYTES),
  ...SUB32,
];

/** 128·r bytes of each lane; the square begins as the last block. */
const mix = (isWith: boolean): number[] => [
  ...both(({ from, with: other, to, square }) => [
    ...get(to[0]),
    ...get(R),
    ...i32(6),
    ...SHL32,
    ...ADD32,
    ...set(to[1]),
    ...PARTS.flatMap((part) => [
      ...lastBlock(from),
      ...load(part * 16),
      ...(isWith ? [...lastBlock(other), ...load(part * 16), ...XOR] : []),
      ...set(square + part),
    ]),
  ]),
  ...get(R),
  ...set(LEFT),
  ...LOOP,
  ...mixBlock(0, isWith),
  ...mixBlock(1, isWith),
  ...both(({ from, with: other, to }) => [
    ...advance(from, 2 * BLOCK_BYTES),
    ...advance(other, 2 * BLOCK_BYTES),
    ...advance(to[0], BLOCK_BYTES),
    ...advance(to[1], BLOCK_BYTES),
  ]),
  ...get(LEFT),
  ...i32(1),
  ...SUB32,
  ...tee(LEFT),
  ...BR_IF,
  ...END,
  ...END,
];

const MAGIC = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const section = (id: number, content: number[]): number[] => [id, ...unsigned(content.length), ...content];
const text = (value: string): number[] => [value.length, ...Buffer.from(value)];
const body = (code: number[]): number[] => {
  const whole = [2, 3, I32, 9, V128, ...code];
  return [...unsigned(whole.length), ...whole];
};

/** The module: imports the shared memory `m.m`, exports `mix` and `mixWith`. */
export function scryptModule(): WebAssembly.Module {
  return new WebAssembly.Module(
    Uint8Array.from([
      ...MAGIC,
      ...section(1, [1, 0x60, 7, I32, I32, I32, I32, I32, I32, I32, 0]),
      ...section(2, [1, ...text('m'), ...text('m'), 2, 3, 1, ...unsigned(MAX_PAGES)]),
      ...section(3, [2, 0, 0]),
      ...section(7, [2, ...text('mix'), 0, 0, ...text('mixWith'), 0, 1]),
      ...section(10, [2, ...body(mix(false)), ...body(mix(true))]),
    ]),
  );
}
