import { PrefetchError, type ErrorCode } from '../../core/errors.js';
import { isCertificateError } from '../../http/certificate-errors.js';
import { failureOfError } from './s3-errors.js';
import { areCredentialsEnded, codeOf } from './s3-refusals.js';

/**
 * What it means that no credentials could be had: from the files of profiles, a login, a role, a program. Its text is not
 * shown, for it may hold the command line of that program. `mayCome`: there are some, which cannot be had just now.
 */
export function sourceFailure(error: unknown, { mayCome }: { readonly mayCome: boolean }): PrefetchError {
  const known = error instanceof Error ? error : new Error('Unknown');
  const { name, status } = failureOfError(known);
  const { message } = known;
  const said = status === undefined ? name : `${name}, HTTP ${String(status)}`;
  const { code, advice } = judge({ name, status, message, mayCome });
  return new PrefetchError(code, `No credentials for the S3 store could be had (${said}): ${advice}`, {
    details: { reason: name, status },
  });
}

interface Source {
  readonly name: string;
  readonly status: number | undefined;
  readonly message: string;
  readonly mayCome: boolean;
}

function judge({ name, status, message, mayCome }: Source): { readonly code: ErrorCode; readonly advice: string } {
  const outage = isNetwork.exec(`${name} ${message}`)?.[0];
  if (outage !== undefined) {
    return { code: 'StoreUnavailable', advice: `their source cannot be reached (${outage}), which may pass` };
  }
  if (isLogin.test(message)) {
    return {
      code: 'StoreCredentialsMissing',
      advice: 'the login has ended: run "aws sso login" with this AWS_PROFILE',
    };
  }
  if (areCredentialsEnded(name))
    return { code: 'StoreUnavailable', advice: `what they are got with has ended: ${renew}` };
  if (isCertificateError(name)) {
    return { code: 'StoreRefused', advice: 'the certificate of their source is not trusted: set NODE_EXTRA_CA_CERTS' };
  }
  if (name === 'ENOENT' || name === 'EACCES') {
    return { code: 'StoreCredentialsMissing', advice: 'the file of AWS_WEB_IDENTITY_TOKEN_FILE cannot be read' };
  }
  if (isTemporary(name, status)) return { code: 'StoreUnavailable', advice: 'their source is unwell, which may pass' };
  if (status !== undefined) return { code: 'StoreCredentialsMissing', advice: role };
  if (mayCome) {
    return {
      code: 'StoreUnavailable',
      advice: 'there is a role, and its source gives none just now, which may pass',
    };
  }
  return { code: 'StoreCredentialsMissing', advice: some };
}

/** Some errors of the SDK keep the cause in their words alone, with the host, which has any name. */
const isNetwork =
  /\b(?:ENOTFOUND|ECONNREFUSED|ECONNRESET|ECONNABORTED|ETIMEDOUT|EAI_AGAIN|EHOSTUNREACH|EHOSTDOWN|ENETUNREACH|ENETDOWN|EPIPE)\b/;
/** The sentences of the SDK about a login that a person has to renew. */
const isLogin = /\baws (?:sso )?login\b|\bSSO (?:session|token|login)\b.*\b(?:expired|invalid|not found|did not)\b/is;

const renew = 'renew the web identity file, or the credentials that the role is taken with';
const role =
  'the role of the profile or of AWS_ROLE_ARN was refused: check its trust policy, and source_profile, ' +
  'credential_source or AWS_WEB_IDENTITY_TOKEN_FILE';
const some =
  'set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE (a profile that exists, with keys, a login, a role ' +
  'or a credential_process that works: see "aws sts get-caller-identity"), or give the machine a role';

/** No answer, or one that passes. */
function isTemporary(name: string, status: number | undefined): boolean {
  if (name === 'CredentialsProviderError' || name === 'TokenProviderError') return false;
  if (name === 'IDPCommunicationError') return true;
  return codeOf({ name, ...(status === undefined ? {} : { status }) }) === 'StoreUnavailable';
}
