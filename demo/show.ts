/**
 * The show: one host is backed up, one of its sites broken and brought back, each claim checked before it is ticked.
 * Throws at the first that does not hold. Runs the command that everybody runs, and stock restic.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  BackupDocument,
  InitDocument,
  LsDocument,
  PointsDocument,
  RestoreDocument,
  SitesDocument,
  StatusDocument,
  UndoDocument,
} from '@salvor/contract';
import type { DemoHost, DemoSite } from './host.ts';
import { bytesText, countText, type Narrator } from './narrator.ts';
import { differences, observePage, observeSite, type ObservedPage, type ObservedSite } from './observe-site.ts';
import { initFlags, runRestic, runSalvor, salvorPlaces, type SalvorRun } from './salvor-command.ts';
import { quoteName } from './sql.ts';

export type Show = { readonly host: DemoHost; readonly say: Narrator; readonly signal: AbortSignal };

/** What a document's reader is; the contract's schemas are. */
type Schema<T> = { parse(value: unknown): T };

/** A claim of the show that did not hold. */
export class ShowError extends Error {
  override readonly name = 'ShowError';
}

type Seen = { readonly site: ObservedSite; readonly page: ObservedPage };

export async function runShow(show: Show): Promise<void> {
  const { host } = show;
  const [journal, harbour, market] = host.sites as readonly [DemoSite, DemoSite, DemoSite];
  await lookAtSites(show);
  await takeIntoService(show);

  const before = await observe(show, journal);
  await backUp(show, [journal, harbour, market]);
  await breakSite(show, journal, before);
  await planRestore(show, journal);
  await restoreSite(show, journal, before);
  await undoRestore(show, market);
  await lookInside(show, journal);
  await askRestic(show);
}

async function lookAtSites({ host, say }: Show): Promise<void> {
  say.step('The sites answer');
  for (const site of host.sites) {
    // The second answer is the one to compare with: WordPress fills its caches at the first.
    await say.tick(
      `GET ${site.url}`,
      async () => {
        await observePage(site.url);
        const page = await observePage(site.url);
        if (page.status !== 200) throw new ShowError(`${site.url} answered ${page.status}, not 200`);
        return page;
      },
      (page) =>
        `${site.uri.padEnd(22)}${page.status} ${page.statusText}, ${bytesText(page.body.length)}  ${titleOf(page)}`,
    );
  }
}

async function takeIntoService(show: Show): Promise<void> {
  const { host, say } = show;
  const flags = initFlags(host);
  say.step('Take Salvor into service', 'salvor init --home … --state … --local …');
  const made = await say.tick(
    'finding sites, creating the repository',
    () => salvor(show, ['init', ...flags], InitDocument),
    (document) => `${countText(document.accounts.length, 'account')} with an encrypted repository of its own`,
  );
  demand(made.accounts.length === 1 && made.sites.length === host.sites.length, 'init did not find every site', made);

  say.step('What it found', 'salvor sites');
  const sites = await say.tick(
    'reading settings as data',
    () => salvor(show, ['sites'], SitesDocument),
    (document) =>
      `${countText(document.length, 'site')} on ${countText(new Set(document.map((site) => site.platform)).size, 'platform')}`,
  );
  for (const site of sites) {
    const where = site.databases.map((database) => database.name).join(', ');
    say.detail(`${site.uri.padEnd(22)}${`${site.cms} ${site.version ?? ''}`.padEnd(18)}database ${where}`);
  }
  const uris = sites.map((site) => site.uri).toSorted();
  demand(
    uris.join() ===
      host.sites
        .map((site) => site.uri)
        .toSorted()
        .join(),
    'the sites are not the ones built',
    uris,
  );
  demand(
    sites.every((site) => site.databases.length === 1 && site.problems.length === 0),
    'sites have problems',
    sites,
  );
}

