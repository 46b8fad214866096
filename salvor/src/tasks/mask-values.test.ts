import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { type DatabaseLogin, openConnection } from '../databases/mariadb/connect.ts';
import { type TestServer, fingerprint, makeSite, openTestServer } from '../databases/mariadb/test-database.ts';
import { SalvorError } from '../errors.ts';
import { type MaskOptions, type Masked, maskValues } from './mask-values.ts';

let test: TestServer;
before(async () => {
  test = await openTestServer();
});
after(() => test[Symbol.asyncDispose]());

type TestSite = { readonly name: string; readonly login: DatabaseLogin };
const SECRET = Buffer.from('0123456789abcdef');

async function mask(site: TestSite, options: Partial<MaskOptions> = {}, prefixes = ['']): Promise<Masked> {
  const given = { cms: 'drupal', isNetwork: false, columns: [], secret: SECRET, apply: true } as const;
  return await maskValues([{ login: site.login, name: site.name, prefixes }], { ...given, ...options });
}

async function rows(site: TestSite, sql: string): Promise<unknown[][]> {
  await using connection = await openConnection(site.login, { database: site.name });
  const found = await connection.query<Record<string, unknown>>(sql);
  return found.map((row) => Object.values(row).map((value) => (Buffer.isBuffer(value) ? value.toString() : value)));
}

/** Every value of every table as one text. */
async function everything(site: TestSite): Promise<string> {
  const tables = await rows(
    site,
    `SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = '${site.name}'`,
  );
  const texts: string[] = [];
  for (const [table] of tables) texts.push(JSON.stringify(await rows(site, `SELECT * FROM \`${String(table)}\``)));
  return texts.join('\n');
}

const DRUPAL_7 = `
  CREATE TABLE pre_users (uid INT UNSIGNED PRIMARY KEY, name VARCHAR(60) NOT NULL DEFAULT '', pass VARCHAR(128) NOT NULL,
    mail VARCHAR(254), signature VARCHAR(255) NOT NULL, init VARCHAR(254), data LONGBLOB, status TINYINT, UNIQUE KEY (name), KEY (mail));
  INSERT INTO pre_users VALUES (0, '', '', '', '', '', NULL, 0),
    (1, 'ada', '$S$D1aaaaaaaaaaaa', 'Ada@example.org', 'yours, ada', 'ada@example.org', 'a:1:{s:4:"mail";s:15:"ada@example.org";}', 1),
    (2, 'Grace Höpper', '$S$D2bbbbbbbbbbb', 'grace@example.org', '', 'first-grace@example.org', NULL, 1);
  CREATE TABLE pre_sessions (sid VARCHAR(128) PRIMARY KEY, uid INT, session LONGBLOB);
  INSERT INTO pre_sessions VALUES ('a-living-session', 1, 'x');
  CREATE TABLE pre_authmap (aid INT PRIMARY KEY, uid INT, authname VARCHAR(128) NOT NULL UNIQUE, module VARCHAR(128));
  INSERT INTO pre_authmap VALUES (1, 1, 'ada@login.example', 'openid');
  CREATE TABLE pre_comment (cid INT PRIMARY KEY, uid INT, name VARCHAR(60), mail VARCHAR(64), homepage VARCHAR(255), hostname VARCHAR(128), subject VARCHAR(64));
  INSERT INTO pre_comment VALUES (1, 0, 'passer-by', 'ada@example.org', 'https://passer-by.example', '203.0.113.77', 'a subject');
  CREATE TABLE pre_field_data_field_phone (entity_id INT PRIMARY KEY, field_phone_value VARCHAR(40));
  INSERT INTO pre_field_data_field_phone VALUES (1, '+47 555 1234');
  CREATE TABLE users (uid INT PRIMARY KEY, mail VARCHAR(254), pass VARCHAR(60));
  INSERT INTO users VALUES (1, 'other-site@example.org', 'foreign');`;

