/**
 * What holds of nights on each kind of disk that has snapshots: homes are read from one, which is gone afterwards whatever
 * happened. The claims of a kind alone are added by its own file.
 */
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
import { findSource } from '../../src/lib/file-snapshots/file-snapshot.ts';

const NIGHT = fileURLToPath(new URL('../days/night.ts', import.meta.url));

/** A disk of the kind, mounted. */
export type SnapshotDisk = {
  /** What a snapshot is made of, as `findSource` names it. */
  readonly source: string;
  /** All snapshots on it but the foreign one. */
  readonly list: () => readonly string[];
  /** What each of ours is called in that list. */
  readonly ours: RegExp;
  /** Makes one that is somebody else's, and says later whether it is there. */
  readonly makeForeign: () => { readonly isThere: () => boolean };
};

export type SnapshotHost = {
  readonly directory: string;
  readonly disk: SnapshotDisk;
  readonly host: DemoHost;
  readonly site: DemoSite;
  /** A file of the site that holds `before` when a test begins. */
  readonly changing: string;
  /** `between`: what is done when the databases are there and the files are not. */
  readonly night: (between?: () => void, signal?: AbortSignal) => Promise<DailyAccount>;
  /** What the last point of files has of it. */
  readonly stored: () => Promise<string>;
};

/** `open` mounts a new disk of the kind at a directory that is there, `more` claims what holds of it alone. */
export function claimSnapshots(
  kind: string,
  open: (places: { readonly directory: string; readonly at: string }, held: AsyncDisposableStack) => SnapshotDisk,
  more: (hosted: () => SnapshotHost) => void,
): void {
  describe(`a night on ${kind}`, () => {
    const held = new AsyncDisposableStack();
    let hosted: SnapshotHost;
    before(async () => {
      hosted = await openSnapshotHost(open, held);
    });
    after(() => held.disposeAsync());

    it('reads the files as they were when the databases were dumped, at their own paths', async () => {
      const { disk, night, stored, changing } = hosted;
      let during: readonly string[] = [];
      const done = await night(() => {
        writeFileSync(changing, 'after');
        during = disk.list();
      });
      assert.equal(done.state, 'succeeded', JSON.stringify(done.problems));
      assert.equal(during.length, 1);
      assert.match(during[0] ?? '', disk.ours);
      assert.deepEqual(disk.list(), []);
      assert.ok(!existsSync(join(hosted.host.directory, '.salvor')));
      assert.equal(await stored(), 'before');
      assert.equal(readFileSync(changing, 'utf8'), 'after');
    });

    it('says in its manifest how far the databases are from that instant, not how long it took', async () => {
      const { host, site } = hosted;
      const { document } = await runSalvor(host, ['points', site.uri]);
      const [point] = document as { id: string; complete: boolean }[];
      const { output } = await runSalvor(host, ['cat', point?.id ?? '', '/manifest.json']);
      const manifest = JSON.parse(output) as { seconds: number; time: string; databases: { time: string }[] };
      const since = (Date.parse(manifest.databases[0]?.time ?? '') - Date.parse(manifest.time)) / 1000;
      assert.equal(point?.complete, true);
      assert.ok(manifest.seconds <= since + 1, `${manifest.seconds} ${since}`);
    });

    it('finds in the next night what did not change, and stores no listing of it again', async () => {
      const { host, night } = hosted;
      const [one, other] = [await night(), await night()];
      for (const { bytesRead, bytesStored } of [one, other])
        assert.ok(bytesRead < 600_000 && bytesStored < 40_000, `${bytesRead} read, ${bytesStored} stored`);
      const list = await runRestic(host, ['snapshots', '--json', '--tag', 'holds:files']);
      const ids = (JSON.parse(list.output) as { id: string }[]).map(({ id }) => id).slice(-2);
      const { output } = await runRestic(host, ['diff', '--metadata', ids[0] ?? '', ids[1] ?? '']);
      assert.ok(!output.split('\n').some((line) => line.includes(host.home)), output);
    });

    it('leaves no snapshot behind when it fails or is killed, and removes none that is not its own', async () => {
      const { host, disk, night } = hosted;
      const foreign = disk.makeForeign();
      const stop = new AbortController();
      await assert.rejects(
        night(() => stop.abort(), stop.signal),
        { code: 'cancelled' },
      );
      assert.deepEqual(disk.list(), []);
      await killNight(host, () => disk.list().length > 0);
      assert.equal(disk.list().length, 1);
      await recover(host);
      assert.deepEqual(disk.list(), []);
      assert.ok(!existsSync(join(host.directory, '.salvor')));
      assert.ok(foreign.isThere());
    });

    it('reads a home as it changes where another file system lies in it', async () => {
      const { host, site, disk, night, stored, changing } = hosted;
      const signal = new AbortController().signal;
      assert.equal((await findSource(host.home, signal))?.name, disk.source);
      const inner = join(host.home, 'inner');
      mkdirSync(inner);
      execFileSync('mount', ['-t', 'tmpfs', 'tmpfs', inner]);
      try {
        assert.equal(await findSource(host.home, signal), null);
        assert.equal((await findSource(site.path, signal))?.name, disk.source);
        const done = await night(() => writeFileSync(changing, 'after'));
        assert.equal(done.state, 'succeeded', JSON.stringify(done.problems));
        assert.equal(await stored(), 'after');
      } finally {
        execFileSync('umount', [inner]);
      }
      assert.equal(await findSource('/proc', signal), null);
    });

    more(() => hosted);
  });
}

