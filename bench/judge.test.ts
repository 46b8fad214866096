import assert from 'node:assert/strict';
import { test } from 'node:test';
import { judge } from './judge.ts';

const growth = { files: 1, bytes: 1, ours: 1, peer: 1, times: 1.1, goal: 1.2 };

test('a row is met up to its goal, missed up to the peer, and worse than that beyond', () => {
  for (const [ratio, verdict] of [
    [0.8, 'met'],
    [0.81, 'goal missed'],
    [1, 'goal missed'],
    [1.01, 'worse'],
  ] as const)
    assert.equal(judge({ ratio, goal: 0.8, growth: null }), verdict);
});

test('a goal above the peer leaves nothing between met and worse', () => {
  assert.equal(judge({ ratio: 2, goal: 2, growth: null }), 'met');
  assert.equal(judge({ ratio: 2.01, goal: 2, growth: null }), 'worse');
});

test('what grows with its work beyond its goal has missed it', () => {
  assert.equal(judge({ ratio: 1.5, goal: 2, growth }), 'met');
  assert.equal(judge({ ratio: 1.5, goal: 2, growth: { ...growth, times: 1.21 } }), 'goal missed');
});
