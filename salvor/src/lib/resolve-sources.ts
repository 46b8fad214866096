/**
 * Makes modules quicker to find, for the process that imports this first: `./name.ts` is that file and TypeScript, and
 * what an ECMAScript module of a package imports as `./name.js` is one too. Node by itself asks the disk for each of some
 * thousand imports whether the file is there, where links lead and which package it belongs to, a fifth of the CPU time
 * of a short command.
 *
 * Knows nothing of packages' names: those Node finds as ever. No such import goes through a symbolic link, or into a
 * part of a package that is of another kind: the test compares all that the command loads with what Node finds.
 */
import { type ResolveHookSync, registerHooks } from 'node:module';

/** The address of each module of a package that is known to be an ECMAScript module. */
const known = new Set<string>();

/** Node's own answer for every import but a relative one out of a module of a known kind. */
export const resolveSource: ResolveHookSync = (specifier, context, next) => {
  const { parentURL } = context;
  if (parentURL !== undefined && specifier.startsWith('.')) {
    if (specifier.endsWith('.ts'))
      return { url: new URL(specifier, parentURL).href, format: 'module-typescript', shortCircuit: true };
    if (specifier.endsWith('.js') && known.has(parentURL)) {
      const url = new URL(specifier, parentURL).href;
      known.add(url);
      return { url, format: 'module', shortCircuit: true };
    }
  }
  const found = next(specifier, context);
  if (found.format === 'module' && found.url.endsWith('.js')) known.add(found.url);
  return found;
};

registerHooks({ resolve: resolveSource });
