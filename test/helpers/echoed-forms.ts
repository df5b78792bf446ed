/** What came with a request, for a server that sends it back. */
export interface Sent {
  readonly secret: string;
  readonly authorization: string;
  /** Path and query. */
  readonly url: string;
}

/** The forms in which servers are known to repeat a secret, and what it came in. */
export function echoesOf({ secret, authorization, url }: Sent): string[] {
  const query = url.split('?')[1] ?? '';
  return [
    secret,
    authorization,
    `prefix ${authorization} suffix`,
    ...formsOf(secret),
    ...formsOf(authorization),
    ...formsOf(`user:${secret}`),
    `Basic ${base64(`user:${secret}`)}`,
    query,
    `bytes 0-1/9;${query}`,
    encodeURIComponent(query),
    `http://127.0.0.1:1${url}`,
    `${'x'.repeat(9_000)} ${secret}`,
    `${secret} ${'x'.repeat(9_000)}`,
  ];
}

/** What must be in no text: each secret as it is, and in every form of it and of what it is sent in. */
export function shownForms(secrets: readonly string[]): string[] {
  return secrets.flatMap((secret) => [
    secret,
    // A name of a host is in small letters.
    secret.toLowerCase(),
    ...[secret, `Bearer ${secret}`, `user:${secret}`].flatMap((text) => formsOf(text).map((form) => form.slice(-24))),
  ]);
}

function formsOf(text: string): string[] {
  const encoded = encodeURIComponent(text);
  return [
    base64(text),
    base64(text).replaceAll('=', ''),
    Buffer.from(text).toString('base64url'),
    encodeURIComponent(base64(text)),
    encoded,
    encoded.replaceAll(/%../g, (code) => code.toLowerCase()),
    encodeURIComponent(encoded),
  ];
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
