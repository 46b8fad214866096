/** What the engine's suites share: places to work in, stock restic, and trees with every kind of trouble. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { getXattr, listXattrs, makeNode, setTimes, setXattr } from '../src/libc.ts';
import { initRepository, openLocalStorage } from '../src/index.ts';
import type { Repository } from '../src/index.ts';
import { displayPath, joinBytes, systemPath } from '../src/tree/byte-path.ts';

export const PASSWORD = 'a password that a person chose';

/** A directory that goes away with the test. */
export function openWorkplace(): Disposable & { readonly path: string } {
  const path = mkdtempSync(join(tmpdir(), 'salvor-engine-'));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A new repository with a cheap key in a directory. */
export async function makeRepository(directory: string, password = PASSWORD): Promise<Repository> {
  return initRepository(openLocalStorage(directory), { kind: 'password', text: password });
}

/** Runs stock restic; throws with its words where it fails. */
export function restic(repository: string, args: readonly string[], password = PASSWORD, cwd = '/'): string {
  const { status, stdout, stderr } = tryRestic(repository, args, password, cwd);
  if (status !== 0) throw new Error(`restic ${args.join(' ')} ended with ${status}: ${stderr}${stdout}`);
  return stdout;
}

export function tryRestic(
  repository: string,
  args: readonly string[],
  password = PASSWORD,
  cwd = '/',
): { status: number | null; stdout: string; stderr: string } {
  const env = { PATH: '/usr/bin:/bin', HOME: repository, TZ: 'UTC', RESTIC_PASSWORD: password };
  return spawnSync('restic', ['--no-cache', '-r', repository, ...args], {
    env,
    cwd,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
}

/**
 * How many blobs of each kind a `restic backup` into the repository adds. By a relative path: those above would be
 * listed too, and what lies beside the test changes them.
 */
export function resticBackup(
  repository: string,
  path: string,
  password = PASSWORD,
): { dataBlobs: number; treeBlobs: number; snapshot: string } {
  const lines = restic(repository, ['backup', '--json', '--force', basename(path)], password, dirname(path))
    .trim()
    .split('\n');
  const summary = JSON.parse(lines.at(-1) ?? '{}') as { data_blobs: number; tree_blobs: number; snapshot_id: string };
  return { dataBlobs: summary.data_blobs, treeBlobs: summary.tree_blobs, snapshot: summary.snapshot_id };
}

/**
 * A tree with every kind of name, link, device and attribute that stock restic 0.14 writes as newer ones do: link
 * targets that are not UTF-8, and characters that came after Unicode 13, are apart.
 */
export function makeHostileTree(root: string): void {
  const at = (name: string): string | Buffer => systemPath(joinBytes(root, name));
  for (const name of ['sub', 'sub/deep', 'empty', 'sub/deep/er']) mkdirSync(at(name), { recursive: true });
  writeFileSync(at('plain.php'), '<?php echo 1;');
  linkSync(at('plain.php'), at('sub/hard link'));
  symlinkSync('../nowhere', at('link'));
  symlinkSync('/etc/passwd', at('sub/absolute'));
  const names = [
    'not utf8 \xff\xfe',
    'new\nline',
    'quote " back \\ slash',
    '<&>',
    '\xe2\x80\xa8',
    '\xf0\x9f\x98\x80',
    '\xc2\xa0 ',
    '\x01\x1f\x7f',
    'tab\t',
    '\xed\xa0\x80',
    'a'.repeat(255),
    '-rf',
    ' ',
    '\xc3\xa9',
    '\xef\xbf\xbd',
    '\xee\x80\x80',
    '\xf0\x90\x80\x80',
    '*?[',
    '\\x41',
    '.htaccess',
  ];
  for (const [index, name] of names.entries()) writeFileSync(at(name), `content ${index}`);
  writeFileSync(at('zero'), '');
  writeFileSync(at('exactly 512 KiB'), randomBytes(512 * 1024));
  writeFileSync(at('large'), randomBytes(11 * 1024 * 1024));
  writeFileSync(at('sub/deep/er/text'), 'the same line again and again\n'.repeat(120_000));
  writeFileSync(at('sparse'), '');
  truncateSync(at('sparse'), 5 * 1024 * 1024 + 3);
  makeNode(at('fifo'), 0o010640, 0n);
  makeNode(at('null'), 0o020666, 0x103n);
  makeNode(at('block'), 0o060600, 0x700n);
  setXattr(at('plain.php'), 'user.note', Buffer.from('kept'));
  setXattr(at('plain.php'), 'user.empty', Buffer.alloc(0));
  setXattr(at('sub'), 'user.binary', Buffer.from([0, 255, 10]));
  execFileSync('setfacl', ['-m', 'u:33:rw', join(root, 'plain.php')]);
  chownSync(at('large'), 33, 33);
  chownSync(at('zero'), 12_345, 54_321);
  chmodSync(at('zero'), 0o4755);
  chmodSync(at('sub'), 0o1777);
  chmodSync(at('empty'), 0o2750);
  chmodSync(at('<&>'), 0);
  const times: readonly [string, bigint][] = [
    ['plain.php', -14_182_940_876_543_211n],
    ['zero', 1n],
    ['link', 978_307_200_500_000_000n],
    ['sub', 1_600_000_000_123_456_789n],
  ];
  for (const [name, time] of times) setTimes(at(name), time, time);
}

/** Everything that must come back, by path: type, mode, owner, times, links, attributes, content. */
export function describeTree(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const visit = (path: string, name: string): void => {
    const where = systemPath(path);
    const stats = lstatSync(where, { bigint: true });
    const attributes = listXattrs(where)
      .toSorted()
      .map((key) => `${key}=${getXattr(where, key).toString('hex')}`);
    const links = stats.isFile() ? stats.nlink : 0n;
    const facts = [
      stats.mode.toString(8),
      stats.uid,
      stats.gid,
      stats.mtimeNs,
      links,
      stats.rdev,
      attributes.join(','),
    ];
    if (stats.isFile()) facts.push(createHash('sha256').update(readFileSync(where)).digest('hex'));
    if (stats.isSymbolicLink()) facts.push(readlinkSync(where, 'latin1'));
    found.set(displayPath(name), facts.join(' '));
    if (!stats.isDirectory()) return;
    for (const child of readdirSync(where, 'latin1')) visit(joinBytes(path, child), `${name}/${child}`);
  };
  visit(root, '');
  return found;
}