describe('masking a Drupal 7', () => {
  it('leaves nothing of its users, their log-ins and who commented, and nothing else changed', async () => {
    const site = await makeSite(test, 'mask_d7', DRUPAL_7);
    const untouched = await fingerprint(test, site.name);
    const columns = [
      'field_data_field_phone.field_phone_value=text',
      'field_data_gone.value=text',
      'users.nothing=mail',
    ];
    const preview = await mask(site, { columns, apply: false }, ['pre_']);
    assert.equal(await fingerprint(test, site.name), untouched, 'looking changes nothing');
    const done = await mask(site, { columns }, ['pre_']);
    assert.deepEqual(done, preview, 'what was shown is what was done');
    const all = await everything(site);
    for (const gone of ['ada', 'Ada', 'Höpper', 'grace', '$S$', 'a-living-session', 'passer-by', '203.0.113', '555'])
      assert.ok(!all.replaceAll('masked-', '').includes(gone), `${gone} is not there any more`);
    assert.ok(all.includes('other-site@example.org'), 'tables with another prefix are not the site’s');
    assert.ok(all.includes('a subject'));
    const users = await rows(site, 'SELECT uid, name, pass, mail, init, data, status FROM pre_users ORDER BY uid');
    assert.deepEqual(users[0], [0, '', '', '', '', null, 0], 'the anonymous user stays what it was');
    for (const [, name, pass, mail, init, data] of users.slice(1)) {
      assert.match(String(name), /^user-[0-9a-f]{16}$/);
      assert.match(String(pass), /^![0-9a-f]{31}$/);
      assert.match(String(mail), /^user-[0-9a-f]{16}@masked\.invalid$/);
      assert.match(String(init), /^user-[0-9a-f]{16}@masked\.invalid$/);
      assert.equal(data, null);
    }
    const [comment] = await rows(site, 'SELECT name, mail, homepage, hostname FROM pre_comment');
    assert.equal(users[1]?.[3], users[1]?.[4], 'the same address in other letters is the same one');
    assert.equal(comment?.[1], users[1]?.[3], 'and the same in another table');
    assert.deepEqual([comment?.[2], comment?.[3]], [null, '192.0.2.1']);
    assert.notEqual(users[2]?.[3], users[2]?.[4]);
    assert.deepEqual(
      done.problems.map(({ code, path }) => [code, path]),
      [
        ['mask-column-missing', 'field_data_gone.value=text'],
        ['mask-column-missing', 'users.nothing=mail'],
      ],
    );
    const count = (table: string, column: string | null): number | undefined =>
      done.columns.find((each) => each.table === table && each.column === column)?.count;
    assert.deepEqual(
      [
        count('pre_users', 'mail'),
        count('pre_users', 'data'),
        count('pre_sessions', null),
        count('pre_comment', 'mail'),
      ],
      [2, 1, 1, 1],
    );
  });

  it('gives the same values for the same secret, and others for another', async () => {
    const make = async (name: string, secret: string): Promise<string> => {
      const site = await makeSite(test, name, DRUPAL_7);
      await mask(site, { secret: Buffer.from(secret) }, ['pre_']);
      return await everything(site);
    };
    const one = await make('mask_one', 'secret of a task');
    assert.equal(await make('mask_two', 'secret of a task'), one);
    assert.notEqual(await make('mask_three', 'secret of another'), one);
  });
});

