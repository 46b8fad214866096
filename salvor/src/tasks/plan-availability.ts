/**
 * What switching a site off or on is going to change, as a value. Off by its virtual host where the policy names the web
 * server and the site has one of its own, else by the file that WordPress looks for; where Aegir knows the site, its context
 * says so too. On by whatever has it off.
 */
import { join } from 'node:path';
import type { AvailabilityPlan } from '@salvor/contract';
import { openFileAt, readPieces } from '../lib/beneath/read-file.ts';
import { openSpot } from '../lib/beneath/spot.ts';
import { valueAt } from '../lib/php-evaluate.ts';
import { type PhpValue, Unresolved, fromText } from '../lib/php-values.ts';
import { isThere } from '../lib/is-there.ts';
import type { Policy } from '../policies/settings.ts';
import { listHooks } from '../policies/task-steps.ts';
import { homeAround } from '../sites/account.ts';
import { KEPT_CLOSED, isKeptClosed } from '../sites/kept-closed.ts';
import { readVariable } from '../sites/read-variable.ts';
import { setContext } from '../sites/set-context.ts';
import type { Site } from '../sites/site.ts';
import { switchVhostOff, switchVhostOn } from '../sites/switch-off-vhost.ts';
import { locateMaintenance } from './maintenance.ts';
import { Findings, type VhostFile, findBroken, planVirtualHost, readOwnVhosts } from './virtual-host.ts';
import { type WebServer, webServerOf } from './web-server.ts';

export type AvailabilityTools = {
  readonly policy: Policy;
  /** Tasks of this site that could be neither finished nor undone. */
  readonly unfinished: readonly string[];
};

export type AvailabilityPlanned = {
  readonly document: AvailabilityPlan;
  readonly virtualHosts: { readonly server: WebServer; readonly files: readonly VhostFile[] } | null;
  /** In the home, and read by no web server. */
  readonly files: readonly VhostFile[];
};

/** Reads only, but for the web server's own test of its configuration. */
export async function planAvailability(
  site: Site,
  wanted: 'off' | 'on',
  { policy, unfinished }: AvailabilityTools,
  say: (line: string) => void,
): Promise<AvailabilityPlanned> {
  const found = new Findings();
  for (const task of unfinished)
    found.refuse({
      code: 'task-unfinished',
      message: `task ${task} of this site could be neither finished nor undone; salvor status says more`,
      path: site.path,
    });
  const context = planContext(site, wanted, found);
  const hosts = await planHosts(site, wanted, policy, context, { found, say });
  const maintenance = wanted === 'on' ? planOpening(site) : hosts.isSeen ? null : planClosing(site, found);
  const server = webServerOf(policy);
  const files = [context?.file ?? null, maintenance].filter((file) => file !== null);
  const virtualHosts = server === null || hosts.files.length === 0 ? null : { server, files: hosts.files };
  if (virtualHosts !== null) found.refuse(await findBroken(virtualHosts.server, say));
  const { obstacles, notes } = found;
  const places = [
    ...hosts.files.map(({ path }) => ({ path, kind: 'virtual-host' as const })),
    ...(context?.file === undefined || context.file === null
      ? []
      : [{ path: context.file.path, kind: 'context' as const }]),
    ...(maintenance === null ? [] : [{ path: maintenance.path, kind: 'maintenance' as const }]),
  ];
  const { uri, account } = site;
  const document = {
    account: account.name,
    uri,
    places,
    webServer: virtualHosts?.server.kind ?? null,
    hooks: listHooks(policy, wanted === 'off' ? 'disable' : 'enable'),
    obstacles,
    notes,
  };
  return { document, virtualHosts, files };
}

