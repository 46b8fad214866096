/**
 * Everything that a database may hold, each kind there and back on a real server: dump, load without rights, compare,
 * switch, and undo. What is compared is in `describe-database.ts`: definitions and rows as the server shows them.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { quoteName } from './connect.ts';
import { type DatabaseDescription, describeDatabase } from './describe-database.ts';
import { readSwapFacts } from './inspect-swap.ts';
import { planSwap, WHOLE_DATABASE } from './plan-swap.ts';
import type { DatabaseProblem } from './probe.ts';
import { dropScratch } from './scratch.ts';
import { applySwap, swapBack } from './swap.ts';
import { dumpAll, loadAll, makeScratch, makeSite, openTestServer, type TestServer } from './test-database.ts';

type Kind = {
  readonly claim: string;
  readonly sql: string;
  /** Codes and names of what the dump has to say of it; definers that change are not among them. */
  readonly problems?: readonly string[];
  /** What happens to the database between dump and switch, so that the two differ. */
  readonly change?: string;
  /** Names in the description that do not come along, which a problem has named. */
  readonly without?: readonly string[];
  /** Dumped by the site's own user, who cannot read what others have defined; else by the administrator. */
  readonly bySite?: boolean;
};

const KINDS: readonly Kind[] = [
  {
    claim: 'definers, also roles and users that are gone',
    sql: `CREATE TABLE t (i INT); INSERT INTO t VALUES (1);
      CREATE DEFINER=\`gone\`@\`%\` SQL SECURITY INVOKER VIEW vi AS SELECT i FROM t;
      CREATE DEFINER=\`go'ne\`@\`10.0.0.%\` SQL SECURITY DEFINER VIEW vd AS SELECT i FROM t;
      CREATE ROLE never; CREATE DEFINER=\`never\` VIEW of_role AS SELECT i FROM t;
      CREATE DEFINER=\`gone\`@\`%\` TRIGGER tr BEFORE INSERT ON t FOR EACH ROW SET NEW.i = 2;
      CREATE DEFINER=\`gone\`@\`%\` PROCEDURE p() SELECT 1; CREATE DEFINER=\`gone\`@\`%\` FUNCTION f() RETURNS INT DETERMINISTIC RETURN 1;
      CREATE DEFINER=\`gone\`@\`%\` EVENT e ON SCHEDULE EVERY 1 DAY DISABLE DO SELECT 1;
      CREATE DEFINER=\`gone\`@\`%\` VIEW second AS SELECT t.i, 'it''s' AS text FROM t;`,
  },
  {
    claim: 'foreign keys in circles, of a table to itself, over several columns, with all actions',
    sql: `CREATE TABLE a (id INT PRIMARY KEY, b_id INT, up INT, KEY (b_id)); CREATE TABLE b (id INT PRIMARY KEY, c_id INT, KEY (c_id));
      CREATE TABLE c (id INT PRIMARY KEY, a_id INT, x INT, y INT, KEY (a_id), UNIQUE KEY xy (x, y));
      CREATE TABLE d (x INT, y INT, CONSTRAINT two FOREIGN KEY (x, y) REFERENCES c (x, y) ON DELETE SET NULL ON UPDATE CASCADE);
      INSERT INTO a VALUES (1, 2, NULL), (5, 2, 1), (6, NULL, 6); INSERT INTO b VALUES (2, 3); INSERT INTO c VALUES (3, 1, 7, 8); INSERT INTO d VALUES (7, 8), (NULL, NULL);
      ALTER TABLE a ADD CONSTRAINT ab FOREIGN KEY (b_id) REFERENCES b (id), ADD CONSTRAINT self FOREIGN KEY (up) REFERENCES a (id) ON DELETE CASCADE;
      ALTER TABLE b ADD CONSTRAINT bc FOREIGN KEY (c_id) REFERENCES c (id); ALTER TABLE c ADD CONSTRAINT ca FOREIGN KEY (a_id) REFERENCES a (id);`,
    change: 'SET foreign_key_checks = 0; DELETE FROM c; DELETE FROM d;',
  },
  {
    claim: 'a foreign key whose parent was dropped, and rows that break a key',
    sql: `CREATE TABLE parent (id INT PRIMARY KEY); CREATE TABLE child (id INT PRIMARY KEY, p INT, CONSTRAINT cp FOREIGN KEY (p) REFERENCES parent (id));
      CREATE TABLE p2 (id INT PRIMARY KEY); CREATE TABLE c2 (p INT, CONSTRAINT cp2 FOREIGN KEY (p) REFERENCES p2 (id));
      SET foreign_key_checks = 0; INSERT INTO child VALUES (1, 77); INSERT INTO c2 VALUES (99); DROP TABLE parent;`,
    change: 'DELETE FROM child;',
  },
  {
    claim: 'views on views in the wrong order of names, on functions, with check options and lists of columns',
    sql: `CREATE TABLE t (i INT, s VARCHAR(20)); INSERT INTO t VALUES (1, 'x'), (2, 'y');
      CREATE FUNCTION twice(n INT) RETURNS INT DETERMINISTIC RETURN n * 2;
      CREATE ALGORITHM=MERGE VIEW z AS SELECT i, s FROM t WHERE i > 0 WITH CASCADED CHECK OPTION; CREATE VIEW y AS SELECT i FROM z WITH LOCAL CHECK OPTION;
      CREATE ALGORITHM=TEMPTABLE VIEW b (\`a b\`, \`\`\`q\`) AS SELECT i, twice(i) FROM y; CREATE VIEW a AS SELECT * FROM b UNION SELECT 1, 'DEFINER=\`x\`@\`y\` /* ; */';
      CREATE VIEW \`select\` AS SELECT COUNT(*) AS \`from\` FROM a;`,
    change: 'DROP VIEW `select`; DROP VIEW a; ALTER VIEW b AS SELECT 1 AS one;',
    bySite: false,
  },
  {
    claim:
      'views on tables, columns and functions that are gone are named and left out, and are there again after undo',
    sql: `CREATE TABLE t (i INT, gone INT); CREATE TABLE u (i INT); CREATE FUNCTION f() RETURNS INT RETURN 1;
      CREATE VIEW on_table AS SELECT * FROM u; CREATE VIEW on_column AS SELECT gone FROM t; CREATE VIEW on_function AS SELECT f() AS f; CREATE VIEW on_view AS SELECT * FROM on_table;
      CREATE VIEW good AS SELECT i FROM t; DROP TABLE u; ALTER TABLE t DROP COLUMN gone; DROP FUNCTION f;`,
    problems: ['view-invalid on_column', 'view-invalid on_function', 'view-invalid on_table', 'view-invalid on_view'],
    without: ['view on_column', 'view on_function', 'view on_table', 'view on_view'],
  },
  {
    claim: 'generated columns, stored and virtual, with functions, indexes and one upon another',
    sql: `CREATE TABLE g (id INT PRIMARY KEY, doc LONGTEXT CHECK (JSON_VALID(doc)), v VARCHAR(40) AS (JSON_VALUE(doc, '$.a')) VIRTUAL, s VARCHAR(80) AS (CONCAT(UPPER(v), '-', id)) STORED,
      d DATE AS (FROM_DAYS(730000 + id)) PERSISTENT, n INT AS (id * 2) INVISIBLE, KEY (v), KEY (s), UNIQUE KEY (n));
      INSERT INTO g (id, doc) VALUES (1, '{"a": "x''y"}'), (2, NULL), (3, '{"a": "\\\\u00e9 é 😀"}');
      CREATE TABLE only_generated (id INT PRIMARY KEY AUTO_INCREMENT, f INT AS (5) VIRTUAL); INSERT INTO only_generated (id) VALUES (NULL), (NULL);`,
    change: 'DELETE FROM g;',
  },
  {
    claim: 'FULLTEXT indexes find what they found, in InnoDB, MyISAM and Aria',
    sql: `CREATE TABLE f (id INT UNSIGNED PRIMARY KEY, t TEXT, u VARCHAR(200), FULLTEXT KEY both_ (t, u), FULLTEXT KEY one (t)); CREATE TABLE m (t TEXT, FULLTEXT (t)) ENGINE=MyISAM; CREATE TABLE r (t TEXT, FULLTEXT (t)) ENGINE=Aria;
      CREATE TABLE doc (FTS_DOC_ID BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY, t TEXT, FULLTEXT (t));
      INSERT INTO f SELECT seq, CONCAT('lorem word', seq, ' ipsum'), 'dolor' FROM seq_1_to_200; INSERT INTO m SELECT t FROM f; INSERT INTO r SELECT t FROM f; INSERT INTO doc (t) SELECT t FROM f;
      CREATE VIEW hits AS SELECT (SELECT COUNT(*) FROM f WHERE MATCH (t) AGAINST ('word77')) AS innodb;`,
    problems: ['table-not-consistent m', 'table-not-consistent r'],
    change: 'DELETE FROM f;',
  },
  {
    claim: 'SPATIAL columns and indexes of every type and reference system',
    sql: `CREATE TABLE s (id INT PRIMARY KEY, p POINT REF_SYSTEM_ID=4326 NOT NULL, g GEOMETRY, l LINESTRING, y POLYGON, c GEOMETRYCOLLECTION, SPATIAL KEY (p));
      INSERT INTO s VALUES (1, ST_GeomFromText('POINT(1.5 -2)', 4326), ST_GeomFromText('POINT(0.1 0.2)'), ST_GeomFromText('LINESTRING(0 0,1 1)'), ST_GeomFromText('POLYGON((0 0,10 0,10 10,0 0))'), ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))')),
        (2, POINT(1e300, -1e-300), NULL, NULL, NULL, NULL); CREATE TABLE sm (p POINT NOT NULL, SPATIAL KEY (p)) ENGINE=MyISAM; INSERT INTO sm VALUES (POINT(3, 4));`,
    problems: ['table-not-consistent sm'],
    change: 'DELETE FROM s;',
  },
  {
    claim: 'partitions of all kinds, with subpartitions',
    sql: `CREATE TABLE r (i INT, d DATE) PARTITION BY RANGE (YEAR(d)) SUBPARTITION BY HASH (i) SUBPARTITIONS 2 (PARTITION p0 VALUES LESS THAN (2000) COMMENT 'it''s', PARTITION \`p rest\` VALUES LESS THAN MAXVALUE);
      CREATE TABLE rc (a INT, b VARCHAR(10)) PARTITION BY RANGE COLUMNS (a, b) (PARTITION p0 VALUES LESS THAN (5, 'm'), PARTITION p1 VALUES LESS THAN (MAXVALUE, MAXVALUE));
      CREATE TABLE l (i INT) PARTITION BY LIST (i) (PARTITION a VALUES IN (1, NULL), PARTITION b VALUES IN (2, 3), PARTITION c DEFAULT);
      CREATE TABLE lc (v VARCHAR(20)) PARTITION BY LIST COLUMNS (v) (PARTITION a VALUES IN ('x', 'it''s'), PARTITION b VALUES IN ('y'));
      CREATE TABLE h (i INT PRIMARY KEY) PARTITION BY HASH (i) PARTITIONS 3; CREATE TABLE lh (i INT) PARTITION BY LINEAR HASH (i) PARTITIONS 3;
      CREATE TABLE k (i INT PRIMARY KEY) PARTITION BY KEY () PARTITIONS 2; CREATE TABLE lk (i INT, u VARCHAR(9)) PARTITION BY LINEAR KEY ALGORITHM=1 (u) PARTITIONS 2;
      CREATE TABLE km (i INT) ENGINE=MyISAM PARTITION BY KEY (i) PARTITIONS 2;
      INSERT INTO r VALUES (1, '1990-01-01'), (2, '2020-01-01'), (3, NULL); INSERT INTO rc VALUES (1, 'z'), (5, 'n'), (9, NULL); INSERT INTO l VALUES (NULL), (2), (99); INSERT INTO lc VALUES ('it''s'), ('y');
      INSERT INTO h SELECT seq FROM seq_1_to_20; INSERT INTO lh SELECT i FROM h; INSERT INTO k SELECT i FROM h; INSERT INTO lk SELECT i, CONCAT('k', i) FROM h; INSERT INTO km SELECT i FROM h;`,
    problems: ['table-not-consistent km'],
    change: 'DELETE FROM h; ALTER TABLE l DROP PARTITION c;',
  },
  {
    claim: 'sequences give the number after the last one they gave, also negative, cycling and used up',
    sql: `CREATE SEQUENCE s START WITH 10 INCREMENT BY 5 CACHE 20; DO NEXTVAL(s); DO NEXTVAL(s); CREATE SEQUENCE down START WITH -1 INCREMENT BY -3 MINVALUE -100 MAXVALUE -1 NOCACHE CYCLE; DO NEXTVAL(down);
      CREATE SEQUENCE unused; CREATE SEQUENCE up_to MAXVALUE 2 NOCACHE; DO NEXTVAL(up_to); DO NEXTVAL(up_to); CREATE SEQUENCE my ENGINE=MyISAM;
      CREATE TABLE t (id INT PRIMARY KEY);`,
    change: 'DO NEXTVAL(s);',
    problems: [],
  },
  {
    claim:
      'system versioning keeps its history: declared and implicit periods, partitions by system time, columns left out',
    sql: `SET timestamp = 1700000000;
      CREATE TABLE implicit (id INT PRIMARY KEY, v VARCHAR(20)) WITH SYSTEM VERSIONING;
      CREATE TABLE declared (id INT PRIMARY KEY, v INT, s TIMESTAMP(6) GENERATED ALWAYS AS ROW START, e TIMESTAMP(6) GENERATED ALWAYS AS ROW END INVISIBLE, PERIOD FOR SYSTEM_TIME (s, e)) WITH SYSTEM VERSIONING;
      CREATE TABLE parted (id INT, v INT, KEY (id)) WITH SYSTEM VERSIONING PARTITION BY SYSTEM_TIME LIMIT 100 (PARTITION p0 HISTORY, PARTITION p1 HISTORY, PARTITION now CURRENT);
      CREATE TABLE some (id INT PRIMARY KEY, kept INT, loose INT WITHOUT SYSTEM VERSIONING) WITH SYSTEM VERSIONING;
      CREATE TABLE beside (id INT PRIMARY KEY, v INT);
      INSERT INTO implicit VALUES (1, 'a'), (2, 'b'); INSERT INTO declared (id, v) VALUES (1, 1); INSERT INTO parted VALUES (1, 1), (2, 1); INSERT INTO some VALUES (1, 1, 1); INSERT INTO beside VALUES (1, 1);
      SET timestamp = 1710000000.5; UPDATE implicit SET v = 'a2' WHERE id = 1; UPDATE declared SET v = 2; UPDATE parted SET v = 2 WHERE id = 1; UPDATE some SET kept = 2; UPDATE some SET loose = 3;
      SET timestamp = 1720000000.25; DELETE FROM implicit WHERE id = 2; UPDATE implicit SET v = 'a3' WHERE id = 1; UPDATE declared SET v = 3; DELETE FROM parted WHERE id = 2; SET timestamp = DEFAULT;`,
    change: 'DELETE FROM implicit; DELETE FROM beside;',
  },
  {
    claim: 'application periods and keys without overlaps',
    sql: `CREATE TABLE rates (id INT, s DATE, e DATE, price DECIMAL(10,2), PERIOD FOR valid (s, e), PRIMARY KEY (id, valid WITHOUT OVERLAPS)); INSERT INTO rates VALUES (1, '2020-01-01', '2021-01-01', 9.5), (1, '2021-01-01', '2022-01-01', 10);`,
    change: 'DELETE FROM rates;',
  },
  {
    claim: 'MEMORY, MyISAM, Aria, CSV and ARCHIVE tables keep their engine and their rows, and are named',
    sql: `CREATE TABLE me (i INT, KEY USING BTREE (i)) ENGINE=MEMORY MAX_ROWS=1000; CREATE TABLE my (i INT, v VARCHAR(10), KEY (i)) ENGINE=MyISAM ROW_FORMAT=FIXED CHECKSUM=1; CREATE TABLE ar (i INT) ENGINE=Aria TRANSACTIONAL=1; CREATE TABLE a0 (i INT) ENGINE=Aria TRANSACTIONAL=0 ROW_FORMAT=DYNAMIC;
      CREATE TABLE inno (i INT PRIMARY KEY); CREATE TABLE my2 (i INT, KEY (i)) ENGINE=MyISAM; CREATE TABLE mrg (i INT, KEY (i)) ENGINE=MRG_MyISAM UNION=(my2) INSERT_METHOD=LAST; CREATE TABLE cs (i INT NOT NULL, v VARCHAR(9) NOT NULL) ENGINE=CSV;
      SET SESSION max_heap_table_size = 67108864; CREATE TABLE me_big (i INT, v CHAR(200)) ENGINE=MEMORY; INSERT INTO me_big SELECT seq, MD5(seq) FROM seq_1_to_25000;
      INSERT INTO me VALUES (1); INSERT INTO my VALUES (1, 'x'), (2, NULL); INSERT INTO ar VALUES (1); INSERT INTO a0 VALUES (3); INSERT INTO inno VALUES (1); INSERT INTO cs VALUES (1, 'a"b,\\nc');`,
    problems: ['a0', 'ar', 'cs', 'me', 'me_big', 'mrg', 'my', 'my2'].map((name) => `table-not-consistent ${name}`),
    change: 'DELETE FROM my; DELETE FROM inno;',
  },
  {
    claim: 'charsets side by side: latin1, utf8mb4, utf8mb3, utf16, ucs2, cp1251, sjis, binary, in tables and columns',
    sql: `CREATE TABLE l (id INT PRIMARY KEY, t VARCHAR(50), m VARCHAR(50) CHARACTER SET utf8mb4, u VARCHAR(50) CHARACTER SET utf16, w VARCHAR(50) CHARACTER SET ucs2, r VARCHAR(50) CHARACTER SET cp1251, j VARCHAR(50) CHARACTER SET sjis, b VARBINARY(50), e ENUM('é', 'ü') CHARACTER SET latin1) CHARACTER SET latin1 COLLATE latin1_german2_ci;
      INSERT INTO l VALUES (1, 'naïve café €', '漢字 😀', '漢 😀', '漢字', 'Привет', 'ソース表', x'00ff27', 'ü'), (2, 'Ã© twice', 'Ã©', '', NULL, NULL, NULL, NULL, NULL), (3, x'00818d8f90', NULL, NULL, NULL, NULL, NULL, NULL, NULL);
      CREATE TABLE three (t VARCHAR(60) COLLATE utf8mb3_unicode_ci PRIMARY KEY, b VARCHAR(60) COLLATE utf8mb3_bin, g VARCHAR(9) COLLATE utf8mb3_general_mysql500_ci) CHARACTER SET utf8mb3; INSERT INTO three VALUES ('äß', '漢', 'ß');
      CREATE TABLE \`täble 漢\` (\`cölumn\` TEXT COLLATE utf8mb4_swedish_ci COMMENT 'kömmentar 😀', KEY \`ïndex\` (\`cölumn\`(10))) COLLATE utf8mb4_unicode_520_nopad_ci COMMENT 'täble'; INSERT INTO \`täble 漢\` VALUES ('x');
      CREATE TABLE uca (t VARCHAR(60) COLLATE uca1400_ai_ci) CHARACTER SET utf8mb4 COLLATE uca1400_as_cs; INSERT INTO uca VALUES ('é');`,
    change: 'DELETE FROM l;',
  },
  {
    claim: 'dates that no calendar has, and zero for auto_increment',
    sql: `SET sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'; CREATE TABLE d (id INT AUTO_INCREMENT PRIMARY KEY, d DATE NOT NULL DEFAULT '0000-00-00', dt DATETIME DEFAULT '0000-00-00 00:00:00', ts TIMESTAMP NOT NULL DEFAULT '0000-00-00 00:00:00', y YEAR, t TIME(6), u DATETIME(6), st TIMESTAMP(3) NULL DEFAULT CURRENT_TIMESTAMP(3) ON UPDATE CURRENT_TIMESTAMP(3));
      INSERT INTO d (id, d, dt, ts, y, t, u) VALUES (0, '0000-00-00', '0000-00-00 00:00:00', 0, 0, '-838:59:59', '9999-12-31 23:59:59.999999'), (1, '2026-02-31', '2026-02-30 10:00:00', '2026-10-25 01:30:00', 1901, '838:59:59.999999', NULL), (2, '2026-00-15', '2026-02-00 00:00:00', '2038-01-19 03:14:07', 2155, '00:00:00.000001', '0001-01-01 00:00:00'); SET sql_mode = DEFAULT;`,
    change: 'DELETE FROM d;',
  },
  {
    claim: 'numbers to the last bit: BIT, DECIMAL(65), FLOAT, DOUBLE, ZEROFILL, unsigned to the end',
    sql: `CREATE TABLE n (b1 BIT(1), b7 BIT(7), b64 BIT(64), m DECIMAL(65,30), f FLOAT, f2 FLOAT(7,3), d DOUBLE, u BIGINT UNSIGNED, z INT(8) ZEROFILL, y TINYINT(1), s SET('a','b c','d''e'), e ENUM('','x'), i6 INET6, i4 INET4, uu UUID);
      INSERT INTO n VALUES (b'1', b'0101010', x'ffffffffffffffff', 12345678901234567890123456789012345.123456789012345678901234567890, 16777217.3, 1234.567, 0.1, 18446744073709551615, 42, 1, 'a,d''e', '', '::1', '192.0.2.1', '123e4567-e89b-12d3-a456-426655440000'),
        (b'0', b'0', x'00', -1, 3.4028234e38, -0.001, 1.7976931348623157e308, 0, 0, -128, '', 'x', '2001:db8::ff', NULL, NULL), (NULL, NULL, x'0a0d1a5c27', 0, 1e-38, 0, 4.9e-324, 1, 99999999, 0, NULL, NULL, NULL, NULL, NULL), (NULL, NULL, NULL, NULL, 0.1, NULL, 1/3, NULL, NULL, NULL, 'b c', NULL, NULL, NULL, NULL), (NULL, NULL, NULL, NULL, -0.0, NULL, -0e0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);`,
    change: 'DELETE FROM n;',
  },
  {
    claim: 'JSON and check constraints, named, on columns and tables, and rows that break one',
    sql: `CREATE TABLE j (id INT PRIMARY KEY, doc JSON, raw LONGTEXT CHECK (JSON_LENGTH(raw) < 9), a INT CHECK (a > 0), b INT, CONSTRAINT \`it's\` CHECK (b > a OR b IS NULL), CHECK (doc IS NULL OR JSON_VALID(doc)));
      INSERT INTO j VALUES (1, '{"a": [1, "\\\\"x\\\\n", null], "é": "😀"}', '[1]', 1, 2), (2, NULL, NULL, 1, NULL); SET check_constraint_checks = 0; INSERT INTO j VALUES (3, 'no json', '[]', -5, -9);`,
    change: 'DELETE FROM j;',
  },
  {
    claim: 'invisible columns, defaults with expressions, comments with quotes, newlines and what looks like a dump',
    sql: `CREATE TABLE i (a INT INVISIBLE DEFAULT 3, b VARCHAR(99) DEFAULT (CONCAT('x''y', UUID())), c DATETIME DEFAULT (NOW() + INTERVAL 1 DAY), d INT DEFAULT (1 + 2) COMMENT 'it''s "so"\\n-- Table structure for table \`zz\`\\n', e TEXT DEFAULT 'te\\\\xt', f BLOB DEFAULT x'00ff', g VARCHAR(20) DEFAULT '\\n;', KEY k (b(5)) COMMENT 'in''dex')
      COMMENT 'table''s "comment"\\n\\n--\\n-- Table structure for table \`zz\`\\n--\\n\\\\'; INSERT INTO i (a, b, c) VALUES (1, '2', '2020-01-01'), (9, NULL, NULL);
      CREATE TABLE all_invisible (a INT, h INT INVISIBLE, g INT AS (h + 1) INVISIBLE); INSERT INTO all_invisible (a, h) VALUES (1, 2);`,
    change: 'DELETE FROM i;',
  },
  {
    claim: 'auto_increment goes on where it was: at its end, after deletes, as second column of a key',
    sql: `CREATE TABLE at_end (id TINYINT UNSIGNED AUTO_INCREMENT PRIMARY KEY); INSERT INTO at_end VALUES (254), (255); CREATE TABLE big_end (id BIGINT UNSIGNED AUTO_INCREMENT PRIMARY KEY); INSERT INTO big_end VALUES (18446744073709551614);
      CREATE TABLE deleted (id INT AUTO_INCREMENT PRIMARY KEY); INSERT INTO deleted VALUES (1000); DELETE FROM deleted; CREATE TABLE ahead (id INT AUTO_INCREMENT PRIMARY KEY) AUTO_INCREMENT=500; INSERT INTO ahead VALUES (1);
      CREATE TABLE second (g INT, id INT AUTO_INCREMENT, PRIMARY KEY (g, id)) ENGINE=MyISAM; INSERT INTO second VALUES (1, NULL), (1, NULL), (2, NULL);`,
    problems: ['table-not-consistent second'],
    change: 'INSERT INTO deleted VALUES (NULL);',
  },
  {
    claim: 'triggers fire in their order, whatever they are called and whatever stands in them',
    sql: `CREATE TABLE t (i INT, log VARCHAR(200) DEFAULT ''); SET sql_mode = 'ANSI_QUOTES,PIPES_AS_CONCAT'; CREATE TRIGGER z BEFORE INSERT ON t FOR EACH ROW SET NEW.log = NEW.log || 'z'; SET sql_mode = '';
      CREATE TRIGGER a BEFORE INSERT ON t FOR EACH ROW SET NEW.log = CONCAT(NEW.log, 'a'); CREATE TRIGGER m BEFORE INSERT ON t FOR EACH ROW PRECEDES a SET NEW.log = CONCAT(NEW.log, 'm');
      DELIMITER //
      CREATE TRIGGER \`q\`\`'é\` AFTER UPDATE ON t FOR EACH ROW FOLLOWS_NOTHING: BEGIN /* ;; DEFINER=\`x\`@\`y\` */ SET @a = '\\n--\\n-- Table structure for table \`zz\`\\n--\\n//;;'; END//
      DELIMITER ;
      INSERT INTO t (i) VALUES (1);`,
    change: 'DROP TRIGGER m; DELETE FROM t;',
  },
  {
    claim: 'rows in tables without a key, equal rows among them, and composite keys of every type',
    sql: `CREATE TABLE heap (a INT, b TEXT); INSERT INTO heap SELECT seq % 3, 'same' FROM seq_1_to_50; CREATE TABLE uniq (a INT UNIQUE, b INT NOT NULL, UNIQUE KEY (b)); INSERT INTO uniq SELECT seq, -seq FROM seq_1_to_50;
      CREATE TABLE comp (s VARCHAR(40), b VARBINARY(16), d DATETIME(6), n DECIMAL(9,3), t TEXT, PRIMARY KEY (s, b, d, n), KEY pre (t(7))); INSERT INTO comp SELECT MD5(seq), UNHEX(MD5(seq)), FROM_UNIXTIME(seq * 1000.5), seq / 7, REPEAT('x', seq) FROM seq_1_to_50;
      CREATE TABLE pre (t TEXT, b BLOB, PRIMARY KEY (t(10), b(3))); INSERT INTO pre VALUES ('aaa', 'x'), ('bbb', x'00');`,
    change: 'DELETE FROM heap;',
  },
  {
    claim: 'row formats, compression of pages, columns and tables, and options of engines',
    sql: `CREATE TABLE c (id INT PRIMARY KEY, t TEXT) ROW_FORMAT=COMPRESSED KEY_BLOCK_SIZE=8; CREATE TABLE r (id INT PRIMARY KEY) ROW_FORMAT=REDUNDANT; CREATE TABLE k (id INT PRIMARY KEY) ROW_FORMAT=COMPACT STATS_PERSISTENT=0 STATS_SAMPLE_PAGES=5;
      CREATE TABLE p (id INT PRIMARY KEY, t TEXT) PAGE_COMPRESSED=1 PAGE_COMPRESSION_LEVEL=3; CREATE TABLE col (id INT PRIMARY KEY, t TEXT COMPRESSED, u VARCHAR(500) COMPRESSED=zlib);
      INSERT INTO c SELECT seq, REPEAT(MD5(seq), 9) FROM seq_1_to_100; INSERT INTO p SELECT * FROM c; INSERT INTO col SELECT id, t, t FROM c; INSERT INTO r VALUES (1); CREATE TABLE ix (i INT, j INT, KEY d (i DESC, j), KEY ig (j) IGNORED);`,
    change: 'DELETE FROM c;',
  },
  {
    claim:
      'events enabled, disabled and for a replica keep their state; one that is over is there, and none runs in between',
    sql: `CREATE TABLE ran (i INT); CREATE EVENT off ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' ENDS '2031-01-01 00:00:00' ON COMPLETION PRESERVE DISABLE COMMENT 'ENABLE ''x''' DO INSERT INTO ran VALUES (1);
      CREATE EVENT on_ ON SCHEDULE EVERY '1:30' HOUR_MINUTE STARTS '2030-01-01 00:00:00' DO INSERT INTO ran VALUES (2); CREATE EVENT replica ON SCHEDULE EVERY 1 DAY STARTS '2030-01-01 00:00:00' DISABLE ON SLAVE DO INSERT INTO ran VALUES (3);
      SET time_zone = '+05:30', sql_mode = 'ANSI_QUOTES'; CREATE EVENT once ON SCHEDULE AT '2035-05-05 05:05:05' ON COMPLETION PRESERVE DO INSERT INTO ran VALUES (4);`,
    change: 'DROP EVENT off; ALTER EVENT on_ DISABLE;',
  },
  {
    claim: 'routines of every kind: packages, aggregates, parameters, characteristics and bodies full of traps',
    sql: `CREATE TABLE t (i INT);
      DELIMITER //
      CREATE AGGREGATE FUNCTION agg(x INT) RETURNS INT BEGIN DECLARE s INT DEFAULT 0; DECLARE CONTINUE HANDLER FOR NOT FOUND RETURN s; LOOP FETCH GROUP NEXT ROW; SET s = s + x; END LOOP; END//
      CREATE PROCEDURE \`p\`\`1\`(IN a INT, OUT b VARCHAR(20) CHARACTER SET latin1, INOUT c JSON) READS SQL DATA SQL SECURITY INVOKER COMMENT 'it''s' BEGIN SELECT '//;; CREATE DEFINER=\`x\`@\`y\` PROCEDURE'; # a comment ;
      -- another one ;
      SET b = "q"; END//
      SET sql_mode = 'ORACLE'//
      CREATE PACKAGE pack AS FUNCTION f RETURN INT; END//
      CREATE PACKAGE BODY pack AS FUNCTION f RETURN INT AS BEGIN RETURN 42; END; END//
      SET sql_mode = DEFAULT//
      DELIMITER ;
      CREATE FUNCTION \`fé漢\`(x DECIMAL(10,2)) RETURNS TEXT CHARACTER SET utf8mb4 DETERMINISTIC NO SQL RETURN CONCAT(x, '漢\\n');`,
    change: 'DROP PROCEDURE `p``1`;',
  },
  {
    claim: 'names of every kind of trouble, empty tables and tables of one column',
    sql: `CREATE TABLE \`-- Dump completed\` (i INT); CREATE TABLE \`a\nb\` (\`c\nd\` INT PRIMARY KEY); INSERT INTO \`a\nb\` VALUES (1); CREATE TABLE \`q'"\`\`\` (\`'"\`\`\` INT); INSERT INTO \`q'"\`\`\` VALUES (1);
      CREATE TABLE empty (i INT); CREATE TABLE \`salvor_x\` (i INT); CREATE TABLE \`#sql-1\` (i INT); CREATE TABLE \`a/b\\\\c.d%20\` (i INT); INSERT INTO \`a/b\\\\c.d%20\` VALUES (5);`,
    change: 'DROP TABLE empty;',
  },
];

