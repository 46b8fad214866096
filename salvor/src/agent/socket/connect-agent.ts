/** The command's end of the agent's local socket: the agent's calls, made in the process of the agent that runs. */
import { once } from 'node:events';
import { type Socket, createConnection } from 'node:net';
import { SalvorError } from '../../errors.ts';
import { type AgentCalls, CALLS } from './call-table.ts';
import {
  type FromAgent,
  type Functions,
  type Hello,
  decodeFault,
  encodeArguments,
  readMessages,
  sendMessage,
} from './wire.ts';

/** An agent that does not answer a greeting hangs, and is no reason to hang too. */
const MAX_HELLO_MS = 5000;

/** Null where none runs that would do what this command wants: of another version or configuration, or none at all. */
export async function connectAgent(path: string, hello: Hello): Promise<AgentCalls | null> {
  const socket = await tryConnect(path);
  if (socket === null) return null;
  const timer = setTimeout(() => socket.destroy(), MAX_HELLO_MS);
  try {
    await sendMessage(socket, { hello });
    const { value } = await readMessages<FromAgent>(socket).next();
    return value !== undefined && 'welcome' in value ? asCalls(path) : null;
  } catch {
    return null;
  } finally {
    clearTimeout(timer);
    socket.destroy();
  }
}

function asCalls(path: string): AgentCalls {
  const calls = Object.fromEntries(CALLS.map((name) => [name, (...values: unknown[]) => callOnce(path, name, values)]));
  return {
    ...(calls as Omit<AgentCalls, 'watchTask' | 'cat' | typeof Symbol.asyncDispose>),
    watchTask: (...values) => itemsOf(openCall(path, 'watchTask', values)),
    cat: async (...values) => {
      // That the file is there is known before the first byte is read.
      const answers = openCall(path, 'cat', values);
      await answers.next();
      return bytesOf(answers);
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

async function callOnce(path: string, name: string, values: readonly unknown[]): Promise<unknown> {
  for await (const answer of openCall(path, name, values)) if ('done' in answer) return answer.done;
  throw new SalvorError('agent-lost', {});
}

async function* itemsOf<T>(answers: AsyncGenerator<FromAgent>): AsyncGenerator<T> {
  for await (const answer of answers) {
    if ('item' in answer) yield answer.item as T;
    else return;
  }
}

async function* bytesOf(answers: AsyncGenerator<FromAgent>): AsyncGenerator<Uint8Array> {
  for await (const answer of answers) {
    if ('bytes' in answer) yield Buffer.from(answer.bytes, 'base64');
    else return;
  }
}

/**
 * The answers of one call; what it tells goes to the functions that it was given. Throws what the call threw, and
 * `agent-lost` where the agent ended before it.
 */
async function* openCall(path: string, name: string, values: readonly unknown[]): AsyncGenerator<FromAgent> {
  const socket = await tryConnect(path);
  if (socket === null) throw new SalvorError('agent-lost', {});
  const { arguments: encoded, functions } = encodeArguments(values);
  const signal = signalOf(values);
  const onAbort = (): void => void sendMessage(socket, { cancel: reasonOf(signal) });
  try {
    await sendMessage(socket, { call: name, arguments: encoded });
    // What has been begun is taken back by the agent, and its answer says what stands then.
    if (signal?.aborted === true) onAbort();
    else signal?.addEventListener('abort', onAbort, { once: true });
    for await (const answer of readMessages<FromAgent>(socket)) {
      if ('told' in answer) tell(functions, answer);
      else if ('failed' in answer) throw decodeFault(answer.failed);
      else if ('refused' in answer) throw new SalvorError('agent-lost', {});
      else {
        yield answer;
        if ('done' in answer) return;
      }
    }
    throw new SalvorError('agent-lost', {});
  } finally {
    signal?.removeEventListener('abort', onAbort);
    socket.destroy();
  }
}

function tell(functions: Functions, { told, value }: Extract<FromAgent, { told: string }>): void {
  functions.get(told)?.(value);
}

function signalOf(values: readonly unknown[]): AbortSignal | undefined {
  for (const value of values) {
    if (value instanceof AbortSignal) return value;
    if (typeof value === 'object' && value !== null && 'signal' in value && value.signal instanceof AbortSignal)
      return value.signal;
  }
  return undefined;
}

function reasonOf(signal: AbortSignal | undefined): string {
  const reason: unknown = signal?.reason;
  return reason instanceof SalvorError ? String(reason.context['what'] ?? reason.message) : 'the command was stopped';
}

async function tryConnect(path: string): Promise<Socket | null> {
  const socket = createConnection(path);
  socket.on('error', () => undefined);
  try {
    await once(socket, 'connect');
    return socket;
  } catch {
    return null;
  }
}
