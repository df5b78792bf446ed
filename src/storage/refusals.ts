/** Credentials that were good once: whoever gives them out has new ones, now or soon. In the words of S3 and of STS. */
const ended = new Set(['ExpiredToken', 'ExpiredTokenException', 'RequestExpired', 'TokenRefreshRequired']);

/** Whether a store refused a request because the credentials behind it have ended meanwhile. */
export function areCredentialsEnded(reason: unknown): boolean {
  return typeof reason === 'string' && ended.has(reason);
}

/** What to do about a refusal that a store gives this reason for, where the reason alone tells. */
export function adviceOnRefusal(reason: unknown): string | undefined {
  if (areCredentialsEnded(reason)) {
    return (
      'the credentials have ended and no newer ones were found: renew them (the profile, the web identity file or the ' +
      'role of the worker, or AWS_SESSION_TOKEN and a restart); it is tried again meanwhile'
    );
  }
  if (reason === 'InvalidObjectState') {
    return 'the object is archived: restore it from cold storage first, or delete it so that it is fetched again';
  }
  return undefined;
}
