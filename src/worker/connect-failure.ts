import { oneLine } from '../core/control-characters.js';
import { PrefetchError, type ErrorCode } from '../core/errors.js';
import type { TemporalProfile } from './temporal-profile.js';

/** A reason as the SDK words it, which shows how its own parts are nested, and what it means for people. */
interface Reason {
  readonly said: RegExp;
  readonly meaning: (found: string) => string;
  readonly code?: ErrorCode;
}

const REASONS: readonly Reason[] = [
  {
    said: /ConnectionRefused/,
    meaning: () => 'the connection is refused. Check TEMPORAL_ADDRESS and TEMPORAL_PROFILE',
  },
  {
    said: /dns error/,
    meaning: () => 'the name of the host cannot be resolved. Check TEMPORAL_ADDRESS and TEMPORAL_PROFILE',
  },
  {
    said: /InvalidMessage|CorruptMessage|InvalidContentType/,
    meaning: () =>
      'it does not speak TLS, and TLS is asked for by TEMPORAL_TLS_… or by an API key. Check TEMPORAL_ADDRESS, or set ' +
      'TEMPORAL_TLS=false',
  },
  {
    said: /InvalidCertificate\((\w+)/,
    meaning: (found) =>
      `its certificate is not trusted (${found}). Name its CA in TEMPORAL_TLS_SERVER_CA_CERT_PATH, and the name in it in ` +
      'TEMPORAL_TLS_SERVER_NAME where that is another',
  },
  {
    said: /(?:AlertReceived\(|received fatal alert: )(\w+)/i,
    meaning: (found) => `it refuses the client certificate (${found}). Check TEMPORAL_TLS_CLIENT_CERT_PATH`,
    code: 'TemporalAccessDenied',
  },
  {
    said: /(?:authentication credentials|permission to execute|Unauthenticated|PermissionDenied)[^]*?message: "([^"]*)"/,
    meaning: (found) =>
      `it refuses the login (${found}). Check TEMPORAL_API_KEY, or the client certificate of TEMPORAL_TLS_…`,
    code: 'TemporalAccessDenied',
  },
  {
    said: /BrokenPipe|connection closed|ConnectionReset|FRAME_SIZE|http2 error|transport error|UnexpectedEof/,
    meaning: () =>
      'it hangs up. Where it speaks TLS, set TEMPORAL_TLS=true; otherwise check whether TEMPORAL_ADDRESS is a Temporal server',
  },
];

/** The failure to connect, in a line that names what to look at. */
export function connectFailure(error: unknown, { address }: Pick<TemporalProfile, 'address'>): PrefetchError {
  const text = oneLine(error instanceof Error ? error.message : String(error));
  for (const { said, meaning, code = 'ServerUnavailable' } of REASONS) {
    const found = said.exec(text);
    if (found === null) continue;
    const [, detail = ''] = found;
    const problem =
      code === 'ServerUnavailable'
        ? `No Temporal server answers at ${address}`
        : `Temporal at ${address} does not let this process in`;
    return new PrefetchError(code, `${problem}: ${meaning(detail)}`, { details: { address } });
  }
  return new PrefetchError(
    'ServerUnavailable',
    `No Temporal server answers at ${address} (${text.slice(0, 300)}). Check TEMPORAL_ADDRESS, TEMPORAL_PROFILE and TLS settings`,
    { details: { address } }
  );
}
