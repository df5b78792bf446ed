/** Whether trying again may help: a key service that is away comes back, a wrong key stays wrong. */
export type CodecFailure = 'passing' | 'lasting' | 'unknown';

const NETWORK = /^(?:ECONN\w+|ETIMEDOUT|EAI_AGAIN|ENOTFOUND|EPIPE|EHOST\w+|ENET\w+|EMFILE|UND_ERR_\w+)$/;
/** CANCELLED, UNKNOWN, DEADLINE_EXCEEDED, RESOURCE_EXHAUSTED, ABORTED, INTERNAL and UNAVAILABLE of gRPC. */
const PASSING_GRPC = new Set([1, 2, 4, 8, 10, 13, 14]);
const AWAY =
  /unavailable|not available|unreachable|time[d -]*out|temporar|try again|retry|fetch failed|socket|network|connect|hang ?up|throttl|too many|rate limit|overload|outage|\b(?:is|was) (?:away|down|offline)\b|\b(?:429|50[0234])\b/i;
const WRONG_KEY =
  /decrypt|decipher|authenticate data|auth(?:entication)? tag|padding|ciphertext|encrypted|encoding|corrupt|checksum|integrity|\b(?:wrong|bad|other|unknown|invalid|missing|no|unexpected) (?:such )?(?:encryption )?key|key.{0,60}(?:unknown|wrong|mismatch|not (?:found|known)|does not)|operation-specific reason|unsupported state|unexpected token|in JSON/i;

/** How the check of a converter begins what is to be tried again. */
export const ASKED_AGAIN = 'Internal: The data converter failed';

/** Judges what a payload codec threw, by its code, its status or, where it has none, its words. */
export function judgeCodecFailure(error: unknown): CodecFailure {
  const chain = causes(error);
  if (chain.some(({ message }) => message.startsWith(ASKED_AGAIN))) return 'passing';
  if (chain.some(isAway)) return 'passing';
  if (chain.some(isWrongKey)) return 'lasting';
  const text = chain.map((each) => each.message).join(' ');
  if (AWAY.test(text)) return 'passing';
  return WRONG_KEY.test(text) ? 'lasting' : 'unknown';
}

function causes(error: unknown): Error[] {
  const chain: Error[] = [];
  for (let each = error; each instanceof Error && chain.length < 10; each = each.cause) chain.push(each);
  return chain.length > 0 ? chain : [new Error(String(error))];
}

function isAway(error: Error): boolean {
  const [code, metadata] = [field(error, 'code'), field(error, '$metadata')];
  const status = field(error, 'status') ?? field(error, 'statusCode') ?? field(metadata, 'httpStatusCode');
  return (
    (typeof code === 'string' && NETWORK.test(code)) ||
    // A DOMException has a number as its code too.
    (typeof code === 'number' && field(error, 'metadata') !== undefined && PASSING_GRPC.has(code)) ||
    (typeof status === 'number' && (status === 429 || status >= 500)) ||
    field(error, '$retryable') !== undefined ||
    /^(?:Abort|Timeout)Error$/.test(error.name)
  );
}

function isWrongKey(error: Error): boolean {
  const code = field(error, 'code');
  return (
    error.name === 'OperationError' ||
    (error.name === 'ApplicationFailure' && field(error, 'nonRetryable') === true) ||
    (typeof code === 'string' && /^ERR_(?:OSSL|CRYPTO)_/.test(code))
  );
}

function field(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
