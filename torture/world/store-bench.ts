import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { startS3FaultProxy, type S3FaultProxy } from '../../test/helpers/s3-fault-proxy.js';
import { startMinio, startVersitygw, type S3Server } from '../../test/helpers/s3-programs.js';
import type { StoreKind } from '../plan/round-plan.js';
import type { StorePlace } from './store-access.js';

/** The store of one round: what processes are told, and how to get at it behind their back. */
export interface StoreBench {
  readonly root: string;
  readonly env: Readonly<Record<string, string>>;
  readonly place: StorePlace;
  /** What stands between the processes and an S3 server. */
  readonly proxy?: S3FaultProxy;
  readonly close: () => Promise<void>;
}

/** Real stores of one torture run, each started when a round first asks for it. */
export interface StoreBenches {
  readonly open: (kind: StoreKind, name: string, folder: string) => Promise<StoreBench>;
  readonly stop: () => Promise<void>;
}

export function storeBenches(): StoreBenches {
  const started = new Map<string, Promise<S3Server>>();
  const serverOf = (kind: 'versitygw' | 'minio') => {
    const known = started.get(kind) ?? (kind === 'minio' ? startMinio() : startVersitygw());
    started.set(kind, known);
    return known;
  };
  return {
    open: async (kind, name, folder) => {
      if (kind === 'file') return fileBench(join(folder, 'store'));
      const server = await serverOf(kind === 'minio' ? 'minio' : 'versitygw');
      const proxy = await startS3FaultProxy(server);
      proxy.dropConditions(kind === 'unconditional');
      return s3Bench({ server, proxy }, name);
    },
    stop: async () => {
      for (const server of started.values()) await (await server).stop();
    },
  };
}

function fileBench(folder: string): StoreBench {
  return {
    root: `${pathToFileURL(folder).href}/`,
    env: { MODEL_PREFETCH_SHARED_FILES: 'true' },
    place: { kind: 'file', folder },
    close: () => Promise.resolve(),
  };
}

function s3Bench(
  { server, proxy }: { readonly server: S3Server; readonly proxy: S3FaultProxy },
  name: string
): StoreBench {
  const { endpoint, bucket, accessKey, secretKey } = server;
  return {
    root: `s3://${bucket}/${name}/`,
    env: { ...server.env, AWS_ENDPOINT_URL_S3: proxy.endpoint },
    place: { kind: 's3', endpoint, bucket, prefix: `${name}/`, accessKey, secretKey },
    proxy,
    close: () => proxy.stop(),
  };
}
