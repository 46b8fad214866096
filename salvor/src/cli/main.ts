/** The command's entry: first what has modules found quickly, then the command itself. */
await import('../lib/resolve-sources.ts');
await import('./start.ts');
