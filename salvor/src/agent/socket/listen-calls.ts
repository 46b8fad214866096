/**
 * The agent's end of its local socket. Whoever may connect may do all that root may: the socket lies in the state
 * directory (root, 0700), has mode 0600, and the kernel says who is at the other end.
 *
 *   connection → whose? → hello, or a call with an agent of its own → what it tells, as it tells it → done or failed
 *   the other end says cancel, or is gone → the call's signal, as a SIGTERM would have it
 */
import { chmodSync, rmSync } from 'node:fs';
import { type Server, type Socket, createServer } from 'node:net';
import { once } from 'node:events';
import { SalvorError } from '../../errors.ts';
import { type PeerIdentity, readPeer } from '../../lib/socket-peer.ts';
import type { Agent } from '../agent.ts';
import { isCall } from './call-table.ts';
import { type Hello, type ToAgent, decodeArguments, encodeFault, readMessages, sendMessage } from './wire.ts';

export type CallListenerOptions = {
  readonly path: string;
  readonly version: string;
  /** The configuration that is served. */
  readonly config: () => string;
  /** An agent for one call, whose audit log names who asks. */
  readonly open: (peer: PeerIdentity) => Promise<Agent>;
  /** Told when the last of the calls has ended. */
  readonly onIdle: () => void;
};

export type CallListener = AsyncDisposable;

/** The agent of a process that was killed leaves a socket that nobody listens on: it is replaced. The caller holds the agent's lock. */
export async function openCallListener(options: CallListenerOptions): Promise<CallListener> {
  rmSync(options.path, { force: true });
  const stopping = new AbortController();
  const calls = new Set<Promise<void>>();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    // A connection that breaks is a call that is cancelled; nothing else is to be done about it.
    socket.on('error', () => undefined);
    const call = serveConnection(socket, options, stopping.signal).then((hasWorked) => {
      calls.delete(call);
      if (hasWorked && calls.size === 0) options.onIdle();
    });
    calls.add(call);
  });
  await listen(server, options.path);
  return {
    [Symbol.asyncDispose]: async () => {
      stopping.abort(new SalvorError('cancelled', { what: 'the agent was told to stop' }));
      const closed = once(server, 'close');
      server.close();
      await Promise.allSettled(calls);
      for (const socket of sockets) socket.destroySoon();
      await closed;
      rmSync(options.path, { force: true });
    },
  };
}

async function listen(server: Server, path: string): Promise<void> {
  const listening = once(server, 'listening');
  server.listen(path);
  await listening;
  chmodSync(path, 0o600);
}

/** Whether a call was made. Never fails: whatever goes wrong is the other end's answer. */
async function serveConnection(socket: Socket, options: CallListenerOptions, stopping: AbortSignal): Promise<boolean> {
  const peer = readPeer(socket);
  try {
    if (peer !== null && peer.uid !== 0 && peer.uid !== process.getuid?.()) {
      await sendMessage(socket, { refused: `user ${peer.uid} may not ask this agent for anything` });
      return false;
    }
    const messages = readMessages<ToAgent>(socket);
    const first = await messages.next();
    if (first.done === true) return false;
    if ('hello' in first.value) await answerHello(socket, first.value.hello, options);
    else if ('call' in first.value) {
      const agent = options.open(peer ?? { pid: 0, uid: process.getuid?.() ?? 0 });
      await serveCall(socket, first.value, { agent, messages, stopping });
      return true;
    }
  } catch (error) {
    await sendMessage(socket, { failed: encodeFault(error) }).catch(() => undefined);
  } finally {
    // A connection with something in it that nobody reads would never close.
    socket.end();
    socket.resume();
  }
  return false;
}

/** Another version may have other calls, and another configuration is another host: such a command does its work itself. */
async function answerHello(socket: Socket, hello: Hello, { version, config }: CallListenerOptions): Promise<void> {
  const why =
    hello.version !== version
      ? `this agent is of version ${version}`
      : hello.config === config()
        ? null
        : `this agent serves with ${config()}`;
  await sendMessage(socket, why === null ? { welcome: { process: process.pid } } : { refused: why });
}

type CallRoom = {
  readonly agent: Promise<Agent>;
  readonly messages: AsyncGenerator<ToAgent>;
  readonly stopping: AbortSignal;
};

async function serveCall(
  socket: Socket,
  request: Extract<ToAgent, { call: string }>,
  { agent: opening, messages, stopping }: CallRoom,
): Promise<void> {
  const cancelling = new AbortController();
  const signal = AbortSignal.any([cancelling.signal, stopping]);
  const listening = listenForCancel(messages, cancelling);
  try {
    await using agent = await opening;
    const tell = throttle((told, value) => void sendMessage(socket, { told, value }));
    const values = decodeArguments(request.arguments, signal, tell);
    await perform(agent, request.call, values, socket);
  } catch (error) {
    await sendMessage(socket, { failed: encodeFault(error) });
  }
  socket.end();
  await listening;
}

/** What the call gives is written here, piece by piece where it gives pieces. */
async function perform(agent: Agent, name: string, values: unknown[], socket: Socket): Promise<void> {
  if (name === 'watchTask') {
    const [id, signal] = values as Parameters<Agent['watchTask']>;
    for await (const item of agent.watchTask(id, signal)) await sendMessage(socket, { item });
    await sendMessage(socket, { done: null });
  } else if (name === 'cat') {
    const pieces = await agent.cat(...(values as Parameters<Agent['cat']>));
    await sendMessage(socket, { item: null });
    for await (const piece of pieces) await sendMessage(socket, { bytes: Buffer.from(piece).toString('base64') });
    await sendMessage(socket, { done: null });
  } else if (isCall(name)) {
    const call = agent[name] as (...given: unknown[]) => Promise<unknown>;
    await sendMessage(socket, { done: await call.apply(agent, values) });
  } else throw new SalvorError('usage', { problem: `the agent has no call ${name}` });
}

async function listenForCancel(messages: AsyncGenerator<ToAgent>, cancelling: AbortController): Promise<void> {
  for await (const message of messages)
    if ('cancel' in message) cancelling.abort(new SalvorError('cancelled', { what: message.cancel }));
  cancelling.abort(new SalvorError('cancelled', { what: 'the command that asked for it was ended' }));
}

/** Faster is drawn by nobody. */
const MIN_TOLD_MS = 100;

/** Progress comes by the thousand a second, and only the last one matters. */
function throttle(tell: (name: string, value: unknown) => void): (name: string, value: unknown) => void {
  let last = 0;
  return (name, value) => {
    if (name === 'onProgress') {
      const now = performance.now();
      if (now - last < MIN_TOLD_MS) return;
      last = now;
    }
    tell(name, value);
  };
}
