import assert from 'node:assert/strict';
import { type ResolveFnOutput, registerHooks } from 'node:module';
import { describe, it } from 'node:test';
import { resolveSource } from './resolve-sources.ts';

describe('resolve-sources', () => {
  it('finds for all that the command loads what Node itself finds, and leaves the names of packages to Node', async () => {
    const found: { specifier: string; ours: ResolveFnOutput; theirs: ResolveFnOutput; isAsked: boolean }[] = [];
    const hooks = registerHooks({
      resolve(specifier, context, next) {
        const theirs = next(specifier, context);
        let isAsked = false;
        const ours = resolveSource(specifier, context, () => {
          isAsked = true;
          return theirs;
        });
        found.push({ specifier, ours, theirs, isAsked });
        return theirs;
      },
    });
    for (const module of ['../compose.ts', '../agent/agent.ts', '../agent/recover-machine.ts']) await import(module);
    hooks.deregister();
    assert.ok(found.length > 500, `${found.length} imports`);
    for (const { specifier, ours, theirs } of found)
      assert.deepEqual([ours.url, ours.format], [theirs.url, theirs.format], specifier);
    assert.ok(found.some(({ specifier, isAsked }) => specifier === 'zod' && isAsked));
    assert.ok(found.some(({ theirs, isAsked }) => theirs.url.includes('/kysely/') && !isAsked));
    assert.ok(found.every(({ specifier, isAsked }) => !isAsked || !/^\..*\.ts$/.test(specifier)));
  });
});
