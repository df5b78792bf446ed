import { unlessAborted } from '../../tasks/unless-aborted.js';
import type { RequestOptions } from '../object-store.js';
import { connectS3, type S3Connection } from './s3-connection.js';
import type { S3Options } from './s3-options.js';
import { probeStore, type S3Profile } from './s3-probe.js';
import { requestHeaders } from './s3-request-headers.js';
import { makeSigner, type Signer } from './s3-signer.js';

/** What every operation works with. */
export interface S3Session {
  readonly connection: S3Connection;
  readonly sign: Signer;
  /** What the store can do; asked once per process and bucket. */
  profile(options?: RequestOptions): Promise<S3Profile>;
}

/** By address, bucket and how it is written. A probe costs a dozen requests, and the answers do not change while a process lives. */
const profiles = new Map<string, Promise<S3Profile>>();

/** Opens a session. Nothing is sent to the store until something is asked of it. */
export async function openSession(
  place: { readonly bucket: string; readonly prefix: string },
  options: S3Options
): Promise<S3Session> {
  const connection = await connectS3(place, options);
  const sign = makeSigner(connection);
  return {
    connection,
    sign,
    profile: (options = {}) => unlessAborted(profileOf(connection, sign), options),
  };
}

function profileOf(connection: S3Connection, sign: Signer): Promise<S3Profile> {
  const name = nameOf(connection);
  const known = profiles.get(name);
  if (known !== undefined) return known;
  // Without a caller's signal: others may wait for the same answer.
  const asked = probeStore(connection, sign);
  profiles.set(name, asked);
  asked.then(
    // The store may have said that the bucket has another address.
    () => profiles.set(nameOf(connection), asked),
    () => profiles.delete(name)
  );
  return asked;
}

/** A store may take writes with some settings and refuse others. */
function nameOf({ bucketUrl, requestOptions }: S3Connection): string {
  return `${bucketUrl} ${JSON.stringify(requestHeaders(requestOptions, 'create'))}`;
}
