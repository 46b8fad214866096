import { appendFileSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { setXattr } from '@salvor/engine/libc';
import { Random } from '../../demo/random.ts';
import { settle } from './settle.ts';
import type { Owner } from './settle.ts';
import { PhpText } from './php-text.ts';
import { SqlText } from './sql-text.ts';

/** A generated home of a host: what the rows on whole trees back up and restore. */
export type SiteTree = { readonly path: string };

const SEED = 20_260_730;
const PHP_FILES = 40_000;
const PHP_FILES_PER_DIRECTORY = 5;
const IMAGES = 1014;
const IMAGES_PER_DIRECTORY = 40;
const DUMPS = 6;
const DUMP_BYTES = 50_000_000;

const ACCOUNT: Owner = { uid: 1001, gid: 33 };
const WEB: Owner = { uid: 33, gid: 33 };
const ROOT: Owner = { uid: 0, gid: 0 };

/** Makes the tree below `path`, which must not exist. The same scale gives the same bytes, owners, modes and times. */
export async function makeSiteTree(path: string, scale: number, signal: AbortSignal): Promise<SiteTree> {
  const random = new Random(SEED);
  mkdirSync(path);
  await writePlatform(join(path, 'platforms'), Math.round(PHP_FILES * scale), random.fork('php'), signal);
  await writeImages(join(path, 'files'), Math.round(IMAGES * scale), random.fork('images'), signal);
  await writeDumps(join(path, 'dumps'), DUMP_BYTES * scale, random.fork('dumps'), signal);
  settle(path, ACCOUNT, 0o755, random);
  return { path };
}

async function writePlatform(path: string, count: number, random: Random, signal: AbortSignal): Promise<void> {
  const text = new PhpText(random.fork('functions'));
  mkdirSync(path);
  const [parents, directories] = [new Set<string>(), Math.ceil(count / PHP_FILES_PER_DIRECTORY)];
  for (let number = 0; number < directories; number++) {
    const module = join(path, `module-${Math.floor(number / 8)}`);
    const directory = number % 8 === 0 ? module : join(module, `part-${number % 8}`);
    parents.add(module);
    mkdirSync(directory, { recursive: true });
    for (let file = 0; file < PHP_FILES_PER_DIRECTORY; file++) writePhpFile(directory, number, file, text, random);
    if (number % 20 === 0) writeLink(join(directory, 'latest'), random.pick(['./file-0.php', '../missing']), random);
    if (directory !== module) settle(directory, ACCOUNT, 0o755, random);
    if (number % 64 === 0) await breathe();
    signal.throwIfAborted();
  }
  for (const module of parents) settle(module, ACCOUNT, random.pick([0o755, 0o2775]), random);
  settle(path, ACCOUNT, 0o755, random);
}

/** One file in five has exactly the content of an earlier one, as two platforms with the same module have. */
function writePhpFile(directory: string, number: number, file: number, text: PhpText, random: Random): void {
  const isCopy = number > 0 && random.between(0, 4) === 0;
  const content = isCopy ? `${random.between(0, number - 1)} ${file}` : `${number} ${file}`;
  const own = new Random(SEED).fork(`php ${content}`);
  const path = join(directory, `file-${file}.php`);
  writeFileSync(path, text.write(own, own.between(1000, 24_000)));
  if (random.between(0, 199) === 0) setXattr(path, 'user.salvor.bench', Buffer.from(random.sentence()));
  settle(
    path,
    random.between(0, 99) === 0 ? ROOT : ACCOUNT,
    random.pick([0o644, 0o644, 0o644, 0o640, 0o755, 0o444]),
    random,
  );
}

/** Nothing can be compressed here, as in JPEG. */
async function writeImages(path: string, count: number, random: Random, signal: AbortSignal): Promise<void> {
  mkdirSync(path);
  for (let number = 0; number < count; number += IMAGES_PER_DIRECTORY) {
    const directory = join(path, `month-${number / IMAGES_PER_DIRECTORY}`);
    mkdirSync(directory);
    for (let image = number; image < Math.min(count, number + IMAGES_PER_DIRECTORY); image++) {
      const file = join(directory, `image-${image}.jpg`);
      writeFileSync(file, random.bytes(random.between(50_000, 1_330_000)));
      settle(file, WEB, 0o664, random);
    }
    settle(directory, WEB, 0o2775, random);
    await breathe();
    signal.throwIfAborted();
  }
  settle(path, WEB, 0o2775, random);
}

async function writeDumps(path: string, bytes: number, random: Random, signal: AbortSignal): Promise<void> {
  const text = new SqlText(random.fork('sentences'));
  mkdirSync(path);
  for (let number = 0; number < DUMPS; number++) {
    const file = join(path, `database-${number}.sql`);
    for (const piece of text.write(random, bytes)) appendFileSync(file, piece, 'latin1');
    settle(file, ACCOUNT, 0o600, random);
    await breathe();
    signal.throwIfAborted();
  }
  settle(path, ACCOUNT, 0o700, random);
}

function writeLink(path: string, to: string, random: Random): void {
  symlinkSync(to, path);
  settle(path, ACCOUNT, null, random);
}
