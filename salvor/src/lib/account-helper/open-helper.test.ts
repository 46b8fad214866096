import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join, relative } from 'node:path';
import { after, before, beforeEach, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { getXattr } from '@salvor/engine/libc';
import { parseSafePath } from '../beneath/safe-path.ts';
import { mountWithQuota } from '../../../../demo/counted-place.ts';
import { STRANGER, TENANT, type TenantHome, asUser, makeTenantHome, swapping } from '../beneath/test-tenant.ts';
import { explainFailure } from './explain-failure.ts';
import { type AccountHelper, type HelperOptions, openHelper } from './open-helper.ts';

const at = parseSafePath;
const PLAIN = { mode: 0o640, mtimeNs: 1_700_000_000_123_456_789n };

describe('a helper', () => {
  let tenant: TenantHome;
  before(async () => {
    tenant = await makeTenantHome();
  });
  beforeEach(() => {
    for (const name of readdirSync(tenant.home)) rmSync(join(tenant.home, name), { recursive: true });
  });
  after(() => tenant[Symbol.asyncDispose]());

  const open = (options: HelperOptions = {}): Promise<AccountHelper> => openHelper(TENANT, tenant.home, options);
  const listAll = async (helper: AccountHelper, path: string): Promise<string[]> => {
    const names: string[] = [];
    for await (const { name } of helper.list(at(path))) names.push(name.toString());
    return names;
  };
  const statusOf = (pid: number, thread = pid): string => readFileSync(`/proc/${pid}/task/${thread}/status`, 'utf8');

  test('writes, lists and removes, and all of it is the account’s', async () => {
    await using helper = await open();
    const large = Buffer.alloc(3_000_000, 'salvor ');
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (let start = 0; start < large.length; start += 700_001) yield large.subarray(start, start + 700_001);
    };
    await helper.makeDirectory(at('d'));
    const attributes = [{ name: 'user.note', value: Buffer.from('n') }];
    assert.deepEqual(await helper.writeFile(at('d/large'), source(), { ...PLAIN, attributes }), []);
    await helper.writeFile(at('d/empty'), Buffer.alloc(0), { ...PLAIN, mode: 0o6755 });
    const bytes = Buffer.concat([Buffer.from('d/'), Buffer.from([0xff, 0x0a])]);
    await helper.writeFile(at(bytes), Buffer.from('bytes'), PLAIN);
    await helper.makeLink(at('d/link'), Buffer.from('/etc/shadow'));
    await helper.finish(at('d'), { mode: 0o2750, mtimeNs: 5n });
    await helper.sync();

    const stat = lstatSync(join(tenant.home, 'd/large'), { bigint: true });
    assert.deepEqual(
      [stat.uid, stat.gid, stat.mode & 0o7777n, stat.mtimeNs],
      [61_001n, 61_001n, 0o640n, PLAIN.mtimeNs],
    );
    assert.ok(readFileSync(join(tenant.home, 'd/large')).equals(large));
    assert.equal(getXattr(join(tenant.home, 'd/large'), 'user.note').toString(), 'n');
    // Nothing gets a setuid bit, also not one of the tenant's own.
    assert.equal(lstatSync(join(tenant.home, 'd/empty')).mode & 0o7777, 0o755);
    const directory = lstatSync(join(tenant.home, 'd'), { bigint: true });
    assert.deepEqual([directory.mode & 0o7777n, directory.mtimeNs], [0o2750n, 5n]);

    const listed: string[] = [];
    for await (const { name, type, bytes: size } of helper.list(at('d')))
      listed.push(`${name.toString('latin1')} ${type} ${size}`);
    assert.deepEqual(listed.toSorted(), ['empty file 0', 'large file 3000000', 'link link 11', '\xff\n file 5']);
    await helper.remove(at('d'));
    await helper.remove(at('d'));
    assert.deepEqual(readdirSync(tenant.home), []);
  });

  test('does many things that are asked side by side in order, and a reader who leaves holds up nobody', async () => {
    await using helper = await open();
    const names = Array.from({ length: 1200 }, (_, i) => `f${i}`);
    await helper.makeDirectory(at('m'));
    await Promise.all(names.map((name) => helper.writeFile(at(`m/${name}`), Buffer.from(name), PLAIN)));
    for await (const { name } of helper.list(at('m'))) {
      assert.ok(name.length > 0);
      break;
    }
    assert.deepEqual((await listAll(helper, 'm')).toSorted(), names.toSorted());
    assert.equal(readFileSync(join(tenant.home, 'm/f77'), 'utf8'), 'f77');
  });

  test('has the account’s ids in each thread, no capability, no environment and no descriptor but its pipes', async () => {
    await using helper = await open();
    const { pid } = helper;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const status = statusOf(pid, Number(thread));
      assert.match(status, /^Uid:\t61001\t61001\t61001\t61001$/m);
      assert.match(status, /^Gid:\t61001\t61001\t61001\t61001$/m);
      assert.match(status, /^Groups:\t *$/m);
      for (const kind of ['Inh', 'Prm', 'Eff', 'Amb']) assert.match(status, new RegExp(`^Cap${kind}:\t0+$`, 'm'));
    }
    assert.match(statusOf(pid), /^NoNewPrivs:\t1$/m);
    assert.equal(readFileSync(`/proc/${pid}/environ`, 'utf8'), '');
    assert.equal(readlinkSync(`/proc/${pid}/cwd`), '/');
    const targets = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
    const others = targets.filter((target) => !/^(?:anon_inode:|pipe:|socket:)/.test(target));
    // The directory that it works in, what Node itself opens, and nothing else.
    assert.deepEqual(others.toSorted(), [...others.filter((target) => target === '/dev/null'), tenant.home].toSorted());
    assert.equal(targets.filter((target) => target.startsWith('socket:')).length, 3);
  });

  test('can’t be read, attached to or seen into by another process of the account, from its first instant on', async () => {
    // A process of the account's like any other can be: or the test would prove nothing.
    const look = `
      my ($mem, $env, $fd, $att, $seen) = (0, 0, 0, 0, 0);
      my $own = ' ' . $$ . ' ';
      sub look { my $p = shift; $seen++;
        $mem++ if open(my $h, '<', "/proc/$p/mem"); $env++ if open(my $e, '<', "/proc/$p/environ");
        $fd++ if opendir(my $d, "/proc/$p/fd");
        # PTRACE_SEIZE
        if (syscall(101, 0x4206, $p + 0, 0, 0) == 0) { $att++; }
      }`;
    assert.equal(process.arch === 'x64' || process.arch === 'arm64', true);
    const program = process.arch === 'arm64' ? look.replace('syscall(101,', 'syscall(117,') : look;
    const [file, ...args] = asUser(TENANT, ['sleep', '60']);
    const plain = spawn(file, args, { stdio: 'ignore' });
    await once(plain, 'spawn');
    // setpriv becomes the user and then sleep.
    while (!readFileSync(`/proc/${plain.pid}/status`, 'utf8').startsWith('Name:\tsleep')) await sleep(1);
    {
      await using control = await tenant.run(`${program} look(${plain.pid}); print "$mem $env $fd $att\\n"; sleep 60;`);
      assert.equal(control.firstLine, '1 1 1 1');
    }
    plain.kill('SIGKILL');

    // Looks at each new process of its user as soon as there is one.
    const result = join(tenant.home, 'result');
    const watcher = await tenant.run(`${program}
      my %done; $SIG{TERM} = sub { open my $o, '>', '${result}'; print $o "$mem $env $fd $att $seen\\n"; close $o; exit 0; };
      print "begun\\n";
      while (1) { opendir(my $p, '/proc'); for my $pid (grep /^\\d+$/, readdir $p) {
        next if $pid == $$; my @s = stat "/proc/$pid/task/$pid/status"; my $uid = -1;
        if (open my $h, '<', "/proc/$pid/status") { local $/; my $all = <$h>;
          # Files of tests run side by side with the same tenant: only what this one has started counts.
          $uid = $1 if $all =~ /^PPid:\\s+${process.pid}$/m && $all =~ /^Uid:\\s+(\\d+)/m; }
        look($pid) if $uid == ${TENANT.uid}; } }`);
    for (let i = 0; i < 4; i++) {
      await using helper = await open();
      await helper.writeFile(at(`f${i}`), Buffer.from('x'), PLAIN);
    }
    const exited = once(watcher.process, 'exit');
    watcher.process.kill('SIGTERM');
    await exited;
    const [mem, env, fd, attached, seen] = readFileSync(result, 'utf8').trim().split(' ').map(Number);
    assert.deepEqual([mem, env, fd, attached], [0, 0, 0, 0]);
    assert.ok((seen ?? 0) >= 4, `${seen} looks`);
  });

  test('moves what is there to a name that is free, and over nothing', async () => {
    await using helper = await open();
    await helper.makeDirectory(at('d'));
    await helper.writeFile(at('d/new'), Buffer.from('new'), PLAIN);
    await helper.writeFile(at('taken'), Buffer.from('old'), PLAIN);
    await assert.rejects(helper.move(at('d/new'), at('taken')), { code: 'path-taken' });
    symlinkSync('/etc', join(tenant.home, 'out'));
    await assert.rejects(helper.move(at('d/new'), at('out/new')), { code: 'path-leads-out' });
    await helper.move(at('d/new'), at('d/free'));
    assert.deepEqual(
      ['d/free', 'taken'].map((name) => readFileSync(join(tenant.home, name), 'utf8')),
      ['new', 'old'],
    );
    assert.equal(existsSync(join(tenant.home, 'd/new')), false);
  });

  test('can do only what the account can: nothing of root’s or a stranger’s is listed, written or removed', async () => {
    await using helper = await open();
    const stranger = join(tenant.home, 'stranger');
    mkdirSync(stranger, { mode: 0o700 });
    writeFileSync(join(stranger, 'x'), 'x');
    execFileSync('chown', ['-R', `${STRANGER.uid}:${STRANGER.gid}`, stranger]);
    writeFileSync(join(tenant.home, 'roots'), 'x', { mode: 0o600 });
    await assert.rejects(listAll(helper, 'stranger'), { code: 'home-refused' });
    await assert.rejects(helper.writeFile(at('stranger/y'), Buffer.from('y'), PLAIN), { code: 'home-refused' });
    await assert.rejects(helper.remove(at('stranger')), { code: 'home-refused' });
    assert.deepEqual(await helper.finish(at('roots'), PLAIN), ['mode: EPERM', 'time: EPERM']);
    await assert.rejects(openHelper(TENANT, '/root'), { code: 'home-refused' });
    await assert.rejects(openHelper(TENANT, join(tenant.home, 'gone')), { code: 'path-missing' });
    assert.equal(readFileSync(join(stranger, 'x'), 'utf8'), 'x');
  });

  test('follows no link, writes over nothing and says so with a code', async () => {
    const foreign = tenant.observeForeign();
    await using helper = await open();
    tenant.put('d');
    tenant.put('f', 'mine');
    symlinkSync(tenant.foreign, join(tenant.home, 'out'));
    for (const path of ['out/x', 'f/x'])
      await assert.rejects(helper.writeFile(at(path), Buffer.from('x'), PLAIN), { code: 'path-leads-out' }, path);
    for (const path of ['out', 'f', 'd'])
      await assert.rejects(helper.writeFile(at(path), Buffer.from('x'), PLAIN), { code: 'path-taken' }, path);
    await assert.rejects(helper.makeDirectory(at('f')), { code: 'path-taken' });
    await helper.makeDirectory(at('d'), { isOwn: true });
    tenant.put('d/inside', '');
    await assert.rejects(helper.makeDirectory(at('d'), { isOwn: true }), { code: 'path-taken' });
    await assert.rejects(listAll(helper, 'out'), { code: 'path-leads-out' });
    assert.equal(readFileSync(join(tenant.home, 'f'), 'utf8'), 'mine');
    assert.equal(tenant.observeForeign(), foreign);
  });

  test('of root is refused: a home that belongs to root gives nobody root’s rights', async () => {
    for (const user of [
      { uid: 0, gid: 0 },
      { uid: 0, gid: 61_001 },
      { uid: 61_001, gid: 0 },
    ])
      await assert.rejects(openHelper(user, tenant.home), { code: 'helper-user-refused' });
  });

  test('names a full disk and a used-up quota, and leaves no half a file', async () => {
    const small = tenant.put('small');
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=1m,uid=${TENANT.uid},gid=${TENANT.gid}`, 'tmpfs', small]);
    try {
      await using helper = await open();
      let isReadToItsEnd = false;
      const source = async function* (): AsyncGenerator<Uint8Array> {
        for (let i = 0; i < 500; i++) yield Buffer.alloc(100_000, 'x');
        isReadToItsEnd = true;
      };
      await assert.rejects(helper.writeFile(at('small/big'), source(), PLAIN), { code: 'disk-full' });
      assert.equal(isReadToItsEnd, false);
      assert.deepEqual(readdirSync(small), []);
      await helper.writeFile(at('small/fits'), Buffer.from('x'), PLAIN);
    } finally {
      execFileSync('umount', [small]);
    }
    // Where no such place can be had the code is what is left to look at.
    assert.equal(explainFailure('EDQUOT', '/home/x').code, 'quota-exceeded');
    await using counted = await mountWithQuota(tenant.put('counted'), 4);
    if (counted === null) return;
    chownSync(counted.path, TENANT.uid, TENANT.gid);
    {
      await using helper = await open();
      const source = async function* (): AsyncGenerator<Uint8Array> {
        for (let i = 0; i < 500; i++) yield Buffer.alloc(100_000, 'x');
      };
      const place = relative(tenant.home, counted.path);
      await assert.rejects(helper.writeFile(at(`${place}/big`), source(), PLAIN), { code: 'quota-exceeded' });
      assert.deepEqual(readdirSync(counted.path), []);
      await helper.writeFile(at(`${place}/fits`), Buffer.from('x'), PLAIN);
    }
  });

  test('compares what lies on the disk with what was sent: bytes that the tenant changed meanwhile are named', async () => {
    await using helper = await open();
    const path = join(tenant.home, 'x');
    const source = async function* (): AsyncGenerator<Uint8Array> {
      yield Buffer.alloc(100_000, 'a');
      yield Buffer.alloc(100_000, 'b');
      while (!existsSync(path) || lstatSync(path).size < 100_000) await sleep(1);
      const fd = openSync(path, 'r+');
      writeSync(fd, 'c', 7);
      closeSync(fd);
    };
    await assert.rejects(helper.writeFile(at('x'), source(), PLAIN), { code: 'target-differs' });
  });

  test('throws what the source of a file throws, leaves nothing of the file and goes on', async () => {
    await using helper = await open();
    const failing = async function* (pieces: number): AsyncGenerator<Uint8Array> {
      for (let i = 0; i < pieces; i++) yield Buffer.from('half');
      throw new RangeError('the repository is damaged');
    };
    for (const pieces of [0, 1, 3])
      await assert.rejects(helper.writeFile(at('half'), failing(pieces), PLAIN), /the repository is damaged/);
    assert.deepEqual(readdirSync(tenant.home), []);
    await helper.writeFile(at('half'), Buffer.from('whole'), PLAIN);
  });

  test('that its tenant stops or kills fails with a code, and does not hold us up', async () => {
    for (const signal of ['STOP', 'KILL']) {
      await using helper = await open({ patienceMs: 300 });
      await using killer = await tenant.run(`kill '${signal}', ${helper.pid}; print "done\\n"; sleep 60;`);
      assert.equal(killer.firstLine, 'done');
      await assert.rejects(
        helper.writeFile(at('x'), Buffer.alloc(1_000_000), PLAIN),
        { code: 'helper-failed' },
        signal,
      );
      await assert.rejects(helper.sync(), { code: 'helper-failed' });
    }
  });

  test('is ended when the task is cancelled', async () => {
    const cancelling = new AbortController();
    await using helper = await open({ signal: cancelling.signal });
    const source = async function* (): AsyncGenerator<Uint8Array> {
      for (;;) {
        yield Buffer.alloc(100_000);
        cancelling.abort(new Error('enough'));
      }
    };
    await assert.rejects(helper.writeFile(at('x'), source(), PLAIN), /enough/);
    await assert.rejects(openHelper(TENANT, tenant.home, { signal: cancelling.signal }), /enough/);
  });

  test('dies with its parent', async () => {
    const module = fileURLToPath(new URL('open-helper.ts', import.meta.url));
    const script = join(tenant.top, 'parent.ts');
    writeFileSync(
      script,
      `import { openHelper } from ${JSON.stringify(module)};
       const helper = await openHelper(${JSON.stringify(TENANT)}, ${JSON.stringify(tenant.home)});
       console.log(helper.pid);
       setInterval(() => {}, 1000);`,
    );
    const parent = spawn(process.execPath, [script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    assert.match(statusOf(pid), /^Uid:\t61001/m);
    // Stopped, so that the end of its pipes does not tell it.
    process.kill(pid, 'SIGSTOP');
    const exited = once(parent, 'exit');
    parent.kill('SIGKILL');
    await exited;
    for (const until = Date.now() + 5000; Date.now() < until && isRunning(pid);) await sleep(5);
    assert.equal(isRunning(pid), false);
  });

  test('whose tenant swaps directories for links writes into his and nowhere else', async () => {
    const foreign = tenant.observeForeign();
    chmodSync(tenant.foreign, 0o777);
    try {
      await using helper = await open();
      tenant.put('d');
      await using racer = await tenant.run(swapping('d', tenant.foreign));
      let written = 0;
      let refused = 0;
      const until = Date.now() + 500;
      for (let i = 0; Date.now() < until || written === 0 || refused === 0; i++) {
        try {
          await helper.writeFile(at(`d/${i}`), Buffer.from('x'), PLAIN);
          written += 1;
        } catch (error) {
          const { code } = error as { code: string };
          assert.ok(['path-leads-out', 'path-missing', 'not-a-file'].includes(code), String(error));
          refused += 1;
        }
      }
      assert.equal(racer.process.exitCode, null);
    } finally {
      chmodSync(tenant.foreign, 0o755);
    }
    const withoutTimes = (text: string): string => text.replaceAll(/ \d{19}/g, '');
    assert.equal(withoutTimes(tenant.observeForeign()), withoutTimes(foreign));
  });
});

function isRunning(pid: number): boolean {
  if (!existsSync(`/proc/${pid}/status`)) return false;
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
