/** What the wrappers share: one function around all calls of a storage. */
import type { CallOptions, FileHandle, FileKind, Storage } from './storage.ts';

/** A call as wrappers see it; `bytes` are those to be saved. */
export type StorageCall =
  | { readonly verb: 'create' }
  | { readonly verb: 'save'; readonly file: FileHandle; readonly bytes: number }
  | { readonly verb: 'load'; readonly file: FileHandle }
  | { readonly verb: 'size'; readonly file: FileHandle }
  | { readonly verb: 'list'; readonly kind: FileKind }
  | { readonly verb: 'remove'; readonly file: FileHandle };

/** Runs the call, once or again, under options of its own; what it gives is the call's outcome. */
export type Around = <T>(
  call: StorageCall,
  run: (options: CallOptions) => Promise<T>,
  options: CallOptions,
) => Promise<T>;

/** The storage with `around` about each call. */
export function wrapStorage(inner: Storage, around: Around): Storage {
  return {
    location: inner.location,
    ...(inner.uncached === undefined ? {} : { uncached: wrapStorage(inner.uncached, around) }),
    create: async (options = {}) => around({ verb: 'create' }, async (each) => inner.create(each), options),
    save: async (file, bytes, options = {}) =>
      around({ verb: 'save', file, bytes: bytes.length }, async (each) => inner.save(file, bytes, each), options),
    load: async (file, range, options = {}) =>
      around({ verb: 'load', file }, async (each) => inner.load(file, range, each), options),
    size: async (file, options = {}) => around({ verb: 'size', file }, async (each) => inner.size(file, each), options),
    list: async (kind, options = {}) => around({ verb: 'list', kind }, async (each) => inner.list(kind, each), options),
    remove: async (file, options = {}) =>
      around({ verb: 'remove', file }, async (each) => inner.remove(file, each), options),
  };
}

/** For messages: `save index/0123…`. */
export function describeCall(call: StorageCall): string {
  switch (call.verb) {
    case 'create':
      return 'create its directories';
    case 'list':
      return `list ${call.kind}`;
    case 'save':
    case 'load':
    case 'size':
    case 'remove': {
      const verb = call.verb === 'size' ? 'look at' : call.verb;
      return call.file.kind === 'config' ? `${verb} config` : `${verb} ${call.file.kind}/${call.file.id.slice(0, 80)}`;
    }
    default:
      return call satisfies never;
  }
}
