/**
 * An account as Aegir and BOA lay it out: the home with its directories, and the context files in `.drush` that say
 * which servers, platforms and sites there are. Knows no content of a site.
 */
import { chmod, chown, lchown, mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { toPhp, type PhpValue } from './php-value.ts';

export type Owner = { readonly uid: number; readonly gid: number };

export type DemoAccount = Owner & {
  /** The last component of the home, as Aegir's tenants are called. */
  readonly name: string;
  readonly home: string;
  /** The web server's group, which may read what it serves. */
  readonly webGid: number;
};

export type AegirPlatform = { readonly name: string; readonly root: string };
export type AegirSite = {
  readonly uri: string;
  readonly platform: AegirPlatform;
  readonly path: string;
  readonly profile: string;
};

/** Makes the home and its directories, without a platform. */
export async function layOutHome(account: DemoAccount): Promise<void> {
  await mkdir(dirname(account.home), { recursive: true });
  await makeDirectory(account.home, 0o711, account);
  for (const [path, mode] of [
    ['.drush', 0o750],
    ['.tmp', 0o700],
    ['backups', 0o750],
    ['clients', 0o750],
    ['clients/admin', 0o750],
    ['config', 0o711],
    ['config/includes', 0o711],
    ['config/server_master', 0o711],
    ['config/server_master/nginx', 0o711],
    ['config/server_master/nginx/vhost.d', 0o711],
    ['distro', 0o711],
    ['distro/001', 0o711],
    ['static', 0o711],
  ] as const) {
    await makeDirectory(join(account.home, path), mode, account);
  }
  await writeOwned(
    join(account.home, 'config/includes/global.inc'),
    "<?php\n\n// Settings for every site of this account.\n\n$conf['cron_safe_threshold'] = 0;\n",
    0o644,
    account,
  );
}

/** Writes the contexts of the two servers: where the web server is, and where the databases are with the log-in that may create them. */
export async function writeServers(account: DemoAccount, masterDb: string): Promise<void> {
  const common = {
    context_type: 'server',
    server: '@server_master',
    remote_host: 'localhost',
    script_user: account.name,
    aegir_root: account.home,
  };
  await writeContext(account, 'server_master', {
    ...common,
    http_service_type: 'nginx',
    http_port: 80,
    web_group: 'www-data',
    db_service_type: null,
    admin_email: 'hostmaster@example.org',
    master_url: 'https://hostmaster.example.org/',
  });
  await writeContext(account, 'server_localhost', {
    ...common,
    http_service_type: null,
    db_service_type: 'mysql',
    db_port: 3306,
    db_grant_all_hosts: false,
    utf8mb4_is_supported: true,
    master_db: masterDb,
  });
}

export async function writePlatform(account: DemoAccount, platform: AegirPlatform): Promise<void> {
  await writeContext(account, `platform_${platform.name}`, {
    context_type: 'platform',
    server: '@server_master',
    web_server: '@server_master',
    root: platform.root,
    makefile: null,
    make_working_copy: false,
  });
}

export async function writeSite(account: DemoAccount, site: AegirSite): Promise<void> {
  await writeContext(account, site.uri, siteContext(site));
  const link = join(account.home, 'clients/admin', site.uri);
  await symlink(site.path, link);
  await lchown(link, account.uid, account.gid);
}

/** The keys that a site's context and its own `drushrc.php` share. */
export function siteContext(site: AegirSite): Readonly<Record<string, PhpValue>> {
  return {
    context_type: 'site',
    platform: `@platform_${site.platform.name}`,
    server: '@server_master',
    db_server: '@server_localhost',
    uri: site.uri,
    root: site.platform.root,
    site_path: site.path,
    site_enabled: true,
    language: 'en',
    client_name: 'admin',
    aliases: [],
    redirection: false,
    cron_key: '',
    drush_aliases: [],
    profile: site.profile,
    install_method: 'profile',
  };
}

async function writeContext(account: DemoAccount, name: string, keys: Record<string, PhpValue>): Promise<void> {
  const file = join(account.home, '.drush', `${name}.alias.drushrc.php`);
  await writeOwned(file, `<?php\n$aliases[${toPhp(name)}] = ${toPhp(keys)};\n`, 0o440, account);
}

/** Makes a directory with exactly this mode and owner, parents being there. */
export async function makeDirectory(path: string, mode: number, owner: Owner): Promise<void> {
  await mkdir(path, { recursive: true });
  await chown(path, owner.uid, owner.gid);
  // After chown, which takes away the set-group-id bit.
  await chmod(path, mode);
}

/** Writes a file with exactly this mode and owner. */
export async function writeOwned(
  path: string | Buffer,
  content: string | Buffer,
  mode: number,
  owner: Owner,
): Promise<void> {
  await writeFile(path, content);
  await chown(path, owner.uid, owner.gid);
  await chmod(path, mode);
}
