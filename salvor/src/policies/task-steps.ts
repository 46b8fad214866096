/**
 * What a task does, step by step, in the words of its log: the places before and after which the hoster's hooks may run
 * (`docs/hooks.md` shows the table). A step that a task says of itself stands here; which of them it comes to is told by
 * what it is asked for.
 */

const POINT = ['look at the databases', 'back up'] as const;
const SAFETY = ['safety point', ...POINT] as const;
const FOLLOW = ['reload PHP', 'verify', 'ask the page'] as const;
const NEW_SITE = [
  'build',
  'name the databases',
  'make the database',
  'build the files',
  'build the database',
  'mask',
  'rewrite',
  'name the site',
] as const;
const UNPACK = ['unpack', 'store'] as const;
/** The databases: where new ones are asked for. */
const BEFORE_MOVE = ['plan', 'sum the tables', ...SAFETY, 'build', 'name the databases', 'make the database'] as const;
/** Of a move to another file system. */
const COPY = ['build the files', 'look for late files'] as const;
const MOVE = ['rewrite', 'build the database', 'name the site', 'sync the disks', 'switch', 'reload PHP'] as const;
const MOVED = ['look for late changes', 'verify', 'ask the page', 'keep', 'archive'] as const;
const AVAILABILITY = ['plan', 'prepare the switch', 'switch', 'ask the page', 'keep'] as const;

/** By operation, in the order in which they begin; a step within another one stands behind it. */
export const STEPS_OF = {
  backup: [...POINT, 'archive'],
  restore: [
    'plan',
    'sum the tables',
    ...SAFETY,
    'build',
    'build the files',
    'build the database',
    'sync the disks',
    'switch',
    'reload PHP',
    ...MOVED,
  ],
  undo: ['plan', 'compare PHP files', 'switch', ...FOLLOW, 'keep'],
  confirm: ['end the pin', 'drop what was replaced'],
  clone: ['plan', ...SAFETY, ...NEW_SITE, 'sync the disks', 'switch', ...FOLLOW, 'keep', 'archive'],
  rename: [...BEFORE_MOVE, ...MOVE, ...MOVED],
  migrate: [...BEFORE_MOVE, ...COPY, ...MOVE, 'update the database', ...MOVED],
  import: [
    'plan',
    ...UNPACK,
    ...NEW_SITE,
    'compare with the platform',
    'sync the disks',
    'switch',
    ...FOLLOW,
    'keep',
    'update the database',
  ],
  delete: ['plan', ...SAFETY, 'prepare the switch', 'switch', 'keep', 'archive'],
  disable: AVAILABILITY,
  enable: AVAILABILITY,
  verify: ['settings', 'log-in', 'grants', 'tables', 'virtual-host', 'files', 'page', 'private'],
  unpack: UNPACK,
  export: ['export'],
  'backup-delete': ['remove the archive', 'forget the snapshot'],
  daily: [
    'look at the sites',
    'freeze the files',
    'back up',
    'read back',
    'catch up',
    'third copy',
    'let go of what is old',
    'check',
  ],
} as const satisfies Readonly<Record<string, readonly string[]>>;

/** Instead of its own: of a task that beside a living Aegir is Aegir's (`docs/beside-aegir.md`). */
export const STEPS_HANDED_OVER = ['wait for Aegir', ...SAFETY, 'Aegir', 'verify', 'archive'] as const;

const HANDED_OVER: ReadonlySet<string> = new Set([
  'clone',
  'rename',
  'migrate',
  'import',
  'delete',
  'disable',
  'enable',
]);

export type SteppedOperation = keyof typeof STEPS_OF;
/** `clear away`: said while a lost host is recovered, which runs no hooks. */
export type StepName = (typeof STEPS_OF)[SteppedOperation][number] | (typeof STEPS_HANDED_OVER)[number] | 'clear away';

/** The steps of an operation, as it is done by us or handed over. */
export function stepsOf(operation: SteppedOperation, { isHandedOver = false } = {}): readonly StepName[] {
  return isHandedOver ? STEPS_HANDED_OVER : STEPS_OF[operation];
}

const OPERATIONS = Object.keys(STEPS_OF) as SteppedOperation[];

/** Each step by name, for all operations that have it: `switch`. */
export const STEP_NAMES: readonly StepName[] = [
  ...new Set([...OPERATIONS.flatMap((operation): readonly StepName[] => STEPS_OF[operation]), ...STEPS_HANDED_OVER]),
];

/** What a hook may be for: a step of all operations, or of one, written `clone/switch`. */
export const HOOK_PLACES: readonly string[] = [
  ...STEP_NAMES,
  ...OPERATIONS.flatMap((operation) =>
    [...new Set<StepName>([...STEPS_OF[operation], ...(HANDED_OVER.has(operation) ? STEPS_HANDED_OVER : [])])].map(
      (step) => `${operation}/${step}`,
    ),
  ),
];

/** Commands by the place that they are for; null takes away what is said for the step of all operations, or on the level above. */
export type HookCommands = Readonly<Record<string, readonly string[] | null>>;

/** The command for a step of an operation; what is said for the operation goes before what is said for all. Null where there is none. */
export function chooseHook(commands: HookCommands, operation: string, step: string): readonly string[] | null {
  const own = `${operation}/${step}`;
  if (Object.hasOwn(commands, own)) return commands[own] ?? null;
  return Object.hasOwn(commands, step) ? (commands[step] ?? null) : null;
}

/** Which hooks are around the steps of an operation, in the order of the steps. */
export function listHooks(
  { hooksBefore, hooksAfter }: { readonly hooksBefore: HookCommands; readonly hooksAfter: HookCommands },
  operation: SteppedOperation,
  how: { readonly isHandedOver?: boolean } = {},
): readonly { readonly when: 'before' | 'after'; readonly step: StepName; readonly command: readonly string[] }[] {
  return [...new Set(stepsOf(operation, how))].flatMap((step) =>
    (['before', 'after'] as const).flatMap((when) => {
      const command = chooseHook(when === 'before' ? hooksBefore : hooksAfter, operation, step);
      return command === null ? [] : [{ when, step, command }];
    }),
  );
}
