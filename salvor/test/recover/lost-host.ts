/**
 * A host that will be lost: accounts with system users, sites, one night in a remote repository over SFTP; and an empty machine in
 * its place, which is a namespace of mounts and processes where nothing of it is there but what its recovery kit reaches.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, cpSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { type TestSshd, startSshd } from '../../../engine/test/storage/test-sshd.ts';
import { makeTemporaryDirectory } from '../../../demo/temporary-directory.ts';
import { SALVOR } from '../cli/run-cli.ts';
import { inOwnMounts } from '../own-mounts.ts';
import { SimulatedHost } from '../days/simulated-host.ts';
import type { MachineJob, MachineReport } from './empty-machine.ts';
import { type ServedSite, type SiteLook, lookAtSites } from './look-at-sites.ts';

const MACHINE = fileURLToPath(new URL('empty-machine.ts', import.meta.url));
const SCRIPTS = fileURLToPath(new URL('../../../demo/php/', import.meta.url));

export class LostHost implements AsyncDisposable {
  readonly host: SimulatedHost;
  readonly sshd: TestSshd;
  readonly sites: readonly ServedSite[];
  /** Outside of the host's directory: what is in it the empty machine sees too. */
  readonly outside: string;
  readonly #held: AsyncDisposableStack;
  looks: readonly SiteLook[] = [];
  #machines = 0;

  private constructor(host: SimulatedHost, sshd: TestSshd, outside: string, held: AsyncDisposableStack) {
    this.host = host;
    this.sshd = sshd;
    this.outside = outside;
    this.#held = held;
    const accountOf = (name: string) => host.accounts.find(({ account }) => account.name === name)?.account;
    this.sites = host.sites.map(({ account, uri, path, url, database, user }) => {
      const { home = '', uid = 0, gid = 0, webGid = 0 } = accountOf(account) ?? {};
      return { account, uri, path, url, database, user, home, owner: { uid, gid, webGid } };
    });
  }

  /** Builds it and backs it up once. */
  static async open(size: { accounts: number; sites: number; seed: number }): Promise<LostHost> {
    await using made = new AsyncDisposableStack();
    const { path: outside } = made.use(await makeTemporaryDirectory('salvor-outside'));
    const sshd = made.use(await startSshd());
    const host = made.use(await SimulatedHost.open(size));
    const lost = new LostHost(host, sshd, outside, made.move());
    try {
      lost.#nameRemote();
      lost.#makeEtc();
      await host.live(0);
      await lost.salvor(['init']);
      lost.looks = await lost.look();
      await lost.salvor(['daily']);
    } catch (error) {
      await lost[Symbol.asyncDispose]();
      throw error;
    }
    return lost;
  }

  get kit(): string {
    return join(this.host.directory, 'state/recovery-kit.html');
  }

  get remote(): string {
    return join(this.host.directory, 'remote');
  }

  /** By SFTP, as an other machine's. The log-in lies on the host and is lost with it: the kit alone has it then. */
  #nameRemote(): void {
    const { login, port } = this.sshd;
    const url = `sftp://${login.user}@127.0.0.1:${port}/${this.remote}`;
    const place = join(this.host.directory, 'ssh');
    const [identityFile, knownHosts] = [join(place, 'key'), join(place, 'known_hosts')];
    mkdirSync(place, { mode: 0o700 });
    cpSync(login.privateKeyFile, identityFile);
    cpSync(login.trust.knownHostsFile, knownHosts);
    const remote = { url, identityFile, knownHosts };
    const config = readFileSync(this.host.config, 'utf8').replace(/^remote: .*$/m, `remote: ${JSON.stringify(remote)}`);
    writeFileSync(this.host.config, config, { mode: 0o600 });
  }

  /** Two of them: as it was, with the accounts' users, and as a new machine comes. */
  #makeEtc(): void {
    for (const name of ['etc', 'new-etc'])
      cpSync('/etc', join(this.outside, name), { recursive: true, verbatimSymlinks: true });
    const etc = join(this.outside, 'etc');
    for (const { account } of this.host.accounts) {
      const { name, uid, gid, home } = account;
      appendFileSync(join(etc, 'passwd'), `${name}:x:${uid}:${gid}::${home}:/bin/sh\n`);
      appendFileSync(join(etc, 'passwd'), `${name}.ftp:x:${uid + 50}:${gid}::${home}/clients:/bin/false\n`);
      appendFileSync(join(etc, 'group'), `${name}:x:${gid}:\n`);
      appendFileSync(join(etc, 'shadow'), `${name}:$6$salt$${'x'.repeat(86)}:20000:0:99999:7:::\n`);
    }
    const group = readFileSync(join(etc, 'group'), 'utf8');
    const [first] = this.host.accounts;
    writeFileSync(join(etc, 'group'), group.replace(/^(www-data:.*)$/m, `$1${first?.account.name ?? ''}`));
  }

  /** A command on the host that lives, where its users are known. */
  async salvor(args: readonly string[]): Promise<string> {
    const { exit, output, complaint } = await this.attempt(args);
    assert.equal(exit, 0, `salvor ${args.join(' ')}: ${complaint}\n${output}`);
    return output;
  }

  async look(): Promise<readonly SiteLook[]> {
    const { mariadb, directory } = this.host;
    return await lookAtSites(this.sites, { mariadb, scripts: join(directory, 'scripts') });
  }

  /** The same, whatever becomes of it. */
  async attempt(args: readonly string[]): Promise<{ exit: number; output: string; complaint: string }> {
    const words = [SALVOR, ...args, '--json', '--config', this.host.config];
    const script = `mount --bind "$1" /etc; shift; exec "$@"`;
    return await runTool(inOwnMounts(script, [join(this.outside, 'etc'), ...words]), this.host.directory);
  }

  /** What an empty machine does, from its beginning to its end: nothing of it stays. */
  async onEmptyMachine(
    job: Omit<MachineJob, 'directory' | 'config' | 'kit' | 'sites' | 'scripts'>,
  ): Promise<MachineReport> {
    const { directory, config } = this.host;
    const kit = join(this.outside, 'kit.html');
    cpSync(this.kit, kit);
    const file = join(this.outside, 'job.json');
    const whole: MachineJob = { directory, config, kit, sites: this.sites, scripts: SCRIPTS, ...job };
    writeFileSync(file, JSON.stringify(whole));
    this.#machines += 1;
    const etc = join(this.outside, `etc-${this.#machines}`);
    cpSync(join(this.outside, 'new-etc'), etc, { recursive: true, verbatimSymlinks: true });
    const script = `mount -t proc proc /proc; mount -t tmpfs -o mode=755 tmpfs "$1"; mount --bind "$2" /etc; mount -t tmpfs tmpfs /root; shift 2; exec "$@"`;
    const machine = inOwnMounts(
      script,
      [directory, etc, process.execPath, MACHINE, file],
      ['--pid', '--fork', '--kill-child'],
    );
    const { exit, output, complaint } = await runTool(machine, '/');
    assert.equal(exit, 0, complaint);
    return JSON.parse(output) as MachineReport;
  }

  /** Every file of the remote repositories. */
  listRemote(): readonly string[] {
    return readdirSync(this.remote, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && !entry.parentPath.endsWith('/locks'))
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#held.disposeAsync();
  }
}

async function runTool(
  [file, ...args]: readonly [string, ...string[]],
  home: string,
): Promise<{ exit: number; output: string; complaint: string }> {
  const child = spawn(file, args, {
    env: { ...process.env, HOME: home, TZ: 'UTC' },
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close') as Promise<[number | null]>;
  const [output, complaint, [code]] = await Promise.all([text(child.stdout), text(child.stderr), closed]);
  return { exit: code ?? 1, output, complaint };
}
