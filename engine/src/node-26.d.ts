/** What Node 26 has and its published types do not. */
import 'node:crypto';

declare module 'node:crypto' {
  interface Mac {
    update(data: Uint8Array): this;
    final(): Buffer;
  }
  /** Message authentication codes of OpenSSL; `poly1305` takes a 32-byte one-time key. */
  function createMac(algorithm: 'poly1305', key: Uint8Array): Mac;
}

declare global {
  namespace WebAssembly {
    class Module {
      constructor(bytes: Uint8Array);
    }
    class Memory {
      constructor(descriptor: { readonly initial: number; readonly maximum?: number; readonly shared?: boolean });
      readonly buffer: ArrayBuffer;
    }
    class Instance {
      constructor(module: Module, imports: Readonly<Record<string, Readonly<Record<string, Memory>>>>);
      readonly exports: Readonly<Record<string, unknown>>;
    }
  }
}
