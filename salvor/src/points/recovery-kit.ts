/**
 * The recovery kit: one page to print, with all that opens its backups when the host is gone, by hand with stock restic. It holds secrets in plain sight, which is its purpose. Pure: what is on it is handed in.
 */
import { parseStorageUrl } from '@salvor/engine';
import { renderSVG } from 'uqr';
import { RECOVERY_INFO, RECOVERY_USER } from './recovery-key.ts';

export type RecoveryKit = {
  readonly host: string;
  readonly date: Date;
  /** 64 hex digits. */
  readonly recoveryKey: string;
  readonly places: readonly KitPlace[];
  readonly repositories: readonly { readonly account: string; readonly url: string; readonly id: string }[];
};

export type KitPlace = {
  readonly copy: 'local' | 'remote';
  /** Above the accounts' repositories. */
  readonly url: string;
  /** How to get there; null for a directory of the host. */
  readonly login: {
    /** The private key, as its file has it. */
    readonly privateKey: string;
    /** The server's keys that are trusted, as a `known_hosts` file has them. */
    readonly hostKeys: readonly string[];
  } | null;
};

/** A page for a browser, and for paper; the same as data for a program is in it too. */
export function renderRecoveryKit(kit: RecoveryKit): string {
  const sections = [
    `<h1>Recovery kit of ${escape(kit.host)}</h1>`,
    `<p>Made on ${kit.date.toISOString().slice(0, 10)}. Whoever holds this page can read every backup of this host. Print it, keep it in a safe place away from the host, and delete the file.</p>`,
    '<h2>Recovery key</h2>',
    withCode(groupDigits(kit.recoveryKey), kit.recoveryKey),
    ...kit.places.flatMap(renderPlace),
    '<h2>Repositories</h2>',
    `<table><tr><th>Account</th><th>Address</th><th>Id</th></tr>${kit.repositories.map(renderRepository).join('')}</table>`,
    '<p>Accounts that came later are not in this list. Their repositories lie beside these, and the same key opens them.</p>',
    '<h2>With Salvor, on an empty machine</h2>',
    '<p>Install it, and:</p>',
    block('salvor recover --kit recovery-kit.html --dry-run\nsalvor recover --kit recovery-kit.html'),
    '<p>With this paper alone: <code>salvor recover</code> asks for what stands on it.</p>',
    '<h2>By hand, with stock restic</h2>',
    renderByHand(kit),
    `<script type="application/json" id="kit">${escapeScript(JSON.stringify({ ...kit, date: kit.date.toISOString() }))}</script>`,
  ];
  return `<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Recovery kit of ${escape(kit.host)}</title>\n<style>${STYLE}</style>\n</head>\n<body>\n${sections.join('\n')}\n</body>\n</html>\n`;
}

const STYLE = `
body { font: 11pt/1.45 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #111; }
h1 { font-size: 1.5rem; margin-bottom: .3rem; } h2 { font-size: 1.1rem; margin: 1.6rem 0 .4rem; }
pre { font: 9.5pt/1.4 ui-monospace, monospace; background: #f4f4f4; padding: .6rem .8rem; white-space: pre-wrap; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-size: 9.5pt; } th, td { text-align: left; border-bottom: 1px solid #ccc; padding: .25rem .5rem .25rem 0; overflow-wrap: anywhere; } th, td:first-child { white-space: nowrap; }
.code { display: flex; gap: 1rem; align-items: flex-start; break-inside: avoid; } .code pre { flex: 1; margin: 0; } .code figure { margin: 0 0 .6rem; break-inside: avoid; } .code svg { width: 9rem; height: 9rem; display: block; } .code figcaption { font-size: 9pt; }
ol li { margin-bottom: .6rem; } @media print { body { margin: 0; max-width: none; } pre { background: none; border: 1px solid #999; } h2 { break-after: avoid; } }`;

function renderPlace({ copy, url, login }: KitPlace): readonly string[] {
  const title = `<h2>The ${copy} place</h2>`;
  if (login === null) return [title, block(url)];
  return [
    title,
    block(url),
    '<p>Private key to log in with:</p>',
    withCode(login.privateKey.trim(), login.privateKey, 'key'),
    '<p>Keys that its server must show:</p>',
    block(login.hostKeys.join('\n') || 'none were known when this page was made', 'hosts'),
  ];
}

function renderRepository({ account, url, id }: RecoveryKit['repositories'][number]): string {
  return `<tr><td>${escape(account)}</td><td>${escape(url)}</td><td><code>${id}</code></td></tr>`;
}

