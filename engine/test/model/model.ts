/**
 * A model of two copies under everything that happens to them: what each snapshot must give back is remembered, then
 * operations are drawn at random (some killed in the middle, some side by side) and the repositories are held to it.
 *
 *   change the source · back up (one, or both) · forget · prune · copy · check · damage and heal · kill any of these ·
 *   two of these side by side, of which a lock may refuse one
 *
 * The claims, after every step that may have written: no listed snapshot lacks anything (`check`); after a sequence:
 * stock restic agrees, all data read, and snapshots drawn at random restore to what their source was.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  check,
  findSnapshot,
  generateKey,
  initRepository,
  listSnapshots,
  openLocalStorage,
  openRepository,
  restore,
} from '../../src/index.ts';
import type { Repository, Snapshot } from '../../src/index.ts';
import { openWorkplace, restic } from '../fixtures.ts';
import { act } from './act.ts';
import type { Act, Place } from './act.ts';

export type ModelOptions = { readonly seed: number; readonly steps: number; readonly say?: (line: string) => void };

/** What was done, for a person who looks at the figures. */
export type ModelReport = {
  readonly steps: number;
  readonly killed: number;
  readonly snapshots: number;
  readonly byKind: Readonly<Record<string, number>>;
};

/** A small generator of numbers from 0 up to 1, the same for the same seed (mulberry32). */
function numbersFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export async function runModel(options: ModelOptions): Promise<ModelReport> {
  using place = openWorkplace();
  const model = new Model(place.path, options);
  await model.open();
  for (let step = 0; step < options.steps; step++) await model.step(step);
  await model.finish();
  return model.report(options.steps);
}

const KINDS = [
  'change',
  'change',
  'backup',
  'backup',
  'both',
  'both',
  'forget',
  'prune',
  'copy',
  'check',
  'heal',
  'kill',
  'kill',
  'together',
  'together',
] as const;
type Kind = (typeof KINDS)[number];

class Model {
  readonly #source: string;
  readonly #random: () => number;
  readonly #say: (line: string) => void;
  readonly #local: Place;
  readonly #remote: Place;
  /** Root tree → what the source was when it was made. */
  readonly #contents = new Map<string, string>();
  readonly #byKind: Record<string, number> = {};
  #killed = 0;
  #files = 0;

  constructor(path: string, options: ModelOptions) {
    this.#source = join(path, 'source');
    this.#local = { directory: join(path, 'local'), key: generateKey() };
    this.#remote = { directory: join(path, 'remote'), key: generateKey() };
    this.#random = numbersFrom(options.seed);
    this.#say = options.say ?? (() => undefined);
  }

