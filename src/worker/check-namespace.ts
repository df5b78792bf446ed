import { isGrpcServiceError } from '@temporalio/client';
import type { NativeConnection } from '@temporalio/worker';
import { oneLine } from '../core/control-characters.js';
import { PrefetchError } from '../core/errors.js';

const CALL_MS = 10_000;
const NOT_FOUND = 5;
const DEADLINE_EXCEEDED = 4;
const PERMISSION_DENIED = 7;
const UNAVAILABLE = 14;
const UNAUTHENTICATED = 16;

/**
 * Whether a namespace is there, and the login is taken. Who may not ask for that may still be allowed to work: then `warn` is
 * told, and nothing else happens.
 */
export async function checkNamespace(
  connection: NativeConnection,
  namespace: string,
  { address = 'the server', warn }: { readonly address?: string; readonly warn?: (text: string) => void } = {}
): Promise<void> {
  try {
    await connection.withDeadline(Date.now() + CALL_MS, () =>
      connection.workflowService.describeNamespace({ namespace })
    );
  } catch (error) {
    if (!isGrpcServiceError(error)) throw error;
    const { details } = error;
    const code: number = error.code;
    const said = oneLine(details).slice(0, 200);
    if (code === PERMISSION_DENIED) {
      warn?.(`Temporal does not tell this login whether the namespace "${namespace}" is there (${said})`);
      return;
    }
    const failure = failureOf(code, { namespace, address, said });
    if (failure !== undefined) throw failure;
  }
}

/** Anything else is said by a server that does not know the question: what comes next will tell. */
function failureOf(
  code: number,
  { namespace, address, said }: { readonly namespace: string; readonly address: string; readonly said: string }
): PrefetchError | undefined {
  switch (code) {
    case NOT_FOUND:
      return new PrefetchError(
        'NamespaceNotFound',
        `There is no namespace "${namespace}" at ${address}. Check TEMPORAL_NAMESPACE, TEMPORAL_PROFILE and ` +
          'TEMPORAL_ADDRESS, or make it: temporal operator namespace create',
        { details: { namespace, address } }
      );
    case UNAUTHENTICATED:
      return new PrefetchError(
        'TemporalAccessDenied',
        `Temporal at ${address} refuses the login (${said}). Check TEMPORAL_API_KEY, or the client certificate of TEMPORAL_TLS_…`,
        { details: { namespace, address } }
      );
    case UNAVAILABLE:
    case DEADLINE_EXCEEDED:
      return new PrefetchError('ServerUnavailable', `Temporal at ${address} does not answer (${said})`);
    default:
      return undefined;
  }
}
