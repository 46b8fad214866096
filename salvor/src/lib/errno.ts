import { constants } from 'node:os';

/** The code of an error, the system's (`ENOENT`) or one of ours (`disk-full`); null for what has none. */
export function codeOf(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

/**
 * The system's name of an error (`ENOENT`), or null for an error that is not the system's. Node has no name for a quota that
 * is used up.
 */
export function errnoOf(error: unknown): string | null {
  const code = codeOf(error);
  const isQuota = code !== null && (error as { errno?: unknown }).errno === -constants.errno.EDQUOT;
  return isQuota ? 'EDQUOT' : code;
}
