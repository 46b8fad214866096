/**
 * The scan for a cut, as WebAssembly: JavaScript has no fast 64-bit arithmetic. The module is written out here
 * instruction by instruction, because it is one function of forty lines and a compiler would be a dependency.
 *
 * Memory: 0 out table, 2048 mod table (256 × u64 each), from DATA_START the bytes to scan.
 *
 *   scan(from, to): the smallest end e in from..=to where the fingerprint of the 64 bytes before e ends in 20 zero
 *   bits, or 0. At least 64 bytes must lie before `from` and at most `to` bytes are read.
 *
 * A fingerprint depends on the last 64 bytes only, so two lanes 4 KiB apart run interleaved: the processor works on
 * one while the other waits for its table look-ups (1.7 × one lane, measured).
 */
export const DATA_START = 65_536;
export const MOD_TABLE_AT = 2048;

const WINDOW = 64;
const LANE_BYTES = 4096;
const CUT_MASK = 0xfffff;

const I32 = 0x7f;
const I64 = 0x7e;

/** Locals: parameters first. */
const FROM = 0;
const TO = 1;
const I = 2;
const END = 3;
const FOUND = 4;
const A = 5;
const B = 6;

function unsigned(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  do {
    const byte = rest & 0x7f;
    rest >>>= 7;
    out.push(rest === 0 ? byte : byte | 0x80);
  } while (rest !== 0);
  return out;
}

function signed(value: number): number[] {
  const out: number[] = [];
  let rest = value;
  for (;;) {
    const byte = rest & 0x7f;
    rest >>= 7;
    if ((rest === 0 && (byte & 0x40) === 0) || (rest === -1 && (byte & 0x40) !== 0)) return [...out, byte];
    out.push(byte | 0x80);
  }
}

const get = (local: number): number[] => [0x20, local];
const set = (local: number): number[] => [0x21, local];
const i32 = (value: number): number[] => [0x41, ...signed(value)];
const i64 = (value: number): number[] => [0x42, ...signed(value)];
const load8 = (offset: number): number[] => [0x2d, 0, ...unsigned(offset)];
const load64 = (offset: number): number[] => [0x29, 3, ...unsigned(offset)];
const ADD = [0x6a];
const SUB = [0x6b];
const SHL = [0x74];
const LT_U = [0x49];
const GT_U = [0x4b];
const GE_U = [0x4f];
const EQZ = [0x45];
const XOR64 = [0x85];
const AND64 = [0x83];
const SHL64 = [0x86];
const SHR64_U = [0x88];
const OR64 = [0x84];
const EQZ64 = [0x50];
const WRAP = [0xa7];
const EXTEND_U = [0xad];
const BLOCK = [0x02, 0x40];
const LOOP = [0x03, 0x40];
const IF = [0x04, 0x40];
const END_OP = [0x0b];
const br = (depth: number): number[] => [0x0c, depth];
const brIf = (depth: number): number[] => [0x0d, depth];
const RETURN = [0x0f];

/** digest = ((digest << 8) | byte) reduced; the byte's address is given as code that leaves it on the stack. */
const push = (digest: number, address: number[], offset: number): number[] => [
  ...get(digest),
  ...i64(8),
  ...SHL64,
  ...address,
  ...load8(offset),
  ...EXTEND_U,
  ...OR64,
  ...get(digest),
  ...i64(45),
  ...SHR64_U,
  ...WRAP,
  ...i32(3),
  ...SHL,
  ...load64(MOD_TABLE_AT),
  ...XOR64,
  ...set(digest),
];

/** The byte 64 before the address leaves the window. */
const drop = (digest: number, address: number[]): number[] => [
  ...get(digest),
  ...address,
  ...i32(WINDOW),
  ...SUB,
  ...load8(0),
  ...i32(3),
  ...SHL,
  ...load64(0),
  ...XOR64,
  ...set(digest),
];

const isCut = (digest: number): number[] => [...get(digest), ...i64(CUT_MASK), ...AND64, ...EQZ64];