  async open(): Promise<void> {
    mkdirSync(this.#source);
    const local = await initRepository(openLocalStorage(this.#local.directory), { kind: 'key', text: this.#local.key });
    await initRepository(
      openLocalStorage(this.#remote.directory),
      { kind: 'key', text: this.#remote.key },
      { polynomialOf: local },
    );
    this.#change();
    await this.#act({ kind: 'backup', places: [this.#local, this.#remote], source: this.#source });
  }

  async step(number: number): Promise<void> {
    const kind = this.#pick(KINDS);
    this.#byKind[kind] = (this.#byKind[kind] ?? 0) + 1;
    this.#say(`${number} ${kind}`);
    await this.#do(kind);
    if (kind !== 'change') for (const place of [this.#local, this.#remote]) await this.#expectWhole(place, kind);
  }

  /** The last word is stock restic's. */
  async finish(): Promise<void> {
    for (const place of [this.#local, this.#remote]) {
      assert.match(restic(place.directory, ['check', '--read-data'], place.key), /no errors were found/);
      const repository = await open(place);
      const { snapshots, problems } = await listSnapshots(repository);
      assert.deepEqual(problems, []);
      for (const snapshot of snapshots)
        if (this.#random() < 0.4 || snapshots.length < 4) await this.#expectContent(repository, snapshot);
    }
  }

  report(steps: number): ModelReport {
    return { steps, killed: this.#killed, snapshots: this.#contents.size, byKind: this.#byKind };
  }

  async #do(kind: Kind): Promise<void> {
    const backUp = (places: readonly Place[]): Act => ({ kind: 'backup', places, source: this.#source });
    const [one, other] = this.#random() < 0.5 ? [this.#local, this.#remote] : [this.#remote, this.#local];
    switch (kind) {
      case 'change':
        this.#change();
        return;
      case 'backup':
        return this.#act(backUp([one]));
      case 'both':
        return this.#act(backUp([this.#local, this.#remote]));
      case 'forget':
        return this.#act({ kind: 'forget', place: one, keep: 1 + Math.floor(this.#random() * 6) });
      case 'prune':
        return this.#act({ kind: 'prune', place: one, maxUnusedPercent: this.#pick([0, 5, 50]) });
      case 'copy':
        return this.#act({ kind: 'copy', from: one, to: other });
      case 'check':
        return this.#expectWhole(one, 'nothing', true);
      case 'heal':
        return this.#damageAndHeal(one, other);
      case 'kill':
        return this.#kill(
          this.#pick<Act>([
            backUp([one]),
            backUp([one, other]),
            { kind: 'prune', place: one, maxUnusedPercent: 0 },
            { kind: 'copy', from: one, to: other },
            { kind: 'forget', place: one, keep: 2 },
          ]),
        );
      case 'together': {
        const second = this.#pick<Act>([
          backUp([one]),
          backUp([one, other]),
          { kind: 'prune', place: one, maxUnusedPercent: 0 },
          { kind: 'forget', place: one, keep: 2 },
          { kind: 'copy', from: one, to: other },
          { kind: 'copy', from: other, to: one },
        ]);
        await Promise.all([this.#act(backUp([one, other])), this.#act(second)]);
        return;
      }
      default:
        kind satisfies never;
    }
  }

  async #act(wanted: Act): Promise<void> {
    const before = digestOf(this.#source);
    for (const tree of await act(wanted)) this.#contents.set(tree, before);
  }

  /** The same in a process of its own, which is killed at a moment drawn at random. */
  async #kill(wanted: Act): Promise<void> {
    const before = digestOf(this.#source);
    const child = spawn(process.execPath, [join(import.meta.dirname, 'act-alone.ts'), JSON.stringify(wanted)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const said: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => said.push(bytes));
    const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
    // Start-up takes about 200 ms, a lock 200 ms more: the instants lie all over the work and some behind it.
    const timer = setTimeout(() => child.kill('SIGKILL'), 150 + this.#random() * 900);
    await ended;
    clearTimeout(timer);
    if (child.signalCode === 'SIGKILL') this.#killed += 1;
    // Whether it got as far as a snapshot is not known: if one with this source is there, it must be whole.
    const trees = Buffer.concat(said)
      .toString()
      .trim()
      .split('\n')
      .filter((line) => line !== '');
    for (const tree of trees) this.#contents.set(tree, before);
    for (const place of [this.#local, this.#remote]) {
      for (const { tree } of (await listSnapshots(await open(place))).snapshots)
        if (!this.#contents.has(tree)) this.#contents.set(tree, before);
    }
  }

  /** Only what the other copy can give back is damaged: every snapshot of this one is there too. */
  async #damageAndHeal(damaged: Place, healthy: Place): Promise<void> {
    await this.#act({ kind: 'copy', from: damaged, to: healthy });
    const files = ['data', 'index', 'snapshots'].flatMap((kind) =>
      readdirSync(join(damaged.directory, kind), { recursive: true, encoding: 'utf8' })
        .map((name) => join(damaged.directory, kind, name))
        .filter((path) => statSync(path).isFile()),
    );
    for (const path of files) {
      if (this.#random() > 0.3) continue;
      if (this.#random() < 0.3) rmSync(path);
      else damage(path, this.#random);
    }
    const wanted: Act = { kind: 'heal', damaged, healthy };
    // One that is killed in the middle is begun again.
    if (this.#random() < 0.3) await this.#kill(wanted);
    await this.#act(wanted);
    // Snapshots whose files were removed count as forgotten: a copy brings them.
    await this.#act({ kind: 'copy', from: healthy, to: damaged });
  }

  async #expectWhole(place: Place, after: string, readData = false): Promise<void> {
    const { errors } = await check(await open(place), { readData });
    assert.deepEqual(errors, [], `after ${after}`);
  }

  async #expectContent(repository: Repository, snapshot: Snapshot): Promise<void> {
    using out = openWorkplace();
    const target = join(out.path, 'out');
    await restore({
      repository,
      snapshot: await findSnapshot(repository, snapshot.id),
      subtree: this.#source,
      target,
      verify: true,
    });
    assert.equal(digestOf(target), this.#contents.get(snapshot.tree), `content of ${snapshot.id}`);
  }

  /** Files come, go, grow and are replaced; some content is there twice. */
  #change(): void {
    const existing = readdirSync(this.#source);
    for (const name of existing) if (this.#random() < 0.1) rmSync(join(this.#source, name));
    const count = 3 + Math.floor(this.#random() * 8);
    for (let i = 0; i < count; i++) {
      const replaced = this.#random() < 0.3 ? existing[Math.floor(this.#random() * existing.length)] : undefined;
      const name = replaced ?? `file-${this.#files++}`;
      const size = this.#random() < 0.15 ? 700_000 + this.#random() * 2_000_000 : this.#random() * 20_000;
      writeFileSync(join(this.#source, name), noise(Math.floor(size), Math.floor(this.#random() * 40)));
    }
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}

const open = async (place: Place): Promise<Repository> => openRepository(openLocalStorage(place.directory), place.key);

/** Bytes that don't compress and are the same for the same seed. */
function noise(bytes: number, seed: number): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at < bytes; at += 32) blocks.push(createHash('sha256').update(`${seed} ${at}`).digest());
  return Buffer.concat(blocks).subarray(0, bytes);
}

function digestOf(directory: string): string {
  const sum = createHash('sha256');
  for (const name of readdirSync(directory).toSorted())
    sum
      .update(`${name}\0`)
      .update(readFileSync(join(directory, name)))
      .update('\0');
  return sum.digest('hex');
}

function damage(path: string, random: () => number): void {
  const bytes = readFileSync(path);
  const at = Math.floor(random() * bytes.length);
  const changed =
    random() < 0.3
      ? bytes.subarray(0, at)
      : Buffer.concat([bytes.subarray(0, at), Buffer.from([(bytes[at] ?? 0) ^ 0x40]), bytes.subarray(at + 1)]);
  chmodSync(path, 0o600);
  writeFileSync(path, changed);
}
