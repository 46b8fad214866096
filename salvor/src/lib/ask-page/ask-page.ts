/**
 * Asks a web server for a page, in a process without rights: what it answers is foreign data, and so is whoever can
 * answer. Three facts come back: the status, whether a text stands in it, and its sum; the page itself stays there.
 */
import { fileURLToPath } from 'node:url';
import { SalvorError } from '../../errors.ts';
import { findOwnUser } from '../own-users.ts';
import { run } from '../run.ts';

export type AskedPage = {
  readonly url: string;
  /** Where to connect, whatever the name in the address says; null for where that leads. */
  readonly connectTo: { readonly host: string; readonly port: number } | null;
  readonly text: string | null;
  readonly timeoutMs: number;
};

export type PageAnswer =
  | { readonly kind: 'answered'; readonly status: number; readonly hasText: boolean; readonly sha256: string }
  | { readonly kind: 'silent'; readonly why: string };

const PROCESS = fileURLToPath(new URL('ask-page-process.ts', import.meta.url));
/** It starts, and ends by itself before. */
const START_MS = 20_000;

/** No redirection is followed: it is an answer. Of a page over 2 MiB the rest is not looked at. */
export async function askPage(asked: AskedPage, signal?: AbortSignal): Promise<PageAnswer> {
  const limit = AbortSignal.timeout(asked.timeoutMs + START_MS);
  try {
    const printed = await run(process.execPath, {
      args: ['--no-warnings', PROCESS, JSON.stringify(asked), JSON.stringify(findOwnUser('salvor-read'))],
      signal: signal === undefined ? limit : AbortSignal.any([signal, limit]),
      maxBytes: 4096,
    });
    return parseAnswer(JSON.parse(printed.toString('utf8')));
  } catch (error) {
    signal?.throwIfAborted();
    return { kind: 'silent', why: error instanceof SalvorError ? error.message : 'it could not be asked' };
  }
}

function parseAnswer(answer: unknown): PageAnswer {
  const { status, hasText, sha256, why } = (typeof answer === 'object' && answer !== null ? answer : {}) as Record<
    string,
    unknown
  >;
  if (Number.isInteger(status) && typeof hasText === 'boolean' && typeof sha256 === 'string')
    return { kind: 'answered', status: Number(status), hasText, sha256 };
  return { kind: 'silent', why: typeof why === 'string' ? why.slice(0, 300) : 'it could not be asked' };
}
