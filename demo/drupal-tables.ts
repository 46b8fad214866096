/**
 * The tables of a Drupal-shaped site, with generated rows: what Drupal 7 and Drupal 10 call them, and some that custom
 * modules leave behind with every type, name and constraint that a dump can get wrong.
 */
import type { Random } from './random.ts';
import type { GeneratedTable, SqlValue } from './sql.ts';

export type DrupalContent = {
  readonly name: string;
  readonly nodes: number;
  /** Files that the database knows: a stream-wrapper URI and a size. */
  readonly files: readonly { readonly uri: string; readonly bytes: number }[];
};

const INNODB = 'ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci';
/** 2024-06-01, the day of the newest content. */
const NEWEST = 1717200000;

export function drupalTables(shape: 7 | 10, content: DrupalContent, random: Random): GeneratedTable[] {
  const tables = [
    ...(shape === 10 ? nodeTables10(content, random) : nodeTables7(content, random)),
    ...sharedTables(shape, content, random),
    ...customTables(random),
  ];
  const names = tables.map((table) => table.name).concat('harbour_state');
  return [...tables, stateTable({ name: content.name, tables: names.toSorted() })];
}

/** After the tables: what refers to them. `%s` stands for the site's own user, in whose name it runs. */
export function drupalPrograms(shape: 7 | 10): string {
  const data = shape === 10 ? 'node_field_data' : 'node';
  const people = shape === 10 ? 'users_field_data' : 'users';
  return `
CREATE DEFINER=%s SQL SECURITY INVOKER VIEW recent_content AS
  SELECT n.nid, n.title, n.changed, COALESCE(u.name, 'nobody') AS author
  FROM ${data} n LEFT JOIN ${people} u ON u.uid = n.uid WHERE n.status = 1;
DELIMITER //
CREATE DEFINER=%s FUNCTION harbour_label(name VARCHAR(80), length_m DECIMAL(10,3)) RETURNS VARCHAR(160)
  CHARSET utf8mb4 DETERMINISTIC
BEGIN
  DECLARE label VARCHAR(160) CHARSET utf8mb4;
  SET label = CONCAT(name, ' — ', length_m, ' m; "⚓"');
  RETURN label;
END//
CREATE DEFINER=%s PROCEDURE forget_old_log(IN before_time INT)
BEGIN
  DELETE FROM watchdog WHERE \`timestamp\` < before_time;
END//
CREATE DEFINER=%s TRIGGER ${data}_changed AFTER UPDATE ON ${data} FOR EACH ROW
BEGIN
  IF OLD.title <> NEW.title THEN
    INSERT INTO harbour_log (nid, old_title) VALUES (OLD.nid, OLD.title);
  END IF;
END//
CREATE DEFINER=%s EVENT nightly_forget ON SCHEDULE EVERY 1 DAY STARTS '2024-06-02 03:00:00' DISABLE DO
  CALL forget_old_log(UNIX_TIMESTAMP() - 604800)//
DELIMITER ;
CREATE DEFINER=%s SQL SECURITY DEFINER VIEW berth_overview AS
  SELECT b.id, b.name, m.length_m, harbour_label(b.name, m.length_m) AS label
  FROM berth b JOIN berth_measure m ON m.berth_id = b.id;
`;
}

