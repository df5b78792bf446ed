import { createRequire } from 'node:module';
import { isAbsolute } from 'node:path';
import type { DataConverter } from '@temporalio/common';

const EXPORTS = [
  { field: 'payloadConverterPath', name: 'payloadConverter', methods: ['toPayload', 'fromPayload'] },
  { field: 'failureConverterPath', name: 'failureConverter', methods: ['errorToFailure', 'failureToError'] },
] as const;

/**
 * What is wrong with the modules that a data converter names, by their paths. The SDK loads them when a worker is made, and
 * that is late.
 * @param reasonOf - what an error says, for a message
 */
export function problemOfPaths(converter: DataConverter, reasonOf: (error: unknown) => string): string | undefined {
  for (const { field, name, methods } of EXPORTS) {
    const path = converter[field];
    if (path === undefined) continue;
    try {
      if (hasMethods(createRequire(import.meta.url)(path), name, methods)) continue;
    } catch (error) {
      const advice = isAbsolute(path) ? '' : '. It needs an absolute path';
      return `has a ${field} that cannot be loaded: ${path} (${reasonOf(error)})${advice}`;
    }
    return `has a ${field} without an export ${name} with ${methods.join(' and ')}: ${path}`;
  }
  return undefined;
}

function hasMethods(module: unknown, name: string, methods: readonly string[]): boolean {
  const converter = fieldOf(module, name);
  return methods.every((method) => typeof fieldOf(converter, method) === 'function');
}

function fieldOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined;
}
