import { setTimeout as sleep } from 'node:timers/promises';
import { type PageAnswer, askPage } from '../lib/ask-page/ask-page.ts';
import type { Policy } from '../policies/settings.ts';
import type { TaskRun } from './task-run.ts';

/** A page that takes longer is broken to a visitor. */
const TRY_MS = 15_000;
const PAUSE_MS = 500;

export type PageCheck = { readonly url: string; readonly verdict: 'well' | 'broken'; readonly why: string };

/** Asks the site's page until it is as it must be, or its time is over. Null where the policy names none. */
export async function checkPage(
  uri: string,
  policy: Policy,
  run: Pick<TaskRun, 'clock' | 'say'>,
): Promise<PageCheck | null> {
  if (policy.pageUrl === null) return null;
  const url = policy.pageUrl.replaceAll('{uri}', uri);
  const until = run.clock().getTime() + policy.pageWithinMs;
  for (let tries = 1; ; tries++) {
    const asked = { url, connectTo: policy.pageConnectTo, text: policy.pageText, timeoutMs: TRY_MS };
    const why = judge(await askPage(asked), policy);
    if (why === null) {
      run.say(`${url} answered as it must, asked ${tries === 1 ? 'once' : `${tries} times`}`);
      return { url, verdict: 'well', why: '' };
    }
    if (run.clock().getTime() + PAUSE_MS >= until) return { url, verdict: 'broken', why };
    run.say(`${url}: ${why}; asked again`);
    await sleep(PAUSE_MS);
  }
}

export type ClosedCheck = { readonly url: string; readonly verdict: 'closed' | 'open'; readonly why: string };

/** Asks the page of a site that is switched off until visitors are told so (503), or its time is over. Null where none is named. */
export async function checkClosed(
  uri: string,
  policy: Policy,
  run: Pick<TaskRun, 'clock' | 'say'>,
): Promise<ClosedCheck | null> {
  if (policy.pageUrl === null) return null;
  const url = policy.pageUrl.replaceAll('{uri}', uri);
  const until = run.clock().getTime() + policy.pageWithinMs;
  for (;;) {
    const answer = await askPage({ url, connectTo: policy.pageConnectTo, text: null, timeoutMs: TRY_MS });
    if (answer.kind === 'answered' && answer.status === CLOSED_STATUS) return { url, verdict: 'closed', why: '' };
    const why = answer.kind === 'silent' ? answer.why : `it answered with status ${answer.status} and not 503`;
    if (run.clock().getTime() + PAUSE_MS >= until) return { url, verdict: 'open', why };
    run.say(`${url}: ${why}; asked again`);
    await sleep(PAUSE_MS);
  }
}

const CLOSED_STATUS = 503;

function judge(answer: PageAnswer, { pageStatus, pageText }: Policy): string | null {
  if (answer.kind === 'silent') return answer.why;
  if (answer.status !== pageStatus) return `it answered with status ${answer.status} and not ${pageStatus}`;
  return answer.hasText ? null : `“${pageText ?? ''}” does not stand in it`;
}