function nodeTables10(content: DrupalContent, random: Random): GeneratedTable[] {
  return [
    {
      name: 'node',
      definition: `(nid INT UNSIGNED NOT NULL AUTO_INCREMENT, vid INT UNSIGNED, type VARCHAR(32) CHARACTER SET ascii
        NOT NULL, uuid VARCHAR(128) CHARACTER SET ascii NOT NULL, langcode VARCHAR(12) CHARACTER SET ascii NOT NULL,
        PRIMARY KEY (nid), UNIQUE KEY node_field__uuid__value (uuid), UNIQUE KEY node__vid (vid),
        KEY node_field__type__target_id (type)) ${INNODB} AUTO_INCREMENT=50001`,
      rows: () => eachNode(content, random, 'node', (nid, chance) => [nid, nid, nodeType(nid), uuid(chance), 'en']),
    },
    {
      name: 'node_field_data',
      definition: `(nid INT UNSIGNED NOT NULL, vid INT UNSIGNED NOT NULL, type VARCHAR(32) CHARACTER SET ascii NOT NULL,
        langcode VARCHAR(12) CHARACTER SET ascii NOT NULL, status TINYINT NOT NULL, uid INT UNSIGNED NOT NULL,
        title VARCHAR(255) NOT NULL, created INT NOT NULL, changed INT NOT NULL, promote TINYINT NOT NULL,
        sticky TINYINT NOT NULL, default_langcode TINYINT NOT NULL, PRIMARY KEY (nid, langcode),
        KEY node__frontpage (promote, status, sticky, created), KEY node_field__changed (changed),
        KEY node__title_type (title(191), type(4))) ${INNODB}`,
      rows: () =>
        eachNode(content, random, 'data', (nid, chance) => {
          const created = NEWEST - nid * 4321;
          const changed = created + chance.between(0, 4000);
          return [
            nid,
            nid,
            nodeType(nid),
            'en',
            1,
            chance.between(1, 40),
            nodeTitle(nid, chance),
            created,
            changed,
            1,
            0,
            1,
          ];
        }),
    },
    bodyTable('node__body', 'body_value', 'body_summary', 'body_format', content, random),
    {
      name: 'node__field_image',
      definition: `(bundle VARCHAR(128) CHARACTER SET ascii NOT NULL, deleted TINYINT NOT NULL DEFAULT 0,
        entity_id INT UNSIGNED NOT NULL, revision_id INT UNSIGNED NOT NULL, langcode VARCHAR(32) CHARACTER SET ascii
        NOT NULL, delta INT UNSIGNED NOT NULL, field_image_target_id INT UNSIGNED NOT NULL, field_image_alt VARCHAR(512),
        PRIMARY KEY (entity_id, deleted, delta, langcode), KEY target (field_image_target_id)) ${INNODB}`,
      rows: () =>
        eachNode(content, random, 'image', (nid, chance) => {
          const file = chance.between(1, Math.max(1, content.files.length));
          return [nodeType(nid), 0, nid, nid, 'en', 0, file, chance.sentence(5)];
        }),
    },
    {
      name: 'users',
      definition: `(uid INT UNSIGNED NOT NULL, uuid VARCHAR(128) CHARACTER SET ascii NOT NULL,
        langcode VARCHAR(12) CHARACTER SET ascii NOT NULL, PRIMARY KEY (uid), UNIQUE KEY uuid (uuid)) ${INNODB}`,
      rows: () => numbered(41, random.fork('users'), (uid, chance) => [uid - 1, uuid(chance), 'en']),
    },
    peopleTable('users_field_data', random),
    {
      name: 'config',
      definition: `(collection VARCHAR(255) CHARACTER SET ascii NOT NULL DEFAULT '', name VARCHAR(255) CHARACTER SET ascii
        NOT NULL DEFAULT '', data LONGBLOB, PRIMARY KEY (collection, name)) ${INNODB}`,
      rows: () =>
        numbered(60, random.fork('config'), (index, chance) => [
          '',
          `views.view.list_${String(index).padStart(3, '0')}`,
          Buffer.from(phpSerialized({ label: chance.title(), weight: String(index), help: chance.paragraph() })),
        ]),
    },
    keyValueTable(random),
  ];
}

