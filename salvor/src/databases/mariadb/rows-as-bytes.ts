/**
 * Which tables take the bytes of a dump in UTF-8 as they are. Told that it is UTF-8, the server looks at each byte of each
 * value for the first one of several, and counts characters: a sixth of all the time that it needs for texts. A value of no
 * character set goes into a column as it is, and there is looked at for what the column can hold, as it is otherwise.
 */
import { NAME, type TableStructure } from './table-structure.ts';

const COLUMN = new RegExp(`^ {2}${NAME} `);
/** Others take bytes for something else than the same text: an address, a UUID, a place on a map. */
const PLAIN_COLUMN = new RegExp(
  `^ {2}${NAME} (?:(?:tiny|small|medium|big)?int|decimal|float|double|bit|(?:var)?char|(?:var)?binary|(?:tiny|medium|long)?(?:text|blob)|enum|set|date|time|datetime|timestamp|year)\\b(?!.*\\bCOMPRESSED\\b)`,
  's',
);
/** Where UTF-8 is what the server keeps. In others a text has other bytes. Words within quotes only make a table pass as it is. */
const UTF_8 = new Set(['utf8mb4', 'utf8mb3', 'utf8', 'ascii', 'binary']);
const TABLE_CHARSET = /^\n\) ENGINE=\w+(?: \w+=\w+)*? DEFAULT CHARSET=(\w+)/;
/** Of the server's own tool, whose rows are values and no expressions. */
const TOOL = '\n/*!40101 SET character_set_client = @saved_cs_client */;\n';

/** Whether rows of the table may be told to be bytes. */
export function takesBytes({ definitions, options }: TableStructure): boolean {
  if (!options.includes(TOOL) || !UTF_8.has(TABLE_CHARSET.exec(options)?.[1] ?? '')) return false;
  return definitions
    .filter((definition) => COLUMN.test(definition))
    .every(
      (definition) =>
        PLAIN_COLUMN.test(definition) &&
        definition.matchAll(/ CHARACTER SET (\w+)/g).every(([, charset = '']) => UTF_8.has(charset)),
    );
}

/** In front of the rows: only where the session is in UTF-8, which the dump's head has said. */
export const BYTES_BEGIN = [
  'SET @salvor_client=@@character_set_client, @salvor_connection=@@collation_connection',
  `SET @salvor_bytes=@salvor_client IN ('utf8mb4','utf8mb3','utf8') AND @@character_set_connection=@salvor_client`,
  `SET character_set_client=IF(@salvor_bytes,'binary',@salvor_client), collation_connection=IF(@salvor_bytes,'binary',@salvor_connection);`,
].join('; ');

/** Behind them. */
export const BYTES_END = 'SET character_set_client=@salvor_client, collation_connection=@salvor_connection;';
