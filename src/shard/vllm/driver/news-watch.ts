/** Whether anything new is heard of a program. */
export interface NewsWatch {
  /** Aborts when nothing was, for too long. */
  readonly signal: AbortSignal;
  /** A line of its log, or where it stands. */
  heard(line: string): void;
  stop(): void;
}

const REMEMBERED = 200;

/**
 * Notices a program that lives and does not get on, as one does whose GPUs wait for each other. It may go on saying where
 * it stands, and that it waits: a line that was said before, but for the time in it, is no news.
 */
export function watchNews(silenceMs: number): NewsWatch {
  const silent = new AbortController();
  const said = new Set<string>();
  const timer = setTimeout(() => {
    silent.abort();
  }, silenceMs);
  return {
    signal: silent.signal,
    heard: (line) => {
      const text = line.replaceAll(TIME, '');
      if (said.has(text)) return;
      said.add(text);
      const [oldest = ''] = said;
      if (said.size > REMEMBERED) said.delete(oldest);
      timer.refresh();
    },
    stop: () => {
      clearTimeout(timer);
    },
  };
}

// 08-21, 12:34:56.789, [00:10<01:20, 9.0s/it]
const TIME = /\d+(?:[-:.]\d+)+/g;