function nodeTables7(content: DrupalContent, random: Random): GeneratedTable[] {
  return [
    {
      name: 'node',
      definition: `(nid INT UNSIGNED NOT NULL AUTO_INCREMENT, vid INT UNSIGNED DEFAULT NULL, type VARCHAR(32) NOT NULL
        DEFAULT '', language VARCHAR(12) NOT NULL DEFAULT '', title VARCHAR(255) NOT NULL DEFAULT '', uid INT NOT NULL
        DEFAULT 0, status INT NOT NULL DEFAULT 1, created INT NOT NULL DEFAULT 0, changed INT NOT NULL DEFAULT 0,
        PRIMARY KEY (nid), UNIQUE KEY vid (vid), KEY node_changed (changed)) ${INNODB} AUTO_INCREMENT=50001`,
      rows: () =>
        eachNode(content, random, 'node', (nid, chance) => {
          const created = NEWEST - nid * 4321;
          const changed = created + chance.between(0, 4000);
          return [nid, nid, nodeType(nid), 'und', nodeTitle(nid, chance), chance.between(1, 40), 1, created, changed];
        }),
    },
    bodyTable('field_data_body', 'body_value', 'body_summary', 'body_format', content, random),
    bodyTable('field_revision_body', 'body_value', 'body_summary', 'body_format', content, random),
    peopleTable('users', random),
    {
      name: 'variable',
      definition: `(name VARCHAR(128) NOT NULL DEFAULT '', value LONGBLOB NOT NULL, PRIMARY KEY (name)) ${INNODB}`,
      rows: () =>
        numbered(50, random.fork('variable'), (index, chance) => [
          `harbour_setting_${String(index).padStart(3, '0')}`,
          Buffer.from(phpSerialized({ value: chance.sentence() })),
        ]),
    },
    {
      name: 'system',
      definition: `(filename VARCHAR(255) NOT NULL DEFAULT '', name VARCHAR(255) NOT NULL DEFAULT '', type VARCHAR(12) NOT
        NULL DEFAULT '', status INT NOT NULL DEFAULT 0, schema_version SMALLINT NOT NULL DEFAULT -1, info BLOB,
        PRIMARY KEY (filename)) ${INNODB}`,
      rows: () =>
        ['system', 'node', 'user', 'field', 'file', 'harbour'].map((name, index) => [
          `modules/${name}/${name}.module`,
          name,
          'module',
          1,
          7000 + index,
          Buffer.from(phpSerialized({ name, core: '7.x' })),
        ]),
    },
  ];
}

