/** Putting the agent into service, a better and a worse version after it, and out of service again. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { after, afterEach, before, beforeEach, describe, it } from 'node:test';
import {
  DoctorDocument,
  ErrorDocument,
  InstallDocument,
  StatusDocument,
  UninstallDocument,
  UpgradeDocument,
} from '@salvor/contract';
import { runCli } from '../cli/run-cli.ts';
import { openThrowAwayRoot, type ThrowAwayRoot } from './throw-away-root.ts';

const PROGRAM = resolve(import.meta.dirname, '../../..');
const UNIT = '/etc/systemd/system/salvor-agent.service';
const SCRIPT = '/etc/init.d/salvor-agent';

describe('install beneath another root', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync('/tmp/salvor-image-');
    mkdirSync(join(root, 'opt/salvor/bin'), { recursive: true });
    writeFileSync(join(root, 'opt/salvor/bin/salvor'), '#!/bin/sh\n', { mode: 0o755 });
    chmodSync(root, 0o755);
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const install = async (...args: readonly string[]): Promise<{ exit: number; document: unknown }> => {
    const { exit, out } = await runCli(['install', '--root', root, '--program', '/opt/salvor', '--json', ...args]);
    return { exit, document: JSON.parse(out) };
  };
  const codeOf = (document: unknown): string => ErrorDocument.parse(document).error.code;
  const modeOf = (path: string): string => (lstatSync(join(root, path)).mode & 0o7777).toString(8);

  it('writes directories with their modes, the command and a unit that systemd takes, and nothing on this host', async () => {
    const { exit, document } = await install('--init', 'systemd');
    assert.equal(exit, 0);
    const { written, isStarted, isConfigured } = InstallDocument.parse(document);
    assert.deepEqual([isStarted, isConfigured], [false, false]);
    for (const path of [UNIT, '/usr/local/bin/salvor', '/var/lib/salvor', '/etc/salvor'])
      assert.ok(written.includes(path));
    for (const path of ['/var/lib/salvor', '/var/backups/salvor/repositories', '/var/backups/salvor/sql'])
      assert.equal(modeOf(path), '700', path);
    assert.equal(modeOf('/etc/salvor'), '755');
    assert.equal(readlinkSync(join(root, 'usr/local/bin/salvor')), '/opt/salvor/bin/salvor');
    assert.equal(existsSync(UNIT), false);
    // What the unit names beside itself, as systemd has it.
    const units = join(root, 'lib/systemd/system');
    mkdirSync(units, { recursive: true });
    const targets = ['sysinit', 'basic', 'shutdown', 'multi-user', 'network-online', 'local-fs', 'time-sync'];
    for (const name of [...targets.map((target) => `${target}.target`), 'system.slice', '-.mount'])
      writeFileSync(join(units, name), name.endsWith('.mount') ? '[Mount]\nWhat=none\nWhere=/\n' : '[Unit]\n');
    const verified = spawnSync('systemd-analyze', ['verify', '--man=no', `--root=${root}`, 'salvor-agent.service'], {
      encoding: 'utf8',
    });
    if (verified.error === undefined) {
      const ours = verified.stderr.split('\n').filter((line) => line.includes('salvor-agent'));
      assert.deepEqual(ours, [], verified.stderr);
    }
    const again = InstallDocument.parse((await install('--init', 'systemd')).document);
    assert.deepEqual(again.written, []);
  });

  it('quotes in unit and script what is odd in a path', async () => {
    const odd = "/opt/it's 100% $odd";
    mkdirSync(join(root, odd, 'bin'), { recursive: true });
    writeFileSync(join(root, odd, 'bin/salvor'), '#!/bin/sh\necho "ran: $*"\n', { mode: 0o755 });
    for (const init of ['systemd', 'sysv'])
      assert.equal((await runCli(['install', '--root', root, '--program', odd, '--init', init])).exit, 0);
    assert.match(readFileSync(join(root, UNIT), 'utf8'), /^ExecStart="\/opt\/it's 100%% \$\$odd\/bin\/salvor" agent/m);
    const script = readFileSync(join(root, SCRIPT), 'utf8');
    const named = spawnSync('sh', ['-c', `${script.match(/^COMMAND=.*$/m)?.[0]}; printf %s "$COMMAND"`], {
      encoding: 'utf8',
    });
    assert.equal(named.stdout, `${odd}/bin/salvor`);
    assert.equal(spawnSync('sh', ['-n', join(root, SCRIPT)]).status, 0);
  });

  it('refuses a program that others may change, or that is not there', async () => {
    chmodSync(join(root, 'opt/salvor/bin/salvor'), 0o777);
    assert.equal(codeOf((await install()).document), 'program-exposed');
    rmSync(join(root, 'opt/salvor/bin/salvor'));
    const gone = await install();
    assert.deepEqual([gone.exit, codeOf(gone.document)], [2, 'program-missing']);
    assert.equal(existsSync(join(root, 'var/lib/salvor')), false);
  });

  it('does not replace what somebody else wrote in its place', async () => {
    mkdirSync(join(root, 'usr/local/bin'), { recursive: true });
    writeFileSync(join(root, 'usr/local/bin/salvor'), 'another salvor');
    assert.equal(codeOf((await install()).document), 'install-obstructed');
    rmSync(join(root, 'usr/local/bin/salvor'));
    mkdirSync(join(root, '/etc/systemd/system'), { recursive: true });
    writeFileSync(join(root, UNIT), '[Service]\n');
    assert.equal(codeOf((await install('--init', 'systemd')).document), 'install-obstructed');
    assert.equal(readFileSync(join(root, UNIT), 'utf8'), '[Service]\n');
  });

  it('and uninstall takes away what it wrote, but for what was changed since; state and keys stay, with a page', async () => {
    const uninstall = (...args: readonly string[]): ReturnType<typeof runCli> =>
      runCli(['uninstall', '--root', root, '--json', ...args]);
    assert.equal(codeOf(JSON.parse((await uninstall('--yes')).out)), 'not-installed');
    await install('--init', 'systemd');
    mkdirSync(join(root, 'var/lib/salvor/keys'));
    for (const name of ['o1', '.recovery']) writeFileSync(join(root, 'var/lib/salvor/keys', name), 'key');
    assert.equal(codeOf(JSON.parse((await uninstall()).out)), 'consent-missing');
    writeFileSync(join(root, UNIT), `${readFileSync(join(root, UNIT), 'utf8')}# mine\n`);
    const changed = await uninstall('--yes');
    assert.equal(changed.exit, 3);
    const { removed, kept, page, problems } = UninstallDocument.parse(JSON.parse(changed.out));
    assert.deepEqual(removed, ['/usr/local/bin/salvor']);
    assert.deepEqual(
      problems.map(({ code, path }) => [code, path]),
      [['file-changed', UNIT]],
    );
    assert.deepEqual(kept, ['/var/lib/salvor', '/var/backups/salvor/repositories', '/var/backups/salvor/sql']);
    const told = readFileSync(join(root, page), 'utf8');
    assert.match(
      told,
      /restic -r \/var\/backups\/salvor\/repositories\/o1 --password-file \/var\/lib\/salvor\/keys\/o1 snapshots/,
    );
    assert.doesNotMatch(told, /\.recovery --/);
    assert.equal(modeOf(page), '600');
  });
});

describe('a host that is installed', () => {
  let host: ThrowAwayRoot;

  before(async () => {
    host = await openThrowAwayRoot();
    // Less for the first night of the host's own account, which the agent begins at once.
    await must(
      'rm -rf /usr/local/bin/* /usr/local/sbin/* /usr/local/etc/* /etc/salvor /var/lib/salvor /var/backups/salvor',
    );
    await must('mkdir -p /home/x /etc/salvor && useradd --no-create-home --home-dir /home/x x && chown x: /home/x');
    await must(`${PROGRAM}/bin/salvor init --config /etc/salvor/salvor.yaml --home /home/x`);
  });
  after(() => host[Symbol.asyncDispose]());

  const must = async (line: string): Promise<string> => {
    const { exit, out, err } = await host.shell(line);
    assert.equal(exit, 0, `${line}\n${out}${err}`);
    return out;
  };
  const status = async (): Promise<StatusDocument> =>
    StatusDocument.parse(JSON.parse(await must('salvor status --json')));
  /** The process of the agent, as soon as it serves: on a busy machine it takes a while to come up. */
  const agentProcess = async (): Promise<number> => {
    for (let tries = 0; tries < 60; tries++) {
      const { agent } = await status();
      if (agent !== null) return agent.process;
    }
    return assert.fail('no agent serves the host');
  };
  /** The program that it was started from. */
  const served = async (): Promise<string> => await must(`tr '\\0' ' ' </proc/${await agentProcess()}/cmdline`);

  it('is installed by root alone', async () => {
    const nobody = 'setpriv --reuid=65534 --regid=65534 --clear-groups';
    const { exit, out } = await host.shell(`${nobody} ${PROGRAM}/bin/salvor install --json`);
    assert.deepEqual([exit, ErrorDocument.parse(JSON.parse(out)).error.code], [2, 'root-needed']);
  });

  it('has its agent running, by a script that knows it again', async () => {
    const installed = InstallDocument.parse(JSON.parse(await must(`${PROGRAM}/bin/salvor install --json`)));
    assert.deepEqual([installed.init, installed.isStarted], ['sysv', true]);
    assert.deepEqual(installed.users, ['salvor-load', 'salvor-read']);
    assert.match(await served(), /cli\/main\.ts agent --config \/etc\/salvor\/salvor\.yaml/);
    assert.match(await must(`${SCRIPT} status`), /runs, process \d+/);
    await must(`ls /etc/rc2.d | grep salvor-agent`);
    const found = DoctorDocument.parse(JSON.parse((await host.shell('salvor doctor --json')).out));
    const codes = found.findings.map(({ code }) => code);
    assert.ok(!codes.includes('agent-not-running') && !codes.includes('agent-not-installed'), codes.join(' '));
  });

  it('refuses a second agent; its script starts one again whose process was killed, restarts it and stops it', async () => {
    const second = await host.shell('salvor agent --json');
    assert.equal(ErrorDocument.parse(JSON.parse(second.out)).error.code, 'agent-running');
    const killed = await agentProcess();
    // Killed it still dies for a moment.
    await must(`kill -KILL ${killed}; timeout 60 tail --pid=${killed} -f /dev/null`);
    assert.equal((await host.shell(`${SCRIPT} status`)).exit, 3);
    await must(`${SCRIPT} start`);
    assert.notEqual(await agentProcess(), killed);
    await must(`${SCRIPT} restart`);
    const restarted = await agentProcess();
    await must(`${SCRIPT} start`);
    assert.equal(await agentProcess(), restarted);
    await must(`${SCRIPT} stop`);
    assert.equal((await host.shell(`${SCRIPT} status`)).exit, 3);
    assert.equal((await status()).agent, null);
    assert.equal((await host.shell(`${SCRIPT} bring-it-up`)).exit, 2);
    await must(`${SCRIPT} start`);
  });

  it('takes a new version, and goes back from one that is worse, with the store as it was', async () => {
    const make = (path: string, version: string, change: string): Promise<string> =>
      must(`mkdir ${path} && cd ${path} && cp -r ${PROGRAM}/bin ${PROGRAM}/salvor . && ln -s ${PROGRAM}/node_modules . &&
        sed -i 's/"version": "[^"]*"/"version": "${version}"/' salvor/package.json && ${change}`);
    await make('/opt/better', '0.2.0', 'true');
    const better = UpgradeDocument.parse(JSON.parse(await must('/opt/better/bin/salvor upgrade --json')));
    assert.equal(better.to, '0.2.0');
    assert.match(await served(), /\/opt\/better\/bin\/\.\.\/salvor\/src\/cli\/main\.ts/);
    await must(`test -s ${better.saved}/salvor.sqlite`);
    const worse = `sed -i "s/{ program: 'setpriv'/{ program: 'no-such-program'/" salvor/src/agent/doctor/check-programs.ts &&
      sed -i "s/const MIGRATIONS: Record<string, Migration> = {/&'9999-worse': { async up(store: Kysely<unknown>) { await store.schema.dropTable('points').execute(); } },/" salvor/src/store/migrations.ts`;
    await make('/opt/worse', '0.3.0', worse);
    const { exit, out } = await host.shell('/opt/worse/bin/salvor upgrade --json');
    const { error } = ErrorDocument.parse(JSON.parse(out));
    assert.deepEqual([exit, error.code], [1, 'upgrade-undone'], out);
    assert.match(error.message, /no-such-program/);
    assert.match(await served(), /\/opt\/better\//);
    assert.equal(await must('readlink /usr/local/bin/salvor'), '/opt/better/bin/salvor\n');
    assert.equal((await status()).sites.length, 0);
  });

  it('is out of service after uninstall, and stock restic reads what is left as the page says', async () => {
    const before = await agentProcess();
    const { removed, users, page } = UninstallDocument.parse(JSON.parse(await must('salvor uninstall --yes --json')));
    assert.ok(removed.includes(SCRIPT));
    assert.deepEqual(users, ['salvor-load', 'salvor-read']);
    assert.equal((await host.shell('getent passwd salvor-load salvor-read')).out, '');
    // Nobody reaps what ended in here: a dead one has no command line.
    assert.equal((await host.shell(`tr -d '\\0' </proc/${before}/cmdline`)).out, '');
    assert.equal((await host.shell('ls /etc/rc?.d | grep salvor; command -v salvor')).out, '');
    const line = (await must(`cat ${page}`))
      .split('\n')
      .find((one) => one.includes('restic -r') && one.includes('/x '));
    assert.ok(line !== undefined);
    await must(`${line.trim()} --no-cache`);
  });
});
