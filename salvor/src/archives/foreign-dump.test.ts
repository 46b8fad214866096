import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { partsOfForeignDump } from './foreign-dump.ts';
import { bytesOf, streamOf } from './tar/test-tar.ts';

async function read(text: string): Promise<string> {
  const tail = partsOfForeignDump(streamOf(Buffer.from(text)), 'a.sql').find(({ kind }) => kind === 'tail');
  assert.ok(tail !== undefined);
  return (await bytesOf(tail.open())).toString();
}

describe('a dump of another program', () => {
  const rows = 'INSERT INTO `t` VALUES (1);\n'.repeat(5000);

  test('is passed on as it is, with an end that the load knows', async () => {
    const text = `-- MySQL dump 10.13\n${rows}-- Dump completed on 2026-11-27  1:00:00\n`;
    assert.equal(await read(text), `${text}\n-- Dump completed\n`);
    assert.equal(await read('CREATE TABLE a (b int);'), 'CREATE TABLE a (b int);\n-- Dump completed\n');
  });

  test('loses what sets the whole server’s replication, and nothing that only looks like it', async () => {
    const sets =
      "SET @@SESSION.SQL_LOG_BIN= 0;\nSET @@GLOBAL.GTID_PURGED=/*!80000 '+'*/ '3e11fa47-71ca:1-5,\n4f:1-9';\n";
    const value = "INSERT INTO `t` VALUES ('SET @@GLOBAL.GTID_PURGED');\n";
    const text = `-- MySQL dump 10.13\n${sets}${value}-- Dump completed\n`;
    assert.equal(await read(text), `-- MySQL dump 10.13\n\n\n${value}-- Dump completed\n\n-- Dump completed\n`);
  });

  test('that was cut off is told by what its program writes last', async () => {
    for (const head of [
      '-- MySQL dump 10.13\n',
      '-- MariaDB dump 10.19\n',
      '/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;\n',
    ])
      await assert.rejects(read(head + rows), { code: 'dump-incomplete' });
    const whole = `-- Backup and Migrate\n/*!40111 SET @OLD_SQL_NOTES=@@SQL_NOTES, SQL_NOTES=0 */;\n${rows}/*!40111 SET SQL_NOTES=@OLD_SQL_NOTES */;\n`;
    assert.ok((await read(whole)).startsWith(whole));
  });
});
