import type { LiveProgress } from '../../client.js';
import { duration } from './figures.js';

type Waiting = NonNullable<LiveProgress['waiting']>;

/** Why a step does not get on, when it does, and what to do: people must not take a pause for a hang. */
export function waitingText(waiting: Waiting, nowMs = Date.now()): string {
  const { advice } = waiting;
  return `${happens(waiting, nowMs)}${advice === undefined ? '' : `; ${advice}`}`.replace('.; ', '; ');
}

function happens({ activity, attempt, message, reason, nextTryAt }: Waiting, nowMs: number): string {
  if (reason !== 'failed') return `${activity}: ${message}`;
  const which = `(attempt ${String(attempt)})`;
  if (nextTryAt === undefined) return `${activity}: being tried again now ${which} after ${message}`;
  const seconds = Math.ceil((Date.parse(nextTryAt) - nowMs) / 1000);
  return seconds > 0
    ? `${activity}: tried again in ${duration(seconds)} ${which}: ${message}`
    : `${activity}: about to be tried again ${which}: ${message}`;
}
