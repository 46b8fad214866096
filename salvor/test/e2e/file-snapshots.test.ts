/** Nights on a Btrfs disk: homes are read from a snapshot of the file system, which is gone afterwards whatever happened. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { DailyAccount } from '@salvor/contract';
import { type DemoHost, type DemoSite, buildHost } from '../../../demo/host.ts';
import { openMariaDb } from '../../../demo/mariadb-server.ts';
import { initFlags, runRestic, runSalvor, salvorPlaces } from '../../../demo/salvor-command.ts';
import { openAgentFor } from '../../src/compose.ts';
import { loadConfig } from '../../src/config.ts';
import { findSubvolume } from '../../src/lib/file-snapshot.ts';

const NIGHT = fileURLToPath(new URL('../days/night.ts', import.meta.url));

describe('a night on a file system that has snapshots', () => {
  const held = new AsyncDisposableStack();
  let disk: string;
  let host: DemoHost;
  let site: DemoSite;
  let changing: string;

  before(async () => {
    const directory = mkdtempSync(join(tmpdir(), 'salvor-btrfs-'));
    held.defer(() => rmSync(directory, { recursive: true }));
    chmodSync(directory, 0o755);
    disk = join(directory, 'disk');
    mkdirSync(disk);
    const image = join(directory, 'image');
    execFileSync('truncate', ['-s', '400M', image]);
    execFileSync('mkfs.btrfs', ['-q', image]);
    execFileSync('mount', ['-o', 'loop', image, disk]);
    held.defer(() => void execFileSync('umount', [disk]));
    const mariadb = held.use(await openMariaDb({ directory: join(directory, 'mariadb') }));
    const drupalSites = ['ferry.example.org'];
    host = held.use(
      await buildHost({ directory: disk, mariadb, drupalSites, withoutWordPress: true, nodes: 5, files: 5 }),
    );
    site = host.site('ferry.example.org');
    changing = join(site.path, 'files/changing.txt');
    writeFileSync(changing, 'before');
    const { exit, complaint } = await runSalvor(host, ['init', ...initFlags(host)]);
    assert.equal(exit, 0, complaint);
  });
  after(() => held.disposeAsync());

  const subvolumes = (): string => execFileSync('btrfs', ['subvolume', 'list', disk], { encoding: 'utf8' });

  /** `between`: what is done when the databases are there and the files are not. */
  async function night(between: () => void = () => {}): Promise<DailyAccount> {
    const { config, repository } = salvorPlaces(host);
    const countSnapshots = (): number => readdirSync(join(repository, 'snapshots')).length;
    const countBefore = countSnapshots();
    let isBetween = false;
    await using agent = await openAgentFor(loadConfig([config]), { clock: () => new Date() });
    const { accounts } = await agent.daily({
      account: host.account.name,
      onProgress: () => {
        if (isBetween || countSnapshots() === countBefore) return;
        isBetween = true;
        between();
      },
    });
    return accounts[0] ?? assert.fail();
  }

  it('reads the files as they were when the databases were dumped, at their own paths', async () => {
    let during = '';
    const done = await night(() => {
      writeFileSync(changing, 'after');
      during = subvolumes();
    });
    assert.equal(done.state, 'succeeded', JSON.stringify(done.problems));
    assert.match(during, /path \.salvor\/o1\/[0-9a-z]{12}\/files-0\n/);
    assert.equal(subvolumes(), '');
    assert.ok(!existsSync(join(disk, '.salvor')));
    const stored = await runRestic(host, ['dump', '--tag', 'holds:files', 'latest', changing]);
    assert.equal(stored.output, 'before', stored.complaint);
    assert.equal(readFileSync(changing, 'utf8'), 'after');
  });

  it('says in its manifest how far the databases are from that instant, not how long it took', async () => {
    const { document } = await runSalvor(host, ['points', site.uri]);
    const [point] = document as { id: string; complete: boolean }[];
    const { output } = await runSalvor(host, ['cat', point?.id ?? '', '/manifest.json']);
    const manifest = JSON.parse(output) as { seconds: number; time: string; databases: { time: string }[] };
    const since = (Date.parse(manifest.databases[0]?.time ?? '') - Date.parse(manifest.time)) / 1000;
    assert.equal(point?.complete, true);
    assert.ok(manifest.seconds <= since + 1, `${manifest.seconds} ${since}`);
  });

  it('finds in the next night what did not change, and stores no listing of it again', async () => {
    await night();
    const [one, other] = [await night(), await night()];
    for (const { bytesRead, bytesStored } of [one, other])
      assert.ok(bytesRead < 600_000 && bytesStored < 40_000, `${bytesRead} read, ${bytesStored} stored`);
    const list = await runRestic(host, ['snapshots', '--json', '--tag', 'holds:files']);
    const ids = (JSON.parse(list.output) as { id: string }[]).map(({ id }) => id).slice(-2);
    const { output } = await runRestic(host, ['diff', '--metadata', ids[0] ?? '', ids[1] ?? '']);
    assert.ok(!output.split('\n').some((line) => line.includes(host.home)), output);
  });

  it('leaves no snapshot behind when it is killed', async () => {
    const { config } = salvorPlaces(host);
    const child = spawn(process.execPath, [NIGHT, config, new Date().toISOString(), '1'], { stdio: 'ignore' });
    const closed = once(child, 'close');
    while (subvolumes() === '' && child.exitCode === null) await sleep(5);
    child.kill('SIGKILL');
    await closed;
    assert.notEqual(subvolumes(), '');
    assert.equal((await runSalvor(host, ['tasks'])).exit, 0);
    assert.equal(subvolumes(), '');
    assert.ok(!existsSync(join(disk, '.salvor')));
  });

  it('reads a home as it changes where another file system or subvolume lies in it', async () => {
    const signal = new AbortController().signal;
    assert.equal(await findSubvolume(host.home, signal), disk);
    const inner = join(host.home, 'inner');
    execFileSync('btrfs', ['-q', 'subvolume', 'create', inner]);
    assert.equal(await findSubvolume(host.home, signal), null);
    assert.equal(await findSubvolume(site.path, signal), disk);
    assert.equal((await night()).state, 'succeeded');
    execFileSync('btrfs', ['-q', 'subvolume', 'delete', inner]);
    mkdirSync(inner);
    execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', inner]);
    assert.equal(await findSubvolume(host.home, signal), null);
    execFileSync('umount', [inner]);
    assert.equal(await findSubvolume('/proc', signal), null);
  });
});
