import { basename } from 'node:path';

/**
 * Whether a path matches one of the patterns: one without a slash names a file or directory anywhere, an
 * absolute one a path, any other the end of a path. `*` and `?` stay within a name, `**` does not.
 */
export function excludeMatching(patterns: readonly string[]): (absolutePath: string) => boolean {
  const tests = patterns.map((pattern) => {
    const bare = pattern.length > 1 ? pattern.replace(/\/+$/, '') : pattern;
    if (!bare.includes('/')) {
      const name = new RegExp(`^${toExpression(bare)}$`, 's');
      return (path: string) => name.test(basename(path));
    }
    const whole = new RegExp(bare.startsWith('/') ? `^${toExpression(bare)}$` : `/${toExpression(bare)}$`, 's');
    return (path: string) => whole.test(path);
  });
  return (path) => tests.some((test) => test(path));
}

function toExpression(pattern: string): string {
  return pattern.replace(/\*\*\/?|\*|\?|\[\^?[^\]/]+\]|[\s\S]/g, (part) => {
    if (part === '**/') return '(?:[^/]+/)*';
    if (part === '**') return '.*';
    if (part === '*') return '[^/]*';
    if (part === '?') return '[^/]';
    if (part.length > 1) return part.replace(/\\/g, '\\\\').replace(/(?<=.)\[/g, '\\[');
    return part.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
  });
}
