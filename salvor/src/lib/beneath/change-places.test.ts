import assert from 'node:assert/strict';
import { closeSync, mkdirSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type Spots, type Swapped, changePlaces, surveyPlaces } from './change-places.ts';
import { parseSafePath } from './safe-path.ts';
import { type Spot, exchangeSpots, inodeOfSpot, moveSpot } from './spot.ts';

type Places = Disposable & { readonly spots: Spots; readonly swapped: Swapped; show(): string };

/** `live`, `staged` and `aside` in a directory of their own; `old` and `new` are what lies at the first two. */
function openPlaces(there: { readonly old: boolean; readonly new: boolean }): Places {
  const top = mkdtempSync(join(tmpdir(), 'salvor-places-'));
  const fd = openSync(top, 'r');
  const at = (name: string): Spot => ({ fd, name: parseSafePath(name), path: join(top, name) });
  const spots = { live: at('live'), staged: at('staged'), aside: at('aside') };
  if (there.old) mkdirSync(join(top, 'live'));
  if (there.new) mkdirSync(join(top, 'staged'));
  const swapped = { leaves: inodeOfSpot(spots.live), comes: inodeOfSpot(spots.staged) };
  const nameOf = (name: string): string => {
    const inode = inodeOfSpot(at(name));
    return inode === swapped.leaves ? 'old' : inode === swapped.comes ? 'new' : 'stranger';
  };
  return {
    spots,
    swapped,
    show: () =>
      readdirSync(top)
        .toSorted()
        .map((name) => `${name}=${nameOf(name)}`)
        .join(' '),
    [Symbol.dispose]: () => {
      closeSync(fd);
      rmSync(top, { recursive: true });
    },
  };
}

const invert = ({ leaves, comes }: Swapped): Swapped => ({ leaves: comes, comes: leaves });
/** What a file system says that knows no exchange. */
const refuse = (): never => {
  throw Object.assign(new Error('EINVAL'), { code: 'EINVAL' });
};

for (const [kind, exchange] of [
  ['in one step', exchangeSpots],
  ['by renames where the file system can’t exchange', refuse],
] as const) {
  test(`two directories change places ${kind}, once, and back`, () => {
    using places = openPlaces({ old: true, new: true });
    for (let i = 0; i < 2; i++) {
      changePlaces(places.swapped, places.spots, exchange);
      assert.equal(places.show(), 'live=new staged=old');
      assert.equal(surveyPlaces(places.swapped, places.spots), 'after');
    }
    changePlaces(invert(places.swapped), places.spots, exchange);
    assert.equal(places.show(), 'live=old staged=new');
    assert.equal(surveyPlaces(places.swapped, places.spots), 'before');
  });
}

const RENAMES: readonly ((spots: Spots) => readonly [Spot, Spot])[] = [
  ({ live, aside }) => [live, aside],
  ({ staged, live }) => [staged, live],
];

for (const done of [1, 2]) {
  test(`a crash after ${done} of three renames is finished, or taken back`, () => {
    for (const isBack of [false, true]) {
      using places = openPlaces({ old: true, new: true });
      for (const rename of RENAMES.slice(0, done)) moveSpot(...rename(places.spots));
      assert.equal(surveyPlaces(places.swapped, places.spots), 'between');
      changePlaces(isBack ? invert(places.swapped) : places.swapped, places.spots, refuse);
      assert.equal(places.show(), isBack ? 'live=old staged=new' : 'live=new staged=old');
    }
  });
}

test('what comes where nothing was, and what goes where nothing comes, moves there and back', () => {
  for (const there of [
    { old: true, new: false },
    { old: false, new: true },
  ]) {
    using places = openPlaces(there);
    const before = places.show();
    assert.equal(surveyPlaces(places.swapped, places.spots), 'before');
    changePlaces(places.swapped, places.spots);
    assert.equal(places.show(), there.old ? 'staged=old' : 'live=new');
    assert.equal(surveyPlaces(places.swapped, places.spots), 'after');
    changePlaces(invert(places.swapped), places.spots);
    assert.equal(places.show(), before);
  }
});

test('a stranger in the place of what comes is told from it, and left alone', () => {
  using places = openPlaces({ old: true, new: true });
  const swapped = { ...places.swapped, comes: '1' };
  assert.equal(surveyPlaces(swapped, places.spots), 'lost');
});
