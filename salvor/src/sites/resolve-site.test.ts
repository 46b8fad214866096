import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SalvorError } from '../errors.ts';
import { resolveSite } from './resolve-site.ts';
import type { Site } from './site.ts';
import { bareSite } from './bare-site.ts';

function site(account: string, uri: string, platform = 'p'): Site {
  const home = `/data/disk/${account}`;
  const root = `${home}/platforms/${platform}`;
  return bareSite({
    uri,
    account: { name: account, home, uid: 1, gid: 1, logins: [], webGroup: null },
    platform: { name: platform, root, cms: 'drupal', version: null },
    path: `${root}/sites/${uri}`,
  });
}

const sites = [
  site('o1', 'shop.test'),
  site('o1', 'twin.test'),
  site('o2', 'twin.test'),
  site('o2', 'moved.test', 'a'),
  site('o2', 'moved.test', 'b'),
];

function refusal(name: string): SalvorError {
  try {
    resolveSite(sites, name);
  } catch (error) {
    if (error instanceof SalvorError) return error;
    throw error;
  }
  return assert.fail('a site was found');
}

test('a URI that one account carries is enough', () => {
  assert.equal(resolveSite(sites, 'shop.test'), sites[0]);
  assert.equal(resolveSite(sites, 'o2/twin.test'), sites[2]);
});

test('another name of a site is taken for it where no site is called so', () => {
  const named = sites.map((one) =>
    one.uri === 'shop.test' ? { ...one, aliases: ['www.shop.test', 'twin.test'] } : one,
  );
  assert.equal(resolveSite(named, 'www.shop.test'), named[0]);
  assert.equal(resolveSite(named, 'o1/www.shop.test'), named[0]);
  assert.equal(resolveSite(named, 'o2/twin.test'), named[2]);
});

test('a URI that two accounts carry is refused with both names', () => {
  const error = refusal('twin.test');
  assert.equal(error.code, 'site-ambiguous');
  assert.match(error.message, /o1\/twin\.test, o2\/twin\.test/);
});

test('a site that lies on two platforms of one account is refused with both paths', () => {
  const error = refusal('o2/moved.test');
  assert.equal(error.code, 'site-ambiguous');
  assert.deepEqual(error.context['candidates'], [sites[3]?.path, sites[4]?.path]);
});

test('an unknown name is refused with the nearest one that exists', () => {
  const error = refusal('shpo.test');
  assert.equal(error.code, 'site-unknown');
  assert.match(error.message, /shop\.test/);
  assert.doesNotMatch(refusal('entirely-different.example').message, /meant/);
});
