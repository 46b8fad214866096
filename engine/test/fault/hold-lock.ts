/**
 * A verb that is in the middle of its work, says so, and stays there until it is killed:
 * `node hold-lock.ts backup|prune DIRECTORY KEY`
 */
import { backup, openLocalStorage, openRepository, prune } from '../../src/index.ts';

const [verb = '', directory = '', key = ''] = process.argv.slice(2);
const repository = await openRepository(openLocalStorage(directory), key);
if (verb === 'prune') {
  await prune(repository, {
    maxUnused: { kind: 'bytes', bytes: 0 },
    onProgress: ({ step }) => {
      if (step !== 'repack') return;
      process.stdout.write('in the middle\n');
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    },
  });
} else {
  await backup({
    repositories: [repository],
    paths: ['/stream'],
    source: [{ kind: 'stream', name: 'stream', open: endless }],
  });
}

async function* endless(): AsyncGenerator<Uint8Array> {
  yield Buffer.alloc(30_000_000, 'salvor');
  process.stdout.write('in the middle\n');
  await new Promise((resolve) => setTimeout(resolve, 2 ** 31 - 1));
}
