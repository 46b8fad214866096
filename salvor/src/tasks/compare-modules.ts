/**
 * Whether the code of a platform fits a site: what the site runs is there, and no database of it is newer than the code.
 * Pure: what is compared was read by `installed-modules.ts` and `sites/code-modules.ts`. What is as wrong where the site
 * lies now is told and stops nobody.
 */
import type { Problem } from '@salvor/contract';
import type { CodeModule, CodeModules } from '../sites/code-modules.ts';
import type { InstalledModule } from './installed-modules.ts';

export type ModuleComparison = {
  readonly obstacles: readonly Problem[];
  readonly notes: readonly Problem[];
  /** Modules whose database updates the new code would run. */
  readonly updates: readonly { readonly module: string; readonly from: number; readonly to: number }[];
};

export type ComparedCode = {
  readonly installed: readonly InstalledModule[];
  /** Version of the core that the site ran on; null where nobody says. */
  readonly version: string | null;
  /** Of the platform that it ran on; null where that is not there. */
  readonly from: CodeModules | null;
  readonly to: CodeModules;
  /** Of the target, for the words. */
  readonly root: string;
};

/** A plan that names more is read by nobody. */
const MAX_NAMED = 50;
/** What a module of Drupal 8 and later begins with. */
const NEW_BASE = 8000;

export function compareModules(compared: ComparedCode): ModuleComparison {
  const obstacles: Problem[] = [...compareCores(compared)];
  const notes: Problem[] = [];
  const updates: { module: string; from: number; to: number }[] = [];
  for (const module of compared.installed) {
    const verdict = judgeModule(module, compared);
    if (verdict === null) continue;
    if ('to' in verdict) updates.push({ module: module.name, ...verdict });
    else (verdict.isKnown ? notes : obstacles).push(verdict.problem);
  }
  if (updates.length > 0) notes.push(nameUpdates(updates));
  if (compared.to.isCut) {
    const message = 'not all of its code could be looked through: what is called missing may be there';
    notes.push({ code: 'modules-not-all-seen', message, path: compared.root });
  }
  return { obstacles: shorten(obstacles, compared.root), notes: shorten(notes, compared.root), updates };
}

type Verdict =
  | { readonly problem: Problem; readonly isKnown: boolean }
  | { readonly from: number; readonly to: number }
  | null;

function judgeModule({ name, type, schema }: InstalledModule, { from, to, root }: ComparedCode): Verdict {
  const code = to.modules.get(name);
  const before = from?.modules.get(name);
  if (code === undefined) {
    const isKnown = from !== null && before === undefined;
    const where = isKnown ? 'as it is not where the site lies now' : 'and the site runs it';
    return {
      problem: {
        code: isKnown ? `${type}-missing-already` : `${type}-missing`,
        message: `${type} ${name} is not in ${root}, ${where}`,
        path: name,
      },
      isKnown,
    };
  }
  if (schema === null || type === 'theme') return null;
  const last = lastOf(code, to);
  if (schema > last) {
    const isKnown = before !== undefined && from !== null && schema > lastOf(before, from);
    const message = `${type} ${name} has database update ${schema}, and its code in ${root} goes up to ${last}${versionIn(code)}`;
    return { problem: { code: isKnown ? 'module-newer-already' : 'module-newer', message, path: name }, isKnown };
  }
  if (code.removed !== null && schema < code.removed) {
    const message = `${type} ${name} has database update ${schema}, and its code in ${root}${versionIn(code)} begins after ${code.removed}: go by way of a release in between`;
    return { problem: { code: 'module-too-old', message, path: name }, isKnown: false };
  }
  return schema < last ? { from: schema, to: last } : null;
}

/** A module without updates has the number that its core begins with. */
function lastOf({ schema }: CodeModule, { core }: CodeModules): number {
  return Math.max(schema ?? 0, (majorOf(core) ?? 0) >= 8 ? NEW_BASE : 0);
}

function versionIn({ version }: CodeModule): string {
  return version === null ? '' : ` (${version})`;
}

function compareCores({ version, to, root }: ComparedCode): readonly Problem[] {
  const before = majorOf(version);
  const after = majorOf(to.core);
  if (before === null || after === null || before === after) return [];
  if (after < before) {
    const message = `the site ran on ${version ?? ''}, and ${root} is ${to.core ?? ''}: no core takes the database of a newer one`;
    return [{ code: 'core-older', message, path: root }];
  }
  // Drupal 8 began anew: its core migrates the content of an older site into a new one, and updates none.
  if (before < 8 && after >= 8) {
    const message = `the site ran on ${version ?? ''}, and ${root} is ${to.core ?? ''}: no update leads there, only a migration of its content`;
    return [{ code: 'core-not-updatable', message, path: root }];
  }
  return [];
}

function majorOf(version: string | null): number | null {
  const digits = /^(\d+)\./.exec(version ?? '')?.[1];
  return digits === undefined ? null : Number(digits);
}

function nameUpdates(
  updates: readonly { readonly module: string; readonly from: number; readonly to: number }[],
): Problem {
  const shown = updates.slice(0, 10).map(({ module, from, to }) => `${module} ${from} → ${to}`);
  const more = updates.length > shown.length ? ` and ${updates.length - shown.length} more` : '';
  return { code: 'updates-due', message: `database updates are due: ${shown.join(', ')}${more}`, path: null };
}

function shorten(problems: readonly Problem[], root: string): readonly Problem[] {
  if (problems.length <= MAX_NAMED) return problems;
  const message = `and ${problems.length - MAX_NAMED} more such modules`;
  return [...problems.slice(0, MAX_NAMED), { code: 'modules-more', message, path: root }];
}