/** The files as they have to be; `isSeen` where there is one that keeps visitors out, or lets them in. */
async function planHosts(
  site: Site,
  wanted: 'off' | 'on',
  policy: Policy,
  context: PlannedContext | null,
  { found, say }: { readonly found: Findings; readonly say: (line: string) => void },
): Promise<{ readonly files: readonly VhostFile[]; readonly isSeen: boolean }> {
  const own = readOwnVhosts(site, policy, found);
  const files = own.flatMap(({ path, home, owner, mode, text: old }) => {
    const text = wanted === 'off' ? switchVhostOff(old) : switchVhostOn(old);
    return text === old ? [] : [{ path, home, owner, mode, text }];
  });
  const [first] = own;
  if (files.length > 0 || first === undefined) return { files, isSeen: files.length > 0 };
  if (wanted === 'off' || context?.wasEnabled !== false) return { files, isSeen: true };
  // Aegir's own form of one that is off says nothing of what the site needs when it is on.
  const anew = await planVirtualHost(site, policy, null, say);
  for (const problem of anew?.obstacles ?? []) found.refuse(problem);
  found.note({
    code: 'virtual-host-anew',
    message: 'Aegir has switched it off in a way of its own: it is written anew from the template',
    path: first.path,
  });
  return { files: anew?.files ?? [], isSeen: true };
}

type PlannedContext = { readonly wasEnabled: boolean | null; readonly file: VhostFile | null };

function planContext(site: Site, wanted: 'off' | 'on', found: Findings): PlannedContext | null {
  const { home } = site.account;
  const path = join(home, '.drush', `${site.uri}.alias.drushrc.php`);
  const old = readSmall(home, path);
  if (old === null) return null;
  const said = valueAt(valueAt(readVariable(old.bytes, 'aliases') ?? undefined, site.uri), FIELD);
  const wasEnabled = said === undefined || said instanceof Unresolved ? null : isTrue(said);
  if (wasEnabled === (wanted === 'on')) return { wasEnabled, file: null };
  const changed = setContext(old.bytes, 'aliases', [fromText(site.uri)], { [FIELD]: wanted === 'on' });
  if (wasEnabled === null || changed === null || changed.lines.length === 0) {
    const message = 'its context of Aegir does not say in a known way whether it is switched on, and stays as it is';
    found.note({ code: 'context-unclear', message, path });
    return { wasEnabled, file: null };
  }
  const text = Buffer.from(changed.bytes).toString('latin1');
  return { wasEnabled, file: { path, home, text, owner: old.owner, mode: old.mode } };
}

const FIELD = 'site_enabled';

/** As `sites` reads it (`site-contexts.ts`). */
function isTrue(value: PhpValue): boolean {
  if (typeof value === 'string') return !['', '0', 'false'].includes(value);
  return value !== false && value !== null && value !== 0n;
}

/** The file that is made; null where it is there. */
function planClosing(site: Site, found: Findings): VhostFile | null {
  const path = locateMaintenance(site.path);
  const home = homeAround(site.account, path);
  if (home === null) {
    found.refuse({ code: 'site-outside', message: 'lies in none of the account’s homes', path: site.path });
    return null;
  }
  if (!isSeenByItself(site))
    found.note({
      code: 'closed-by-web-server-only',
      message:
        'keeps visitors out only where the web server looks for it; name the web server in salvor.yaml (webServer:) to have it done by the virtual host',
      path,
    });
  if (isKeptClosed(site.path)) return null;
  if (isThere(path)) {
    found.refuse({ code: 'maintenance-taken', message: 'is there already, and is somebody else’s', path });
    return null;
  }
  return { path, home, text: KEPT_CLOSED, owner: { uid: site.account.uid, gid: site.account.gid }, mode: 0o644 };
}

/** WordPress looks where its own files are. */
function isSeenByItself({ cms, path, platform }: Site): boolean {
  return cms === 'wordpress' && path === platform.root;
}

function planOpening(site: Site): VhostFile | null {
  const path = locateMaintenance(site.path);
  const home = homeAround(site.account, path);
  if (home === null || !isKeptClosed(site.path)) return null;
  return { path, home, text: null, owner: site.account, mode: 0o644 };
}

/** No context is as long. */
const MAX_CONTEXT_BYTES = 256 * 1024;

type Small = { readonly bytes: Buffer; readonly owner: VhostFile['owner']; readonly mode: number };

function readSmall(home: string, path: string): Small | null {
  try {
    using spot = openSpot(home, path);
    using file = openFileAt(spot);
    if (file === null || file.stat.size > MAX_CONTEXT_BYTES) return null;
    const owner = { uid: Number(file.stat.uid), gid: Number(file.stat.gid) };
    return { bytes: Buffer.concat([...readPieces(file)]), owner, mode: Number(file.stat.mode) & 0o777 };
  } catch {
    return null;
  }
}
