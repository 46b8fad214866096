import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after, describe, it } from 'node:test';
import { findForeignJobs } from './foreign-jobs.ts';

describe('jobs of others', () => {
  const root = mkdtempSync(join(tmpdir(), 'salvor-jobs-'));
  after(() => rmSync(root, { recursive: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };

  it('are found in every crontab, with what they do and where they are stopped', () => {
    write(
      'var/spool/cron/crontabs/root',
      `# 15 4 * * * bash /var/xdrago/daily.sh
SHELL=/bin/bash
15 1 * * * /usr/bin/nice -n19 /usr/bin/ionice -c2 -n7 bash /var/xdrago/mysql_backup.sh >/dev/null 2>&1
15 4 * * * /usr/bin/nice -n19 bash /var/xdrago/daily.sh >/dev/null 2>&1
*/3 * * * * bash /var/xdrago/manage_ltd_users.sh >/dev/null 2>&1
15 3 * * * bash /opt/local/bin/backboa backup >/dev/null 2>&1
0 2 * * * /opt/salvor/bin/salvor daily
1 * * * * bash /var/xdrago/my-daily.sh.old
`,
    );
    write('var/spool/cron/crontabs/o1', '5 5 * * 1 find /data/disk/o1/backups -mtime +7 -delete\n');
    write('etc/cron.d/old', '18 6 * * 2 root bash /var/xdrago/purge_cruft.sh\n');
    write('etc/cron.daily/automysqlbackup', '#!/bin/sh\nexit 0\n');
    write('etc/cron.daily/apt-compat', '#!/bin/sh\nexit 0\n');
    write('root/.o1.octopus.cnf', '_DEL_OLD_BACKUPS=0\n');
    write('root/.o2.octopus.cnf', '_DEL_OLD_TMP=0\n');
    const found = findForeignJobs(root);
    assert.deepEqual(
      found.map(({ name, file, line, effect }) => `${name}: ${effect}, ${file.slice(root.length + 1)} ${line}`),
      [
        'purge_cruft.sh of BOA: deletes, etc/cron.d/old 1',
        'a purge of backups: deletes, var/spool/cron/crontabs/o1 1',
        'mysql_backup.sh of BOA: empties, var/spool/cron/crontabs/root 3',
        'daily.sh of BOA: deletes, var/spool/cron/crontabs/root 4',
        'manage_ltd_users.sh of BOA: deletes, var/spool/cron/crontabs/root 5',
        'backboa: repeats, var/spool/cron/crontabs/root 6',
        'another backup program: repeats, etc/cron.daily/automysqlbackup null',
      ],
    );
    const daily = found.find(({ name }) => name.startsWith('daily'));
    assert.match(
      daily?.remedy ?? '',
      /_DEL_OLD_BACKUPS=3650 in \/root\/\.o1\.octopus\.cnf \(now 0\), .*\.o2.*\(not set\)/,
    );
    const dump = found.find(({ name }) => name.startsWith('mysql_backup'));
    assert.match(dump?.remedy ?? '', /crontabs\/root, line 3$/);
  });

  it('are none on a host that has none', () => {
    assert.deepEqual(findForeignJobs(join(root, 'nowhere')), []);
  });
});
