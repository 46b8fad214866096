import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MAX_PAYLOAD_BYTES, encodeFrame, readFrames } from './frames.ts';
import { parseAnswer } from './requests.ts';

async function* cut(bytes: Buffer, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % Math.max(1, sizes.length)] ?? 1);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function readAll(source: AsyncIterable<Uint8Array>): Promise<{ header: unknown; payload: Buffer }[]> {
  const frames: { header: unknown; payload: Buffer }[] = [];
  for await (const { header, payload } of readFrames(source)) frames.push({ header, payload: Buffer.from(payload) });
  return frames;
}

test('frames come out as they went in, wherever the stream is cut', async () => {
  const frame = fc.record({
    header: fc.string().map((text) => ({ text })),
    payload: fc.uint8Array({ maxLength: 300 }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(frame, { maxLength: 8 }),
      fc.array(fc.nat(50), { minLength: 1 }),
      async (frames, sizes) => {
        const bytes = Buffer.concat(frames.flatMap(({ header, payload }) => encodeFrame(header, payload)));
        const expected = frames.map(({ header, payload }) => ({ header, payload: Buffer.from(payload) }));
        assert.deepEqual(await readAll(cut(bytes, sizes)), expected);
      },
    ),
  );
});

test('a stream that is none of ours, ends in a frame or announces more than is allowed is refused before it is kept', async () => {
  const whole = Buffer.concat(encodeFrame({ kind: 'done' }, Buffer.from('payload')));
  await assert.rejects(readAll(cut(whole.subarray(0, -1), [3])), RangeError);
  await assert.rejects(readAll(cut(Buffer.from('HTTP/1.1 200 OK\r\n\r\n'), [4])), RangeError);
  const huge = Buffer.alloc(8);
  huge.writeUInt32LE(2, 0);
  huge.writeUInt32LE(MAX_PAYLOAD_BYTES + 1, 4);
  await assert.rejects(readAll(cut(huge, [8])), RangeError);
  assert.throws(() => encodeFrame({}, Buffer.alloc(MAX_PAYLOAD_BYTES + 1)), RangeError);
});

test('an answer that a helper of ours would not give is refused', () => {
  const bad = [null, 1, 'done', {}, { kind: 'constructor' }, { kind: '__proto__' }, { kind: 'written' }];
  const worse = [
    { kind: 'written', sha256: 1, notSet: [] },
    { kind: 'written', sha256: 'x', notSet: [1] },
    { kind: 'failed', code: 'a b\n' },
    { kind: 'failed' },
    { kind: 'entries', entries: [{ name: 'x', type: 'device', bytes: 0, mode: 0, mtimeNs: '0' }] },
    { kind: 'entries', entries: [{ name: 'x', type: 'file', bytes: 0, mode: 0, mtimeNs: 'NaN' }] },
    { kind: 'entries', entries: {} },
  ];
  for (const header of [...bad, ...worse]) assert.throws(() => parseAnswer(header), RangeError, JSON.stringify(header));
  fc.assert(
    fc.property(fc.jsonValue(), (header) => {
      try {
        parseAnswer(header);
      } catch (error) {
        assert.ok(error instanceof RangeError);
      }
    }),
  );
});