async function backUp(show: Show, sites: readonly DemoSite[]): Promise<void> {
  const { say } = show;
  say.step('Back up', 'salvor backup SITE');
  for (const site of sites) {
    const document = await say.tick(
      `backing up ${site.uri}`,
      () => salvor(show, ['backup', site.uri, '--reason', 'the demo'], BackupDocument),
      ({ files, tables, bytesRead, bytesStored }) =>
        `${site.uri.padEnd(22)}${countText(files, 'file')}, ${countText(tables, 'table')}, ` +
        `${bytesText(bytesRead)} read, ${bytesText(bytesStored)} stored`,
    );
    demand(document.state === 'succeeded' && document.problems.length === 0, 'the backup named problems', document);
    const points = await salvor(show, ['points', site.uri], PointsDocument);
    demand(points[0]?.id === document.point, 'the newest point is not the one just made', points);
  }
}

async function breakSite(show: Show, site: DemoSite, before: Seen): Promise<void> {
  const { host, say } = show;
  say.step(`Break ${site.uri}`);
  await say.tick(
    'deleting files',
    async () => {
      rmSync(join(site.path, 'wp-content'), { recursive: true });
      writeFileSync(join(site.path, 'hacked.php'), '<?php // who put this here?\n');
    },
    () => 'deleted its plugins, theme and pictures, left a hacked.php',
  );
  await say.tick(
    'dropping tables',
    async () => {
      const tables = ['wp_posts', 'wp_postmeta', 'wp_options', 'wp_terms'];
      const names = tables.map((table) => `${quoteName(site.database)}.${quoteName(table)}`).join(', ');
      await host.mariadb.query(`DROP TABLE ${names}`);
      return tables;
    },
    (tables) => `dropped ${tables.join(', ')}`,
  );
  await say.tick(
    `GET ${site.url}`,
    async () => {
      const page = await observePage(site.url);
      demand(
        page.status !== 200 || page.body !== before.page.body,
        'the broken site still answers as before',
        page.status,
      );
      demand(!page.body.includes('Smörgås'), 'the broken site still shows its posts', page.status);
      return page;
    },
    (page) => `the site is down: ${page.status} ${page.statusText}, not a post to be seen`,
  );
}

async function planRestore(show: Show, site: DemoSite): Promise<void> {
  const { host, say } = show;
  say.step('Look before the leap', `salvor restore ${site.uri} --dry-run`);
  const broken = await observeSite(host, site);
  const { plan } = await say.tick(
    'planning',
    () => salvor(show, ['restore', site.uri, '--dry-run'], RestoreDocument),
    ({ plan: { files, tables } }) =>
      `${files?.new ?? 0} files and directories to bring back, ${files?.changed ?? 0} changed, ${files?.deleted ?? 0} to go; ` +
      countText(tables?.restored ?? 0, 'table'),
  );
  demand(plan.obstacles.length === 0, 'the plan has obstacles', plan);
  demand((plan.files?.new ?? 0) > 0 && plan.files?.deleted === 1, 'the plan does not see what was done', plan);
  await say.tick(
    'comparing',
    async () => same(broken, await observeSite(host, site)),
    () => 'looking changed nothing: every file and table is as it was',
  );
}

