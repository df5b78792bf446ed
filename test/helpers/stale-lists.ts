import type { IncomingMessage, ServerResponse } from 'node:http';

interface KeptAnswer {
  readonly body: Buffer;
  readonly untilMs: number;
}

/** Lists of a store as some of its nodes still see it: each is kept and sent again for a while. */
export interface StaleLists {
  /** Sends a kept answer, if there is one that is young enough. */
  readonly answer: (url: string, outgoing: ServerResponse) => boolean;
  /** Keeps what the store answers now. */
  readonly keep: (url: string, answer: IncomingMessage) => void;
  /** For how long lists are kept from now on; 0 forgets them all. */
  readonly setAge: (ms: number) => void;
}

export function staleLists(): StaleLists {
  const kept = new Map<string, KeptAnswer>();
  let ageMs = 0;
  return {
    answer: (url, outgoing) => {
      const found = kept.get(url);
      if (found === undefined || found.untilMs < Date.now()) return false;
      outgoing
        .writeHead(200, { 'content-type': 'application/xml', 'content-length': found.body.length })
        .end(found.body);
      return true;
    },
    keep: (url, answer) => {
      if (ageMs === 0 || answer.statusCode !== 200) return;
      const chunks: Buffer[] = [];
      const untilMs = Date.now() + ageMs;
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.once('end', () => {
        if (ageMs > 0) kept.set(url, { body: Buffer.concat(chunks), untilMs });
      });
    },
    setAge: (ms) => {
      ageMs = ms;
      kept.clear();
    },
  };
}
