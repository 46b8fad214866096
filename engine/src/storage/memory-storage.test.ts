import { storageConformance } from '../../test/storage/storage-conformance.ts';
import { openMemoryStorage } from './memory-storage.ts';

storageConformance('memory', async () => {
  const storage = openMemoryStorage();
  return { storage, reopen: () => storage, [Symbol.asyncDispose]: async () => undefined };
});
