/**
 * The text of a virtual host out of a template. `{{name}}` becomes a value, quoted for the server's syntax; a line with
 * `{{name?}}` is left out where there is none. Ours keep what is not for visitors from them; a hoster may name his own.
 */
import type { Problem } from '@salvor/contract';
import { type VhostKind, isHostName, quoteVhostWord, whyNotQuoted } from '../sites/vhost-syntax.ts';

/** What a template may ask for; null for what there is none of. */
export type VhostValues = {
  readonly uri: string;
  /** Host names that it answers to besides. */
  readonly aliases: readonly string[];
  readonly root: string;
  readonly sitePath: string;
  /** The file by which a task keeps visitors out. */
  readonly maintenance: string;
  readonly listen: string;
  readonly php: string | null;
  /** The log-in that cloaked settings are handed. */
  readonly environment: ReadonlyMap<string, string>;
};

export type FilledTemplate = { readonly text: string; readonly problems: readonly Problem[] };

export function fillTemplate(kind: VhostKind, template: string, values: VhostValues): FilledTemplate {
  const problems: Problem[] = [];
  const refuse = (code: string, message: string): null => {
    problems.push({ code, message, path: null });
    return null;
  };
  const words = wordsOf(kind, values);
  const lines = template.split('\n').flatMap((line) => {
    let isLeftOut = false;
    const filled = line.replaceAll(/\{\{([a-z_]+)(\?)?\}\}/g, (_, name: string, optional: string | undefined) => {
      const word = words.get(name);
      if (word === undefined) refuse('virtual-host-template', `the template asks for ${name}, which is unknown`);
      else if (word === null && optional !== undefined) isLeftOut = true;
      else if (word === null)
        refuse(`virtual-host-value`, `the template asks for ${name}, and there is none${HINTS[name] ?? ''}`);
      else if ('why' in word) refuse('virtual-host-value', `its ${name} ${word.why}`);
      else return word.text;
      return '';
    });
    return isLeftOut ? [] : [filled];
  });
  return { text: lines.join('\n'), problems };
}

const HINTS: Readonly<Record<string, string>> = {
  php: ': name where PHP listens with webServer: php: in salvor.yaml',
  names: ': neither its name nor an alias is that of a host',
  uri: ': its name is not that of a host',
};

type Word = { readonly text: string } | { readonly why: string } | null;

function wordsOf(kind: VhostKind, values: VhostValues): ReadonlyMap<string, Word> {
  const quote = (value: string | null): Word => {
    if (value === null) return null;
    const why = whyNotQuoted(kind, value);
    return why === null ? { text: quoteVhostWord(kind, value) } : { why };
  };
  const bare = (names: readonly string[]): Word => (names.length === 0 ? null : { text: names.join(' ') });
  const { uri, aliases, root, sitePath, maintenance, listen, php, environment } = values;
  const names = [...new Set([uri, ...aliases])].filter(isHostName);
  const [first, ...rest] = names;
  const words = new Map<string, Word>([
    ['names', bare(names)],
    ['uri', bare(first === undefined ? [] : [first])],
    ['aliases', bare(rest)],
    ['root', quote(root)],
    ['site_path', quote(sitePath)],
    ['maintenance', quote(maintenance)],
    ['listen', listenOf(kind, listen)],
    ['php', quote(php === null || kind === 'nginx' ? php : handlerOf(php))],
  ]);
  for (const name of ['db_type', 'db_name', 'db_user', 'db_passwd', 'db_host', 'db_port'])
    words.set(name, quote(environment.get(name) ?? null));
  return words;
}

function listenOf(kind: VhostKind, listen: string): Word {
  if (!/^[\w.:*[\]-]+$/.test(listen)) return { why: 'is no port and no ADDRESS:PORT' };
  return { text: kind === 'apache' && /^\d+$/.test(listen) ? `*:${listen}` : listen };
}

