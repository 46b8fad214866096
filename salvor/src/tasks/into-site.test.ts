import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { OpenPoint } from '../points/open-point.ts';
import type { Site } from '../sites/site.ts';
import { judgeCodeOfPoint, judgeInto } from './into-site.ts';
import { findPlaceObstacles } from './plan-files.ts';

const SITE = {
  uri: 'to.example.org',
  account: { name: 'o1', home: '/data/disk/o1', uid: 1, gid: 1, logins: [], webGroup: null },
  path: '/data/disk/o1/p/sites/to.example.org',
  cms: 'drupal',
  isNetwork: false,
  holds: [],
  databases: [{ engine: 'mariadb', name: 'to' }],
} as unknown as Site;

/** A point of another site, as far as this is asked. */
function pointOf(site: { uri?: string; cms?: string; account?: string; databases?: number }): OpenPoint {
  const { uri = 'from.example.org', cms = 'drupal', account = 'o1', databases = 1 } = site;
  const manifest = {
    site: { uri, cms },
    account: { name: account },
    databases: Array.from({ length: databases }, () => ({ name: 'from' })),
  };
  return { manifest } as unknown as OpenPoint;
}

const ALL = { files: 'all', databases: [{ name: 'from', tables: 'all' }] } as const;
const refusals = (
  point: OpenPoint,
  site: Partial<Site> = {},
  scope: Parameters<typeof judgeInto>[2] = ALL,
): readonly string[] => judgeInto({ ...SITE, ...site }, point, scope).obstacles.map(({ code }) => code);

it('a point of a site that lay on another platform, which is gone, is restored where the site lies now, and the plan says so', () => {
  const site = { ...SITE, platform: { root: '/data/disk/o1/new' } } as Site;
  const notes = (uri: string, root: string): unknown => {
    const manifest = { ...pointOf({ uri }).manifest, platform: { name: 'p', root, version: '7.98' } };
    const { obstacles, notes: told } = judgeCodeOfPoint(site, manifest, ALL, false);
    assert.deepEqual(obstacles, []);
    return told.map(({ code }) => code);
  };
  assert.deepEqual(notes(SITE.uri, '/data/disk/o1/old'), ['other-platform']);
  assert.deepEqual(notes(SITE.uri, '/data/disk/o1/new'), []);
  assert.deepEqual(notes('from.example.org', '/data/disk/o1/old'), [], 'of another site that is the wish');
});

describe('a point put into another site', () => {
  it('is welcome where account, system and number of databases are the same', () => {
    assert.deepEqual(refusals(pointOf({})), []);
    assert.deepEqual(judgeInto(SITE, pointOf({}), ALL).notes[0]?.code, 'names-stay');
    assert.deepEqual(judgeInto(SITE, pointOf({ uri: SITE.uri }), ALL), { obstacles: [], notes: [] });
  });

  it('is refused where it is of another account, also under the same name', () => {
    assert.deepEqual(refusals(pointOf({ account: 'o2' })), ['into-other-account']);
    assert.deepEqual(refusals(pointOf({ account: 'o2', uri: SITE.uri })), ['into-other-account']);
  });

  it('is refused where it is of another system', () => {
    assert.deepEqual(refusals(pointOf({ cms: 'wordpress' })), ['into-other-cms']);
    assert.deepEqual(refusals(pointOf({ cms: 'backdrop' })), ['into-other-cms']);
  });

  it('is refused into a network of sites', () => {
    const network = { cms: 'wordpress', isNetwork: true } as const;
    assert.deepEqual(refusals(pointOf({ cms: 'wordpress' }), network), ['into-network']);
  });

  it('is refused where the databases are not as many, unless none is wanted', () => {
    assert.deepEqual(refusals(pointOf({ databases: 2 })), ['into-other-databases']);
    assert.deepEqual(refusals(pointOf({ databases: 2 }), {}, { files: 'all', databases: [] }), []);
  });

  it('is told all that is in the way at once', () => {
    const network = { isNetwork: true };
    const scope = { files: ['settings.php'], databases: ALL.databases };
    assert.deepEqual(refusals(pointOf({ account: 'o2', cms: 'wordpress', databases: 0 }), network, scope), [
      'into-other-account',
      'into-other-cms',
      'into-network',
      'into-other-databases',
      'into-settings',
    ]);
  });
});

describe('a site that holds another one', () => {
  const holder = { ...SITE, holds: [`${SITE.path}/shop/blog`] };
  const found = (files: 'all' | readonly string[]): readonly string[] =>
    findPlaceObstacles(holder, { files, databases: [] })
      .map(({ code }) => code)
      .filter((code) => code === 'site-holds-other');

  it('is not replaced with it, whole or by a path that it lies in or that lies in it', () => {
    for (const files of ['all', ['shop'], ['shop/blog'], ['files', 'shop/blog/index.php']] as const)
      assert.deepEqual(found(files), ['site-holds-other'], String(files));
    for (const files of [['files'], ['shop/blogs'], ['shop/index.php']])
      assert.deepEqual(found(files), [], String(files));
  });
});
