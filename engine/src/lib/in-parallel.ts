/**
 * Runs `work` over `items`, at most `limit` at a time; `slot` (0 to limit − 1) says in which of the lanes. The first
 * failure ends all lanes and is thrown when they have ended.
 */
export async function inParallel<T>(
  items: readonly T[],
  limit: number,
  work: (item: T, slot: number) => Promise<void>,
): Promise<void> {
  let next = 0;
  let failure: { readonly error: unknown } | undefined;
  const lane = async (slot: number): Promise<void> => {
    while (next < items.length && failure === undefined) {
      const item = items[next++] as T;
      try {
        await work(item, slot);
      } catch (error) {
        failure ??= { error };
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(limit, items.length) }, async (_, slot) => lane(slot)));
  if (failure !== undefined) throw failure.error;
}
