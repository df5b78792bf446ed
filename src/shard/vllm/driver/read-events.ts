import type { Readable } from 'node:stream';
import { PrefetchError } from '../../../core/errors.js';
import { parseDriverEvent, type DriverEvent } from './driver-events.js';
import { withoutSecrets } from './log-tail.js';

// The longest line that a driver has reason to write is the message of an error.
const MAX_LINE_LENGTH = 64 * 1024;
const SHOWN = 200;

/** Hands over the events of a driver in their order; fails at the first line that is none. */
export async function readEvents(output: Readable, onEvent: (event: DriverEvent) => void): Promise<void> {
  let open = '';
  for await (const chunk of untilClosed(output)) {
    const lines = (open + chunk).split('\n');
    open = lines.pop() ?? '';
    for (const line of lines) onEvent(eventOf(line));
    if (open.length > MAX_LINE_LENGTH) throw garbled(open);
  }
  if (open !== '') throw garbled(open);
}

/** A process that nobody can end may hold the output open: whoever reads it then closes it, and that is its end. */
async function* untilClosed(output: Readable): AsyncGenerator<string> {
  try {
    for await (const chunk of output.setEncoding('utf8')) yield String(chunk);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ERR_STREAM_PREMATURE_CLOSE')) throw error;
  }
}

function eventOf(line: string): DriverEvent {
  const event = line.length > MAX_LINE_LENGTH ? undefined : parseDriverEvent(line);
  if (event === undefined) throw garbled(line);
  return event;
}

function garbled(line: string): PrefetchError {
  const shown = withoutSecrets(line.length > SHOWN ? `${line.slice(0, SHOWN)}…` : line);
  return new PrefetchError(
    'VllmFailed',
    `The vLLM driver wrote a line that is none of its own: ${JSON.stringify(shown)}`
  );
}