async function restoreSite(show: Show, site: DemoSite, before: Seen): Promise<void> {
  const { host, say } = show;
  say.step('Bring it back', `salvor restore ${site.uri} --yes`);
  const start = Date.now();
  const document = await say.tick(
    'safety point, build beside, compare, switch, verify',
    () => salvor(show, ['restore', site.uri, '--yes'], RestoreDocument),
    ({ state, safetyPoint }) => `${state}; what was there is kept in point ${safetyPoint?.slice(0, 8) ?? '—'}`,
  );
  demand(document.state === 'succeeded' && document.safetyPoint !== null, 'the restore named problems', document);

  const after = await observeSite(host, site);
  await say.tick(
    'comparing files',
    async () => {
      const fresh = new Set(document.refreshed);
      // The switch gives a PHP file whose content it changed the time of now, so that PHP compiles it again.
      const found = differences(before.site.files, after.files, (name, was, is) => {
        const isFresh = fresh.has(name) && Number(is.mtimeNs / 1_000_000n) >= start - 1000;
        return isFresh && was.content === is.content && was.mode === is.mode && was.owner === is.owner;
      });
      demand(found.length === 0, 'files are not as they were', found);
      return fresh.size;
    },
    (fresh) =>
      `${after.files.size} files and directories: content, owner, mode and time as before${fresh > 0 ? ` (${fresh} fresh for PHP)` : ''}`,
  );
  await say.tick(
    'comparing tables',
    async () => {
      const found = differences(before.site.database, after.database);
      demand(found.length === 0, 'the database is not as it was', found);
    },
    () => `${countText(tablesIn(after), 'table')}: checksums and definitions as before`,
  );
  await say.tick(
    `GET ${site.url}`,
    async () => {
      const page = await observePage(site.url);
      demand(page.status === 200, `the restored site answers ${page.status}`, page.body.slice(0, 500));
      demand(page.body === before.page.body, 'the page is another one than before', firstDifference(before.page, page));
      return page;
    },
    (page) => `${page.status} ${page.statusText}, ${bytesText(page.body.length)}: the page is the same, byte for byte`,
  );
}

/** An older point over a newer state is a mistake that can be taken back. */
async function undoRestore(show: Show, site: DemoSite): Promise<void> {
  const { host, say } = show;
  say.step('Change your mind', `salvor restore ${site.uri} --yes && salvor undo TASK --yes`);
  const table = `${quoteName(site.database)}.node_field_data`;
  const old = await observe(show, site);
  await say.tick(
    'editing',
    async () => {
      await host.mariadb.query(`UPDATE ${table} SET title = 'Herring is in!', changed = 1800000000 WHERE nid = 2`);
      writeFileSync(join(site.path, 'files/herring.txt'), 'Fresh today.\n');
    },
    () => 'an editor renamed an article and added a file',
  );
  const edited = await observe(show, site);
  demand(edited.page.body.includes('Herring is in!'), 'the change is not on the page', edited.page.status);
  const restored = await say.tick(
    'going back to the last point',
    async () => {
      const document = await salvor(show, ['restore', site.uri, '--yes'], RestoreDocument);
      const page = await observePage(site.url);
      demand(page.body === old.page.body, 'the restored page is another one than before', page.status);
      return document;
    },
    () => 'restored: the old page is back, the herring is gone',
  );
  demand(restored.task !== null, 'the restore has no task to undo', restored);
  await say.tick(
    'undoing',
    async () => {
      const document = await salvor(show, ['undo', restored.task as string, '--yes'], UndoDocument);
      demand(document.state === 'succeeded', 'the undo named problems', document);
      const fresh = new Set(restored.refreshed);
      const now = await observe(show, site);
      const found = [
        ...differences(
          edited.site.files,
          now.site.files,
          (name, was, is) => fresh.has(name) && was.content === is.content,
        ),
        ...differences(edited.site.database, now.site.database),
      ];
      demand(found.length === 0, 'the undone site is not as it was before the restore', found);
      demand(now.page.body === edited.page.body, 'the undone page is another one', now.page.status);
    },
    () => 'undone: files, tables and page are as the editor left them',
  );
}

async function lookInside(show: Show, site: DemoSite): Promise<void> {
  const { say, host } = show;
  const points = await salvor(show, ['points', site.uri], PointsDocument);
  const point = points.find((candidate) => !candidate.safety);
  demand(point !== undefined, 'the site has no point', points);
  const id = point?.id ?? '';
  say.step('Look inside a point', `salvor ls ${id.slice(0, 8)} /databases/${site.database}`);
  await say.tick(
    'listing',
    async () => {
      const root = await salvor(show, ['ls', id], LsDocument);
      const names = root.map((entry) => entry.path).toSorted();
      demand(names.join() === '/databases,/manifest.json,/site', 'the point has another layout', names);
      return salvor(show, ['ls', id, `/databases/${site.database}`], LsDocument);
    },
    (entries) => `${countText(entries.length, 'file')} that are one plain dump together, one for each table`,
  );

  say.step('How things stand', 'salvor status');
  const { sites, repositories } = await say.tick(
    'status',
    () => salvor(show, ['status'], StatusDocument),
    (status) =>
      `${status.sites.filter((entry) => entry.lastPoint?.complete).length} of ${countText(status.sites.length, 'site')} ` +
      `have a complete point; repository ${status.repositories.map((entry) => entry.state).join()}`,
  );
  demand(
    sites.length === host.sites.length && sites.every((entry) => entry.lastPoint?.complete === true),
    'not every site has a complete point',
    sites,
  );
  demand(
    repositories.every((entry) => entry.state === 'ready'),
    'a repository is not ready',
    repositories,
  );
}

