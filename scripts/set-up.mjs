/**
 * Makes a fresh Debian or Ubuntu machine ready for `npm test` and `npm run demo`: the Debian packages that the tests
 * and the demo use, and the packages of package-lock.json, which bring Node 26. Says what it installs and why, does
 * nothing the second time, starts no service.
 *
 * Runs on the machine's own Node 20 or newer before anything is installed: hence plain JavaScript without a dependency.
 *
 *   missing Debian packages? → apt-get, as root or through sudo → node_modules as locked? → npm ci → is Node 26 there?
 */
import { spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, lstatSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

/** Debian packages by name, the first that the machine's release has of each line, with what they are for. */
const PACKAGES = [
  { names: ['mariadb-server'], why: 'the tests and the demo run a MariaDB of their own' },
  { names: ['mariadb-client'], why: 'dumps and loads go through the stock client' },
  { names: ['php-cli'], why: 'serves the demo site' },
  { names: ['php-mysql'], why: 'WordPress talks to MariaDB through it' },
  { names: ['wordpress'], why: 'the real site that is backed up and restored; Debian brings Apache with it' },
  {
    names: [
      'wordpress-theme-twentytwentythree',
      'wordpress-theme-twentytwentyfour',
      'wordpress-theme-twentytwentyfive',
    ],
    why: 'without a theme the front page is empty',
  },
  { names: ['restic'], why: 'every repository is compared with what stock restic says' },
  { names: ['openssh-server'], why: 'the tests of SFTP storage run a private sshd' },
  { names: ['nginx'], why: 'tests write virtual hosts for a private nginx, which reads and serves them' },
  { names: ['acl'], why: 'tests of access lists on restored files' },
  { names: ['attr'], why: 'tests of extended attributes on restored files' },
  { names: ['btrfs-progs'], why: 'a file system whose files share blocks: a restore beside the site it replaces' },
  { names: ['bzip2'], why: 'archives packed with it are read and written by the stock tool' },
  { names: ['zstd'], why: 'the stock tool reads the archives that are packed with it' },
  { names: ['systemd'], why: 'boots a throw-away root, in which the agent runs as its service' },
  { names: ['ca-certificates'], why: 'npm and apt talk to their servers over TLS' },
  { names: ['libatomic1'], why: 'Node 26 is linked with it' },
];

const NODE_MAJOR = 26;
const AS_ROOT = '--packages-as-root';
/** Debian asks this file whether a freshly installed package may start its service (invoke-rc.d). */
const POLICY = '/usr/sbin/policy-rc.d';
const SAVED_POLICY = `${POLICY}.before-salvor`;
const POLICY_MARK = '# Written by Salvor set-up';
/** Output kept of a command to show when it fails: apt says what went wrong at the end, npm at the beginning. */
const MAX_HEAD_CHARS = 1500;
const MAX_TAIL_CHARS = 1500;

/** Something that a person must do before set-up can go on. */
class SetUpError extends Error {}

/** The command that is running, so that a signal reaches it. */
let running = null;
let stoppedBy = null;

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    const again = stoppedBy !== null;
    stoppedBy = signal;
    if (running === null) return;
    if (running.isWhole && !again) {
      say('stopping as soon as dpkg has finished its step, so that the package database stays whole');
      running.child.kill('SIGINT');
    } else if (running.isWhole) process.kill(-running.child.pid, 'SIGTERM');
    else running.child.kill(signal);
  });
}

try {
  if (process.argv.includes(AS_ROOT)) await setUpAsRoot(missingPackages());
  else {
    await setUpMachine();
    await setUpNodeModules();
  }
} catch (error) {
  if (!(error instanceof SetUpError)) throw error;
  if (stoppedBy === null) process.stderr.write(`\nset-up stopped: ${error.message}\n`);
  process.exitCode = 1;
}
if (stoppedBy !== null) {
  process.stderr.write('set-up was interrupted; run the same command again to go on\n');
  process.exitCode = stoppedBy === 'SIGINT' ? 130 : stoppedBy === 'SIGTERM' ? 143 : 129;
}

async function setUpMachine() {
  const missing = missingPackages();
  if (missing.length === 0 && !isRootClosed()) return;
  if (missing.length > 0 && !isThere('apt-get')) throw noPackages(missing, 'there is no apt-get');
  if (process.getuid() === 0) return setUpAsRoot(missing);

  if (!isThere('sudo')) throw noPackages(missing, 'this user is not root and there is no sudo');
  say('something of the machine itself is to be set up, which needs root: asking sudo');
  const ask = process.stdin.isTTY ? [] : ['--non-interactive'];
  const keep = '--preserve-env=http_proxy,https_proxy,no_proxy,HTTP_PROXY,HTTPS_PROXY,NO_PROXY';
  const command = ['sudo', ...ask, keep, process.execPath, fileURLToPath(import.meta.url), AS_ROOT];
  const { code } = await run(command, { stdio: 'inherit' });
  // The part that ran as root has said what was wrong, unless sudo itself refused.
  if (missingPackages().length > 0) throw noPackages(missingPackages(), `sudo ended with exit code ${code}`);
}

