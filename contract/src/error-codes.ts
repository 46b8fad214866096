/**
 * The codes that a caller of the command line or the API may branch on, with the status that each has there.
 * A code keeps its meaning for ever; texts may change. Alphabetical.
 */
export const ERROR_CODES = {
  cancelled: { http: 499, exit: 1 },
  'config-invalid': { http: 500, exit: 2 },
  'config-missing': { http: 500, exit: 2 },
  'consent-missing': { http: 409, exit: 2 },
  internal: { http: 500, exit: 1 },
  'path-unknown': { http: 404, exit: 1 },
  'point-unknown': { http: 404, exit: 1 },
  'remote-not-yet': { http: 501, exit: 2 },
  'repository-exists': { http: 409, exit: 1 },
  'repository-locked': { http: 423, exit: 1 },
  'repository-missing': { http: 404, exit: 1 },
  'site-ambiguous': { http: 409, exit: 2 },
  'site-unknown': { http: 404, exit: 1 },
  'snapshot-unknown': { http: 404, exit: 1 },
  'storage-full': { http: 507, exit: 1 },
  'target-not-empty': { http: 409, exit: 1 },
  'task-unknown': { http: 404, exit: 1 },
  usage: { http: 400, exit: 2 },
  'wrong-password': { http: 403, exit: 1 },
} as const satisfies Record<string, { readonly http: number; readonly exit: 1 | 2 }>;

export type ErrorCode = keyof typeof ERROR_CODES;