/** As Apache hands a script to FPM. */
function handlerOf(php: string): string {
  return php.startsWith('unix:') ? `proxy:${php}|fcgi://localhost` : `proxy:fcgi://${php}`;
}

/** What is not for visitors: as patterns of paths below the document root, of both servers the same. */
const CLOSED = [
  // Private files, wherever a site has them; what modules keep among the public ones.
  '^/(?:sites/[^/]+/)?private(?:/|$)',
  '^/(?:sites/[^/]+/)?files/(?:private|backup_migrate|config_[^/]+)(?:/|$)',
  // Settings, log-ins and dumps beside them.
  '^/sites/[^/]+/[^/]+[.](?:php|inc|sql|ya?ml|gz|bz2|zst|tar)$',
  '^/wp-config[.]php$',
  // Code that somebody has uploaded.
  '^/(?:sites/[^/]+/)?(?:files|wp-content/uploads)/.*[.](?:php[0-9]?|phtml|phar)(?:/|$)',
  '[.](?:engine|inc|install|make|module|profile|po|sh|sql|theme|twig|tpl[.]php|xtmpl|ya?ml)$',
  '/(?:composer[.](?:json|lock)|web[.]config)$',
  '/[.](?!well-known/)',
];

const NGINX = `# Written by Salvor. It is changed when the site is switched off or on, renamed or moved; other changes stay.
server {
  listen {{listen}};
  server_name {{names}};
  root {{root}};
  index index.php index.html;

  # While a task switches the site, and where it is switched off that way.
  if (-f {{maintenance}}) {
    return 503;
  }

${CLOSED.map((pattern) => `  location ~* ${pattern.replaceAll('{', '\\{')} {\n    return 403;\n  }\n`).join('')}
  location / {
    try_files $uri $uri/ /index.php?$query_string;
  }

  location ~ [.]php(?:/|$) {
    fastcgi_split_path_info ^(.+?[.]php)(/.*)?$;
    try_files $fastcgi_script_name =404;
    include fastcgi_params;
    fastcgi_param SCRIPT_FILENAME $document_root$fastcgi_script_name;
    fastcgi_param HTTP_PROXY "";
    fastcgi_param db_type {{db_type?}};
    fastcgi_param db_name {{db_name?}};
    fastcgi_param db_user {{db_user?}};
    fastcgi_param db_passwd {{db_passwd?}};
    fastcgi_param db_host {{db_host?}};
    fastcgi_param db_port {{db_port?}};
    fastcgi_pass {{php}};
  }
}
`;

const APACHE = `# Written by Salvor. It is changed when the site is switched off or on, renamed or moved; other changes stay.
<VirtualHost {{listen}}>
  ServerName {{uri}}
  ServerAlias {{aliases?}}
  DocumentRoot {{root}}
  DirectoryIndex index.php index.html
  SetEnv db_type {{db_type?}}
  SetEnv db_name {{db_name?}}
  SetEnv db_user {{db_user?}}
  SetEnv db_passwd {{db_passwd?}}
  SetEnv db_host {{db_host?}}
  SetEnv db_port {{db_port?}}

  <Directory {{root}}>
    Options SymLinksIfOwnerMatch
    AllowOverride All
    Require all granted
  </Directory>
  <FilesMatch "[.]php$">
    SetHandler {{php?}}
  </FilesMatch>

  # While a task switches the site, and where it is switched off that way.
  <IfModule mod_rewrite.c>
    RewriteEngine On
    RewriteCond {{maintenance}} -f
    RewriteRule ^ - [R=503,L]
  </IfModule>

${CLOSED.map((pattern) => `  <LocationMatch "(?i)${pattern}">\n    Require all denied\n  </LocationMatch>\n`).join('')}</VirtualHost>
`;

export const VHOST_TEMPLATES: Readonly<Record<VhostKind, string>> = { nginx: NGINX, apache: APACHE };
