/** A host as Aegir and BOA leave it, at the places where they put things, and two commands without an argument. */
import assert from 'node:assert/strict';
import { resolve } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { SitesDocument } from '@salvor/contract';
import { TestHost } from '../../src/sites/layouts/test-host.ts';
import { openThrowAwayRoot, type ThrowAwayRoot } from './throw-away-root.ts';

const PROGRAM = resolve(import.meta.dirname, '../../..');
const O1 = 'data/disk/o1';
const AEGIR = 'var/aegir';

/** Its contexts and links name the places that the files are copied to. */
function layOut(host: TestHost): void {
  const site = (home: string, root: string, uri: string, cloaked = false): void =>
    host.aegirSite(home, root, uri, { cloaked, values: { root: `/${root}` } });
  for (const home of [O1, AEGIR]) host.aegirHome(home);
  const builtIn = `${O1}/distro/001/drupal-10.3-prod`;
  const own = `${O1}/static/shop/web`;
  host.drupal(builtIn, '10.3.6');
  host.drupal(own, '11.0.1');
  site(O1, builtIn, 'a.test');
  site(O1, builtIn, 'cloaked.test', true);
  site(O1, own, 'shop.test');
  host.link(`home/o1.ftp/static`, `/${O1}/static`);
  host.link('home/o1.ftp/platforms/001/drupal', `/${builtIn}/sites`);
  host.link(`${O1}/clients/acme/a.test`, `/${builtIn}/sites/a.test`);
  host.write(`${builtIn}/sites/a.test.restore/settings.php`, '<?php');
  host.drupal(`${AEGIR}/hostmaster-7.x-3.19`, '7.98');
  host.drupal(`${AEGIR}/platforms/drupal-7`, '7.98');
  site(AEGIR, `${AEGIR}/hostmaster-7.x-3.19`, 'panel.test');
  site(AEGIR, `${AEGIR}/platforms/drupal-7`, 'old.test', true);
}

describe('a host that used Aegir yesterday', () => {
  let root: ThrowAwayRoot;
  const must = async (line: string, exits: readonly number[] = [0]): Promise<string> => {
    const { exit, out, err } = await root.shell(line);
    assert.ok(exits.includes(exit), `${line}\n${exit}\n${out}${err}`);
    return out;
  };

  before(async () => {
    using host = new TestHost();
    layOut(host);
    root = await openThrowAwayRoot();
    await must('rm -rf /etc/salvor /var/lib/salvor /var/backups/salvor /usr/local/bin/salvor /srv/www');
    await must('rm -rf /data /var/aegir /home && mkdir /home && find /var/www -mindepth 1 -delete; true');
    await must(`cp -a ${host.at('data')} / && cp -a ${host.at('home')}/. /home && cp -a ${host.at(AEGIR)} /var`);
    await must('useradd -M -d /data/disk/o1 o1 && useradd -M -d /home/o1.ftp o1.ftp && useradd -M -d /var/aegir aegir');
    await must('chown -R o1: /data/disk/o1 && chown -R o1.ftp: /home/o1.ftp && chown -R aegir: /var/aegir');
    await must(`ln -s ${PROGRAM}/bin/salvor /usr/local/bin/salvor`);
  });
  after(() => root[Symbol.asyncDispose]());

  it('shows all of its sites and nothing else to a person who types `salvor init` and `salvor sites`', async () => {
    const places = [
      ['aegir/old.test', '/var/aegir/platforms/drupal-7/sites/old.test'],
      ['aegir/panel.test', '/var/aegir/hostmaster-7.x-3.19/sites/panel.test'],
      ['o1/a.test', '/data/disk/o1/distro/001/drupal-10.3-prod/sites/a.test'],
      ['o1/cloaked.test', '/data/disk/o1/distro/001/drupal-10.3-prod/sites/cloaked.test'],
      ['o1/shop.test', '/data/disk/o1/static/shop/web/sites/shop.test'],
    ];
    const typed = await must('cd /root && salvor init', [0, 3]);
    assert.match(typed, /^Wrote \/etc\/salvor\/salvor\.yaml\.$/m);
    assert.match(typed, /5 sites found/);
    const shown = await must('cd / && salvor sites');
    for (const [key] of places) assert.ok(shown.includes(key?.split('/')[1] ?? '-'), `${key}\n${shown}`);
    const sites = SitesDocument.parse(JSON.parse(await must('salvor sites --json')));
    const found = sites.map(({ account, uri, path }) => `${account}/${uri} ${path}`);
    assert.deepEqual(
      found.toSorted(),
      places.map((place) => place.join(' ')),
    );
  });
});
