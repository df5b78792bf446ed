import { readFile } from 'node:fs/promises';
import { loadConfig, NODE_REGION_CONFIG_OPTIONS, type LoadedConfigSelectors } from '@smithy/core/config';

import { PrefetchError } from '../../core/errors.js';
import type { AddressingStyle, S3Options } from './s3-options.js';

/** What the environment and the profile say besides what the AWS SDK reads by itself, as for the AWS CLI. */
export interface SharedConfig {
  readonly region: string;
  readonly addressingStyle: AddressingStyle;
  /** Certificates of further authorities, in PEM. */
  readonly ca?: string;
  /** The platform gives credentials to this container, so that a failure to get some may pass. */
  readonly hasContainerRole: boolean;
}

/** Reads what is configured; fails as `InvalidInput` where a value or a file is of no use. */
export async function readSharedConfig(options: S3Options): Promise<SharedConfig> {
  const { profile } = options;
  const read = <T>(selectors: LoadedConfigSelectors<T>): Promise<T> =>
    loadConfig(selectors, { ignoreCache: true, ...(profile === undefined ? {} : { profile }) })();
  const ca = await readBundle(await read(caBundle));
  return {
    region: options.region ?? (await read(region).catch(() => DEFAULT_REGION)),
    addressingStyle: addressingStyleOf(options) ?? styleNamed(await read(addressingStyle)),
    ...(ca === undefined ? {} : { ca }),
    hasContainerRole: (await read(containerRole)) !== undefined,
  };
}

/** S3-compatible stores know no regions, so that people set none; a store that has them names the right one. */
const DEFAULT_REGION = 'us-east-1';

const region: LoadedConfigSelectors<string> = {
  environmentVariableSelector: (env) => env['AWS_REGION'] || env['AWS_DEFAULT_REGION'] || undefined,
  configFileSelector: (profile) => profile['region'],
  // Of the machine, where it is one of EC2.
  default: NODE_REGION_CONFIG_OPTIONS.default,
};

const caBundle: LoadedConfigSelectors<string | undefined> = {
  environmentVariableSelector: (env) => env['AWS_CA_BUNDLE'] || undefined,
  configFileSelector: (profile) => profile['ca_bundle'],
  default: undefined,
};

/** The AWS CLI has no variable for this one. */
const addressingStyle: LoadedConfigSelectors<string | undefined> = {
  environmentVariableSelector: () => undefined,
  configFileSelector: (profile) => profile['s3.addressing_style'],
  default: undefined,
};

const containerRole: LoadedConfigSelectors<string | undefined> = {
  environmentVariableSelector: (env) =>
    env['AWS_CONTAINER_CREDENTIALS_FULL_URI'] || env['AWS_CONTAINER_CREDENTIALS_RELATIVE_URI'] || undefined,
  configFileSelector: () => undefined,
  default: undefined,
};

function addressingStyleOf({ addressingStyle: style, forcePathStyle }: S3Options): AddressingStyle | undefined {
  if (style !== undefined || forcePathStyle === undefined) return style;
  return forcePathStyle ? 'path' : 'virtual';
}

function styleNamed(style: string | undefined): AddressingStyle {
  if (style === undefined) return 'auto';
  if (style === 'auto' || style === 'path' || style === 'virtual') return style;
  throw new PrefetchError('InvalidInput', 'The profile has an addressing_style that is none of auto, path and virtual');
}

async function readBundle(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  const pem = await readFile(path, 'utf8').catch(() => '');
  if (pem.includes('-----BEGIN CERTIFICATE-----')) return pem;
  throw new PrefetchError(
    'InvalidInput',
    `AWS_CA_BUNDLE, or ca_bundle of the profile, names no file with certificates in PEM: ${JSON.stringify(path)}`
  );
}
