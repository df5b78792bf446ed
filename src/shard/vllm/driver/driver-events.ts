/** What the driver says, one JSON object a line. */
export type DriverEvent =
  | { readonly event: 'started' }
  | {
      readonly event: 'ready';
      readonly vllm: string;
      readonly torch: string;
      readonly device: 'gpu' | 'cpu';
      readonly gpus: number;
    }
  | {
      readonly event: 'progress';
      readonly phase: 'load' | 'save';
      readonly rank: number;
      readonly ranks: number;
      readonly bytes: number;
    }
  | {
      readonly event: 'done';
      readonly vllm: string;
      readonly device: 'gpu' | 'cpu';
      readonly dtype: string;
      /** The model's config ties its embeddings, and its weights have an output embedding all the same. */
      readonly untiedByCheckpoint: boolean;
    }
  | { readonly event: 'error'; readonly kind: string; readonly message: string };

/** How far the driver is. */
export type DriverProgress = Extract<DriverEvent, { event: 'progress' }>;
/** The last line of a driver that did its work. */
export type DriverDone = Extract<DriverEvent, { event: 'done' }>;

/** Reads a line; undefined for anything that the driver does not say. */
export function parseDriverEvent(line: string): DriverEvent | undefined {
  const value = parseObject(line);
  if (value === undefined) return undefined;
  const text = (name: string) => (typeof value[name] === 'string' ? value[name] : undefined);
  const count = (name: string) => (isCount(value[name]) ? value[name] : undefined);
  const device = oneOf(value['device'], 'gpu', 'cpu');
  switch (value['event']) {
    case 'started':
      return { event: 'started' };
    case 'ready':
      return complete({ event: 'ready', vllm: text('vllm'), torch: text('torch'), device, gpus: count('gpus') });
    case 'progress': {
      const phase = oneOf(value['phase'], 'load', 'save');
      return complete({ event: 'progress', phase, rank: count('rank'), ranks: count('ranks'), bytes: count('bytes') });
    }
    case 'done': {
      const untied = value['untied_by_checkpoint'];
      const untiedByCheckpoint = typeof untied === 'boolean' ? untied : undefined;
      return complete({ event: 'done', vllm: text('vllm'), device, dtype: text('dtype'), untiedByCheckpoint });
    }
    case 'error':
      return complete({ event: 'error', kind: text('kind'), message: text('message') });
    default:
      return undefined;
  }
}

type Complete<T> = { readonly [K in keyof T]: Exclude<T[K], undefined> };

/** The event, when no field of it is missing or of another type. */
function complete<T extends object>(event: T): Complete<T> | undefined {
  return isComplete(event) ? event : undefined;
}

function isComplete<T extends object>(event: T): event is T & Complete<T> {
  return Object.values(event).every((value) => value !== undefined);
}

function parseObject(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function oneOf<T extends string>(value: unknown, ...words: readonly T[]): T | undefined {
  return words.find((word) => word === value);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