function isThere(command) {
  return spawnSync(command, ['--version'], { stdio: 'ignore' }).error === undefined;
}

async function setUpAsRoot(missing) {
  if (isRootClosed()) {
    say('the directory / was closed to all users but root; opened for passing through (chmod a+x /), because MariaDB,');
    say('  PHP and the loading of dumps run without rights and could not even find their libraries');
    chmodSync('/', (statSync('/').mode & 0o7777) | 0o111);
  }
  if (missing.length > 0) await installPackages(missing);
}

/** Some ways to unpack a system leave `/` at mode 0700. */
function isRootClosed() {
  return (statSync('/').mode & 0o001) === 0;
}

/** @returns {{name: string, why: string}[]} */
function missingPackages() {
  const names = PACKAGES.flatMap((entry) => entry.names);
  const query = spawnSync('dpkg-query', ['--show', '--showformat=${Package} ${db:Status-Abbrev}\n', ...names], {
    encoding: 'utf8',
  });
  if (query.error) {
    throw new SetUpError(
      'this is not a Debian or Ubuntu machine (there is no dpkg-query).\n' +
        `Install by hand what these packages hold, then run: npm ci && npm run check\n  ${names.join(' ')}`,
    );
  }
  const installed = new Set(query.stdout.split('\n').flatMap((line) => (/ .i/.test(line) ? line.split(' ', 1) : [])));
  return PACKAGES.filter((entry) => !entry.names.some((name) => installed.has(name))).map((entry) => ({
    name: entry.names.find((name) => entry.names.length === 1 || isInRelease(name)) ?? entry.names[0],
    why: entry.why,
  }));
}

/** Whether apt's lists, as far as they were fetched, have the package. */
function isInRelease(name) {
  return spawnSync('apt-cache', ['show', '--no-all-versions', name], { stdio: 'ignore' }).status === 0;
}