/** What each command begins with. */
export async function recover(host: DemoHost): Promise<void> {
  await using _ = await openAgentFor(loadConfig([salvorPlaces(host).config]), { clock: () => new Date() });
}

/** Kills a night of the host with SIGKILL as soon as that is so. */
export async function killNight(host: DemoHost, isSo: () => boolean): Promise<void> {
  const { config } = salvorPlaces(host);
  const child = spawn(process.execPath, [NIGHT, config, new Date().toISOString(), '1'], { stdio: 'ignore' });
  const closed = once(child, 'close');
  while (!isSo() && child.exitCode === null) await sleep(5);
  child.kill('SIGKILL');
  await closed;
}

async function openSnapshotHost(
  open: Parameters<typeof claimSnapshots>[1],
  held: AsyncDisposableStack,
): Promise<SnapshotHost> {
  const directory = mkdtempSync(join(tmpdir(), 'salvor-snapshots-'));
  held.defer(() => rmSync(directory, { recursive: true }));
  chmodSync(directory, 0o755);
  const at = join(directory, 'disk');
  mkdirSync(at);
  const disk = open({ directory, at }, held);
  const mariadb = held.use(await openMariaDb({ directory: join(directory, 'mariadb') }));
  const drupalSites = ['ferry.example.org'];
  const host = held.use(
    await buildHost({ directory: at, mariadb, drupalSites, withoutWordPress: true, nodes: 5, files: 5 }),
  );
  const site = host.site('ferry.example.org');
  const changing = join(site.path, 'files/changing.txt');
  const { exit, complaint } = await runSalvor(host, ['init', ...initFlags(host)]);
  assert.equal(exit, 0, complaint);
  return {
    directory,
    disk,
    host,
    site,
    changing,
    night: async (between = () => {}, signal) => {
      if (!existsSync(changing) || readFileSync(changing, 'utf8') !== 'before') writeFileSync(changing, 'before');
      return await makeNight(host, between, signal);
    },
    stored: async () => {
      const { output, complaint: fault } = await runRestic(host, ['dump', '--tag', 'holds:files', 'latest', changing]);
      assert.notEqual(output, '', fault);
      return output;
    },
  };
}

async function makeNight(host: DemoHost, between: () => void, signal?: AbortSignal): Promise<DailyAccount> {
  const { config, repository } = salvorPlaces(host);
  const countSnapshots = (): number => readdirSync(join(repository, 'snapshots')).length;
  const countBefore = countSnapshots();
  let isBetween = false;
  await using agent = await openAgentFor(loadConfig([config]), { clock: () => new Date() });
  const { accounts } = await agent.daily({
    account: host.account.name,
    ...(signal === undefined ? {} : { signal }),
    onProgress: () => {
      if (isBetween || countSnapshots() === countBefore) return;
      isBetween = true;
      between();
    },
  });
  return accounts[0] ?? assert.fail();
}
