import type { z } from 'zod';
import { withoutNulls } from '../compact.js';
import { isPrefetchError, PrefetchError, rewrap } from '../errors.js';
import { looksLikeToken } from '../foreign-text.js';
import { inputSchema, type ParsedInput, type PrefetchInput } from './input.js';
import { TOLD } from './issue-text.js';

/** A message must fit into a workflow's history, however wrong the input is. */
const MAX_PROBLEMS = 50;
const MAX_FIELD_CHARACTERS = 100;

/** Takes anything, gives a complete input or fails as `InvalidInput` with every wrong field named. Null is "not given". */
export function parseInput(value: unknown): ParsedInput {
  const result = inputSchema.safeParse(withoutNulls(value), TOLD);
  if (result.success) return result.data;
  const all = describeIssues(result.error.issues);
  const problems =
    all.length > MAX_PROBLEMS ? [...all.slice(0, MAX_PROBLEMS), `and ${String(all.length - MAX_PROBLEMS)} more`] : all;
  throw new PrefetchError('InvalidInput', problems.join('; '), { details: { problems } });
}

/** Fails as `parseInput` does; what passes is an input as its caller gave it, without any default. */
export function assertInput(value: unknown): asserts value is PrefetchInput {
  parseInput(value);
}

/** `parseInput` for what the history of a run keeps already: a token in it is not secret any more. */
export function parseKeptInput(value: unknown): ParsedInput {
  try {
    return parseInput(value);
  } catch (error) {
    if (!isPrefetchError(error, 'InvalidInput') || !hasTokenForName(value)) throw error;
    throw rewrap(error, {
      text:
        `${error.text}. The history of this run keeps the token for all who may read it: ` +
        'revoke it on the Hub, and give the new one to the worker',
    });
  }
}

function hasTokenForName(value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !('hfTokenKey' in value)) return false;
  return typeof value.hfTokenKey === 'string' && looksLikeToken(value.hfTokenKey);
}

/** One line per problem: `field: what is wrong`. Values are left out, for they may be secrets put in the wrong place. */
export function describeIssues(issues: readonly z.core.$ZodIssue[]): string[] {
  return issues.flatMap((issue) => {
    const field = issue.path.length === 0 ? 'input' : issue.path.map(String).join('.');
    if (issue.code === 'unrecognized_keys') {
      const prefix = issue.path.length === 0 ? '' : `${field}.`;
      return issue.keys.map((key) => `${prefix}${key.slice(0, MAX_FIELD_CHARACTERS)}: unknown field`);
    }
    return [`${field}: ${issue.message}`];
  });
}
