import { HeadObjectCommand, S3Client } from '@aws-sdk/client-s3';
import { NodeHttpHandler } from '@smithy/node-http-handler';

import { PrefetchError } from '../../core/errors.js';
import { contextWith } from '../../http/authorities.js';
import { createAgents } from '../../http/proxy-agents.js';
import type { S3Options } from './s3-options.js';
import { kindOfCommand, requestHeaders } from './s3-request-headers.js';

/** What a client is made of. */
export interface ClientParts {
  readonly options: S3Options;
  readonly region: string;
  readonly forcePathStyle: boolean;
  readonly handler: NodeHttpHandler;
  /** Those of another client of the store, so that roles are not taken twice. */
  readonly credentials: S3Client['config']['credentials'] | undefined;
}

const CONNECT_MS = 10_000;

/** The connections of all clients of one store. */
export function makeHandler({ ca, stallMs }: { readonly ca: string | undefined; readonly stallMs: number }) {
  // Real agents: the SDK opens a connection per request where it has to make some of its own, and knows no proxies.
  const settings = { keepAlive: true, maxSockets: 64 };
  const { plain, secure } = createAgents(ca === undefined ? settings : { ...settings, secureContext: contextWith(ca) });
  return new NodeHttpHandler({
    httpAgent: plain,
    httpsAgent: secure,
    connectionTimeout: CONNECT_MS,
    requestTimeout: stallMs,
    throwOnRequestTimeout: true,
  });
}

/** A client of the SDK whose requests say how the bucket is written and read. */
export function makeClient(parts: ClientParts): S3Client {
  const { options, region, forcePathStyle, handler } = parts;
  const { endpoint, profile, credentials = parts.credentials } = options;
  const client = new S3Client({
    region,
    forcePathStyle,
    // Many S3-compatible stores refuse the checksums that the SDK adds by itself.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: handler,
    logger: silent,
    // For the providers of credentials: the SDK reads the files of profiles once per process, and they are rotated.
    ...{ ignoreCache: true },
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(profile === undefined ? {} : { profile }),
    ...(credentials === undefined ? {} : { credentials }),
  });
  client.middlewareStack.add(
    (next, { commandName }) =>
      (args) => {
        Object.assign(headersOf(args.request), requestHeaders(options, kindOfCommand(commandName)));
        return next(args);
      },
    { step: 'build', name: 'sayHow' }
  );
  return client;
}

function headersOf(request: unknown): object {
  const headers: unknown = typeof request === 'object' && request !== null ? Reflect.get(request, 'headers') : {};
  return typeof headers === 'object' && headers !== null ? headers : {};
}

/** The SDK prints advice to the console otherwise. */
const silent = {
  trace: () => undefined,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
};

/** Lets the SDK resolve a request and stops it before it is sent: endpoints, profiles and regions are its business. */
export async function locate(
  client: S3Client,
  bucket: string
): Promise<{ readonly bucketUrl: string; readonly signingRegion: string }> {
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
