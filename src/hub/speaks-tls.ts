import { connect } from 'node:tls';

/** Whether a server answers a TLS handshake, whatever its certificate: nothing is sent to it beyond that. */
export function speaksTls(url: URL, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve) => {
    const host = url.hostname.replace(/^\[|\]$/g, '');
    const socket = connect({ host, port: Number(url.port || 80), rejectUnauthorized: false });
    const settle = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(timeoutMs, () => {
      settle(false);
    });
    socket.on('secureConnect', () => {
      settle(true);
    });
    socket.on('error', () => {
      settle(false);
    });
  });
}
