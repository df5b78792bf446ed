/** What stands in place of a value that the data converter of its reader cannot decode. */
export interface Undecoded {
  /** How the value says that it is encoded, such as `binary/encrypted`. */
  readonly encoding: string;
  /** What the converter said. */
  readonly reason: string;
  /** Whether the reader has a codec or a converter of its own at all. */
  readonly hasConverter: boolean;
}

const FIELD = 'model-prefetch:not-decoded';

/** The value that whoever reads gets, so that a run fails by name where it would be tried again without an end. */
export function standIn(undecoded: Undecoded): unknown {
  return { [FIELD]: undecoded };
}

/** Tells a stand-in from what was decoded. */
export function asUndecoded(value: unknown): Undecoded | undefined {
  const found = field(value, FIELD);
  if (found === undefined) return undefined;
  const [encoding, reason] = [field(found, 'encoding'), field(found, 'reason')];
  return {
    encoding: typeof encoding === 'string' ? encoding : 'unknown',
    reason: typeof reason === 'string' ? reason : '',
    hasConverter: field(found, 'hasConverter') === true,
  };
}

/** For people: what a worker could not decode, and what to set where. */
export function inputNotDecodedText(undecoded: Undecoded): string {
  return (
    `This worker cannot decode what it was given (${told(undecoded)}). ${likely(undecoded, 'the worker')}: ` +
    'set MODEL_PREFETCH_DATA_CONVERTER on all workers and clients to one module, or give createWorkers() the dataConverter'
  );
}

/** For people: what a client could not decode, and what to set where. */
export function resultNotDecodedText(what: string, undecoded: Undecoded): string {
  return (
    `${what} cannot be decoded here (${told(undecoded)}). ${likely(undecoded, 'this side')}: ` +
    'set MODEL_PREFETCH_DATA_CONVERTER to the module that the workers have, or give the Client the dataConverter'
  );
}

function told({ encoding, reason }: Undecoded): string {
  return `encoding "${encoding}"${reason === '' ? '' : `: ${reason}`}`;
}

function likely({ hasConverter }: Undecoded, who: string): string {
  return hasConverter
    ? `The data converter of ${who} is not that of the sender, or has another key`
    : `The data converter of the sender is missing on ${who === 'the worker' ? 'this worker' : who}`;
}

function field(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null) return undefined;
  return Object.entries(value).find(([key]) => key === name)?.[1];
}