function sharedTables(shape: 7 | 10, content: DrupalContent, random: Random): GeneratedTable[] {
  const caches = shape === 10 ? ['bootstrap', 'default', 'render', 'page'] : ['bootstrap', 'menu', 'page'];
  return [
    {
      name: 'file_managed',
      definition: `(fid INT UNSIGNED NOT NULL AUTO_INCREMENT, uid INT UNSIGNED, filename VARCHAR(255), uri VARCHAR(255)
        CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL, filemime VARCHAR(255), filesize BIGINT UNSIGNED, status TINYINT
        NOT NULL, created INT, PRIMARY KEY (fid), UNIQUE KEY uri (uri(191))) ${INNODB}`,
      rows: () =>
        content.files.map((file, index): SqlValue[] => {
          const name = file.uri.slice(file.uri.lastIndexOf('/') + 1);
          return [index + 1, 1, name, file.uri, 'application/octet-stream', file.bytes, 1, NEWEST - index];
        }),
    },
    ...caches.map((bin): GeneratedTable => cacheTable(`cache_${bin}`, content, random)),
    {
      name: 'watchdog',
      definition: `(wid BIGINT NOT NULL AUTO_INCREMENT, uid INT UNSIGNED NOT NULL DEFAULT 0, type VARCHAR(64) NOT NULL
        DEFAULT '', message LONGTEXT NOT NULL, variables LONGBLOB NOT NULL, severity TINYINT UNSIGNED NOT NULL DEFAULT 0,
        location TEXT NOT NULL, hostname VARCHAR(128) NOT NULL DEFAULT '', timestamp INT NOT NULL DEFAULT 0,
        PRIMARY KEY (wid), KEY type (type), KEY severity (severity)) ${INNODB}`,
      rows: () =>
        numbered(content.nodes * 2, random.fork('watchdog'), (wid, chance) => [
          wid,
          chance.between(0, 40),
          chance.pick(['cron', 'page not found', 'php', 'user']),
          '%type: @message in %function (line %line of %file).',
          Buffer.from(phpSerialized({ '%line': String(chance.between(1, 900)), '@message': chance.sentence() })),
          chance.between(0, 7),
          `https://harbour.example.org/node/${chance.between(1, content.nodes)}?q=${chance.password(6)}`,
          `192.0.2.${chance.between(1, 254)}`,
          NEWEST - wid * 60,
        ]),
    },
    {
      name: 'sessions',
      definition: `(uid INT UNSIGNED NOT NULL, sid VARCHAR(128) CHARACTER SET ascii NOT NULL, hostname VARCHAR(128) NOT NULL,
        timestamp INT NOT NULL, session LONGBLOB, PRIMARY KEY (sid), KEY uid (uid)) ${INNODB}`,
      rows: () =>
        numbered(30, random.fork('sessions'), (index, chance) => [
          chance.between(1, 40),
          chance.bytes(32).toString('hex'),
          '198.51.100.7',
          NEWEST - index,
          chance.bytes(chance.between(20, 200)),
        ]),
    },
    {
      name: 'flood',
      definition: `(fid INT NOT NULL AUTO_INCREMENT, event VARCHAR(64) NOT NULL DEFAULT '', PRIMARY KEY (fid)) ${INNODB}`,
      rows: () => [],
    },
  ];
}

/** What a dump, a split of it or a load gets wrong first. */
function customTables(random: Random): GeneratedTable[] {
  return [
    {
      name: 'berth',
      definition: `(id INT NOT NULL AUTO_INCREMENT, name VARCHAR(80) NOT NULL, PRIMARY KEY (id)) ${INNODB}
        COMMENT='Where ships lie; "quotes" and \\'these\\''`,
      rows: () =>
        ['Bollwerk Süd', "L'Anse", '泊位 三', '⚓ one', 'back\\slash; -- no comment'].map((name, at) => [at + 1, name]),
    },
    {
      name: 'berth_measure',
      definition: `(id INT NOT NULL AUTO_INCREMENT, berth_id INT NOT NULL, length_m DECIMAL(10,3) NOT NULL, ratio DOUBLE,
        flags BIT(9), kind ENUM('quay','jetty','buoy') NOT NULL DEFAULT 'quay', services SET('water','power','wifi'),
        seen DATETIME(6), changed TIMESTAMP NULL DEFAULT NULL, opens TIME, built YEAR, id_code BINARY(16),
        photo MEDIUMBLOB, place POINT, extra LONGTEXT CHECK (extra IS NULL OR JSON_VALID(extra)),
        length_cm INT AS (ROUND(length_m * 100)) VIRTUAL, name_hash CHAR(32) AS (MD5(id_code)) STORED,
        PRIMARY KEY (id), KEY length_cm (length_cm), CONSTRAINT berth_of_measure FOREIGN KEY (berth_id)
        REFERENCES berth (id) ON DELETE CASCADE) ${INNODB}`,
      columns: [
        'berth_id',
        'length_m',
        'ratio',
        'flags',
        'kind',
        'services',
        'seen',
        'changed',
        'opens',
        'built',
      ].concat('id_code', 'photo', 'place', 'extra'),
      rows: () => {
        const chance = random.fork('measure');
        return [1, 2, 3, 4, 5].map((berth): SqlValue[] => [
          berth,
          { sql: `${berth * 17}.125` },
          { sql: berth === 3 ? '1.7976931348623157e308' : '0.1' },
          { sql: "b'101010101'" },
          chance.pick(['quay', 'jetty', 'buoy']),
          'water,wifi',
          '2024-02-29 23:59:59.999999',
          berth === 2 ? null : '2024-03-31 01:30:00',
          '-12:34:56',
          1987,
          chance.bytes(16),
          berth === 1 ? allBytes() : chance.bytes(3000),
          { sql: `POINT(${berth}, 53.5)` },
          berth === 5 ? null : JSON.stringify({ name: '🚢 "A"', lines: ['a\nb', 'c\r\nd', '\\'] }),
        ]);
      },
    },
    {
      name: 'harbour_log',
      definition: `(id INT NOT NULL AUTO_INCREMENT, nid INT NOT NULL, old_title VARCHAR(255), PRIMARY KEY (id),
        FULLTEXT KEY old_title (old_title)) ${INNODB} AUTO_INCREMENT=7001`,
      rows: () => numbered(5, random.fork('log'), (id, chance) => [id * 3, id, `${chance.title()} 𝕬`]),
    },
    {
      name: 'import 2019/Ärger & co.',
      definition: `(\`the key\` VARCHAR(40) NOT NULL, \`select\` TEXT, PRIMARY KEY (\`the key\`)) ${INNODB}`,
      rows: () => [
        ['a', 'CREATE TABLE `x` (\n-- Table structure for table `x`\nDROP TABLE IF EXISTS `node`;\n'],
        ['b', 'INSERT INTO `node` VALUES (1);\n\\! echo no\n/*!40000 ALTER TABLE x DISABLE KEYS */;\nDELIMITER ;;'],
        ['c', 'tab\there, nul \0, ctrl-z \x1a, quote \', "double", \\N, \\\\'],
      ],
    },
    {
      name: 'legacy_import',
      definition: `(line TEXT, value INT) ENGINE=InnoDB DEFAULT CHARSET=latin1`,
      rows: () =>
        numbered(40, random.fork('legacy'), (index) => [`row ${index % 7} café`, index % 3 === 0 ? null : index % 7]),
    },
  ];
}

