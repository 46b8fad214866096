/** The tenant's program: swaps each pair of paths it is given, as fast as it can, until it is killed. */
import { exchangePaths } from '../src/libc.ts';

const AT_FDCWD = -100;
const paths = process.argv.slice(2);

process.stdout.write('swapping\n');
for (;;) {
  for (let at = 0; at + 1 < paths.length; at += 2) {
    exchangePaths(AT_FDCWD, paths[at] ?? '', AT_FDCWD, paths[at + 1] ?? '');
  }
}