describe('masking a Drupal 10', () => {
  it('takes users in each of their languages alike, where a unique key asks for different names', async () => {
    const site = await makeSite(
      test,
      'mask_d10',
      `CREATE TABLE users (uid INT UNSIGNED PRIMARY KEY, uuid VARCHAR(128), langcode VARCHAR(12));
       INSERT INTO users SELECT seq, UUID(), 'en' FROM seq_1_to_3000;
       CREATE TABLE users_field_data (uid INT UNSIGNED, langcode VARCHAR(12), name VARCHAR(60) NOT NULL, pass VARCHAR(255),
         mail VARCHAR(254), init VARCHAR(254), PRIMARY KEY (uid, langcode), UNIQUE KEY user__name (name, langcode));
       INSERT INTO users_field_data SELECT seq, 'en', CONCAT('person', seq), '$2y$10$abc', CONCAT('p', seq, '@example.org'), NULL FROM seq_1_to_3000;
       INSERT INTO users_field_data SELECT seq, 'de', CONCAT('person', seq), '$2y$10$abc', CONCAT('p', seq, '@example.org'), NULL FROM seq_1_to_50;
       CREATE TABLE users_data (uid INT, module VARCHAR(50), name VARCHAR(128), value LONGBLOB, serialized TINYINT);
       INSERT INTO users_data VALUES (1, 'contact', 'enabled', '1', 0);`,
    );
    const done = await mask(site);
    const [[names, mails, different]] = (await rows(
      site,
      'SELECT COUNT(DISTINCT name), COUNT(DISTINCT mail), COUNT(DISTINCT uid, name) FROM users_field_data',
    )) as [unknown[]];
    assert.deepEqual([names, mails, different].map(Number), [3000, 3000, 3000]);
    assert.deepEqual(
      await rows(site, "SELECT uid FROM users_field_data WHERE name LIKE 'person%' OR mail LIKE '%example%'"),
      [],
    );
    assert.equal(done.columns.find(({ column }) => column === 'name')?.count, 3050);
    assert.deepEqual(await rows(site, 'SELECT * FROM users_data'), []);
  });

  it('forgets what a table with system versioning remembers, and names triggers that may keep it', async () => {
    const site = await makeSite(
      test,
      'mask_history',
      `CREATE TABLE users_field_data (uid INT PRIMARY KEY, langcode VARCHAR(12), name VARCHAR(60), pass VARCHAR(255), mail VARCHAR(254), init VARCHAR(254),
         mail_domain VARCHAR(100) GENERATED ALWAYS AS (SUBSTRING_INDEX(mail, '@', -1)) STORED) WITH SYSTEM VERSIONING;
       INSERT INTO users_field_data (uid, name, pass, mail) VALUES (1, 'ada', 'x', 'ada@example.org');
       CREATE TRIGGER keeps BEFORE UPDATE ON users_field_data FOR EACH ROW SET NEW.langcode = 'en';`,
    );
    const { problems } = await mask(site, { columns: ['users_field_data.mail_domain=text'] });
    assert.deepEqual(await rows(site, "SELECT name FROM users_field_data FOR SYSTEM_TIME ALL WHERE name = 'ada'"), []);
    assert.deepEqual(await rows(site, 'SELECT mail_domain FROM users_field_data'), [['masked.invalid']]);
    assert.deepEqual(
      problems.map(({ code }) => code),
      ['mask-trigger'],
    );
  });
});

