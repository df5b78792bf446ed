import type { ServerResponse } from 'node:http';
import type { Answer } from './answer.js';
import type { Fault } from './fault.js';
import type { OpenRecord } from './request-journal.js';

interface Sending {
  readonly fault: Fault | undefined;
  readonly record: OpenRecord;
  /** False for HEAD. */
  readonly withBody: boolean;
}

/** Sends the head and then the body at the pace of the client, with the fault of the request worked in. */
export async function sendAnswer(response: ServerResponse, answer: Answer, sending: Sending): Promise<void> {
  const { fault, record, withBody } = sending;
  const headers = fault?.headers?.(answer.headers) ?? answer.headers;
  response.writeHead(answer.status, headers);
  record.answered(answer.status);
  if (!withBody || answer.body === undefined) {
    response.end();
    return;
  }
  try {
    const sent = await sendBody(response, answer.body, sending);
    // Node would keep a connection open whose body fell short, and the client would wait for the rest.
    if (sent < Number(headers['Content-Length'])) response.socket?.end();
    else response.end();
  } catch {
    response.socket?.resetAndDestroy();
  }
}

async function sendBody(response: ServerResponse, body: NonNullable<Answer['body']>, { fault, record }: Sending) {
  const { content, start, end } = body;
  const gone = new AbortController();
  response.once('close', () => {
    gone.abort();
  });
  const write = chunkWriter(response);
  const right = content.chunks(start, end);
  let sent = 0;
  for await (const chunk of fault?.body?.(right, { start, signal: gone.signal }) ?? right) {
    await write(chunk);
    sent += chunk.length;
    record.sent(chunk.length);
  }
  return sent;
}

/** Waits until the socket has taken a chunk: only then may its buffer be filled again. */
function chunkWriter(response: ServerResponse) {
  let abandon: (() => void) | undefined;
  response.once('close', () => abandon?.());
  return (chunk: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      abandon = () => {
        reject(new Error('The client closed the connection'));
      };
      if (response.destroyed) abandon();
      else
        response.write(chunk, (error) => {
          if (error) reject(error);
          else resolve();
        });
    });
}
