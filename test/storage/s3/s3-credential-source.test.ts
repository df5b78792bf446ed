import { expect, test } from 'vitest';

import { sourceFailure } from '../../../src/storage/s3/s3-credential-source.js';

const portal = 'portal.sso.us-east-1.amazonaws.com';
const refresh = `To refresh this SSO session run 'aws sso login' with the corresponding profile.`;

/** As the SDK fails: some errors keep the code of Node, some only its words. */
function error(message: string, fields: Readonly<Record<string, string>> = {}): Error {
  return Object.assign(new Error(message), { name: 'CredentialsProviderError', ...fields });
}

test.each([
  [`getaddrinfo ENOTFOUND ${portal}`, {}],
  [`getaddrinfo ENOTFOUND ${portal}`, { code: 'ENOTFOUND' }],
  [`getaddrinfo EAI_AGAIN ${portal}`, { code: 'EAI_AGAIN' }],
  ['connect ECONNREFUSED 10.0.0.1:443 (SSO portal)', {}],
  [`connect ETIMEDOUT ${portal}`, {}],
  [`read ECONNRESET ${portal}`, {}],
  ['AWS SSO', { code: 'ECONNRESET' }],
  ['getaddrinfo ENOTFOUND oidc.sso.eu-west-1.amazonaws.com', { name: 'TokenProviderError' }],
])('"%s" is a source that cannot be reached, and no ended login', (message, fields) => {
  const failure = sourceFailure(error(message, fields), { mayCome: false });
  expect(failure).toMatchObject({ code: 'StoreUnavailable', permanent: false });
  expect(failure.message).not.toContain('login');
});

test.each([
  `The SSO session associated with this profile has expired. ${refresh}`,
  `The SSO session associated with this profile is invalid. ${refresh}`,
  `The SSO session token associated with profile=work was not found or is invalid. ${refresh}`,
  `Token is expired. ${refresh}`,
  'Your session has expired. Please reauthenticate using "aws login".',
])('"%s" is a login that a person has to renew', (message) => {
  expect(sourceFailure(error(message), { mayCome: true })).toMatchObject({
    code: 'StoreCredentialsMissing',
    message: expect.stringContaining('aws sso login') as string,
  });
});

test.each([
  'Profile is configured with invalid SSO credentials. Required parameters "sso_account_id" were not found.',
  'Could not load credentials from any providers',
  'Command failed: company-sso-keys --profile sso',
])('"%s" is no ended login', (message) => {
  const failure = sourceFailure(error(message), { mayCome: false });
  expect(failure).toMatchObject({ code: 'StoreCredentialsMissing' });
  expect(failure.message).not.toContain('aws sso login');
});