describe('there and back again:', () => {
  let server: TestServer;
  before(async () => {
    server = await openTestServer();
    await server.server.query('SET GLOBAL event_scheduler = ON');
  });
  after(() => server[Symbol.asyncDispose]());

  for (const [index, kind] of KINDS.entries()) test(kind.claim, () => tryKind(kind, `trip ${index}`));

  const tryKind = async (kind: Kind, name: string): Promise<void> => {
    const site = await makeSite(server, name, kind.sql);
    const look = (database: string, definers: boolean): Promise<DatabaseDescription> =>
      describeDatabase(server.admin, database, { definers });
    const dumped = without(await look(name, false), kind.without);

    const problems: DatabaseProblem[] = [];
    const parts = await dumpAll(server, kind.bySite === true ? site.login : server.admin, name, problems);
    assert.deepEqual(problems.map((problem) => `${problem.code} ${problem.name}`).toSorted(), kind.problems ?? []);

    const scratch = await makeScratch(server);
    const { definers } = await loadAll(server, scratch, parts);
    const quiet = (found: DatabaseDescription): DatabaseDescription =>
      Object.fromEntries(Object.entries(found).filter(([key]) => !key.startsWith('event ')));
    assert.deepEqual(quiet(await look(scratch.database, false)), quiet(dumped));

    await server.server.query(`USE ${quoteName(name)}; ${kind.change ?? ''}`);
    const present = await look(name, true);
    const wish = {
      live: name,
      scratch: scratch.database,
      old: `${scratch.database}_old`,
      definer: site.account,
      definers,
    };
    const plan = planSwap(await readSwapFacts(server.admin, wish), { ...wish, scope: WHOLE_DATABASE });
    assert.deepEqual((await applySwap(server.admin, plan)).problems, []);
    assert.deepEqual(without(await look(name, false), kind.without), dumped);

    const undone = `${scratch.database}_undone`;
    const back = await swapBack(server.admin, plan, { undone, journal: async () => undefined });
    assert.deepEqual(back.problems, []);
    assert.deepEqual(await look(name, true), present);
    await dropScratch(server.admin, { database: scratch.database, user: scratch.login.user });
    await server.server.query(`DROP DATABASE ${wish.old}; DROP DATABASE ${undone}; DROP DATABASE ${quoteName(name)}`);
  };
});

function without(found: DatabaseDescription, names: readonly string[] = []): DatabaseDescription {
  return Object.fromEntries(Object.entries(found).filter(([name]) => !names.includes(name)));
}