/** Each step with commands of Debian's own packages, which go one after the other into one shell: restic from 0.14 on. */
function renderByHand({ recoveryKey, places }: RecoveryKit): string {
  const place = places.find(({ copy }) => copy === 'remote') ?? places[0];
  const url = place?.url ?? '/var/backups/salvor/repositories';
  const ssh = place === undefined || place.login === null ? null : sshOf(url);
  const keys = ssh === null ? `${url}/$A/keys` : 'keys-$A';
  const fetched =
    ssh === null ? [] : [`mkdir -p "keys-$A"; echo "get ${ssh.path}/$A/keys/* keys-$A/" | sftp -q -b - ${ssh.login}`];
  const command = ssh === null ? '' : `-o sftp.command='ssh ${ssh.command} -s sftp' `;
  const steps = [
    'On Debian: <code>apt-get install restic openssl openssh-client mariadb-client</code>, and work in an empty directory that is yours alone.',
    ...(ssh === null
      ? []
      : [
          'Save the private key above as <code>kit-key</code> (<code>chmod 600 kit-key</code>) and the server’s keys as <code>kit-hosts</code>.',
        ]),
    `Say which account is meant: one of the table above. <code>@host</code> is the host itself: its <code>/etc</code>, and the users of its database servers.${block('A=ACCOUNT')}`,
    `Find the repository’s id, which stands in one of its key files, derive its password from the recovery key and that id, and look.${block(
      [
        ...fetched,
        String.raw`ID=$(sed -n 's/.*"username":"${RECOVERY_USER}","hostname":"\([0-9a-f]*\)".*/\1/p' "${keys}"/* | head -n 1)`,
        `openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:${recoveryKey} -kdfopt hexsalt:$ID -kdfopt info:"${RECOVERY_INFO}" HKDF | tr -d ':\\n' | tr A-F a-f > "password-$A"`,
        `r() { restic --no-cache ${command}-r "${url}/$A" --password-file "password-$A" "$@"; }`,
        'r snapshots',
      ].join('\n'),
      'open',
    )}`,
    `An account’s files, at the places where they were. Make its system users first, with the numbers that <code>/etc/passwd</code> of <code>@host</code> has.${block('H=HOME\nr restore latest --tag holds:files --include "$H" --target /', 'files')}`,
    `Of <code>@host</code>: the users of the database servers, each with its password as the server keeps it. Take those that you need.${block('r dump --tag holds:files latest /grants-1.sql > grants.sql\nU=USER\ngrep -F "\\`$U\\`@" grants.sql | mariadb', 'users')}`,
    `Of an account again: a database, whose name stands in the site’s settings. It lies under <code>/databases</code>, a file for each table; in the order of their names they are one dump.${block('N=NAME\nmariadb -e "CREATE DATABASE \\`$N\\`"\nr restore latest --tag holds:databases --include "/databases/$N" --target dump\ncat "dump/databases/$N"/* | mariadb "$N"', 'database')}`,
  ];
  return `<ol>${steps.map((step) => `<li>${step}</li>`).join('')}</ol>`;
}

/** How OpenSSH's own commands log in with the files of the kit: Debian's restic knows no other way to name them. */
function sshOf(url: string): { readonly login: string; readonly command: string; readonly path: string } | null {
  const address = parseStorageUrl(url);
  if (address.kind !== 'sftp') return null;
  const { host, port = 22, user, path } = address;
  const options = '-i kit-key -o UserKnownHostsFile=kit-hosts';
  const name = user === undefined ? host : `${user}@${host}`;
  return { login: `${options} -P ${port} ${name}`, command: `${options} -p ${port} ${name}`, path };
}

/** A code holds 2,331 bytes, of which a camera at a printed page reads about so many. */
const MAX_CODE_CHARACTERS = 1000;

/** Text beside the same as a QR code, or as several that say their turn. */
function withCode(shown: string, value: string, step?: string): string {
  const pieces = codePiecesOf(value);
  const codes = pieces.map((piece, at) => {
    const code = renderSVG(piece, { ecc: 'M' });
    const turn = pieces.length === 1 ? '' : `<figcaption>Code ${at + 1} of ${pieces.length}</figcaption>`;
    return `<figure>${code}${turn}</figure>`;
  });
  const how =
    '<p>The codes make one text: read them in their order, and join what they say with nothing in between.</p>';
  return `<div class="code">${block(shown, step)}<div>${codes.join('')}</div></div>${codes.length === 1 ? '' : how}`;
}

/** What each code of a text says; together they are the text. Cut behind a line where one ends. */
export function codePiecesOf(value: string): readonly string[] {
  const pieces: string[] = [''];
  for (const line of value.match(/[^\n]*\n|[^\n]+$/g) ?? [])
    for (let at = 0; at < line.length; at += MAX_CODE_CHARACTERS) {
      const part = line.slice(at, at + MAX_CODE_CHARACTERS);
      const last = pieces.at(-1) ?? '';
      if (last.length + part.length <= MAX_CODE_CHARACTERS) pieces[pieces.length - 1] = last + part;
      else pieces.push(part);
    }
  return pieces;
}

/** `0123abcd 4567…`: what is typed off a page is typed in groups. */
function groupDigits(key: string): string {
  return (key.match(/.{1,8}/g) ?? []).join(' ');
}

/** `step` names it for whoever looks for it. */
function block(text: string, step?: string): string {
  return `<pre${step === undefined ? '' : ` data-step="${step}"`}>${escape(text)}</pre>`;
}

function escape(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');
}

function escapeScript(json: string): string {
  return json.replaceAll('<', String.raw`\u003c`);
}
