import { createRequire } from 'node:module';
import {
  ApplicationFailure,
  defaultPayloadConverter,
  type DataConverter,
  type Payload,
  type PayloadCodec,
  type PayloadConverter,
} from '@temporalio/common';
import { ASKED_AGAIN, judgeCodecFailure } from '../core/codec-failures.js';
import { PrefetchError } from '../core/errors.js';
import { foreignText } from '../core/foreign-text.js';
import { standIn } from '../core/undecoded.js';

type Context = Parameters<PayloadCodec['decode']>[1];

/** How long a failure that says neither "away" nor "wrong key" is taken for one that passes. */
const PATIENCE_MS = 120_000;
const MOST_FAILING = 1_000;

/** Who decodes: a worker is asked again, a client's caller hears of it at once. */
export interface CheckOptions {
  /** @default 2 minutes; 0 for a client */
  readonly patienceMs?: number;
  readonly now?: () => number;
}

/**
 * The same converter, and what it cannot decode becomes a stand-in that the workflow, the activity or the client fails by
 * name for; the SDK alone would try such a workflow task again without an end. What may pass, as a key service that is away
 * does, is thrown, and so tried again.
 * @throws PrefetchError `InvalidInput` where `payloadConverterPath` leads to no payload converter
 */
export function checkedConverter(converter: DataConverter = {}, options: CheckOptions = {}): DataConverter {
  const codecs = converter.payloadCodecs ?? [];
  if (codecs.some((codec) => codec instanceof PayloadCheck)) return converter;
  const payloadConverter = loadPayloadConverter(converter.payloadConverterPath);
  const hasConverter = codecs.length > 0 || converter.payloadConverterPath !== undefined;
  return { ...converter, payloadCodecs: [new PayloadCheck({ codecs, payloadConverter, hasConverter }, options)] };
}

interface Checked {
  readonly codecs: readonly PayloadCodec[];
  readonly payloadConverter: PayloadConverter;
  readonly hasConverter: boolean;
}

/** One codec that stands for all codecs of a converter. */
class PayloadCheck implements PayloadCodec {
  readonly #checked: Checked;
  readonly #patienceMs: number;
  readonly #now: () => number;
  /** When decoding began to fail, by the run that waits for it. */
  readonly #failingSince = new Map<string, number>();

  constructor(checked: Checked, { patienceMs = PATIENCE_MS, now = Date.now }: CheckOptions) {
    this.#checked = checked;
    this.#patienceMs = patienceMs;
    this.#now = now;
  }

  async encode(payloads: Payload[], context?: Context): Promise<Payload[]> {
    let encoded = payloads;
    for (const codec of this.#checked.codecs) encoded = await codec.encode(encoded, context);
    return encoded;
  }

  async decode(payloads: Payload[], context?: Context): Promise<Payload[]> {
    const run = context?.workflowId ?? '';
    try {
      const decoded = await this.#decodeAll(payloads, context);
      this.#failingSince.delete(run);
      return payloads.map((payload, index) => this.#readable(payload, decoded[index], context));
    } catch (error) {
      const reason = reasonOf(error);
      if (!this.#lasts(error, payloads, context)) throw asPassing(reason);
      this.#failingSince.delete(run);
      return payloads.map((payload) => this.#standIn(payload, reason, context));
    }
  }

  async #decodeAll(payloads: Payload[], context: Context): Promise<Payload[]> {
    let decoded = payloads;
    for (const codec of this.#checked.codecs.toReversed()) decoded = await codec.decode(decoded, context);
    return decoded;
  }

  #readable(payload: Payload, decoded: Payload | undefined, context: Context): Payload {
    if (decoded === undefined) return this.#standIn(payload, 'the codec gave nothing back', context);
    const reason = this.#unreadable(decoded, context);
    return reason === undefined ? decoded : this.#standIn(payload, reason, context);
  }

  #unreadable(payload: Payload, context: Context): string | undefined {
    try {
      this.#checked.payloadConverter.fromPayload(payload, context);
      return undefined;
    } catch (error) {
      return reasonOf(error);
    }
  }

  #standIn(payload: Payload, reason: string, context: Context): Payload {
    const { payloadConverter, hasConverter } = this.#checked;
    return payloadConverter.toPayload(standIn({ encoding: encodingOf(payload), reason, hasConverter }), context);
  }

  #lasts(error: unknown, payloads: readonly Payload[], context: Context): boolean {
    const kind = judgeCodecFailure(error);
    if (kind !== 'unknown') return kind === 'lasting';
    // What needs no codec was sent by somebody without one: no key will change that.
    if (payloads.every((payload) => this.#unreadable(payload, context) === undefined)) return true;
    const run = context?.workflowId ?? '';
    const since = this.#failingSince.get(run) ?? this.#now();
    this.#failingSince.set(run, since);
    // Each run that is new takes the place of the oldest.
    const [oldest] = this.#failingSince.keys();
    if (this.#failingSince.size > MOST_FAILING && oldest !== undefined) this.#failingSince.delete(oldest);
    return this.#now() - since >= this.#patienceMs;
  }
}

/** The payload converter of a module, as the SDK loads it. */
function loadPayloadConverter(path: string | undefined): PayloadConverter {
  if (path === undefined) return defaultPayloadConverter;
  let module: unknown;
  try {
    module = createRequire(import.meta.url)(path);
  } catch (error) {
    throw new PrefetchError('InvalidInput', `payloadConverterPath: ${path} cannot be loaded (${reasonOf(error)})`);
  }
  const converter: unknown =
    typeof module === 'object' && module !== null ? Reflect.get(module, 'payloadConverter') : undefined;
  if (isPayloadConverter(converter)) return converter;
  throw new PrefetchError(
    'InvalidInput',
    `payloadConverterPath: ${path} has no export payloadConverter with toPayload and fromPayload`
  );
}

function isPayloadConverter(value: unknown): value is PayloadConverter {
  return (
    typeof value === 'object' &&
    value !== null &&
    ['toPayload', 'fromPayload'].every((name) => typeof Reflect.get(value, name) === 'function')
  );
}

function encodingOf({ metadata }: Payload): string {
  const encoding = metadata?.['encoding'];
  return encoding == null ? 'none' : foreignText(new TextDecoder().decode(encoding), 60);
}

function reasonOf(error: unknown): string {
  return foreignText(error instanceof Error ? error.message || error.name : String(error), 200);
}

function asPassing(reason: string): ApplicationFailure {
  return ApplicationFailure.create({
    type: 'Internal',
    message: `${ASKED_AGAIN} (${reason}). It is asked again`,
  });
}
