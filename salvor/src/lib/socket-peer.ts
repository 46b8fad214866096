import type { Socket } from 'node:net';
import { readPeerCredentials } from '@salvor/engine/libc';

/** The process at the other end of a local socket, as the kernel says it was when it connected. */
export type PeerIdentity = { readonly pid: number; readonly uid: number };

/** Null where this Node does not show the socket's descriptor, or the kernel does not say. */
export function readPeer(socket: Socket): PeerIdentity | null {
  // oxlint-disable-next-line no-underscore-dangle -- Node's own name, and there is no other way to the descriptor
  const handle = (socket as Socket & { readonly _handle?: { readonly fd?: number } | null })._handle;
  return handle?.fd === undefined || handle.fd < 0 ? null : readPeerCredentials(handle.fd);
}
