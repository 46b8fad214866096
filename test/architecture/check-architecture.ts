/**
 * Judges a set of files by the table in `rooms.ts`: pure, so that planted violations go through the same code as the
 * project's own files. Knows files, rooms, packages and brands; knows nothing of what the code does.
 */
import { isBuiltin } from 'node:module';
import { posix } from 'node:path';
import { type Source, type SourceTexts, readSources } from './read-sources.ts';
import { type Edge, PACKAGE_ROOMS, ROOMS, type Room, isAround, roomOf } from './rooms.ts';

export type Violation = { readonly path: string; readonly line: number; readonly message: string };

export type Verdict = {
  readonly violations: readonly Violation[];
  readonly filesSeen: number;
  readonly importsSeen: number;
  readonly brandsSeen: readonly string[];
};

/** What the check needs of a package.json. */
export type Manifest = {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly imports?: Readonly<Record<string, string>>;
};

/** Folder of a workspace → its manifest; the project's root is ''. */
export type Manifests = Readonly<Record<string, Manifest>>;

export function checkArchitecture(texts: SourceTexts, manifests: Manifests): Verdict {
  const sources = readSources(texts);
  const paths = new Set(sources.map((source) => source.path));
  const violations = sources.flatMap((source) => [
    ...(roomOf(source.path) === null && !isAround(source.path)
      ? [{ path: source.path, line: 1, message: 'lies in no room of test/architecture/rooms.ts' }]
      : []),
    ...checkImports(source, paths, manifests),
  ]);
  return {
    violations: [...violations, ...checkBrands(sources), ...checkCycles(sources, manifests)],
    filesSeen: sources.length,
    importsSeen: sources.reduce((sum, source) => sum + source.imports.length, 0),
    brandsSeen: sources.flatMap((source) => source.brands),
  };
}

type Target =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'package'; readonly name: string; readonly specifier: string }
  | { readonly kind: 'builtin' };

function checkImports(source: Source, paths: ReadonlySet<string>, manifests: Manifests): readonly Violation[] {
  const violations: Violation[] = [];
  for (const { line, specifier, isTypeOnly } of source.imports) {
    const blame = (message: string): number => violations.push({ path: source.path, line, message });
    if (specifier === null) {
      if (!isAround(source.path)) blame('imports what only the running code knows: write the file name as a literal');
      continue;
    }
    const target = resolveImport(source.path, specifier, manifests);
    if (target === null) {
      blame(`imports ${specifier}, which the workspace's "imports" does not name`);
    } else if (target.kind === 'file') {
      if (/\.[cm]?[jt]sx?$/.test(target.path) && !paths.has(target.path))
        blame(`imports ${specifier}: there is no such file`);
      else if (isAround(source.path)) continue;
      else if (isAround(target.path)) blame(`imports ${target.path}: the product may not import what is around it`);
      else if (workspaceOf(target.path) !== workspaceOf(source.path)) {
        blame(`imports ${specifier}: another workspace is imported by its package name`);
      } else blameEdge(source.path, roomOf(target.path), target.path, isTypeOnly, blame);
    } else if (target.kind === 'package') {
      if (!isDeclared(source.path, target.name, manifests)) {
        blame(`imports ${target.name}, which ${posix.join(workspaceOf(source.path), 'package.json')} does not declare`);
      }
      if (isAround(source.path) || !target.name.startsWith('@salvor/')) continue;
      const room = ROOMS.find((candidate) => candidate.name === PACKAGE_ROOMS[target.specifier]) ?? null;
      blameEdge(source.path, room, target.specifier, isTypeOnly, blame);
    }
  }
  return violations;
}

function blameEdge(
  path: string,
  to: Room | null,
  target: string,
  isTypeOnly: boolean,
  blame: (message: string) => void,
): void {
  const from = roomOf(path);
  if (from === null || (to !== null && to.name === from.name)) return;
  if (to === null) blame(`imports ${target}, which is no room's`);
  else if (!from.imports.some((edge) => isAllowed(edge, to.name, path, target, isTypeOnly))) {
    blame(`imports ${target}: ${from.name} may not import ${to.name}`);
  }
}

function isAllowed(edge: Edge, to: string, path: string, target: string, isTypeOnly: boolean): boolean {
  if (typeof edge === 'string') return edge === to;
  if (edge.to !== to) return false;
  if (edge.sources !== undefined && !edge.sources.test(path)) return false;
  return edge.targets === undefined || edge.targets.test(target) || (edge.areTypesFree === true && isTypeOnly);
}

