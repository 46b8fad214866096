import { z } from 'zod';

/** RFC 3339, with an offset or Z. */
export const Time = z.iso.datetime({ offset: true });

/** A size: whole and exact up to 2^53. */
export const Bytes = z.int().nonnegative();

/** How many. */
export const Count = z.int().nonnegative();

/** An array that its reader does not change. */
export function list<T extends z.ZodType>(item: T): z.ZodReadonly<z.ZodArray<T>> {
  return z.array(item).readonly();
}
