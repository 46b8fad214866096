import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { DEFAULTS, configPlaces, loadConfig, parseConfig } from './config.ts';
import { SalvorError } from './errors.ts';
import { policyOfSite } from './policies/policy-levels.ts';
import { writeConfig } from './write-config.ts';

const FILE = '/etc/salvor/salvor.yaml';

/** What is wrong with a text: `line:column problem`. */
function faultOf(text: string): string {
  try {
    parseConfig(text, FILE);
  } catch (error) {
    assert.ok(error instanceof SalvorError, String(error));
    assert.equal(error.code, 'config-invalid');
    return `${String(error.context['line'])}:${String(error.context['column'])} ${String(error.context['problem'])}`;
  }
  return 'nothing';
}

describe('a configuration', () => {
  test('that is empty has the defaults', () => {
    const config = parseConfig('', FILE);
    assert.equal(config.state, DEFAULTS.state);
    assert.equal(config.local, DEFAULTS.local);
    assert.deepEqual(config.homes, []);
    assert.deepEqual(config.sites, {});
  });

  test('has paths that are relative to its own directory, and may call a directory local:', () => {
    const config = parseConfig('state: ../state\nlocal: local:repositories\nhomes: [home]\n', FILE);
    assert.equal(config.state, '/etc/state');
    assert.equal(config.local, '/etc/salvor/repositories');
    assert.deepEqual(config.homes, ['/etc/salvor/home']);
  });

  test('gives what a site does not say, by its name', () => {
    const config = parseConfig(
      'sites:\n  o1/example.com:\n    database: { name: shop, port: 3307, password: 0123 }\n',
      FILE,
    );
    const [database] = config.sites['o1/example.com']?.databases ?? [];
    assert.equal(database?.name, 'shop');
    assert.equal(database?.port, 3307);
    assert.equal(database?.password, '0123');
    assert.equal(database?.user, null);
  });

  test('can not be changed once it is read', () => {
    const config = parseConfig('homes: [/a]', FILE);
    assert.throws(() => Object.assign(config, { state: '/' }), TypeError);
    assert.throws(() => Object.assign(config.homes, ['/b']), TypeError);
  });

  const faults: readonly (readonly [claim: string, text: string, fault: RegExp])[] = [
    [
      'an unknown key names the nearest one',
      'state: /a\nhoems: [/b]',
      /^2:1 unknown key 'hoems' .*the nearest is 'homes'/,
    ],
    [
      'an unknown key without a near one names all',
      'colour: red',
      /^1:1 unknown key 'colour' .*known are: state, homes/,
    ],
    ['an unknown key in a section is found there', 'mariadb:\n  sokcet: /s', /^2:3 .*'mariadb'.*'socket'/],
    ['an unknown key of a database is found there', 'sites:\n  a.com:\n    database:\n      nmae: x', /^4:7 .*'name'/],
    ['a word for a list', 'homes: /data', /^1:8 'homes' must be a list/],
    ['a list for a word', 'state: [a]', /^1:8 'state' must be text/],
    ['a list for the file', '- a', /^1:1 the file must hold 'key: value' lines/],
    ['a key twice', 'state: /a\nstate: /b', /^2:1 .*unique/],
    ['a bracket that is not closed', 'homes: [/a', /^1:\d+ /],
    ['a place that is no directory', 'local: s3:bucket', /^1:8 'local' must be a directory of this machine/],
    ['a port that is none', 'sites:\n  a.com:\n    database: { name: x, port: 0 }', /^3:32 'port'/],
    ['a database without a name', 'sites:\n  a.com:\n    databases:\n      - user: x', /^4:9 .*lacks 'name'/],
  ];
  for (const [claim, text, fault] of faults) {
    test(`with a fault is refused at its line and column: ${claim}`, () => assert.match(faultOf(text), fault));
  }

  test('never says in an error what a password is', () => {
    assert.doesNotMatch(faultOf('root:$6$hunter2: x'), /hunter2/);
    assert.doesNotMatch(faultOf('sites:\n  a.com:\n    database: { name: x, password: [hunter2] }'), /hunter2/);
  });

  test('names the remote place by its address alone, or with the way to log in', () => {
    const plain = { url: 'sftp:b@host:/x', identityFile: null, knownHosts: null };
    assert.deepEqual(parseConfig('remote: sftp:b@host:/x/', FILE).remote, plain);
    const text = 'remote: { url: /mnt/other, identityFile: /root/key, knownHosts: /root/known }';
    const whole = { url: '/mnt/other', identityFile: '/root/key', knownHosts: '/root/known' };
    assert.deepEqual(parseConfig(text, FILE).remote, whole);
    assert.equal(parseConfig('', FILE).remote, null);
    assert.match(faultOf('remote: ftp://x'), /1:9.*'remote' must be a directory or sftp:user@host:/);
    assert.match(faultOf('remote: { identityFile: /x }'), /'remote' lacks 'url'/);
  });
});

