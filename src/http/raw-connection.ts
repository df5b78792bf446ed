import { connect as connectPlain, isIP, type OnReadOpts, type Socket } from 'node:net';
import { connect as connectSecure } from 'node:tls';
import { KiB } from '../core/units.js';
import { contextWith } from './authorities.js';

const idleMs = 15_000;
const mostIdle = 64;

/** Takes the bytes of one answer straight from the socket, without a stream between. */
export interface AnswerReader {
  /** Memory for the next bytes; undefined while the head is read, which the connection has memory for. */
  nextBuffer(): Uint8Array | undefined;
  onBytes(bytes: Uint8Array): void;
  /** The connection is gone. */
  onClose(error: NodeJS.ErrnoException | undefined): void;
}

/** A keep-alive connection that serves one request at a time. */
export interface RawConnection {
  /** It has served a request before, so that the other side may be closing it. */
  readonly reused: boolean;
  send(head: string): void;
  /** Gives the connection back, to be used again. */
  release(): void;
  destroy(): void;
}

/** Where a connection leads, and whom it trusts on the way. */
export interface Peer {
  readonly url: URL;
  /** Certificates (PEM) of further authorities. */
  readonly ca?: string | undefined;
}

interface Pooled {
  readonly origin: string;
  readonly ca: string | undefined;
  readonly socket: Socket;
  readonly current: { reader: AnswerReader | undefined };
}

const idle: Pooled[] = [];

/** Takes an idle connection to an origin, or opens one. The reader gets all that comes until the release. */
export function takeConnection(peer: Peer, reader: AnswerReader, options: { readonly fresh: boolean }): RawConnection {
  const { url, ca } = peer;
  const position = options.fresh ? -1 : idle.findLastIndex((each) => each.origin === url.origin && each.ca === ca);
  const [kept] = position < 0 ? [] : idle.splice(position, 1);
  const pooled = kept ?? openConnection(peer);
  pooled.current.reader = reader;
  pooled.socket.ref().setTimeout(0);
  return {
    reused: kept !== undefined,
    send: (head) => {
      pooled.socket.write(head, 'latin1');
    },
    release: () => {
      pooled.current.reader = undefined;
      if (pooled.socket.destroyed) return;
      pooled.socket.unref().setTimeout(idleMs);
      idle.push(pooled);
      if (idle.length > mostIdle) idle.shift()?.socket.destroy();
    },
    destroy: () => {
      pooled.current.reader = undefined;
      pooled.socket.destroy();
    },
  };
}

/** Closes the connections that no request uses at the moment. */
export function closeIdleConnections(): void {
  for (const { socket } of idle.splice(0)) socket.destroy();
}

function openConnection({ url, ca }: Peer): Pooled {
  const scratch = Buffer.allocUnsafeSlow(64 * KiB);
  const current: { reader: AnswerReader | undefined } = { reader: undefined };
  const onread = {
    buffer: () => current.reader?.nextBuffer() ?? scratch,
    callback: (count: number, buffer: Uint8Array) => {
      // Nobody asked for these: the other side is not to be trusted with another request.
      if (current.reader === undefined) socket.destroy();
      else current.reader.onBytes(buffer.subarray(0, count));
      return true;
    },
  };
  const socket = openSocket({ url, ca }, onread);
  const opened: Pooled = { origin: url.origin, ca, socket, current };
  let failure: Error | undefined;
  socket.setNoDelay(true);
  socket.on('error', (error) => {
    failure = error;
  });
  socket.on('timeout', () => {
    socket.destroy();
  });
  socket.on('close', () => {
    const position = idle.indexOf(opened);
    if (position >= 0) idle.splice(position, 1);
    const { reader } = current;
    current.reader = undefined;
    reader?.onClose(failure);
  });
  return opened;
}

function openSocket({ url, ca }: Peer, onread: OnReadOpts): Socket {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const secure = url.protocol === 'https:';
  const port = Number(url.port === '' ? (secure ? 443 : 80) : url.port);
  if (!secure) return connectPlain({ host, port, onread });
  const servername = isIP(host) > 0 ? '' : host;
  // Node hands `onread` on to the socket below; its types do not say so.
  const options = { host, port, servername, ALPNProtocols: ['http/1.1'], onread };
  return connectSecure(ca === undefined ? options : { ...options, secureContext: contextWith(ca) });
}