/** Fills a digest with the 64 bytes before `FROM + shift`. */
const warmUp = (digest: number, shift: number): number[] => [
  ...i64(0),
  ...set(digest),
  ...get(FROM),
  ...i32(shift - WINDOW),
  ...ADD,
  ...set(I),
  ...get(FROM),
  ...i32(shift),
  ...ADD,
  ...set(END),
  ...LOOP,
  ...push(digest, get(I), 0),
  ...get(I),
  ...i32(1),
  ...ADD,
  ...set(I),
  ...get(I),
  ...get(END),
  ...LT_U,
  ...brIf(0),
  ...END_OP,
];

const lane2 = [...get(I), ...i32(LANE_BYTES), ...ADD];

const body = [
  // while (to - from >= 2 lanes)
  ...BLOCK,
  ...LOOP,
  ...get(TO),
  ...get(FROM),
  ...SUB,
  ...i32(2 * LANE_BYTES),
  ...LT_U,
  ...brIf(1),
  ...warmUp(A, 0),
  ...warmUp(B, LANE_BYTES),
  ...i32(0),
  ...set(FOUND),
  ...get(FROM),
  ...set(I),
  ...get(FROM),
  ...i32(LANE_BYTES),
  ...ADD,
  ...set(END),
  ...LOOP,
  ...isCut(A),
  ...IF,
  ...get(I),
  ...RETURN,
  ...END_OP,
  ...isCut(B),
  ...IF,
  ...get(FOUND),
  ...EQZ,
  ...IF,
  ...lane2,
  ...set(FOUND),
  ...END_OP,
  ...END_OP,
  ...drop(A, get(I)),
  ...drop(B, lane2),
  ...push(A, get(I), 0),
  ...push(B, get(I), LANE_BYTES),
  ...get(I),
  ...i32(1),
  ...ADD,
  ...set(I),
  ...get(I),
  ...get(END),
  ...LT_U,
  ...brIf(0),
  ...END_OP,
  ...get(FOUND),
  ...IF,
  ...get(FOUND),
  ...RETURN,
  ...END_OP,
  ...get(FROM),
  ...i32(2 * LANE_BYTES),
  ...ADD,
  ...set(FROM),
  ...br(0),
  ...END_OP,
  ...END_OP,
  // the rest with one lane; `to` itself is tested too
  ...get(FROM),
  ...get(TO),
  ...GT_U,
  ...IF,
  ...i32(0),
  ...RETURN,
  ...END_OP,
  ...warmUp(A, 0),
  ...get(FROM),
  ...set(I),
  ...LOOP,
  ...isCut(A),
  ...IF,
  ...get(I),
  ...RETURN,
  ...END_OP,
  ...get(I),
  ...get(TO),
  ...GE_U,
  ...IF,
  ...i32(0),
  ...RETURN,
  ...END_OP,
  ...drop(A, get(I)),
  ...push(A, get(I), 0),
  ...get(I),
  ...i32(1),
  ...ADD,
  ...set(I),
  ...br(0),
  ...END_OP,
  ...i32(0),
  ...END_OP,
];

const section = (id: number, content: number[]): number[] => [id, ...unsigned(content.length), ...content];
const text = (value: string): number[] => [value.length, ...Buffer.from(value)];

/** The module's bytes: imports memory `m.m`, exports `scan`. */
export function rabinModule(): WebAssembly.Module {
  const locals = [2, 3, I32, 2, I64];
  const code = [...locals, ...body];
  return new WebAssembly.Module(
    Uint8Array.from([
      0,
      0x61,
      0x73,
      0x6d,
      1,
      0,
      0,
      0,
      ...section(1, [1, 0x60, 2, I32, I32, 1, I32]),
      ...section(2, [1, ...text('m'), ...text('m'), 2, 0, 1]),
      ...section(3, [1, 0]),
      ...section(7, [1, ...text('scan'), 0, 0]),
      ...section(10, [1, ...unsigned(code.length), ...code]),
    ]),
  );
}
