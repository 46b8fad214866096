/** The agent as systemd's service, on a host that systemd booted: what its unit takes away it must not need. */
import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import {
  DoctorDocument,
  InstallDocument,
  RestoreDocument,
  StatusDocument,
  UninstallDocument,
  UpgradeDocument,
} from '@salvor/contract';
import { type DemoHost, type DemoSite, buildHost } from '../../../demo/host.ts';
import { observeSite } from '../../../demo/observe-site.ts';
import { assertSameSite } from './open-test-host.ts';
import { type ThrowAwayRoot, openThrowAwayRoot } from './throw-away-root.ts';

const PROGRAM = resolve(import.meta.dirname, '../../..');
const CONFIG = '/etc/salvor/salvor.yaml';

describe('a host that systemd booted', () => {
  let host: DemoHost;
  let site: DemoSite;
  let root: ThrowAwayRoot;

  before(async () => {
    host = await buildHost({ nodes: 20, files: 10, withoutWordPress: true, drupalSites: ['harbour.example.org'] });
    site = host.site('harbour.example.org');
    root = await openThrowAwayRoot({ boots: true, shared: [PROGRAM, host.directory] });
    // Less for the night of the host's own account.
    await must('rm -rf /usr/local/* /etc/salvor /var/lib/salvor /var/backups/salvor && mkdir -p /etc/salvor');
    // Tells who loads a dump.
    const witness = String.raw`#!/bin/sh\nid -un >>/tmp/loaders\nexec /usr/bin/mariadb "$@"\n`;
    await must(
      `mkdir /usr/local/bin && printf '${witness}' >/usr/local/bin/mariadb && chmod 755 /usr/local/bin/mariadb`,
    );
    await must('install -m 666 /dev/null /tmp/loaders');
    await must(`echo 'mariadb: { socket: ${host.mariadb.socket} }' >${CONFIG}`);
    await must(`${PROGRAM}/bin/salvor init --config ${CONFIG} --home ${host.home}`);
  });
  after(async () => {
    await root?.[Symbol.asyncDispose]();
    await host?.[Symbol.asyncDispose]();
  });

  const must = async (line: string): Promise<string> => {
    const { exit, out, err } = await root.shell(line);
    assert.equal(exit, 0, `${line}\n${out}${err}${(await root.shell('journalctl --no-pager -u salvor-agent')).out}`);
    return out;
  };
  const propertyOf = async (name: string): Promise<string> =>
    (await must(`systemctl show --value --property ${name} salvor-agent`)).trim();
  /** That all of it is done by the agent, as its service. */
  const awaitAgent = async (): Promise<void> => {
    for (let tries = 0; tries < 60; tries++) {
      const { agent } = StatusDocument.parse(JSON.parse(await must('salvor status --json')));
      if (agent !== null) return;
    }
    assert.fail(await must('journalctl --no-pager -u salvor-agent'));
  };

  it('has its agent started by its unit, now and at each boot, with what a night needs and no more', async () => {
    const installed = InstallDocument.parse(JSON.parse(await must(`${PROGRAM}/bin/salvor install --json`)));
    assert.deepEqual([installed.init, installed.isStarted], ['systemd', true]);
    await awaitAgent();
    assert.deepEqual([await propertyOf('ActiveState'), await propertyOf('UnitFileState')], ['active', 'enabled']);
    await must('systemd-analyze verify --man=no salvor-agent.service');
    // A night makes its own group give way, and nothing else of the system is its to write.
    const mounts = await must(`cat /proc/${await propertyOf('MainPID')}/mountinfo`);
    for (const [place, access] of [
      ['/sys/fs/cgroup', 'rw'],
      ['/sys', 'ro'],
      ['/usr', 'ro'],
    ])
      assert.match(mounts, new RegExp(` ${place} ${access}[ ,]`));
    const { findings } = DoctorDocument.parse(JSON.parse((await root.shell('salvor doctor --json')).out));
    const codes = findings.map(({ code }) => code);
    assert.ok(!codes.includes('agent-not-running') && !codes.includes('agent-not-installed'), codes.join(' '));
  });

  it('makes its nights and brings sites back from within the limits of the unit', async () => {
    // The first of its nights it has begun by itself.
    const journal = 'journalctl --follow --lines all --output cat --unit salvor-agent';
    const { out } = await root.shell(`setsid --wait sh -c "${journal} | { grep -m 1 'o1: nightly [^b]'; kill 0; }"`);
    assert.match(out, / o1: nightly succeeded, point [0-9a-f]{32}$/m);
    await must(`salvor backup ${site.uri} --json`);
    const before = await observeSite(host, site);
    rmSync(join(site.path, 'settings.php'));
    writeFileSync(join(site.path, 'files/new.txt'), 'new');
    await host.mariadb.query(`DROP TABLE ${site.database}.node`);
    const since = new Date();
    const { refreshed, problems } = RestoreDocument.parse(
      JSON.parse(await must(`salvor restore ${site.uri} --yes --json`)),
    );
    assert.deepEqual(problems, []);
    assertSameSite(before, await observeSite(host, site), { refreshed, since });
    assert.match(await must('cat /tmp/loaders'), /^salvor-load$/m);
    const log = await must('journalctl --no-pager -u salvor-agent');
    assert.doesNotMatch(log, /denied|not permitted|EPERM|EACCES|EROFS/i);
  });

  it('stops without a task left, takes a new version, and is out of service after uninstall', async () => {
    await must('systemctl stop salvor-agent');
    assert.deepEqual([await propertyOf('Result'), await propertyOf('ActiveState')], ['success', 'inactive']);
    await must(`mkdir /opt/better && cd /opt/better && cp -r ${PROGRAM}/bin ${PROGRAM}/salvor . &&
      ln -s ${PROGRAM}/node_modules . && sed -i 's/"version": "[^"]*"/"version": "0.2.0"/' salvor/package.json`);
    const upgraded = UpgradeDocument.parse(JSON.parse(await must('/opt/better/bin/salvor upgrade --json')));
    assert.equal(upgraded.to, '0.2.0');
    assert.match(await propertyOf('ExecStart'), /\/opt\/better\/bin\/salvor/);
    const { removed } = UninstallDocument.parse(JSON.parse(await must('salvor uninstall --yes --json')));
    assert.ok(removed.includes('/etc/systemd/system/salvor-agent.service'));
    assert.equal(await propertyOf('LoadState'), 'not-found');
  });
});
