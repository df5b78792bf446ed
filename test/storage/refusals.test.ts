import { expect, test } from 'vitest';
import { adviceOnRefusal, areCredentialsEnded } from '../../src/storage/refusals.js';

test.each(['ExpiredToken', 'ExpiredTokenException', 'RequestExpired', 'TokenRefreshRequired'])(
  '%s means that credentials have ended, which somebody can renew',
  (reason) => {
    expect(areCredentialsEnded(reason)).toBe(true);
    expect(adviceOnRefusal(reason)).toContain('renew them');
  }
);

test.each(['AccessDenied', 'InvalidAccessKeyId', 'SignatureDoesNotMatch', 'Unknown', undefined])(
  '%s does not mean that credentials have ended',
  (reason) => {
    expect(areCredentialsEnded(reason)).toBe(false);
    expect(adviceOnRefusal(reason)).toBeUndefined();
  }
);
