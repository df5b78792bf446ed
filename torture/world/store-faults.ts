import type { S3Fault, S3FaultProxy, SeenRequest } from '../../test/helpers/s3-fault-proxy.js';
import type { StoreFaultPlan, StoreOp } from '../plan/round-plan.js';

/** Puts the faults of a plan into the proxy; the result tells how many requests were hit. */
export function injectStoreFaults(proxy: S3FaultProxy, plans: readonly StoreFaultPlan[]): () => number {
  let hits = 0;
  for (const { op, after, kind } of plans) {
    const nth = nthOf(op, after + 1);
    const match = (request: SeenRequest) => {
      const matched = nth(request);
      if (matched) hits += 1;
      return matched;
    };
    proxy.inject({ match, fault: faultOf(kind) });
  }
  return () => hits;
}

/** Tells of every request just before the store hears of it; must come before all faults. */
export function watchRequests(proxy: S3FaultProxy, onRequest: (op: StoreOp) => void): void {
  const match = (request: SeenRequest) => {
    const op = opOf(request);
    if (op !== undefined) onRequest(op);
    return false;
  };
  proxy.inject({ match, fault: { kind: 'reset' } });
}

function nthOf(op: StoreOp, nth: number): (request: SeenRequest) => boolean {
  let seen = 0;
  return (request) => opOf(request) === op && ++seen === nth;
}

function faultOf(kind: StoreFaultPlan['kind']): S3Fault {
  switch (kind) {
    case '500':
      return { kind: 'answer', status: 500, code: 'InternalError' };
    case 'slow-down':
      return { kind: 'answer', status: 503, code: 'SlowDown' };
    case 'reset':
      return { kind: 'reset' };
    case 'cut-body':
      return { kind: 'cutBody' };
    case 'slow':
      return { kind: 'slow', bytesPerSecond: 2 * 1024 * 1024 };
    case 'lost-answer':
      return { kind: 'loseAnswer' };
    case 'cut-answer':
      return { kind: 'cutAnswer' };
  }
}

/** What a request is; undefined for those that find out what a store can do. */
function opOf({ method, path, query, copies }: SeenRequest): StoreOp | undefined {
  if (path.includes('/.model-prefetch/')) return undefined;
  switch (method) {
    case 'POST':
      if (query.has('uploads')) return 'create';
      if (query.has('delete')) return 'delete';
      return query.has('uploadId') ? 'complete' : undefined;
    case 'PUT':
      if (copies) return 'copy';
      if (query.has('partNumber')) return 'part';
      return path.endsWith('/.prefetch/manifest.json') ? 'manifest' : 'put';
    case 'GET':
      if (query.has('list-type')) return 'list';
      if (query.has('uploads')) return 'list-uploads';
      return query.has('uploadId') ? 'list-parts' : 'get';
    case 'HEAD':
      return 'head';
    case 'DELETE':
      return query.has('uploadId') ? undefined : 'delete';
    default:
      return undefined;
  }
}