async function askRestic(show: Show): Promise<void> {
  const { say, host } = show;
  say.step('What stock restic says', `restic --repo ${salvorPlaces(host).repository} snapshots`);
  const listed = await say.tick(
    'listing the snapshots',
    async () => {
      const run = await runRestic(host, ['snapshots', '--json'], show);
      demand(run.exit === 0, 'restic can not list the repository', run.complaint);
      return JSON.parse(run.output) as readonly { short_id: string; time: string; tags?: readonly string[] }[];
    },
    (snapshots) => countText(snapshots.length, 'snapshot'),
  );
  demand(listed.length >= host.sites.length, 'restic lists too few snapshots', listed);
  for (const { short_id: id, time, tags = [] } of listed) {
    const shown = tags.filter((tag) => /^(site|origin):/.test(tag)).join('  ');
    say.detail(`${id}  ${time.slice(0, 19).replace('T', ' ')}  ${shown}`);
  }
  await say.tick(
    'restic check --read-data',
    async () => {
      const run = await runRestic(host, ['check', '--read-data'], show);
      demand(run.exit === 0 && run.output.includes('no errors were found'), 'restic found errors', run.complaint);
    },
    () => 'restic check --read-data: no errors were found',
  );
}

async function observe({ host }: Show, site: DemoSite): Promise<Seen> {
  // Tables before the page: a visit may write into a cache.
  await observePage(site.url);
  return { page: await observePage(site.url), site: await observeSite(host, site) };
}

async function salvor<T>({ host, signal }: Show, args: readonly string[], schema: Schema<T>): Promise<T> {
  const run = await runSalvor(host, args, { signal });
  if (run.exit !== 0 || run.document === null) throw new ShowError(`salvor ${args.join(' ')}${whatHappened(run)}`);
  return schema.parse(run.document);
}

function whatHappened(run: SalvorRun): string {
  return ` ended with exit code ${run.exit}:\n${run.complaint.trim() || run.output.trim()}`;
}

function demand(holds: boolean, otherwise: string, evidence: unknown): asserts holds {
  if (holds) return;
  const lines = Array.isArray(evidence) && evidence.every((item) => typeof item === 'string') ? evidence : null;
  const shown = lines === null ? JSON.stringify(evidence, null, 1) : lines.slice(0, 20).join('\n');
  throw new ShowError(`${otherwise}:\n${shown ?? ''}`);
}

async function same(before: ObservedSite, after: ObservedSite): Promise<void> {
  const found = [...differences(before.files, after.files), ...differences(before.database, after.database)];
  demand(found.length === 0, 'the site was changed', found);
}

function tablesIn(site: ObservedSite): number {
  return [...site.database.keys()].filter((key) => key.startsWith('table ')).length;
}

function titleOf(page: ObservedPage): string {
  const title = /<title>([^<]*)<\/title>/.exec(page.body)?.[1] ?? '';
  return title === '' ? '' : `“${title.split(/ [–—] |&#8211;/)[0]?.trim()}”`;
}

function firstDifference(before: ObservedPage, after: ObservedPage): string[] {
  let at = 0;
  while (at < before.body.length && before.body[at] === after.body[at]) at += 1;
  return [`was: ${before.body.slice(at - 40, at + 80)}`, `is:  ${after.body.slice(at - 40, at + 80)}`];
}
