/**
 * The rooms of the house and which room may import which: the table that `ARCHITECTURE.md` shows, as data. Rooms see
 * only what stands in their row; a row is read from left to right: `tasks` may import `points`.
 */
export type Room = {
  readonly name: string;
  /** Path prefixes from the project's root, a folder ending in `/`; the longest that fits a file wins. */
  readonly at: readonly string[];
  readonly imports: readonly Edge[];
};

/** A room that may be imported whole, or a part of one, or one that only a part of the room may import. */
export type Edge =
  | string
  | {
      readonly to: string;
      /** How the table words the limit. */
      readonly limit: string;
      /** What of the other room may be imported: a file's path from the project's root, or a package's entry. */
      readonly targets?: RegExp;
      /** Whether types may be imported from all files of the other room: they are gone when the code runs. */
      readonly areTypesFree?: true;
      /** Files of this room that may import the other. */
      readonly sources?: RegExp;
    };

/** What every room of the product may use. */
const COMMON = ['contract', 'store', 'lib', 'errors'] as const;

/** No file of the other room: what is left are its types. */
const NOTHING = /^$/;

export const ROOMS: readonly Room[] = [
  { name: 'contract', at: ['contract/src/'], imports: [] },
  { name: 'engine', at: ['engine/src/'], imports: [] },
  { name: 'web', at: ['web/src/'], imports: ['contract'] },

  { name: 'errors', at: ['salvor/src/errors.ts'], imports: ['contract'] },
  {
    name: 'lib',
    at: ['salvor/src/lib/'],
    imports: ['contract', 'errors', { to: 'engine', limit: 'libc', targets: /^@salvor\/engine\/libc$/ }],
  },
  { name: 'store', at: ['salvor/src/store/'], imports: ['contract', 'errors', 'lib'] },
  {
    name: 'config',
    at: ['salvor/src/config.ts', 'salvor/src/write-config.ts'],
    imports: ['errors', 'lib', 'policies'],
  },
  { name: 'policies', at: ['salvor/src/policies/'], imports: [...COMMON] },
  { name: 'databases', at: ['salvor/src/databases/'], imports: [...COMMON] },
  {
    name: 'sites',
    at: ['salvor/src/sites/'],
    imports: [
      ...COMMON,
      { to: 'databases', limit: 'probe, types', targets: /\/probe(?:-[\w-]+)?\.ts$/, areTypesFree: true },
    ],
  },
  { name: 'archives', at: ['salvor/src/archives/'], imports: [...COMMON, 'databases'] },
  { name: 'points', at: ['salvor/src/points/'], imports: [...COMMON, 'engine', 'sites', 'databases', 'archives'] },
  {
    name: 'tasks',
    at: ['salvor/src/tasks/'],
    imports: [...COMMON, 'engine', 'points', 'sites', 'databases', 'archives', 'policies'],
  },
  {
    name: 'agent',
    at: ['salvor/src/agent/'],
    imports: [
      ...COMMON,
      { to: 'config', limit: 'types', targets: NOTHING, areTypesFree: true },
      'tasks',
      'points',
      'sites',
      'policies',
    ],
  },
  {
    name: 'doors',
    at: ['salvor/src/doors/'],
    imports: [...COMMON, 'engine', 'points', 'archives', { to: 'agent', limit: 'logins', targets: /\/agent\/logins/ }],
  },
  { name: 'hub', at: ['salvor/src/hub/'], imports: [...COMMON, 'policies'] },
  {
    name: 'cli',
    at: ['salvor/src/cli/'],
    imports: [
      ...COMMON,
      'config',
      'compose',
      'hub',
      'agent',
      'doors',
      { to: 'engine', limit: 'commands/repo', sources: /\/cli\/commands\/repo[^/]*(?:\/|\.ts$)/ },
    ],
  },
  {
    name: 'compose',
    at: ['salvor/src/compose.ts'],
    imports: [
      ...COMMON,
      'engine',
      'config',
      'policies',
      'databases',
      'sites',
      'archives',
      'points',
      'tasks',
      'agent',
      'doors',
      'hub',
    ],
  },
];

/** The entries of a workspace's `exports` by the room that they open. */
export const PACKAGE_ROOMS: Readonly<Record<string, string>> = {
  '@salvor/contract': 'contract',
  '@salvor/contract/error-codes': 'contract',
  '@salvor/engine': 'engine',
  '@salvor/engine/libc': 'engine',
};

/** Tests, what they share (`test-….ts` beside them), examples and what is around the product may import what is declared. */
const AROUND =
  /\.test\.ts$|\/test-[^/]+\.ts$|^(?:demo|bench|scripts|test)\/|^(?:engine|contract|salvor)\/(?:test|examples)\//;

export function isAround(path: string): boolean {
  return AROUND.test(path);
}

/** The room of a file, or null where it lies in none. */
export function roomOf(path: string): Room | null {
  let best: { room: Room; length: number } | null = null;
  for (const room of ROOMS) {
    for (const prefix of room.at) {
      const fits = prefix.endsWith('/') ? path.startsWith(prefix) : path === prefix;
      if (fits && prefix.length > (best?.length ?? 0)) best = { room, length: prefix.length };
    }
  }
  return best?.room ?? null;
}

/** The rows of the table as `ARCHITECTURE.md` has them. */
export function importTable(): readonly string[] {
  return [
    '| room | files | may import |',
    '|---|---|---|',
    ...ROOMS.map((room) => {
      const imports = room.imports.map((edge) => (typeof edge === 'string' ? edge : `${edge.to} (${edge.limit})`));
      return `| ${room.name} | ${room.at.map((at) => `\`${at}\``).join(' ')} | ${imports.join(', ') || 'none'} |`;
    }),
  ];
}