describe('masking a WordPress', () => {
  it('takes the users, their sessions and the comments of every site of a network', async () => {
    const site = await makeSite(
      test,
      'mask_wp',
      `CREATE TABLE wp_users (ID BIGINT PRIMARY KEY, user_login VARCHAR(60) NOT NULL, user_pass VARCHAR(255) NOT NULL, user_nicename VARCHAR(50) NOT NULL,
         user_email VARCHAR(100) NOT NULL, user_url VARCHAR(100) NOT NULL, user_activation_key VARCHAR(255) NOT NULL, display_name VARCHAR(250) NOT NULL);
       INSERT INTO wp_users VALUES (1, 'ada', '$P$Babc', 'ada', 'ada@example.org', 'https://ada.example', 'key', 'Ada L.');
       CREATE TABLE wp_usermeta (umeta_id BIGINT PRIMARY KEY, user_id BIGINT, meta_key VARCHAR(255), meta_value LONGTEXT);
       INSERT INTO wp_usermeta VALUES (1, 1, 'session_tokens', 'a:1:{s:3:"abc";i:1;}'), (2, 1, 'nickname', 'ada'), (3, 1, 'wp_capabilities', 'a:1:{s:13:"administrator";b:1;}'),
         (4, 1, 'billing_email', 'ada@shop.example'), (5, 1, 'billing_phone', '555');
       CREATE TABLE wp_comments (comment_ID BIGINT PRIMARY KEY, comment_author TINYTEXT NOT NULL, comment_author_email VARCHAR(100) NOT NULL, comment_author_url VARCHAR(200) NOT NULL,
         comment_author_IP VARCHAR(100) NOT NULL, comment_agent VARCHAR(255) NOT NULL, comment_content TEXT);
       INSERT INTO wp_comments VALUES (1, 'Guest', 'guest@example.org', 'https://guest.example', '203.0.113.5', 'Mozilla', 'nice');
       CREATE TABLE wp_2_comments LIKE wp_comments; INSERT INTO wp_2_comments SELECT * FROM wp_comments;
       CREATE TABLE wp_options (option_id INT PRIMARY KEY, option_name VARCHAR(191), option_value LONGTEXT);
       INSERT INTO wp_options VALUES (1, 'admin_email', 'ada@example.org'), (2, 'blogname', 'ada writes');`,
    );
    const columns = [
      'usermeta.meta_value[meta_key=billing_email]=mail',
      'usermeta.meta_value[meta_key=billing_*]=text',
    ];
    await mask(site, { cms: 'wordpress', isNetwork: true, columns }, ['wp_']);
    const [user] = await rows(site, 'SELECT * FROM wp_users');
    assert.match(String(user?.[2]), /^![0-9a-f]{31}$/);
    assert.deepEqual([user?.[5], user?.[6]], ['', '']);
    const meta = new Map((await rows(site, 'SELECT meta_key, meta_value FROM wp_usermeta')) as [string, string][]);
    assert.equal(meta.get('session_tokens'), 'a:0:{}');
    assert.equal(meta.get('wp_capabilities'), 'a:1:{s:13:"administrator";b:1;}');
    assert.match(meta.get('billing_email') ?? '', /@masked\.invalid$/);
    assert.equal(meta.get('billing_phone'), '555', 'a value of a choice is a value and no pattern');
    for (const table of ['wp_comments', 'wp_2_comments'])
      assert.equal(JSON.stringify(await rows(site, `SELECT * FROM ${table}`)).includes('uest'), false, table);
    const [[mail], [name]] = (await rows(site, 'SELECT option_value FROM wp_options ORDER BY option_id')) as [
      [string],
      [string],
    ];
    assert.match(mail, /@masked\.invalid$/);
    assert.equal(name, 'ada writes');
  });
});

describe('masking what can not be masked', () => {
  const refused = (code: string) => (error: unknown) => error instanceof SalvorError && error.code === code;

  it('fails where the users of the system are nowhere, or a column can not hold the mask', async () => {
    const site = await makeSite(
      test,
      'mask_not',
      `CREATE TABLE users (uid INT PRIMARY KEY, name VARCHAR(60), mail VARCHAR(64), pass VARCHAR(32), created INT, code CHAR(4) UNIQUE);
       INSERT INTO users VALUES (1, 'ada', 'ada@example.org', 'x', 12345, 'abcd');`,
    );
    await assert.rejects(mask(site, { cms: 'wordpress' }), refused('mask-users-missing'));
    await assert.rejects(mask(site, {}, ['other_']), refused('mask-users-missing'));
    await assert.rejects(mask(site, { columns: ['users.created=mail'] }), refused('mask-failed'));
    await mask(site, { columns: ['users.created=empty', 'users.code=text'] });
    const [row] = await rows(site, 'SELECT mail, pass, created, code FROM users');
    assert.deepEqual([String(row?.[0]).length, String(row?.[1]).length, row?.[2]], [36, 32, null]);
    assert.match(String(row?.[3]), /^[0-9a-f]{4}$/);
  });

  it('fails where two values of a unique key would be one', async () => {
    const site = await makeSite(
      test,
      'mask_unique',
      `CREATE TABLE users (uid INT PRIMARY KEY, name VARCHAR(60), mail VARCHAR(64), pass VARCHAR(32), code CHAR(1) UNIQUE);
       INSERT INTO users SELECT seq, CONCAT('n', seq), NULL, 'x', CHAR(64 + seq) FROM seq_1_to_25;`,
    );
    await assert.rejects(mask(site, { columns: ['users.code=text'] }), refused('mask-failed'));
  });
});
