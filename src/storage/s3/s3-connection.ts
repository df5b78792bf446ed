import { HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';

import { PrefetchError } from '../../core/errors.js';
import { noteSecret } from '../../core/secrets.js';
import { createAgents } from '../../http/proxy-agents.js';
import { s3Error, type S3Context } from './s3-errors.js';
import type { S3Options } from './s3-options.js';

/** A bucket that can be talked to: by the SDK for control, by signed requests of our own for bytes. */
export interface S3Connection {
  readonly client: S3Client;
  readonly bucket: string;
  /** Of every key; empty or ending in "/". */
  readonly prefix: string;
  /** URL of the bucket, ending in "/": what object URLs start with. */
  readonly bucketUrl: string;
  readonly signingRegion: string;
  /** For messages: scheme and host of the store. */
  readonly endpoint: string;
  readonly stallMs: number;
}

const DEFAULT_STALL_MS = 30_000;
const CONNECT_MS = 10_000;

/** Finds out where the bucket is and how it is addressed. Nothing is sent to the store yet. */
export async function connectS3(
  place: { readonly bucket: string; readonly prefix: string },
  options: S3Options
): Promise<S3Connection> {
  const { bucket } = place;
  const stallMs = options.stallMs ?? DEFAULT_STALL_MS;
  const region = await regionOf(options);
  const make = (forcePathStyle: boolean) => makeClient({ ...options, region, forcePathStyle }, stallMs);
  try {
    let client = make(options.forcePathStyle ?? options.endpoint !== undefined);
    let found = await locate(client, bucket);
    if (options.forcePathStyle === undefined && options.endpoint === undefined && !isAws(found.bucketUrl)) {
      // An endpoint from the environment or a profile: host names per bucket need DNS that few such stores have.
      client.destroy();
      client = make(true);
      found = await locate(client, bucket);
    }
    return { ...place, ...found, client, stallMs, endpoint: new URL(found.bucketUrl).origin };
  } catch (error) {
    // What the SDK throws for an endpoint that is no URL, and nothing else here throws.
    if (error instanceof TypeError) throw badEndpoint();
    throw s3Error(error, { action: 'find', bucket, endpoint: options.endpoint ?? 'the configured endpoint' });
  }
}

/** What messages say about an action on this bucket. */
export function contextOf({ bucket, endpoint }: S3Connection, action: string, key?: string): S3Context {
  return { action, bucket, endpoint, ...(key === undefined ? {} : { key }) };
}

function makeClient(
  options: S3Options & { readonly region: string; readonly forcePathStyle: boolean },
  stallMs: number
) {
  const { endpoint, region, forcePathStyle, profile, credentials } = options;
  // Real agents: the SDK opens a connection per request where it has to make some of its own, and knows no proxies.
  const { plain, secure } = createAgents({ keepAlive: true, maxSockets: 64 });
  const client = new S3Client({
    region,
    forcePathStyle,
    // Many S3-compatible stores refuse the checksums that the SDK adds by itself.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: new NodeHttpHandler({
      httpAgent: plain,
      httpsAgent: secure,
      connectionTimeout: CONNECT_MS,
      requestTimeout: stallMs,
      throwOnRequestTimeout: true,
    }),
    logger: silent,
    // For the providers of credentials: the SDK reads the files of profiles once per process, and they are rotated.
    ...{ ignoreCache: true },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(profile === undefined ? {} : { profile }),
    ...(credentials === undefined ? {} : { credentials }),
  });
  return notingCredentials(client);
}

/** The secrets that requests are signed with are noted before each request, for they change while a process lives. */
function notingCredentials(client: S3Client): S3Client {
  client.middlewareStack.add(
    (next) => async (args) => {
      await noteCredentials(client);
      return next(args);
    },
    { step: 'initialize', name: 'noteCredentials' }
  );
  return client;
}

/** Notes what a client signs with; where there is nothing, the request itself tells. */
export async function noteCredentials({ config }: Pick<S3Client, 'config'>): Promise<void> {
  const found = await config.credentials().catch(() => undefined);
  for (const secret of [found?.secretAccessKey, found?.sessionToken]) if (secret !== undefined) noteSecret(secret);
}

/** The SDK prints advice to the console otherwise. */
const silent = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** S3-compatible stores know no regions, so that people set none; AWS itself names the right one when it is wrong. */
async function regionOf(options: S3Options): Promise<string> {
  if (options.region !== undefined) return options.region;
  const client = new S3Client(options.profile === undefined ? {} : { profile: options.profile });
  try {
    return await client.config.region();
  } catch {
    return 'us-east-1';
  } finally {
    client.destroy();
  }
}

/** Lets the SDK resolve a request and stops it before it is sent: endpoints, profiles and regions are its business. */
async function locate(client: S3Client, bucket: string): Promise<{ bucketUrl: string; signingRegion: string }> {
  const located: { bucketUrl?: string; signingRegion?: string } = {};
  const command = new HeadObjectCommand({ Bucket: bucket, Key: 'key' });
  command.middlewareStack.add(
    (_next, context) => () => {
      const { endpointV2 } = context;
      if (endpointV2 !== undefined) {
        located.bucketUrl = endpointV2.url.href.replace(/\/?$/, '/');
        const region = endpointV2.properties?.authSchemes?.[0]?.['signingRegion'];
        if (typeof region === 'string') located.signingRegion = region;
      }
      return Promise.resolve({ response: undefined, output: { $metadata: {} } });
    },
    { step: 'finalizeRequest', priority: 'low', name: 'stopBeforeSending' }
  );
  await client.send(command);
  const { bucketUrl, signingRegion } = located;
  if (bucketUrl === undefined)
    throw new PrefetchError('UnsupportedStore', `The AWS SDK knows no address for ${bucket}`);
  return { bucketUrl, signingRegion: signingRegion ?? (await client.config.region()) };
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
