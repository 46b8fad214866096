/** The page that `uninstall` leaves: how to read what stays, with stock restic and the stock client. Holds no secret. */
import { join } from 'node:path';
import type { RepositoryPlaces } from '../../points/repositories.ts';
import { copiesOf, keyFileOf, repositoryUrlOf } from '../../points/repositories.ts';

export type LeftBehind = {
  readonly places: RepositoryPlaces;
  readonly thirdCopy: string;
  readonly accounts: readonly string[];
  readonly date: Date;
};

export function renderReadingPage({ places, thirdCopy, accounts, date }: LeftBehind): string {
  const repositories = accounts.flatMap((name) =>
    copiesOf(places).map((copy) => {
      const key = keyFileOf(places, name, copy);
      return `restic -r ${quote(repositoryUrlOf(places, name, copy))} --password-file ${quote(key)} snapshots`;
    }),
  );
  return `How to read the backups of this host without Salvor
===================================================
Written on ${date.toISOString().slice(0, 10)}, when Salvor was taken out of service. Nothing of the backups was removed.

Keep the keys: ${join(places.state, 'keys')}${places.remote === null ? '' : ` and ${join(places.state, 'remote-keys')}`}. Without them, or the printed
recovery kit, nobody can read the repositories.

1. Install restic, 0.14 or newer (Debian: apt-get install restic).

2. List what there is. Each account has a repository of its own${places.remote === null ? '' : ' in each place'}:

${repositories.map((line) => `   ${line}`).join('\n') || '   (no account was found)'}

   A night is two snapshots with one tag point:ID, of all files (real paths) and of all databases. What a task made is one
   snapshot of one site (tag site:NAME), with /site, /databases and /manifest.json.

3. Bring files back into an empty directory, and move them to their place from there:

   restic -r REPOSITORY --password-file KEY restore SNAPSHOT --target /root/back --include /data/disk/o1/path

4. Bring a database back. Its files, in the order of their names, are one dump for the stock client:

   restic -r REPOSITORY --password-file KEY restore SNAPSHOT --target /root/back --include /databases/NAME
   cat /root/back/databases/NAME/* | mariadb NAME

5. Compressed dumps of each database and day, which need no key, lie in ${thirdCopy}/ACCOUNT/YYYY-MM-DD:

   zstdcat FILE.sql.zst | mariadb NAME

6. Archives of single sites lie in the directory backups of each home; tar reads them.

To check a repository: restic -r REPOSITORY --password-file KEY check --read-data
To remove the backups for good, remove the repositories, the third copies, and ${places.state}.
`;
}

function quote(text: string): string {
  return /^[\w@./:+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