describe('the file', () => {
  let directory: string;
  let file: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'salvor-config-'));
    file = join(directory, 'salvor.yaml');
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('that was named is the only one that is looked for', () => {
    assert.deepEqual(configPlaces('/a.yaml', { configFile: '/b.yaml' }), ['/a.yaml']);
    assert.deepEqual(configPlaces(null, { configFile: '/b.yaml' }), ['/b.yaml']);
    assert.equal(configPlaces(null, { configFile: null }).length, 2);
  });

  test('that is missing is told with all places that were looked at', () => {
    assert.throws(
      () => loadConfig([file, join(directory, 'other.yaml')]),
      (error) =>
        error instanceof SalvorError &&
        error.code === 'config-missing' &&
        error.message.includes(file) &&
        error.message.includes('other.yaml') &&
        error.hint.includes('salvor init'),
    );
  });

  test('that holds a password and can be read by others is refused', () => {
    writeFileSync(file, 'sites: { a.com: { database: { name: x, password: y } } }');
    chmodSync(file, 0o640);
    assert.throws(() => loadConfig([file]), { code: 'config-exposed' });
    chmodSync(file, 0o600);
    assert.equal(loadConfig([file]).file, file);
  });

  test('that somebody else may write is not used by root', (t) => {
    if (process.getuid?.() !== 0) return t.diagnostic('not root: nothing is done with rights of another');
    writeFileSync(file, 'policy: { hooks: { postRestore: [drush, cr] } }');
    for (const mode of [0o664, 0o646]) {
      chmodSync(file, mode);
      assert.throws(() => loadConfig([file]), { code: 'config-foreign' });
    }
    chmodSync(file, 0o644);
    assert.deepEqual(loadConfig([file]).policies.host, { postRestore: ['drush', 'cr'] });
    chownSync(file, 65_534, 0);
    assert.throws(() => loadConfig([file]), { code: 'config-foreign' });
  });

  test('says the policy of host, account and site, each over the one above', () => {
    const { policies, sites } = parseConfig(
      `policy: { restore: { maintenance: yes }, page: { url: 'https://{uri}/' } }
accounts: { o1: { policy: { page: { status: 403 } } } }
sites:
  example.org: { policy: { restore: { maintenance: no } } }
  o1/example.org: { policy: { page: { url: } }, database: { name: x } }
`,
      FILE,
    );
    const of = (account: string, uri: string): readonly unknown[] => {
      const { policy } = policyOfSite(policies, { account, uri });
      return [policy.maintenance, policy.pageUrl, policy.pageStatus];
    };
    assert.deepEqual(of('o1', 'other.org'), [true, 'https://{uri}/', 403]);
    assert.deepEqual(of('o2', 'example.org'), [false, 'https://{uri}/', 200]);
    assert.deepEqual(of('o1', 'example.org'), [false, null, 403]);
    assert.deepEqual(sites['example.org']?.databases, []);
    assert.equal(
      faultOf('accounts: { o1: { polcy: {} } }'),
      "1:19 unknown key 'polcy' in 'o1'; the nearest is 'policy'",
    );
  });

  test('that is a directory is a coded error', () => {
    assert.throws(() => loadConfig([directory]), { code: 'config-unreadable' });
  });

  test('is written with explanations where it was missing, and read back as it was meant', () => {
    const { config, written } = writeConfig(file, { homes: ['/data/disk/o 1'], local: '/l' });
    assert.equal(written, true);
    assert.deepEqual(loadConfig([file]), config);
    assert.deepEqual(config.homes, ['/data/disk/o 1']);
    assert.match(
      readFileSync(file, 'utf8'),
      /^# yaml-language-server: \$schema=salvor\.schema\.json\n# Salvor's configuration/,
    );
    assert.deepEqual(readdirSync(directory), ['salvor.yaml']);
  });

  test('keeps comments and settings that were not named', () => {
    writeFileSync(file, '# ours\nstate: /s # on the fast disk\nhomes: [/a]\n# the end\n');
    writeConfig(file, { homes: ['/a', '/b'] });
    const text = readFileSync(file, 'utf8');
    assert.match(text, /# ours/);
    assert.match(text, /state: \/s # on the fast disk/);
    assert.match(text, /# the end/);
    assert.deepEqual(loadConfig([file]).homes, ['/a', '/b']);
  });

  test('of comments alone keeps them', () => {
    writeFileSync(file, '# ask Anna first\n');
    writeConfig(file, { state: '/s' });
    assert.match(readFileSync(file, 'utf8'), /ask Anna first/);
    assert.equal(loadConfig([file]).state, '/s');
  });

  test('is not touched where it says already what is wanted', () => {
    writeFileSync(file, 'state:   /s\n');
    const before = statSync(file).mtimeMs;
    assert.equal(writeConfig(file, { state: '/s' }).written, false);
    assert.equal(readFileSync(file, 'utf8'), 'state:   /s\n');
    assert.equal(statSync(file).mtimeMs, before);
  });

  test('becomes its owner’s alone when it holds a password', () => {
    writeFileSync(file, 'sites: { a.com: { database: { name: x, password: y } } }', { mode: 0o644 });
    writeConfig(file, { state: '/s' });
    assert.equal(statSync(file).mode & 0o777, 0o600);
  });

  test('with a fault is refused and left as it is', () => {
    writeFileSync(file, 'hoems: []\n');
    assert.throws(() => writeConfig(file, { state: '/s' }), { code: 'config-invalid' });
    assert.equal(readFileSync(file, 'utf8'), 'hoems: []\n');
  });
});
