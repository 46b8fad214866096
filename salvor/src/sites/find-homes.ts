/**
 * Where homes of accounts may be on a host of which none are named: where Aegir and BOA put them, where web servers serve
 * from, and the homes of the host's people. Whether one is an account's is told by what is found in it, not by its name.
 */
import { realpathSync, statSync } from 'node:fs';
import type { HostTables } from './host-tables.ts';
import { listDirectory } from './list-directory.ts';

export type HomePlaces = {
  /** Homes themselves. */
  readonly single: readonly string[];
  /** Directories of homes. */
  readonly parents: readonly string[];
  /** Whether the homes of the host's people are looked at too. */
  readonly areUsersAsked: boolean;
};

const PLACES: HomePlaces = {
  single: ['/var/aegir', '/var/www', '/srv/www', '/srv/http'],
  parents: ['/data/disk', '/home'],
  areUsersAsked: true,
};

/** The first number of a person's user on Debian and its kin. */
const FIRST_PERSON = 1000;
const NOBODY = 65_534;

/** Absolute, without links, in the order of their paths; all that could be one. */
export function findHomes({ users }: HostTables, places: HomePlaces = PLACES): string[] {
  const people = places.areUsersAsked ? users.filter(({ uid, home }) => isPerson(uid) && !isOfSystem(home)) : [];
  const named = [
    ...places.single,
    ...places.parents.flatMap((parent) => {
      const listed = listDirectory(parent);
      return 'refused' in listed
        ? []
        : listed.directories.filter((name) => !name.startsWith('.')).map((name) => `${parent}/${name}`);
    }),
    ...people.map(({ home }) => home),
  ];
  const homes = [...new Set(named.flatMap((path) => homeAt(path) ?? []))].sort();
  return homes.filter((home) => !isOfLogIn(home, homes));

  // `o1.ftp` is a log-in of `o1`, and its home a part of that account's.
  function isOfLogIn(home: string, all: readonly string[]): boolean {
    const user = users.find((one) => one.home === home);
    const above = user === undefined ? undefined : users.find(({ name }) => user.name.startsWith(`${name}.`));
    return above !== undefined && above.home !== home && all.includes(above.home);
  }
}

function isPerson(uid: number): boolean {
  return uid >= FIRST_PERSON && uid !== NOBODY;
}

/** A list of users that names `/` or `/var/lib` must not have us search them. */
function isOfSystem(path: string): boolean {
  const isShort = !path.startsWith('/') || path.split('/').filter((part) => part !== '').length < 2;
  return (
    isShort ||
    /^\/(?:bin|boot|dev|etc|lib\d*|proc|run|sbin|sys|usr|var\/(?:lib|cache|log|spool|tmp|run))(?:\/|$)/.test(path)
  );
}

function homeAt(path: string): string | null {
  try {
    const real = realpathSync(path);
    return statSync(real).isDirectory() ? real : null;
  } catch {
    return null;
  }
}
