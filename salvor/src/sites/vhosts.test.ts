import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { credentialsOf, parseVhosts } from './read-vhosts.ts';
import { rewriteVhost } from './rewrite-vhost.ts';
import { switchVhostOff, switchVhostOn } from './switch-off-vhost.ts';
import { quoteVhostWord, whyNotQuoted } from './vhost-syntax.ts';

/** As Aegir writes them, with a redirection of an alias and TLS. */
const NGINX = `server {
  include       fastcgi_params;
  # Block "it" { with a brace
  fastcgi_param MAIN_SITE_NAME old.test;
  set $main_site_name "old.test";
  fastcgi_param db_name   old_1;
  fastcgi_param db_user   old_1;
  fastcgi_param db_passwd secret;
  fastcgi_param db_host   localhost;
  listen        *:80 default_server;
  server_name   old.test www.old.test
                also.test;
  root          /data/disk/o1/distro/001/d10;
  include       /data/disk/o1/config/vhost_include.conf;
  location ~ ^/a{2} { return 403; }
}
server {
  listen 80;
  server_name also.test;
  return 301 $scheme://old.test$request_uri;
}
server {
  listen 443 ssl;
  ssl_certificate /etc/ssl/old.test/cert.pem;
  server_name old.test;
  root "/data/disk/o1/distro/001/d10";
}
`;

const APACHE = `<VirtualHost *:80>
  ServerName old.test
  ServerAlias www.old.test \\
    also.test
  DocumentRoot /data/disk/o1/distro/001/d7
  SetEnv db_name old_1
  SetEnv db_user "old_1"
  SetEnv db_passwd 'se"cret'
  <Directory /data/disk/o1/distro/001/d7>
    Require all granted
  </Directory>
  # ServerName none.test
</VirtualHost>
`;

const CHANGES = {
  uri: { from: 'old.test', to: 'new.test' },
  root: { from: '/data/disk/o1/distro/001/d10', to: '/data/disk/o1/distro/001/d11' },
  names: ['new.test', 'www.new.test'],
  environment: new Map([
    ['db_name', 'new_1'],
    ['db_user', 'new_1'],
    ['db_passwd', 'a"b\\c d'],
  ]),
  isCopy: false,
};

describe('a virtual host', () => {
  it('of nginx becomes that of the renamed site: names, root, log-in and redirections, and not a byte more', () => {
    const { text, refused, mentions } = rewriteVhost(NGINX, CHANGES);
    assert.equal(refused, null);
    const expected = NGINX.replaceAll('MAIN_SITE_NAME old.test', 'MAIN_SITE_NAME "new.test"')
      .replace('"old.test"', '"new.test"')
      .replaceAll('   old_1', '   "new_1"')
      .replace('secret', '"a\\"b\\\\c d"')
      .replace('old.test www.old.test\n                also.test', 'new.test www.new.test\n               ')
      .replace('root          /data/disk/o1/distro/001/d10', 'root          "/data/disk/o1/distro/001/d11"')
      .replace(/server \{\n {2}listen 80;[^}]*\}\n/, '')
      .replace('server_name old.test', 'server_name new.test')
      .replace('root "/data/disk/o1/distro/001/d10"', 'root "/data/disk/o1/distro/001/d11"');
    assert.equal(text, expected);
    const [first, second] = parseVhosts(text, 'new.test');
    assert.ok(first !== undefined && second !== undefined);
    assert.deepEqual(first.names, ['new.test', 'www.new.test']);
    assert.equal(credentialsOf(first)?.get('db_passwd'), 'a"b\\c d');
    assert.deepEqual(
      mentions.map(({ text: said }) => said),
      ['ssl_certificate /etc/ssl/old.test/cert.pem;'],
    );
  });

  it('keeps the aliases that the site keeps, and sends their visitors to its new name', () => {
    const { text } = rewriteVhost(NGINX, { ...CHANGES, names: [...CHANGES.names, 'also.test'] });
    assert.match(text, /server_name also\.test;\n {2}return 301 "\$scheme:\/\/new\.test\$request_uri";/);
  });

  it('of a copy is nobody’s default server, because the original’s is', () => {
    assert.match(rewriteVhost(NGINX, { ...CHANGES, isCopy: true }).text, /listen {8}\*:80;/);
  });

  it('of Apache is rewritten the same way', () => {
    const root = { from: '/data/disk/o1/distro/001/d7', to: '/srv/new root' };
    const { text, refused } = rewriteVhost(APACHE, { ...CHANGES, root });
    assert.equal(refused, null);
    const [host] = parseVhosts(text, 'new.test');
    assert.deepEqual([host?.names, host?.root], [['new.test', 'www.new.test'], '/srv/new root']);
    assert.equal(host?.environment.get('db_passwd'), 'a"b\\c d');
    assert.match(text, /<Directory "\/srv\/new root">/);
  });

  it('that can’t be written is refused: a dollar in a password of nginx, a file without a virtual host, one of others', () => {
    const environment = new Map([['db_passwd', 'a$b']]);
    assert.match(rewriteVhost(NGINX, { ...CHANGES, environment }).refused ?? '', /dollar/);
    assert.match(rewriteVhost('upstream x { server a; }', CHANGES).refused ?? '', /no virtual host/);
    const foreign = NGINX.replaceAll('old.test', 'other.test');
    assert.match(rewriteVhost(foreign, CHANGES).refused ?? '', /none of its virtual hosts/);
    assert.match(whyNotQuoted('apache', '${HOME}') ?? '', /variable/);
    assert.match(whyNotQuoted('nginx', 'a\nb') ?? '', /control/);
    assert.throws(() => quoteVhostWord('nginx', '$x'));
  });

  for (const [name, text] of Object.entries({ nginx: NGINX, apache: APACHE }))
    it(`of ${name} is switched off in each block and on again, to the byte, and says which it is`, () => {
      const off = switchVhostOff(text);
      assert.equal(switchVhostOff(off), off);
      assert.ok(parseVhosts(off, 'x').every(({ isSwitchedOff }) => isSwitchedOff));
      assert.ok(parseVhosts(text, 'x').every(({ isSwitchedOff }) => !isSwitchedOff));
      assert.deepEqual(
        parseVhosts(off, 'x').map((host) => ({ ...host, isSwitchedOff: false })),
        parseVhosts(text, 'x'),
      );
      assert.equal(switchVhostOn(off), text);
    });
});
