/** A tenant of the host: who it is, where its files lie and who may own them. Pure shapes; `read-account.ts` finds them. */

/** A way in for people: a system user of the host with a home of its own. */
export type LogIn = {
  readonly name: string;
  readonly uid: number;
  /** Absolute, without symbolic links; null where the host's list names none that is there. */
  readonly home: string | null;
  /** `main`: the owner's own (BOA's `o1.ftp`, else the account's user itself); `client`: BOA's `o1.<client>`. */
  readonly kind: 'main' | 'client';
};

export type Account = {
  /**
   * The system user whose home it is, else the last component of the home (`o1` of `/data/disk/o1`); unique on a host.
   * Repositories, keys and points go by it.
   */
  readonly name: string;
  /** Absolute, without symbolic links. */
  readonly home: string;
  readonly uid: number;
  readonly gid: number;
  /** The main log-in first. Empty where no system user belongs to the home. */
  readonly logins: readonly LogIn[];
  /** The group that the web server reads the account's sites by; null where the host has none of a known name. */
  readonly webGroup: { readonly name: string; readonly gid: number } | null;
};

/** The account's home and those of its log-ins: what lies in one of them is the account's. */
export function homesOf(account: Account): string[] {
  return [account.home, ...account.logins.flatMap(({ home }) => (home === null ? [] : [home]))].filter(
    (home, index, all) => all.indexOf(home) === index,
  );
}

/** The home of the account that a path lies in, and is not itself; null for none. */
export function homeAround(account: Account, path: string): string | null {
  return homesOf(account).find((home) => path.startsWith(`${home}/`)) ?? null;
}
