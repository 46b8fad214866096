/** A site moves to code on another disk: it is there whole, with what came while it was copied, and undo brings back what it was. */
import assert from 'node:assert/strict';
import { existsSync, lchownSync, lstatSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import type { DemoSite } from '../../../demo/host.ts';
import { type ObservedSite, differences, observeSite, observeTree } from '../../../demo/observe-site.ts';
import { type FaultHost, openFaultHost } from '../fault/fault-host.ts';
import { addDisk, apartDiskOf } from '../fault/kill-sites.ts';

const WISH = { newUri: null, mask: false, dryRun: false } as const;

describe('a migration to another disk', { concurrency: 1 }, () => {
  const stack = new AsyncDisposableStack();
  let test: FaultHost;
  let site: DemoSite;
  let was: ObservedSite;
  let root: string;
  let moved: string;

  before(async () => {
    test = stack.use(await openFaultHost());
    stack.use(await addDisk(test.host));
    site = test.site;
    root = join(apartDiskOf(test.host), 'drupal-10-apart');
    moved = join(root, 'sites', site.uri);
    symlinkSync(join(site.path, 'files/harbour.pdf'), join(site.path, 'files/own.pdf'));
    lchownSync(join(site.path, 'files/own.pdf'), test.host.account.uid, test.host.account.gid);
    was = await test.observe();
  });
  after(() => stack[Symbol.asyncDispose]());

  /** What is not rewritten: all but its settings, and the link that leads into the site itself. */
  const kept = (tree: ObservedSite['files']): ObservedSite['files'] =>
    new Map([...tree].filter(([name]) => name !== '.' && name !== 'settings.php' && name !== 'files/own.pdf'));

  it('copies and compares it there, brings along what was written meanwhile, and undo switches back', async () => {
    const late = join(site.path, 'files/late.txt');
    let isWritten = false;
    await using agent = await test.open((line) => {
      if (isWritten || !line.startsWith('build the files: done')) return;
      isWritten = true;
      writeFileSync(late, 'uploaded while it was copied');
      lchownSync(late, test.host.account.uid, test.host.account.gid);
    });
    const { plan } = await agent.migrate(site.uri, { ...WISH, platform: root, dryRun: true });
    assert.deepEqual([plan.obstacles, plan.notes.map(({ code }) => code).includes('other-mount')], [[], true]);
    const done = await agent.migrate(site.uri, { ...WISH, platform: root });
    assert.deepEqual(
      [isWritten, done.plan.newPath, done.problems.map(({ code }) => code)],
      [true, moved, ['drush-missing']],
    );
    assert.notEqual(lstatSync(moved).dev, lstatSync(join(site.path, '..')).dev);
    const now = observeTree(moved);
    assert.equal(now.get('files/late.txt')?.type, 'file');
    const unlate = new Map([...kept(now)].filter(([name]) => name !== 'files/late.txt' && name !== 'files'));
    const before = new Map([...kept(was.files)].filter(([name]) => name !== 'files'));
    assert.deepEqual(differences(before, unlate), []);
    assert.equal(readlinkSync(join(moved, 'files/own.pdf')), join(moved, 'files/harbour.pdf'));
    assert.ok(!existsSync(site.path));
    const [found] = (await agent.sites()).sites.filter(({ uri }) => uri === site.uri);
    assert.deepEqual([found?.path, found?.problems], [moved, []]);

    await agent.undo(done.task ?? '');
    assert.ok(!existsSync(moved));
    const back = await observeSite(test.host, site);
    const isTimed = (name: string): boolean => name === 'files';
    assert.deepEqual(differences(was.files, back.files, isTimed), ['new: files/late.txt']);
    assert.deepEqual(differences(was.database, back.database), []);
  });
});
