import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { Random } from '../../demo/random.ts';
import { PhpText } from './php-text.ts';
import { settle } from './settle.ts';

const SEED = 20_260_731;
const DIRECTORIES = 4000;
const FILES_PER_DIRECTORY = 50;
const DIRECTORIES_PER_PARENT = 40;
const OWNER = { uid: 1001, gid: 33 };

/** Makes 200,000 files of 200 bytes to 2 KB in 4,000 directories below `path`, which must not exist. */
export async function makeManyFilesTree(path: string, scale: number, signal: AbortSignal): Promise<void> {
  const random = new Random(SEED);
  const text = new PhpText(random.fork('functions'));
  mkdirSync(path);
  for (let number = 0; number < DIRECTORIES * scale; number++) {
    const parent = join(path, `part-${Math.floor(number / DIRECTORIES_PER_PARENT)}`);
    const directory = join(parent, `directory-${number}`);
    mkdirSync(directory, { recursive: true });
    for (let file = 0; file < FILES_PER_DIRECTORY; file++) {
      const own = join(directory, `file-${file}.php`);
      writeFileSync(own, text.write(random, random.between(200, 2000)));
      settle(own, OWNER, 0o644, random);
    }
    settle(directory, OWNER, 0o755, random);
    if (number % 16 === 0) await breathe();
    signal.throwIfAborted();
  }
}
