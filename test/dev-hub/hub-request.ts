import { request as startRequest, type IncomingHttpHeaders } from 'node:http';

export interface HubReply {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly json: () => unknown;
}

export interface HubAsk {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Sends a path exactly as it is written, and follows no redirect. Fails when the answer is cut short. */
export function hubRequest(origin: string, path: string, { method = 'GET', headers = {}, body }: HubAsk = {}) {
  const { hostname, port } = new URL(origin);
  return new Promise<HubReply>((resolve, reject) => {
    const request = startRequest({ hostname, port, path, method, headers, agent: false }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const all = Buffer.concat(chunks);
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: all,
          json: () => JSON.parse(all.toString()) as unknown,
        });
      });
    });
    request.on('error', reject);
    request.end(body);
  });
}