function bodyTable(
  name: string,
  value: string,
  summary: string,
  format: string,
  content: DrupalContent,
  random: Random,
): GeneratedTable {
  return {
    name,
    definition: `(bundle VARCHAR(128) CHARACTER SET ascii NOT NULL DEFAULT '', deleted TINYINT NOT NULL DEFAULT 0,
      entity_id INT UNSIGNED NOT NULL, revision_id INT UNSIGNED NOT NULL, langcode VARCHAR(32) CHARACTER SET ascii NOT NULL,
      delta INT UNSIGNED NOT NULL, ${value} LONGTEXT NOT NULL, ${summary} LONGTEXT, ${format} VARCHAR(255) CHARACTER SET
      ascii, PRIMARY KEY (entity_id, deleted, delta, langcode), KEY revision_id (revision_id)) ${INNODB}`,
    rows: () =>
      eachNode(content, random, 'body', (nid, chance) => {
        const text = Array.from({ length: chance.between(1, 5) }, () => `<p>${chance.paragraph()} 🌊</p>`).join('\r\n');
        return [nodeType(nid), 0, nid, nid, 'en', 0, text, nid % 5 === 0 ? chance.sentence() : null, 'basic_html'];
      }),
  };
}

function peopleTable(name: string, random: Random): GeneratedTable {
  return {
    name,
    definition: `(uid INT UNSIGNED NOT NULL, name VARCHAR(60) NOT NULL, pass VARCHAR(255), mail VARCHAR(254), status TINYINT
      NOT NULL DEFAULT 1, created INT NOT NULL, PRIMARY KEY (uid), UNIQUE KEY name (name)) ${INNODB}`,
    // User 0 is Drupal's anonymous one: a load without NO_AUTO_VALUE_ON_ZERO renumbers such rows.
    rows: () =>
      numbered(41, random.fork('people'), (index, chance) => {
        const uid = index - 1;
        if (uid === 0) return [0, '', null, null, 0, NEWEST];
        return [
          uid,
          `sailor ${uid} ${chance.pick(['Å', 'ß', 'é', '🐚'])}`,
          `$S$D${chance.password(51)}`,
          `sailor${uid}@example.org`,
          1,
          NEWEST - uid * 86400,
        ];
      }),
  };
}

