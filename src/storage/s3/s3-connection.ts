import type { S3Client } from '@aws-sdk/client-s3';

import { PrefetchError } from '../../core/errors.js';
import { locate, makeClient, makeHandler } from './s3-client.js';
import { tellCredentialsOf } from './s3-credentials.js';
import { s3Error, type S3Context } from './s3-errors.js';
import type { S3Options, S3RequestOptions } from './s3-options.js';
import { settingsIn } from './s3-request-headers.js';
import { readSharedConfig, type SharedConfig } from './s3-shared-config.js';

/** Where the requests of a connection go. */
export interface S3Address {
  readonly client: S3Client;
  /** URL of the bucket, ending in "/": what object URLs start with. */
  readonly bucketUrl: string;
  readonly signingRegion: string;
  /** For messages: scheme and host of the store. */
  readonly endpoint: string;
}

/** What a store may say about where its bucket is to be asked for. */
export interface Elsewhere {
  readonly region?: string;
  readonly addressing?: 'virtual';
}

/**
 * A bucket that can be talked to: by the SDK for control, by signed requests of our own for bytes. Its address changes
 * when the store says that it is another one, so nobody keeps it.
 */
export interface S3Connection extends S3Address {
  readonly bucket: string;
  /** Of every key; empty or ending in "/". */
  readonly prefix: string;
  readonly stallMs: number;
  readonly requestOptions: S3RequestOptions;
  /** The platform gives credentials to this container. */
  readonly hasContainerRole: boolean;
  /** Certificates (PEM) of further authorities that are trusted. */
  readonly ca: string | undefined;
  /**
   * Asks there from now on, once; true where the request is worth another try. `sentBy` is the client that was told, where
   * that is known: it may be a former one by now.
   */
  moveTo(elsewhere: Elsewhere, sentBy?: S3Client): Promise<boolean>;
  destroy(): void;
}

const DEFAULT_STALL_MS = 30_000;

/** Finds out where the bucket is and how it is addressed. Nothing is sent to the store yet. */
export async function connectS3(
  place: { readonly bucket: string; readonly prefix: string },
  options: S3Options
): Promise<S3Connection> {
  const stallMs = options.stallMs ?? DEFAULT_STALL_MS;
  const config = await readSharedConfig(options);
  const { ca } = config;
  const handler = makeHandler({ ca, stallMs });
  let credentials: Given['credentials'];
  const find: Find = async (where) => {
    const found = await findAddress({ ...place, options, config, handler, credentials }, where);
    credentials = found.client.config.credentials;
    return found;
  };
  let current = await find({ region: config.region, style: config.addressingStyle });
  const move = mover(find, {
    style: config.addressingStyle,
    get: () => current,
    set: (address) => {
      current = address;
    },
  });
  return {
    ...place,
    stallMs,
    ca,
    requestOptions: options,
    hasContainerRole: config.hasContainerRole,
    get client() {
      return current.client;
    },
    get bucketUrl() {
      return current.bucketUrl;
    },
    get signingRegion() {
      return current.signingRegion;
    },
    get endpoint() {
      return current.endpoint;
    },
    moveTo: move,
    destroy: () => {
      current.client.destroy();
    },
  };
}

/** What messages say about an action on this bucket. */
export function contextOf(connection: S3Connection, action: string, key?: string): S3Context {
  const { bucket, endpoint, requestOptions } = connection;
  const settings = creating.includes(action) ? settingsIn(requestOptions) : [];
  return { action, bucket, endpoint, settings, ...(key === undefined ? {} : { key }) };
}

const creating: readonly string[] = ['write', 'start an upload of', 'copy to'];

interface Where {
  readonly region: string;
  readonly style: SharedConfig['addressingStyle'];
}

type Find = (where: Where) => Promise<S3Address>;

interface Given {
  readonly bucket: string;
  readonly options: S3Options;
  readonly config: SharedConfig;
  readonly handler: ReturnType<typeof makeHandler>;
  readonly credentials: S3Client['config']['credentials'] | undefined;
}

async function findAddress(given: Given, { region, style }: Where): Promise<S3Address> {
  const { bucket, options, config } = given;
  let { credentials } = given;
  const make = (forcePathStyle: boolean): S3Client => {
    const client = tellCredentialsOf(makeClient({ ...given, region, forcePathStyle, credentials }), config);
    ({ credentials } = client.config);
    return client;
  };
  try {
    let client = make(style === 'path');
    let found = await locate(client, bucket);
    if (style === 'auto' && !isAws(found.bucketUrl)) {
      // Host names per bucket need DNS that few stores have but AWS.
      client = make(true);
      found = await locate(client, bucket);
    }
    return { ...found, client, endpoint: new URL(found.bucketUrl).origin };
  } catch (error) {
    // What the SDK throws for an endpoint that is no URL, and nothing else here throws.
    if (error instanceof TypeError) throw badEndpoint();
    throw s3Error(error, { action: 'find', bucket, endpoint: options.endpoint ?? 'the configured endpoint' });
  }
}

interface Current {
  readonly style: SharedConfig['addressingStyle'];
  readonly get: () => S3Address;
  readonly set: (address: S3Address) => void;
}

/** Goes each way once; of many requests that are sent elsewhere at once, one moves and all go there. */
function mover(find: Find, current: Current): S3Connection['moveTo'] {
  let { style } = current;
  let moving: Promise<void> | undefined;
  const tried = new Set<keyof Elsewhere>();

  return async ({ region, addressing }, sentBy) => {
    const { client, signingRegion } = current.get();
    if (moving === undefined && (sentBy === undefined || sentBy === client)) {
      const way = addressing !== undefined ? 'addressing' : 'region';
      const isThere = way === 'region' ? region === undefined || region === signingRegion : current.style !== 'auto';
      // Who does not know where it was sent may have been sent to the place before.
      if (isThere) return sentBy === undefined && tried.has(way);
      if (tried.has(way)) return false;
      tried.add(way);
      if (way === 'addressing') style = 'virtual';
      moving = find({ region: region ?? signingRegion, style }).then(current.set);
      moving.finally(() => (moving = undefined)).catch(() => undefined);
    }
    await moving;
    return true;
  };
}

function badEndpoint(): PrefetchError {
  return new PrefetchError(
    'InvalidInput',
    'The endpoint of the S3 store is no URL: check AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL or the profile; ' +
      'expected something like https://s3.example.com'
  );
}

function isAws(url: string): boolean {
  return /\.amazonaws\.com(\.cn)?$/.test(new URL(url).hostname);
}
