/** What `salvor status` says first: safe, late, running, next. Four lines that somebody reads who has no time. */
import type { AccountStatus, StatusDocument } from '@salvor/contract';
import type { Paint } from './paint.ts';
import { counted, escapeControl, readableBytes, readableSeconds, readableTime } from './readable.ts';

/** More names than that are no glance. */
const MAX_NAMED = 3;

export function renderGlance(document: StatusDocument, now: Date, paint: Paint): string {
  return [
    line('Safe', tellSafe(document, paint)),
    line('Late', tellLate(document, paint)),
    line('Running', tellRunning(document, paint)),
    line('Next', tellNext(document, now, paint)),
  ].join('\n');
}

function line(title: string, texts: readonly string[]): string {
  return texts.map((text, i) => `${(i === 0 ? title : '').padEnd(9)}${text}`).join('\n');
}

function tellSafe({ sites }: StatusDocument, paint: Paint): readonly string[] {
  if (sites.length === 0) return [paint.yellow('no sites found; name the homes they lie in: salvor init --home DIR')];
  const complete = sites.flatMap(({ lastPoint }) => (lastPoint?.complete === true ? [lastPoint.time] : []));
  const oldest = complete.toSorted((one, other) => (one < other ? -1 : 1))[0];
  const text = `${complete.length} of ${counted(sites.length, 'site')} ${complete.length === 1 ? 'has' : 'have'} a complete point`;
  const since =
    oldest === undefined
      ? ''
      : complete.length === 1
        ? `, of ${readableTime(oldest)}`
        : `, the oldest of ${readableTime(oldest)}`;
  return [complete.length === sites.length ? paint.green(text) + since : paint.yellow(text) + since];
}

function tellLate({ accounts }: StatusDocument, paint: Paint): readonly string[] {
  const late = accounts.flatMap(tellLateOf);
  if (late.length === 0) return ['nothing'];
  const shown = late.slice(0, MAX_NAMED).map((text) => paint.yellow(text));
  return late.length > shown.length ? [...shown, `and ${late.length - shown.length} more, below`] : shown;
}

/** One line for each thing of an account that somebody should look at. */
export function tellLateOf({ account, lateSince, lastNight, behind, oldPins }: AccountStatus): readonly string[] {
  const texts: string[] = [];
  const name = escapeControl(account);
  if (lateSince !== null)
    texts.push(
      lastNight === null
        ? `${name}: no night yet; one was due ${readableTime(lateSince)}`
        : `${name}: no good night since the one that was due ${readableTime(lateSince)}; the last ended ${lastNight.state}`,
    );
  if (behind !== null)
    texts.push(
      `${name}: ${counted(behind.points, 'point')} not yet in the remote copy, the oldest of ${readableTime(behind.oldest)}`,
    );
  if (oldPins !== null)
    texts.push(
      `${name}: ${counted(oldPins.points, 'point')} (${readableBytes(oldPins.bytes)}) pinned since ${readableTime(oldPins.oldest)}; end them with: salvor confirm TASK`,
    );
  return texts;
}

function tellRunning({ tasks }: StatusDocument, paint: Paint): readonly string[] {
  const running = tasks.filter(({ state }) => state === 'running');
  const waiting = tasks.filter(({ state }) => state === 'queued').length;
  const waits = waiting === 0 ? '' : `${counted(waiting, 'task')} ${waiting === 1 ? 'waits' : 'wait'}`;
  if (running.length === 0) return [waits === '' ? 'nothing' : `nothing; ${waits}`];
  const shown = running.slice(0, MAX_NAMED).map(({ operation, account, uri, id, isHung, progress }) => {
    const of = escapeControl(uri === '' ? account : `${account}/${uri}`);
    const step = progress === null || progress.step === '' ? '' : `: ${escapeControl(progress.step)}`;
    const text = `${operation} of ${of}${step}, task ${id}`;
    return isHung ? paint.red(`${text}, which hangs`) : paint.bold(text);
  });
  const more = running.length > shown.length ? [`and ${running.length - shown.length} more`] : [];
  return [...shown, ...more, ...(waits === '' ? [] : [waits])];
}

function tellNext({ accounts, agent }: StatusDocument, now: Date, paint: Paint): readonly string[] {
  const next = accounts
    .flatMap(({ account, next: start }) => (start === null ? [] : [{ account, ...start }]))
    .toSorted((one, other) => (one.at < other.at ? -1 : 1))[0];
  const by =
    agent === null
      ? paint.yellow('nobody begins it: no agent serves this host (salvor agent)')
      : `the agent runs, process ${agent.process}`;
  if (next === undefined) return [accounts.length === 0 ? 'nothing' : 'nothing: the policy begins no job', by];
  const inTime = readableSeconds((Date.parse(next.at) - now.getTime()) / 1000);
  return [`${next.job} of ${escapeControl(next.account)}, ${readableTime(next.at)} (in ${inTime})`, by];
}
