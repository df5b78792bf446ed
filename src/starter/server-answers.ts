import { isGrpcServiceError } from '@temporalio/client';
import { NamespaceNotFoundError } from '@temporalio/common';
import { oneLine } from '../core/control-characters.js';

/** gRPC's names of what a server says, or what a connection says in its place. */
const NAMES = [
  ...['OK', 'CANCELLED', 'UNKNOWN', 'INVALID_ARGUMENT', 'DEADLINE_EXCEEDED', 'NOT_FOUND', 'ALREADY_EXISTS'],
  ...['PERMISSION_DENIED', 'RESOURCE_EXHAUSTED', 'FAILED_PRECONDITION', 'ABORTED', 'OUT_OF_RANGE', 'UNIMPLEMENTED'],
  ...['INTERNAL', 'UNAVAILABLE', 'DATA_LOSS', 'UNAUTHENTICATED'],
];

/** What passes by itself: the server restarts, its shards move, it is overloaded, or the way to it is cut. */
const PASSING = new Set([
  ...['CANCELLED', 'UNKNOWN', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'ABORTED', 'INTERNAL', 'UNAVAILABLE'],
  'DATA_LOSS',
]);

const MOST_TEXT = 200;

/** Whether a call failed for the server, or the way to it, is away; what it refuses stays refused. */
export function isOutage(error: unknown): boolean {
  const cause = grpcCause(error);
  // A connection that breaks may say so without a status.
  return cause === undefined ? hasName(error, 'TransportError') : PASSING.has(nameOf(cause.code));
}

/** Whether an error is the answer of a server, or tells that there was none. */
export function isServiceError(error: unknown): boolean {
  return grpcCause(error) !== undefined || error instanceof NamespaceNotFoundError;
}

/** An answer in one line. */
export function describeAnswer(error: unknown): string {
  const cause = grpcCause(error);
  const text = cause === undefined ? (error instanceof Error ? error.message : String(error)) : cause.details;
  const line = oneLine(text).slice(0, MOST_TEXT);
  return cause === undefined ? line : `${nameOf(cause.code)}: ${line}`;
}

/** The SDK wraps the answers of a server, more than once where its own code stands between. */
function grpcCause(error: unknown): { readonly code: number; readonly details: string } | undefined {
  for (let each = error; each instanceof Error; each = each.cause) if (isGrpcServiceError(each)) return each;
  return undefined;
}

function hasName(error: unknown, name: string): boolean {
  for (let each = error; each instanceof Error; each = each.cause) if (each.name === name) return true;
  return false;
}

function nameOf(code: number): string {
  return NAMES[code] ?? `gRPC status ${String(code)}`;
}
