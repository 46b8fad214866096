import { z } from 'zod';
import { Bytes, Time, list } from './scalars.ts';

export const LsEntry = z
  .object({
    /** In the point, from `/`. */
    path: z.string().startsWith('/'),
    type: z.enum(['file', 'dir', 'symlink', 'dev', 'chardev', 'fifo', 'socket', 'irregular']),
    bytes: Bytes,
    /** The twelve permission bits, octal: `0644`. */
    mode: z.string().regex(/^[0-7]{4}$/),
    mtime: Time,
  })
  .readonly();
export type LsEntry = z.infer<typeof LsEntry>;

/** `salvor ls POINT [PATH] --json` and `salvor repo ls --json` */
export const LsDocument = list(LsEntry);
export type LsDocument = z.infer<typeof LsDocument>;
