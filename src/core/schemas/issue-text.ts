import type { z } from 'zod';

const EXPECTED: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object with fields',
  record: 'an object with fields',
};
const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  boolean: 'true or false',
  object: 'an object',
  undefined: 'nothing',
};

/**
 * For `safeParse`: what is wrong with a value, in this package's own words, where its schema has none. A number is told as it
 * came; text may be a secret in the wrong place.
 */
export const TOLD = { error: issueText };

function issueText(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${EXPECTED[issue.expected] ?? issue.expected}, got ${kindOf(issue.input)}`;
    case 'invalid_value':
      return `expected ${issue.values.map((value) => JSON.stringify(value)).join(' or ')}${gotOther(issue.input)}`;
    case 'too_small':
      return `expected at least ${amount(issue.minimum, issue.origin)}, got ${size(issue.input)}`;
    case 'too_big':
      return `expected at most ${amount(issue.maximum, issue.origin)}, got ${size(issue.input)}`;
    default:
      return undefined;
  }
}

function gotOther(input: unknown): string {
  return `, got ${typeof input === 'string' ? 'another text' : kindOf(input)}`;
}

function amount(count: number | bigint, origin: string): string {
  const many = Number(count) === 1 ? '' : 's';
  if (origin === 'string') return `${String(count)} character${many}`;
  return origin === 'array' ? `${String(count)} item${many}` : String(count);
}

function size(input: unknown): string {
  if (typeof input === 'string' || Array.isArray(input)) return input.length === 0 ? 'none' : String(input.length);
  return kindOf(input);
}

function kindOf(input: unknown): string {
  if (input === null) return 'null';
  if (Array.isArray(input)) return 'a list';
  return typeof input === 'number' ? String(input) : (KINDS[typeof input] ?? typeof input);
}