function resolveImport(path: string, specifier: string, manifests: Manifests): Target | null {
  if (specifier.startsWith('.')) return { kind: 'file', path: posix.join(posix.dirname(path), specifier) };
  if (specifier.startsWith('#')) {
    for (const [pattern, file] of Object.entries(manifests[workspaceOf(path)]?.imports ?? {})) {
      const [head = '', tail] = pattern.split('*', 2);
      const isHit = tail === undefined ? specifier === pattern : specifier.startsWith(head) && specifier.endsWith(tail);
      if (!isHit) continue;
      const rest = tail === undefined ? '' : specifier.slice(head.length, specifier.length - tail.length);
      return { kind: 'file', path: posix.join(workspaceOf(path), file.replace('*', rest)) };
    }
    return null;
  }
  if (isBuiltin(specifier)) return { kind: 'builtin' };
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  return { kind: 'package', name, specifier };
}

/** `engine` of `engine/src/ids.ts`; '' for what lies outside the four workspaces. */
function workspaceOf(path: string): string {
  return /^(?:engine|contract|salvor|web)(?=\/)/.exec(path)?.[0] ?? '';
}

/** Tests may also use what the project's root declares for development, and the workspaces themselves. */
function isDeclared(path: string, name: string, manifests: Manifests): boolean {
  const own = manifests[workspaceOf(path)];
  if (own?.dependencies?.[name] !== undefined) return true;
  if (!isAround(path)) return false;
  if (workspaceOf(path) === '' && name in PACKAGE_ROOMS) return true;
  // An example imports its own package by name, as its users do.
  if (PACKAGE_ROOMS[name] === workspaceOf(path)) return true;
  if (own?.devDependencies?.[name] !== undefined || manifests['']?.devDependencies?.[name] !== undefined) return true;
  // The demo and the benches stand beside the product and use its packages.
  return workspaceOf(path) === '' && manifests['salvor']?.dependencies?.[name] !== undefined;
}

function checkBrands(sources: readonly Source[]): readonly Violation[] {
  const homes = new Map(sources.flatMap((source) => source.brands.map((brand) => [brand, source.path] as const)));
  return sources.flatMap((source) =>
    source.asserted.flatMap(({ line, name }) => {
      const home = homes.get(name);
      if (home === undefined || home === source.path || isAround(source.path)) return [];
      return [{ path: source.path, line, message: `mints ${name}: only ${home} may, in a parse… or make… function` }];
    }),
  );
}

/** Cycles between rooms, by the imports that are there: also those that an open row of the table would let through. */
function checkCycles(sources: readonly Source[], manifests: Manifests): readonly Violation[] {
  const edges = new Map<string, Map<string, Violation>>();
  for (const source of sources) {
    const from = roomOf(source.path);
    if (from === null || isAround(source.path)) continue;
    for (const { line, specifier, isTypeOnly } of source.imports) {
      if (specifier === null || isTypeOnly) continue;
      const target = resolveImport(source.path, specifier, manifests);
      const to = target?.kind === 'file' ? roomOf(target.path) : null;
      if (to === null || to.name === from.name) continue;
      const row = edges.get(from.name) ?? new Map<string, Violation>();
      row.set(to.name, { path: source.path, line, message: `imports ${specifier}` });
      edges.set(from.name, row);
    }
  }
  return findCycle(edges);
}

function findCycle(edges: ReadonlyMap<string, ReadonlyMap<string, Violation>>): readonly Violation[] {
  const done = new Set<string>();
  const walk = (room: string, trail: readonly string[]): readonly Violation[] => {
    if (done.has(room)) return [];
    for (const [next, where] of edges.get(room) ?? []) {
      const start = [...trail, room].indexOf(next);
      if (start >= 0) {
        const cycle = [...trail, room].slice(start).concat(next).join(' → ');
        return [{ ...where, message: `closes a cycle of rooms: ${cycle}` }];
      }
      const found = walk(next, [...trail, room]);
      if (found.length > 0) return found;
    }
    done.add(room);
    return [];
  };
  for (const room of edges.keys()) {
    const found = walk(room, []);
    if (found.length > 0) return found;
  }
  return [];
}
