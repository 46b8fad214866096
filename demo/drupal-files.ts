/**
 * The files of a Drupal-shaped site: what such a site really has, every name, type and mode that a copy can get wrong,
 * and as many ordinary ones as are asked for. Written with the system calls of this thread: a benchmark asks for 200,000.
 */
import {
  chmodSync,
  chownSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import type { DemoAccount, Owner } from './aegir-account.ts';
import { drawPng } from './png.ts';
import type { Random } from './random.ts';

/** A file that the site's database knows. */
export type ManagedFile = { readonly uri: string; readonly bytes: number };

/** 2024-06-01, the day of the newest content. */
const NEWEST = 1717200000;

/** Names that break a quoting, a pattern, a line-wise list or an assumption of UTF-8. */
const ODD_NAMES: readonly (string | Buffer)[] = [
  'Fähre – Ankunft 🚢.txt',
  'NFD-e\u0301.txt',
  Buffer.from('latin1-na\xefve.txt', 'latin1'),
  'line\nbreak.txt',
  'tab\there.csv',
  ' leading and trailing ',
  `it's a "quote".txt`,
  'back\\slash.txt',
  '-rf',
  '*.glob',
  '$HOME',
  '`id`',
  'percent%20sign.txt',
  `${'long'.repeat(62)}.txt`,
];

/** Fills `path`, which is there, and gives the files that belong into `file_managed`. */
export function writeDrupalFiles(
  path: string,
  account: DemoAccount,
  count: number,
  random: Random,
): readonly ManagedFile[] {
  const tree = new SiteTree(path, account);
  const managed: ManagedFile[] = [];
  tree.directory('files', 0o2775);
  tree.directory('private', 0o2770);
  tree.directory('private/files', 0o2770);
  for (const name of ['css', 'js', 'styles', 'tmp']) tree.directory(`files/${name}`, 0o2775);
  for (const name of [
    'temp',
    'files/backup_migrate',
    'files/backup_migrate/manual',
    'files/backup_migrate/scheduled',
  ]) {
    tree.directory(`private/${name}`, 0o2770);
  }
  const manage = (scheme: 'public' | 'private', name: string, content: Buffer | string): void => {
    const bytes = Buffer.from(content);
    tree.file(
      scheme === 'public' ? `files/${name}` : `private/files/${name}`,
      bytes,
      scheme === 'public' ? 0o664 : 0o660,
    );
    managed.push({ uri: `${scheme}://${name}`, bytes: bytes.length });
  };

  for (let index = 1; index <= 6; index++) manage('public', `pictures/${index}.png`, drawPng(320, 180, index * 13));
  manage('public', 'harbour.pdf', Buffer.concat([Buffer.from('%PDF-1.4\n'), random.bytes(40_000)]));
  manage('public', 'berths.csv', 'berth;length\r\nSüd;17,125\r\n');
  manage('public', 'empty.txt', '');
  manage('private', 'contracts/2024-quay.txt', random.paragraph());
  // Over several of restic's pieces, a part of it twice.
  const half = random.bytes(2_500_000);
  manage('public', 'film.mp4', Buffer.concat([half, Buffer.alloc(200_000), half]));

  tree.file('files/.htaccess', 'SetHandler Drupal_Security_Do_Not_Remove\nOptions None\n', 0o444);
  tree.file('private/.htaccess', 'Require all denied\n', 0o440);
  tree.file('files/css/css_aggregated.css', `body { color: #${'0'.repeat(6)}; }\n`.repeat(400), 0o664);
  tree.file('files/js/run.sh', '#!/bin/sh\necho harbour\n', 0o755);
  tree.file('private/files/nobody-reads-this', random.bytes(64), 0o000);
  for (const name of ODD_NAMES) tree.odd('files/odd', name, random.sentence());
  tree.directory('files/empty directory', 0o2775);
  tree.link('files/latest.png', 'pictures/6.png');
  tree.link('files/pictures of the day', 'pictures');
  tree.link('files/gone', 'nowhere/there is no such file');
  tree.hardLink('files/pictures/6.png', 'files/styles/same-as-6.png');

  writeOrdinaryFiles(tree, count, random);
  return managed;
}

/** Code of contributed modules, scaled pictures and documents, in the sizes that sites have of them. */
function writeOrdinaryFiles(tree: SiteTree, count: number, random: Random): void {
  for (let index = 0; index < count; index++) {
    const group = Math.floor(index / 40);
    if (index % 10 < 6) {
      const name = `modules/contrib/module_${group}/src/Plugin${index % 40}.php`;
      tree.file(name, phpClass(`Plugin${index}`, random), 0o644);
    } else if (index % 10 < 9) {
      tree.file(`files/styles/large/${group}/photo-${index}.jpg`, random.bytes(random.between(2_000, 30_000)), 0o664);
    } else {
      const text = Array.from({ length: random.between(2, 40) }, () => random.paragraph()).join('\n\n');
      tree.file(`private/files/documents/${group}/letter-${index}.txt`, text, 0o660);
    }
  }
}

function phpClass(name: string, random: Random): string {
  const methods = Array.from({ length: random.between(2, 12) }, (_, index) => {
    return `  /** ${random.sentence()} */\n  public function step${index}() {\n    return '${random.sentence()}';\n  }\n`;
  });
  return `<?php\n\nnamespace Drupal\\harbour;\n\n/**\n * ${random.paragraph()}\n */\nclass ${name} {\n\n${methods.join('\n')}}\n`;
}

/** Writes below the site's directory with the owners that Aegir gives: code is the account's, files the web group's too. */
class SiteTree {
  readonly #path: string;
  readonly #account: DemoAccount;
  readonly #made = new Set<string>();

  constructor(path: string, account: DemoAccount) {
    this.#path = path;
    this.#account = account;
  }

  directory(name: string, mode: number): void {
    if (this.#made.has(name)) return;
    const parent = dirname(name);
    if (parent !== '.') this.directory(parent, parent.startsWith('private') ? 0o2770 : 0o2775);
    mkdirSync(join(this.#path, name), { recursive: true });
    this.#own(name);
    chmodSync(join(this.#path, name), mode);
    this.#made.add(name);
  }

  file(name: string, content: string | Buffer, mode: number): void {
    const parent = dirname(name);
    this.directory(parent, parent.startsWith('private') ? 0o2770 : 0o2775);
    const path = join(this.#path, name);
    writeFileSync(path, content);
    this.#own(name);
    chmodSync(path, mode);
  }

  odd(directory: string, name: string | Buffer, content: string): void {
    this.directory(directory, 0o2775);
    const path = Buffer.concat([Buffer.from(`${join(this.#path, directory)}/`), Buffer.from(name as string)]);
    writeFileSync(path, content);
    chownSync(path, this.#account.uid, this.#account.webGid);
    chmodSync(path, 0o664);
  }

  link(name: string, target: string): void {
    symlinkSync(target, join(this.#path, name));
    lchownSync(join(this.#path, name), this.#account.uid, this.#account.webGid);
  }

  hardLink(from: string, to: string): void {
    linkSync(join(this.#path, from), join(this.#path, to));
  }

  #own(name: string): void {
    const { uid, gid, webGid } = this.#account;
    const owner: Owner = { uid, gid: /^(files|private)(\/|$)/.test(name) ? webGid : gid };
    chownSync(join(this.#path, name), owner.uid, owner.gid);
  }
}

/** Gives everything below and the directory itself a time of the years before, to the microsecond, that only the seed decides. */
export function ageTree(path: string | Buffer, random: Random): void {
  const directory = Buffer.from(path as string);
  const entries = readdirSync(directory, { withFileTypes: true, encoding: 'buffer' });
  for (const entry of entries.toSorted((a, b) => Buffer.compare(a.name, b.name))) {
    const below = Buffer.concat([directory, Buffer.from('/'), entry.name]);
    if (entry.isDirectory()) ageTree(below, random);
    else age(below, random);
  }
  age(directory, random);
}

function age(path: Buffer, random: Random): void {
  const seconds = NEWEST - random.between(0, 150_000_000) + random.between(0, 999_999) / 1e6;
  lutimesSync(path, seconds, seconds);
}
