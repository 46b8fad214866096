/** What a client that loads a dump has said when it failed, as an error of ours: which part of the dump, and which line of it. */
import { SalvorError, type SalvorErrorCode } from '../../errors.ts';
import { isDiskFull } from './connect.ts';
import type { LoadPart } from './load.ts';

/** Errors of the server that mean: not with your rights. */
const REFUSED: ReadonlySet<number> = new Set([
  1044, 1045, 1095, 1142, 1143, 1148, 1227, 1290, 1345, 1370, 1410, 1419, 1698, 1959, 4166,
]);
/** A statement may be all of the words. */
const MAX_WORDS_CHARS = 300;
const LOST: ReadonlySet<number> = new Set([1053, 1927, 2002, 2003, 2006, 2013]);
const TLS_FAILED = 2026;

/** `given` is what the client was told, in its order; the error as it was where no client has said it. */
export function explainFailure(
  error: unknown,
  given: readonly { part: Pick<LoadPart, 'file'>; firstLine: number }[],
  { database, server }: { readonly database: string; readonly server: string },
): unknown {
  if (!(error instanceof SalvorError) || error.code !== 'command-failed') return error;
  const words = String(error.context['words']);
  const match = /ERROR (?:(\d+) \([0-9A-Z]{5}\) )?at line (\d+)[^:]*: ([^]*)/.exec(words);
  const unplaced = /ERROR (\d+) \([0-9A-Z]{5}\): ([^]*)/.exec(words);
  const number = Number(match?.[1] ?? unplaced?.[1] ?? 0);
  if (number === TLS_FAILED)
    return new SalvorError('database-tls-failed', { server, why: unplaced?.[2] ?? words }, { cause: error });
  if (LOST.has(number)) {
    return new SalvorError('database-unreachable', { server: database, words }, { cause: error });
  }
  if (isDiskFull(words)) {
    const where = `at the database server ${server} (${words.slice(-MAX_WORDS_CHARS)})`;
    return new SalvorError('disk-full', { where, number }, { cause: error });
  }
  const line = Number(match?.[2] ?? 0);
  const place = given.findLast((entry) => entry.firstLine <= line);
  // An error without a number is the client's own: a command that its sandbox does not know or allow.
  const isClients = match !== null && match[1] === undefined;
  const code: SalvorErrorCode = REFUSED.has(number) || isClients ? 'dump-refused' : 'load-failed';
  const said = (match?.[3] ?? unplaced?.[2] ?? `${String(error.context['outcome'])} ${words}`).trim();
  return new SalvorError(
    code,
    {
      file: place?.part.file ?? 'the head',
      line: place === undefined ? line : line - place.firstLine + 1,
      number,
      words: said,
    },
    { cause: error },
  );
}
