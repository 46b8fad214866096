/** Where a server listens. */
export type ServerAddress = { readonly socket: string } | { readonly host: string; readonly port: number };

/** A user of a server. The password never leaves the process but through a defaults file. */
export type DatabaseLogin = {
  readonly address: ServerAddress;
  readonly user: string;
  readonly password: string;
};
