/**
 * Where an archive is written: a file without its name, which gets it when the archive was read back and is right.
 * Disposing one that has no name removes it. In a tenant's home a process with his rights implements this.
 */
export interface ArchiveSink extends AsyncDisposable {
  /** Of the file, to be read from any thread until the sink is disposed; null before it is there, which it is after `sync`. */
  readonly descriptor: number | null;
  /** Appends; the bytes are the sink's until it returns. */
  write(bytes: Uint8Array): Promise<void>;
  /** When this returns all that was written is on the disk. */
  sync(): Promise<void>;
  /** Gives the file its name, durably; false where the name is taken, of whatever. Never replaces anything. */
  publish(name: string): Promise<boolean>;
}
