/**
 * Where an archive is written: a file without its name, which gets it when the archive was read back and is right.
 * Disposing one that has no name removes it. In a tenant's home a process with his rights implements this.
 */
export interface ArchiveSink extends AsyncDisposable {
  /** Appends; the bytes are the sink's until it returns. */
  write(bytes: Uint8Array): Promise<void>;
  /** When this returns all that was written is on the disk. */
  sync(): Promise<void>;
  /** What was written, from its first byte, as it is read from the file. */
  read(): AsyncIterable<Uint8Array>;
  /** Gives the file its name, durably; false where the name is taken, of whatever. Never replaces anything. */
  publish(name: string): Promise<boolean>;
}