function cacheTable(name: string, content: DrupalContent, random: Random): GeneratedTable {
  return {
    name,
    definition: `(cid VARCHAR(255) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT '', data LONGBLOB, expire INT NOT
      NULL DEFAULT 0, created DECIMAL(14,3) NOT NULL DEFAULT 0.000, serialized SMALLINT NOT NULL DEFAULT 0, tags LONGTEXT,
      PRIMARY KEY (cid), KEY expire (expire)) ${INNODB}`,
    rows: () =>
      numbered(Math.ceil(content.nodes / 4), random.fork(name), (index, chance) => [
        `entry:${index}:${chance.password(8)}`,
        index % 3 === 0
          ? chance.bytes(chance.between(50, 2000))
          : Buffer.from(phpSerialized({ html: chance.paragraph() })),
        -1,
        { sql: `${NEWEST - index}.${String(index % 1000).padStart(3, '0')}` },
        1,
        'node_list rendered',
      ]),
  };
}

function keyValueTable(random: Random): GeneratedTable {
  return {
    name: 'key_value',
    definition: `(collection VARCHAR(128) CHARACTER SET ascii NOT NULL, name VARCHAR(128) CHARACTER SET ascii NOT NULL,
      value LONGBLOB NOT NULL, PRIMARY KEY (collection, name)) ${INNODB}`,
    rows: () =>
      numbered(30, random.fork('key_value'), (index, chance) => [
        'system.schema',
        `module_${String(index).padStart(2, '0')}`,
        Buffer.from(`i:${chance.between(8000, 10200)};`),
      ]),
  };
}

/** What the page reads first: the site's name, and the tables that must answer. */
function stateTable(state: { readonly name: string; readonly tables: readonly string[] }): GeneratedTable {
  return {
    name: 'harbour_state',
    definition: `(name VARCHAR(64) NOT NULL, value LONGTEXT NOT NULL, PRIMARY KEY (name)) ${INNODB}`,
    rows: () => [['state', JSON.stringify(state)]],
  };
}

function* eachNode(
  content: DrupalContent,
  random: Random,
  part: string,
  row: (nid: number, chance: Random) => readonly SqlValue[],
): Generator<readonly SqlValue[]> {
  yield* numbered(content.nodes, random.fork(part), row);
}

function* numbered(
  count: number,
  chance: Random,
  row: (number: number, chance: Random) => readonly SqlValue[],
): Generator<readonly SqlValue[]> {
  for (let number = 1; number <= count; number++) yield row(number, chance);
}

function nodeType(nid: number): string {
  return nid % 4 === 0 ? 'page' : 'article';
}

function nodeTitle(nid: number, chance: Random): string {
  return nid === 1 ? "Skipper’s “log” — 🚢 & 'quotes' \\ done" : chance.title();
}

function uuid(chance: Random): string {
  const hex = chance.bytes(16).toString('hex');
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-a${hex.slice(17, 20)}-${hex.slice(20)}`;
}

/** As PHP's serialize() writes an array of strings: lengths are bytes, which a careless search and replace breaks. */
function phpSerialized(value: Readonly<Record<string, string>>): string {
  const items = Object.entries(value).map(
    ([key, text]) => `s:${Buffer.byteLength(key)}:"${key}";s:${Buffer.byteLength(text)}:"${text}";`,
  );
  return `a:${items.length}:{${items.join('')}}`;
}

function allBytes(): Buffer {
  return Buffer.from(Array.from({ length: 512 }, (_, index) => index % 256));
}
