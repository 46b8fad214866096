/**
 * The tables of a Drupal site by its modules' own names: content with revisions and fields of their own tables, aliases,
 * comments, a log, caches. Each row is made from its number, so that a later day can add rows where the last one ended.
 */
import type { Random } from '../../demo/random.ts';
import type { SqlValue } from '../../demo/sql.ts';
import type { Prose } from './prose.ts';

export type SiteTable = {
  readonly name: string;
  /** What `CREATE TABLE` says after the name. */
  readonly definition: string;
  /** The column that counts up and that rows are chosen by. */
  readonly number: string;
  /** Rows for one node of the site. */
  readonly perNode: number;
  /** What an edit changes: `SET …`. */
  readonly edit: (text: string) => string;
  readonly row: (number: number, random: Random, prose: Prose) => readonly SqlValue[];
};

const INNODB = 'ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci';
const FIELDS = ['image', 'tags', 'summary', 'category', 'date', 'location', 'link', 'author', 'related', 'weight'];
const BEGIN = 1_500_000_000;

const uuid = (random: Random): string =>
  random
    .bytes(16)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
const bundle = (number: number): string => (number % 4 === 0 ? 'page' : 'article');

export function siteTables(): readonly SiteTable[] {
  return [
    {
      name: 'node',
      definition: `(nid INT UNSIGNED NOT NULL AUTO_INCREMENT, vid INT UNSIGNED, type VARCHAR(32) CHARACTER SET ascii NOT NULL,
        uuid VARCHAR(128) CHARACTER SET ascii NOT NULL, langcode VARCHAR(12) CHARACTER SET ascii NOT NULL, PRIMARY KEY (nid),
        UNIQUE KEY uuid (uuid), UNIQUE KEY vid (vid), KEY type (type)) ${INNODB}`,
      number: 'nid',
      perNode: 1,
      edit: () => 'vid = vid + 10000000',
      row: (number, random) => [number, number, bundle(number), uuid(random), 'en'],
    },
    ...['node_field_data', 'node_field_revision'].map((name): SiteTable => ({
      name,
      definition: `(nid INT UNSIGNED NOT NULL, vid INT UNSIGNED NOT NULL, type VARCHAR(32) CHARACTER SET ascii NOT NULL,
        langcode VARCHAR(12) CHARACTER SET ascii NOT NULL, status TINYINT NOT NULL, uid INT UNSIGNED NOT NULL,
        title VARCHAR(255) NOT NULL, created INT NOT NULL, changed INT NOT NULL, promote TINYINT NOT NULL,
        sticky TINYINT NOT NULL, PRIMARY KEY (nid, langcode), KEY changed (changed), KEY title (title(191), type(4)),
        KEY frontpage (promote, status, sticky, created)) ${INNODB}`,
      number: 'nid',
      perNode: 1,
      edit: (text) => `title = CONCAT(LEFT(title, 40), ' ', ${text}), changed = changed + 86400`,
      row: (number, random, prose) => {
        const created = BEGIN + number * 4321;
        const title = prose.title(random);
        return [number, number, bundle(number), 'en', 1, random.between(1, 40), title, created, created + 60, 1, 0];
      },
    })),
    ...['node__body', 'node_revision__body'].map((name): SiteTable => ({
      name,
      definition: `(bundle VARCHAR(128) CHARACTER SET ascii NOT NULL, deleted TINYINT NOT NULL, entity_id INT UNSIGNED NOT NULL,
        revision_id INT UNSIGNED NOT NULL, langcode VARCHAR(32) CHARACTER SET ascii NOT NULL, delta INT UNSIGNED NOT NULL,
        body_value LONGTEXT NOT NULL, body_summary LONGTEXT, body_format VARCHAR(255) CHARACTER SET ascii,
        PRIMARY KEY (entity_id, deleted, delta, langcode), KEY revision_id (revision_id)) ${INNODB}`,
      number: 'entity_id',
      perNode: 1,
      edit: (text) => `body_value = CONCAT(LEFT(body_value, 300), ${text}, SUBSTRING(body_value, 320))`,
      row: (number, random, prose) => {
        const text = prose.body(random, random.between(200, 3000));
        return [bundle(number), 0, number, number, 'en', 0, text, null, 'basic_html'];
      },
    })),
    ...FIELDS.flatMap((field) => [`node__field_${field}`, `node_revision__field_${field}`]).map(
      (name, at): SiteTable => ({
        name,
        definition: `(bundle VARCHAR(128) CHARACTER SET ascii NOT NULL, deleted TINYINT NOT NULL, entity_id INT UNSIGNED NOT NULL,
        revision_id INT UNSIGNED NOT NULL, langcode VARCHAR(32) CHARACTER SET ascii NOT NULL, delta INT UNSIGNED NOT NULL,
        field_target_id INT UNSIGNED NOT NULL, field_value VARCHAR(512), PRIMARY KEY (entity_id, deleted, delta, langcode),
        KEY target (field_target_id)) ${INNODB}`,
        number: 'entity_id',
        perNode: 1,
        edit: (text) => `field_target_id = field_target_id + 7, field_value = CONCAT(LEFT(field_value, 20), ${text})`,
        row: (number, random, prose) => {
          const value = at % 3 === 0 ? prose.sentence(random) : at % 3 === 1 ? prose.title(random) : null;
          return [bundle(number), 0, number, number, 'en', 0, random.between(1, 100_000), value];
        },
      }),
    ),
    {
      name: 'path_alias',
      definition: `(id INT UNSIGNED NOT NULL AUTO_INCREMENT, revision_id INT UNSIGNED, uuid VARCHAR(128) CHARACTER SET ascii NOT NULL,
        langcode VARCHAR(12) CHARACTER SET ascii NOT NULL, path VARCHAR(255), alias VARCHAR(255), status TINYINT NOT NULL,
        PRIMARY KEY (id), UNIQUE KEY uuid (uuid), KEY alias (alias(191), langcode, id, status)) ${INNODB}`,
      number: 'id',
      perNode: 1,
      edit: (text) => `alias = CONCAT(LEFT(alias, 60), ${text})`,
      row: (number, random, prose) => {
        const alias = `/${bundle(number)}/${prose.title(random).toLowerCase().replaceAll(' ', '-')}`;
        return [number, number, uuid(random), 'en', `/node/${number}`, alias, 1];
      },
    },
    {
      name: 'taxonomy_index',
      definition: `(nid INT UNSIGNED NOT NULL, tid INT UNSIGNED NOT NULL, status TINYINT NOT NULL, sticky TINYINT NOT NULL, created INT
        NOT NULL, PRIMARY KEY (nid, tid), KEY term_node (tid, status, sticky, created)) ${INNODB}`,
      number: 'nid',
      perNode: 1,
      edit: () => 'status = 1 - status',
      row: (number, random) => [number, random.between(1, 300), 1, 0, BEGIN + number * 4321],
    },
    {
      name: 'comment_field_data',
      definition: `(cid INT UNSIGNED NOT NULL AUTO_INCREMENT, uid INT UNSIGNED NOT NULL, entity_id INT UNSIGNED, subject VARCHAR(64), name
        VARCHAR(60), mail VARCHAR(254), hostname VARCHAR(128), created INT NOT NULL, thread VARCHAR(255) NOT NULL, body LONGTEXT,
        PRIMARY KEY (cid), KEY entity (entity_id), KEY created (created)) ${INNODB}`,
      number: 'cid',
      perNode: 1,
      edit: (text) => `subject = LEFT(CONCAT(${text}, subject), 64)`,
      row: (number, random, prose) => {
        const name = prose.word(random);
        const host = `192.0.2.${random.between(1, 254)}`;
        const text = prose.body(random, random.between(50, 600));
        const subject = prose.title(random).slice(0, 60);
        const mail = `${name}@example.org`;
        return [number, 0, random.between(1, number), subject, name, mail, host, BEGIN + number * 4000, '01/', text];
      },
    },
    {
      name: 'file_managed',
      definition: `(fid INT UNSIGNED NOT NULL AUTO_INCREMENT, uuid VARCHAR(128) CHARACTER SET ascii NOT NULL, uid INT UNSIGNED, filename
        VARCHAR(255), uri VARCHAR(255) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, filemime VARCHAR(255), filesize BIGINT
        UNSIGNED, status TINYINT NOT NULL, created INT, PRIMARY KEY (fid), UNIQUE KEY uuid (uuid), KEY uri (uri(191))) ${INNODB}`,
      number: 'fid',
      perNode: 1,
      edit: () => 'status = 1 - status, filesize = filesize + 1',
      row: (number, random, prose) => {
        const name = `${prose.word(random)}-${number}.jpg`;
        const uri = `public://2024-${1 + (number % 12)}/${name}`;
        return [number, uuid(random), 1, name, uri, 'image/jpeg', random.between(9000, 3_000_000), 1, BEGIN + number];
      },
    },
    {
      name: 'watchdog',
      definition: `(wid BIGINT NOT NULL AUTO_INCREMENT, uid INT UNSIGNED NOT NULL, type VARCHAR(64) NOT NULL, message LONGTEXT NOT NULL,
        variables LONGBLOB NOT NULL, severity TINYINT UNSIGNED NOT NULL, location TEXT NOT NULL, hostname VARCHAR(128) NOT NULL,
        timestamp INT NOT NULL, PRIMARY KEY (wid), KEY type (type), KEY severity (severity)) ${INNODB}`,
      number: 'wid',
      perNode: 2,
      edit: () => 'severity = 7 - severity, timestamp = timestamp + 1',
      row: (number, random, prose) => {
        const line = `a:2:{s:5:"%line";s:3:"${random.between(100, 999)}";s:8:"@message";s:9:"${prose.word(random)}";}`;
        const place = `https://example.org/${prose.word(random)}/${random.between(1, 9999)}`;
        const type = random.pick(['cron', 'page not found', 'php', 'user']);
        const host = `198.51.100.${random.between(1, 254)}`;
        const message = '%type: @message in %function (line %line of %file).';
        return [number, random.between(0, 40), type, message, Buffer.from(line), 5, place, host, BEGIN + number * 60];
      },
    },
    {
      name: 'search_dataset',
      definition: `(sid INT UNSIGNED NOT NULL, langcode VARCHAR(12) CHARACTER SET ascii NOT NULL, type VARCHAR(64) CHARACTER SET ascii NOT
        NULL, data LONGTEXT NOT NULL, reindex INT UNSIGNED NOT NULL, PRIMARY KEY (sid, langcode, type)) ${INNODB}`,
      number: 'sid',
      perNode: 1,
      edit: (text) => `data = CONCAT(LEFT(data, 100), ${text}, SUBSTRING(data, 120))`,
      row: (number, random, prose) => {
        const words = Array.from({ length: random.between(30, 300) }, () => prose.word(random)).join(' ');
        return [number, 'en', 'node_search', words, 0];
      },
    },
  ];
}
