import { describe, expect, test } from 'vitest';
import { redirectTarget } from '../../src/hub/redirect.js';

function target(endpoint: string, location?: string): string {
  const subject = { endpoint, about: 'file', token: undefined } as const;
  return redirectTarget(subject, { from: new URL(`${endpoint}/a/b`), location }).href;
}

describe('redirectTarget', () => {
  test('takes any https host', () => {
    expect(target('https://hub.example', 'https://cdn.elsewhere.example/x?y=z')).toBe(
      'https://cdn.elsewhere.example/x?y=z'
    );
  });

  test('resolves a relative location', () => {
    expect(target('https://hub.example', '/c?d')).toBe('https://hub.example/c?d');
  });

  test('takes http from a Hub that is on http itself', () => {
    expect(target('http://127.0.0.1:1', 'http://127.0.0.1:2/x')).toBe('http://127.0.0.1:2/x');
  });

  test.each(['http://cdn.example/x?Signature=s3cret', 'file:///etc/passwd?s3cret', 'data:text/plain,s3cret'])(
    'refuses %s from a Hub on https and says only where it leads',
    (location) => {
      expect(() => target('https://hub.example', location)).toThrow(/^HubProtocol: .*not https/);
      expect(() => target('https://hub.example', location)).not.toThrow(/s3cret/);
    }
  );

  test.each([undefined, 'http://'])('refuses the location %s', (location) => {
    expect(() => target('http://hub.example', location)).toThrow(/^SourceUnavailable: .*without a valid URL/);
  });
});
