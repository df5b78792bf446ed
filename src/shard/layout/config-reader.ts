import { unsupported } from './unsupported.js';

/** Reads fields of config.json; what has another type than expected is refused by its name. */
export interface ConfigReader {
  /** Whether the field is there and not null. */
  has(field: string): boolean;
  /** A whole number from 1 to `max` that must be there. */
  count(field: string, max?: number): number;
  /** The same, or a default: for a field that is absent, and for one that is null. */
  countOr(field: string, defaults: { readonly absent: number; readonly empty: number }): number;
  /** A whole number from 0; absent or null is 0. */
  amount(field: string): number;
  flag(field: string, absent: boolean): boolean;
  text(field: string): string | undefined;
  list(field: string): readonly unknown[] | undefined;
  object(field: string): object | undefined;
}

/** Bounds what a hostile config can make us compute: no field that counts something comes near it. */
const MAX_COUNT = 2 ** 31;

/** Takes anything; `UnsupportedSharding` where it is no JSON object. */
export function readField(value: unknown): ConfigReader {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw unsupported('config', 'config.json is no JSON object');
  }
  const fields = new Map<string, unknown>(Object.entries(value));
  const checked = <T>(field: string, expected: string, isRight: (found: unknown) => found is T): T | undefined => {
    const found = fields.get(field);
    if (found === undefined || found === null) return undefined;
    if (isRight(found)) return found;
    throw unsupported('config', `config.json has a field ${field} that is no ${expected}`, { field });
  };
  const number = (field: string) => checked(field, 'whole number from 1', isCount);
  return {
    has: (field) => fields.get(field) !== undefined && fields.get(field) !== null,
    count: (field, max = MAX_COUNT) => {
      const found = number(field);
      if (found === undefined) throw unsupported('config', `config.json lacks the field ${field}`, { field });
      if (found <= max) return found;
      throw unsupported('config', `config.json has a ${field} of ${found}; the most is ${max}`, { field });
    },
    countOr: (field, { absent, empty }) => number(field) ?? (fields.get(field) === null ? empty : absent),
    amount: (field) => checked(field, 'whole number from 0', isAmount) ?? 0,
    flag: (field, absent) => checked(field, 'boolean', isBoolean) ?? absent,
    text: (field) => checked(field, 'text', isText),
    list: (field) => checked(field, 'list', Array.isArray),
    object: (field) => checked(field, 'object', isObject),
  };
}

function isAmount(value: unknown): value is number {
  return value === 0 || isCount(value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 1 && value < MAX_COUNT;
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean';
}

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