async function installPackages(missing) {
  const names = missing.map((entry) => entry.name);
  say(`installing ${names.length} Debian packages with apt-get (a minute or two); none of their services is started:`);
  for (const { name, why } of missing) say(`  ${name.padEnd(34)} ${why}`);

  const before = new Set(installedPackages());
  guardServices();
  try {
    // A run that was killed may have left packages unpacked but not configured; apt-get refuses to go on then.
    if (spawnSync('dpkg', ['--audit'], { encoding: 'utf8' }).stdout !== '') {
      await apt(['dpkg', '--force-confold', '--configure', '-a'], missing);
    }
    await apt(['apt-get', '--quiet', '-o', 'DPkg::Lock::Timeout=300', 'update'], missing);
    const wanted = missingPackages().map((entry) => entry.name);
    const options = ['-qq', '--yes', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300'];
    await apt(['apt-get', ...options, '-o', 'Dpkg::Options::=--force-confold', 'install', ...wanted], missing);
  } finally {
    restoreServices();
  }
  disableServices(installedPackages().filter((name) => !before.has(name)));
  const still = missingPackages();
  if (still.length > 0) throw noPackages(still, 'apt-get ended well, yet they are not installed');
}

async function apt(command, missing) {
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' };
  // In a process group of its own: Ctrl-C at the terminal must not cut dpkg off in the middle of a package.
  const { code, said } = await run(command, { stdio: ['ignore', 'pipe', 'pipe'], env, detached: true });
  if (code !== 0) throw noPackages(missing, `"${command.join(' ')}" failed (exit code ${code}):\n${said}`);
}

function noPackages(missing, reason) {
  const names = missing.map((entry) => entry.name).join(' ');
  return new SetUpError(
    `these Debian packages are missing and could not be installed: ${names}\nBecause ${reason}\n` +
      'What to do: check the network, the proxy and /etc/apt/sources.list*, or install them yourself, as root:\n' +
      `  apt-get update && apt-get install --no-install-recommends ${names}\nThen run the same command again.`,
  );
}

function installedPackages() {
  const query = spawnSync('dpkg-query', ['--show', '--showformat=${db:Status-Abbrev} ${binary:Package}\n'], {
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  });
  return query.stdout.split('\n').flatMap((line) => (line[1] === 'i' ? [line.slice(3).trim()] : []));
}

/**
 * Forbids packages to start services while this process lives. What was there is kept beside and put back; should this
 * process be killed, the guard lets through what the kept one allows, and the next set-up puts it back.
 */
function guardServices() {
  restoreServices();
  if (exists(POLICY)) renameSync(POLICY, SAVED_POLICY);
  writeFileSync(
    POLICY,
    `#!/bin/sh\n${POLICY_MARK}, which removes it: no service is started by what it installs.\n` +
      `kill -0 ${process.pid} 2>/dev/null && exit 101\n` +
      `[ -x ${SAVED_POLICY} ] && exec ${SAVED_POLICY} "$@"\nexit 0\n`,
  );
  chmodSync(POLICY, 0o755);
}

function restoreServices() {
  if (existsSync(POLICY) && readFileSync(POLICY, 'utf8').includes(POLICY_MARK)) rmSync(POLICY);
  if (exists(SAVED_POLICY)) renameSync(SAVED_POLICY, POLICY);
}

/** Whether there is a file or a link, even one that points nowhere. */
function exists(path) {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

/** Where systemd runs, what was just installed would start at the next boot. */
function disableServices(packages) {
  if (packages.length === 0 || !existsSync('/run/systemd/system')) return;
  const files = spawnSync('dpkg-query', ['--listfiles', ...packages], { encoding: 'utf8', maxBuffer: 1 << 26 }).stdout;
  const units = files.match(/(?<=^(?:\/usr)?\/lib\/systemd\/system\/)[^/@\n]+\.(?:service|timer|socket)$/gm) ?? [];
  if (units.length === 0) return;
  say(`not started at boot either: ${units.join(' ')} (systemctl enable NAME changes that)`);
  spawnSync('systemctl', ['disable', '--quiet', ...units], { stdio: 'ignore' });
}

async function setUpNodeModules() {
  if (stoppedBy !== null) return;
  const difference = nodeModulesDifference();
  if (difference !== null) {
    say(`installing the npm packages of package-lock.json, Node ${NODE_MAJOR} among them: ${difference}`);
    // No package needs its install script, so none is run.
    const command = ['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    const { code, said } = await run(command, { stdio: ['ignore', 'pipe', 'pipe'], cwd: root });
    if (code !== 0) {
      throw new SetUpError(
        `the npm packages could not be installed: "npm ci" failed (exit code ${code}):\n${said}\n` +
          'What to do: check the network, the proxy and the registry (npm config get registry), then run the same command again.',
      );
    }
  }
  const node = spawnSync(join(root, 'node_modules/.bin/node'), ['--version'], { encoding: 'utf8' });
  if (node.stdout?.startsWith(`v${NODE_MAJOR}.`)) return;
  throw new SetUpError(
    `Node ${NODE_MAJOR} did not come with the npm packages (${process.platform} ${process.arch}: ` +
      `${node.error?.message ?? node.stderr.trim()}).\nThey bring it for Linux with glibc on x64 and arm64. ` +
      `Elsewhere put a Node ${NODE_MAJOR} of your own first on PATH and run: npm run check`,
  );
}

/**
 * What keeps node_modules from being what package-lock.json says, or null. npm writes `.package-lock.json` into
 * node_modules as its last step, so that an install which was cut off differs too.
 */
function nodeModulesDifference() {
  const hidden = join(root, 'node_modules/.package-lock.json');
  if (!existsSync(hidden)) return 'none are installed';
  const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
  const present = JSON.parse(readFileSync(hidden, 'utf8')).packages;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const found = present[path];
    if (found === undefined && entry.optional && !isForThisMachine(entry)) continue;
    if (found === undefined) return `${path} is missing`;
    if (found.version !== entry.version || found.integrity !== entry.integrity) return `${path} is another version`;
    if (!existsSync(join(root, path))) return `${path} was removed`;
  }
  const extra = Object.keys(present).find((path) => wanted[path] === undefined);
  return extra === undefined ? null : `${extra} is not in the lock file`;
}

function isForThisMachine({ os, cpu, libc }) {
  if (!(os ?? [process.platform]).includes(process.platform)) return false;
  if (!(cpu ?? [process.arch]).includes(process.arch)) return false;
  return libc === undefined || libc.includes(machineLibc());
}

function machineLibc() {
  process.report.excludeNetwork = true; // else the report asks name servers, which takes long without a network
  return process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc';
}

/** Runs a command to its end. `said` is the beginning and the end of its output, where that is a pipe. */
function run([file, ...args], options) {
  if (stoppedBy !== null) throw new SetUpError('interrupted');
  return new Promise((resolve) => {
    const child = spawn(file, args, options);
    let head = '';
    let tail = '';
    const keep = (chunk) => {
      const room = MAX_HEAD_CHARS - head.length;
      head += chunk.slice(0, room);
      tail = (tail + chunk.slice(room)).slice(-MAX_TAIL_CHARS);
    };
    child.stdout?.setEncoding('utf8').on('data', keep);
    child.stderr?.setEncoding('utf8').on('data', keep);
    running = { child, isWhole: options.detached === true };
    const settle = (code) => {
      running = null;
      resolve({ code, said: (tail.length < MAX_TAIL_CHARS ? head + tail : `${head}\n[…]\n${tail}`).trim() });
    };
    child.on('error', (error) => {
      keep(error.message);
      settle(127);
    });
    child.on('close', (code, signal) => settle(code ?? signal));
  });
}

function say(line) {
  process.stderr.write(`set-up: ${line}\n`);
}
