/**
 * The virtual host of a site as a value that can be shown, and the parts of a switch that come of it. Where the policy
 * names no web server there is none.
 *
 *   planVirtualHost / planWithoutVirtualHost → build → a part of the task's switch: put in place, tested, reloaded
 *
 * The site's own file is changed as data where it has one, so that certificates, redirections and whatever else a hoster
 * has put there stay; a template is filled where it has none, and where the policy names one. The switch has the journal,
 * the way back and the grace period (`switch-site.ts`): what is not in place yet lies in the task's staging place.
 */
import { closeSync, fsyncSync, lstatSync, realpathSync, readFileSync, statSync, writeSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { Problem } from '@salvor/contract';
import { hold, setMode, setOwner } from '../lib/beneath/held.ts';
import { openSpotOfOurs } from '../lib/beneath/own-directory.ts';
import { openFileAt, readPieces } from '../lib/beneath/read-file.ts';
import { createFileAt, openSpot, syncSpots } from '../lib/beneath/spot.ts';
import { isThere } from '../lib/is-there.ts';
import type { Policy } from '../policies/settings.ts';
import { type Account, homeAround } from '../sites/account.ts';
import { type VirtualHost, credentialsOf, parseVhosts } from '../sites/read-vhosts.ts';
import { rewriteVhost } from '../sites/rewrite-vhost.ts';
import type { Site } from '../sites/site.ts';
import { locateMaintenance } from './maintenance.ts';
import { type Move, planMove } from './move-site.ts';
import { locateStaging, makeStaging } from './staging.ts';
import type { VirtualHostMoves } from './switch-site.ts';
import type { TaskRun } from './task-run.ts';
import { VHOST_TEMPLATES, fillTemplate } from './virtual-host-template.ts';
import { type WebServer, testWebServer, webServerOf } from './web-server.ts';

/** A site that is there, or one that is going to be. */
export type ServedSite = Pick<Site, 'uri' | 'aliases' | 'account' | 'platform' | 'path' | 'databases' | 'virtualHosts'>;

export type VhostFile = {
  readonly path: string;
  /** The directory that it lies below and below which nothing is followed: a home of the account, or the file's own directory. */
  readonly home: string;
  /** One character per byte; null where the file goes. */
  readonly text: string | null;
  readonly owner: { readonly uid: number; readonly gid: number };
  readonly mode: number;
};

export type VirtualHostPlan = {
  readonly server: WebServer;
  readonly files: readonly VhostFile[];
  /** What has to be put right first. */
  readonly obstacles: readonly Problem[];
  readonly notes: readonly Problem[];
};

/** Where it comes from: the site under its old name or at its old place, or another one that it is a copy of. */
export type VhostOrigin = { readonly site: ServedSite; readonly isCopy: boolean };

/** Larger ones are not one site's. */
const MAX_VHOST_BYTES = 1024 * 1024;

/** The virtual host of a site as it has to be; null where the policy names no web server. Reads only, but for the server's own test. */
export async function planVirtualHost(
  site: ServedSite,
  policy: Policy,
  origin: VhostOrigin | null,
  say: (line: string) => void,
): Promise<VirtualHostPlan | null> {
  const server = webServerOf(policy);
  if (server === null) return null;
  const found = new Findings();
  found.refuse(await findBroken(server, say));
  const place = placeOf(site, policy, server, found);
  if (place === null) return found.plan(server, []);
  const [old = null, ...more] = origin === null ? [] : readOwnVhosts(origin.site, policy, found);
  const text =
    old !== null && policy.virtualHostTemplate === null
      ? rewritten(old, site, origin, found)
      : filled(site, policy, server, old, found);
  const files: VhostFile[] = text === null ? [] : [{ ...place, text, ...rightsOf(old, place, site.account) }];
  if (old !== null && origin?.isCopy === false && old.path !== place.path) files.push(leaving(old));
  for (const further of more)
    files.push(
      ...planFurther(further, site, origin, found).filter(({ path }) => !files.some((one) => one.path === path)),
    );
  return found.plan(server, files);
}

/** Another file of the same site, such as that of its TLS: beside the old one, where the site's name is a part of its own. */
function planFurther(
  old: OwnVhost,
  site: ServedSite,
  origin: VhostOrigin | null,
  found: Findings,
): readonly VhostFile[] {
  const from = origin?.site.uri ?? site.uri;
  const path = join(
    dirname(old.path),
    basename(old.path).replaceAll(from, () => site.uri),
  );
  if (path === old.path && from !== site.uri) {
    found.note({ code: 'virtual-host-left', message: `serves ${from} too, and is left as it is`, path });
    return [];
  }
  const text = rewritten(old, site, origin, found);
  if (text === null) return [];
  const { home, owner, mode } = old;
  return [{ path, home, text, owner, mode }, ...(origin?.isCopy === false && path !== old.path ? [leaving(old)] : [])];
}

/** That of a site that goes: its own file leaves, where it has one. */
export async function planWithoutVirtualHost(
  site: ServedSite,
  policy: Policy,
  say: (line: string) => void,
): Promise<VirtualHostPlan | null> {
  const server = webServerOf(policy);
  if (server === null) return null;
  const found = new Findings();
  const own = readOwnVhosts(site, policy, found);
  if (own.length === 0) return null;
  found.refuse(await findBroken(server, say));
  return found.plan(server, own.map(leaving));
}

/** Written into staging places of the task, which the journal names before: `stagingsOf` says which. Undefined where nothing changes. */
export async function buildVirtualHosts(
  plan: Pick<VirtualHostPlan, 'server' | 'files'> | null,
  of: { readonly account: string; readonly staging: string | null },
  run: Pick<TaskRun, 'id'>,
): Promise<VirtualHostMoves | undefined> {
  if (plan === null || plan.files.length === 0) return undefined;
  const moves: Move[] = [];
  for (const [index, file] of plan.files.entries()) {
    const staging = locateStaging(file.path, of.account, run.id, of.staging);
    if (lstatSync(staging, { throwIfNoEntry: false }) === undefined) await makeStaging(staging);
    moves.push(stageFile(file, staging, join(staging, `virtual-host-${index}`)));
  }
  return { server: plan.server, moves };
}

/** Where a plan's files will lie while they wait: for the journal, before anything is made. */
export function stagingsOf(
  plan: { readonly files: readonly Pick<VhostFile, 'path'>[] } | null,
  of: { readonly account: string; readonly staging: string | null },
  task: string,
): readonly string[] {
  return [...new Set((plan?.files ?? []).map(({ path }) => locateStaging(path, of.account, task, of.staging)))];
}

/** A small file of the task's that is going to change places with the one at its path. */
export function stageFile({ path, home, text, owner, mode }: VhostFile, staging: string, staged: string): Move {
  if (text !== null) {
    using spot = openSpotOfOurs(staging, staged);
    const fd = createFileAt(spot, 0o600);
    try {
      writeSync(fd, Buffer.from(text, 'latin1'));
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
    using held = hold(spot, null);
    if (held !== null && process.getuid?.() === 0) setOwner(held, owner);
    if (held !== null) setMode(held, mode);
    syncSpots(spot);
  }
  return planMove({ home, live: path, staging, staged, path });
}

/** A file that is there, with what is in it. */
export type OwnVhost = Omit<VhostFile, 'text'> & {
  readonly text: string;
  readonly hosts: readonly VirtualHost[];
  /** The link by which the server reads it, where it does so by one. */
  readonly link: string | null;
};

/** Where the server reads it by a link, that goes, and the file stays. */
function leaving({ path, home, owner, mode, link }: OwnVhost): VhostFile {
  return { path: link ?? path, home: link === null ? home : dirname(link), text: null, owner, mode };
}

/** The files that hold virtual hosts of the site and of nobody else: where the policy has it first, then where they were found. */
export function readOwnVhosts(site: ServedSite, policy: Policy, found: Findings): readonly OwnVhost[] {
  const server = webServerOf(policy);
  if (server === null) return [];
  const own: OwnVhost[] = [];
  for (const path of new Set([pathOf(site, policy, server), ...site.virtualHosts])) {
    const file = readVhostFile(path, site.account);
    if (file === null || file.hosts.length === 0 || own.some((other) => other.path === file.path)) continue;
    const foreign = file.hosts.flatMap(({ names }) => names).filter((name) => !isOwnName(name, site));
    const isItsOwn = path.endsWith(`/${site.uri}`) || path.endsWith(`/${site.uri}.conf`) || foreign.length === 0;
    if (isItsOwn) own.push(file);
    else
      found.note({
        code: 'virtual-host-shared',
        message: `also holds virtual hosts of ${foreign.slice(0, 3).join(', ')}, and is not changed`,
        path,
      });
  }
  return own;
}

function isOwnName(name: string, { uri, aliases }: ServedSite): boolean {
  return [uri, ...aliases].some((own) => name === own.toLowerCase() || name === `www.${own.toLowerCase()}`);
}

/** Whether a file gives the site's code this password; of one that may not be read nobody can tell that it does not. */
export function mayGivePassword(path: string, account: Account, password: string): boolean {
  const read = readVhostFile(path, account);
  if (read === null) return true;
  return (
    read.text.includes(Buffer.from(password).toString('latin1')) ||
    read.hosts.some(({ environment }) => [...environment.values()].includes(password))
  );
}

/** Null where there is none that may be read: links are followed outside of homes only, where they are root's. */
function readVhostFile(path: string, account: Account): OwnVhost | null {
  try {
    const home = homeAround(account, path);
    const real = home === null ? realpathSync(path) : path;
    using spot = openSpot(home ?? dirname(real), real);
    using file = openFileAt(spot);
    if (file === null || file.stat.size > MAX_VHOST_BYTES) return null;
    const text = Buffer.concat([...readPieces(file)]).toString('latin1');
    const owner = { uid: Number(file.stat.uid), gid: Number(file.stat.gid) };
    const mode = Number(file.stat.mode) & 0o777;
    const link = real === path ? null : path;
    return { path: real, home: home ?? dirname(real), text, owner, mode, link, hosts: parseVhosts(text, real) };
  } catch {
    return null;
  }
}

/** Where the site's file belongs. */
function pathOf({ uri, account }: ServedSite, { virtualHost }: Policy, { kind }: WebServer): string {
  const pattern = virtualHost ?? `{home}/config/server_master/${kind}/vhost.d/{uri}`;
  return pattern
    .replace(/^\{home\}/, () => account.home)
    .replaceAll('{account}', () => account.name)
    .replaceAll('{uri}', () => uri.replaceAll('/', '.'));
}

/** Its directory must be there, and be one that only root and the account may write. */
function placeOf(
  site: ServedSite,
  policy: Policy,
  server: WebServer,
  found: Findings,
): { readonly path: string; readonly home: string } | null {
  const path = pathOf(site, policy, server);
  const home = homeAround(site.account, path);
  const directory = statSync(dirname(path), { throwIfNoEntry: false });
  if (directory?.isDirectory() !== true) {
    found.refuse({
      code: 'virtual-host-place',
      message: 'there is no such directory for virtual hosts',
      path: dirname(path),
    });
    return null;
  }
  const isOurs = home !== null || (directory.uid === process.getuid?.() && (directory.mode & 0o022) === 0);
  if (!isOurs) {
    found.refuse({ code: 'virtual-host-place', message: 'others may write there', path: dirname(path) });
    return null;
  }
  return { path, home: home ?? realpathSync(dirname(path)) };
}

/** What the server can't read already must not be blamed on what is written now. */
export async function findBroken(server: WebServer, say: (line: string) => void): Promise<Problem | null> {
  const words = await testWebServer(server, say);
  const message = `${server.kind} refuses its configuration as it is: ${words ?? ''}`;
  return words === null ? null : { code: 'web-server-broken', message, path: null };
}

function rewritten(old: OwnVhost, site: ServedSite, origin: VhostOrigin | null, found: Findings): string | null {
  const from = origin?.site ?? site;
  const { text, refused, mentions } = rewriteVhost(old.text, {
    uri: { from: from.uri, to: site.uri },
    root: { from: from.platform.root, to: site.platform.root },
    names: [site.uri, ...site.aliases].flatMap((name) => [name.toLowerCase(), `www.${name.toLowerCase()}`]),
    environment: environmentOf(site, old.hosts),
    isCopy: origin?.isCopy ?? false,
  });
  if (refused !== null) {
    const message = `can’t be rewritten for ${site.uri}: ${refused}; a template of the policy (webServer: template:) would be taken instead`;
    found.refuse({ code: 'virtual-host-unclear', message, path: old.path });
    return null;
  }
  for (const mention of mentions.slice(0, MAX_MENTIONS))
    found.note({
      code: 'virtual-host-mentions',
      message: `line ${mention.line} goes on naming ${from.uri}: ${mention.text.slice(0, 200)}`,
      path: old.path,
    });
  return text;
}

const MAX_MENTIONS = 10;

function filled(
  site: ServedSite,
  policy: Policy,
  { kind }: WebServer,
  old: OwnVhost | null,
  found: Findings,
): string | null {
  const { virtualHostTemplate: path, webServerPhp, webServerListen } = policy;
  let template = VHOST_TEMPLATES[kind];
  if (path !== null) {
    try {
      template = readFileSync(path.replaceAll('{account}', site.account.name), 'latin1');
    } catch (error) {
      const message = `the template can’t be read: ${error instanceof Error ? error.message : String(error)}`;
      found.refuse({ code: 'virtual-host-template', message, path });
      return null;
    }
  }
  const isCloaked = old !== null ? old.hosts.some((host) => credentialsOf(host) !== null) : isWithDrushrc(site);
  const { text, problems } = fillTemplate(kind, template, {
    uri: site.uri,
    aliases: site.aliases,
    root: site.platform.root,
    sitePath: site.path,
    maintenance: locateMaintenance(site.path),
    listen: webServerListen ?? '80',
    php: webServerPhp?.replaceAll('{account}', site.account.name) ?? null,
    environment: isCloaked ? environmentOf(site, old?.hosts ?? []) : new Map(),
  });
  for (const problem of problems) found.refuse(problem);
  return problems.length === 0 ? text : null;
}

/** Aegir's settings take their log-in from the web server. */
function isWithDrushrc({ path }: ServedSite): boolean {
  return isThere(join(path, 'drushrc.php'));
}

/** The log-in as cloaked settings are handed it; url-encoded where that is how the old file has it. */
function environmentOf(site: ServedSite, hosts: readonly VirtualHost[]): ReadonlyMap<string, string> {
  const [database] = site.databases;
  if (database === undefined || database.engine !== 'mariadb') return new Map();
  const { address, user, password } = database.login;
  const old = hosts.flatMap((host) => credentialsOf(host)?.get('db_passwd') ?? [])[0] ?? '';
  const isEncoded = /%[0-9A-Fa-f]{2}/.test(old);
  const encode = (value: string): string => (isEncoded ? encodeURIComponent(value) : value);
  return new Map([
    ['db_type', 'mysql'],
    ['db_name', database.name],
    ['db_user', encode(user)],
    ['db_passwd', encode(password)],
    ...('host' in address
      ? ([
          ['db_host', address.host],
          ['db_port', String(address.port)],
        ] as const)
      : // As Aegir writes it: settings ask for it, and nobody uses it.
        ([
          ['db_host', 'localhost'],
          ['db_port', '3306'],
        ] as const)),
  ]);
}

/** As the file had them; a new one is the account's in its home, and may hold a password. */
function rightsOf(
  old: OwnVhost | null,
  { path }: { readonly path: string },
  account: Account,
): Pick<VhostFile, 'owner' | 'mode'> {
  if (old !== null) return { owner: old.owner, mode: old.mode };
  const isInHome = homeAround(account, path) !== null;
  return { owner: isInHome ? account : { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 }, mode: 0o600 };
}

/** What a plan comes upon. */
export class Findings {
  readonly obstacles: Problem[] = [];
  readonly notes: Problem[] = [];

  refuse(problem: Problem | null): void {
    if (problem !== null) this.obstacles.push(problem);
  }

  note(problem: Problem): void {
    this.notes.push(problem);
  }

  plan(server: WebServer, files: readonly VhostFile[]): VirtualHostPlan {
    return { server, files, obstacles: this.obstacles, notes: this.notes };
  }
}
