import { open, readdir, readFile, rm, type FileHandle } from 'node:fs/promises';
import { join, relative, sep } from 'node:path';
import {
  DeleteObjectsCommand,
  GetObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  S3Client,
} from '@aws-sdk/client-s3';

/** Where a store lies, without any fault in between. */
export type StorePlace =
  | { readonly kind: 'file'; readonly folder: string }
  | {
      readonly kind: 's3';
      readonly endpoint: string;
      readonly bucket: string;
      /** Of every key, ending in "/". */
      readonly prefix: string;
      readonly accessKey: string;
      readonly secretKey: string;
    };

/** Reads a store as a reader of models does: by plain GETs, or as files. None of the package's own code is in it. */
export interface StoreAccess {
  /** The bytes of an object, each chunk good until the next; undefined where there is none. */
  readonly read: (key: string) => Promise<AsyncIterable<Uint8Array> | undefined>;
  /** All keys. */
  readonly list: () => Promise<string[]>;
  /** Unfinished uploads of these keys, by a name that says what they are of. */
  readonly uploads: (keys: readonly string[]) => Promise<string[]>;
  readonly clear: () => Promise<void>;
  readonly close: () => void;
}

export function accessStore(place: StorePlace): StoreAccess {
  return place.kind === 'file' ? accessFolder(place.folder) : accessBucket(place);
}

function accessFolder(folder: string): StoreAccess {
  return {
    read: async (key) => {
      const handle = await open(join(folder, key), 'r').catch(() => undefined);
      return handle === undefined ? undefined : readThrough(handle);
    },
    list: async () => {
      const entries = await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
      const files = entries.filter((entry) => !entry.isDirectory());
      return files.map(({ parentPath, name }) => relative(folder, join(parentPath, name)).split(sep).join('/'));
    },
    uploads: async (keys) => {
      const uploads = join(folder, '.model-prefetch', 'uploads');
      const names = await readdir(uploads).catch(() => []);
      const records = names.map((name) => readFile(join(uploads, name, 'upload.json'), 'utf8').catch(() => ''));
      const keyOf = (text: string) => /"key":"([^"]*)"/.exec(text)?.[1];
      const found = (await Promise.all(records)).map((text, n) => ({ name: names[n] ?? '', key: keyOf(text) }));
      return found
        .filter(({ key }) => key === undefined || keys.includes(key))
        .map(({ name, key }) => `${name} (${key ?? 'no record'})`);
    },
    clear: () => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }),
    close: () => undefined,
  };
}

/** All of a file through one buffer: a new one for each read keeps the collector of a reader busy. */
async function* readThrough(handle: FileHandle): AsyncGenerator<Uint8Array> {
  const buffer = Buffer.allocUnsafeSlow(1 << 20);
  try {
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      if (bytesRead === 0) return;
      yield buffer.subarray(0, bytesRead);
    }
  } finally {
    await handle.close();
  }
}

function accessBucket(place: StorePlace & { readonly kind: 's3' }): StoreAccess {
  const { endpoint, bucket: Bucket, prefix, accessKey, secretKey } = place;
  const client = new S3Client({
    endpoint,
    region: 'us-east-1',
    forcePathStyle: true,
    credentials: { accessKeyId: accessKey, secretAccessKey: secretKey },
    responseChecksumValidation: 'WHEN_REQUIRED',
  });
  const list = async () => {
    const keys: string[] = [];
    let ContinuationToken: string | undefined;
    do {
      const query = { Bucket, Prefix: prefix, ...(ContinuationToken === undefined ? {} : { ContinuationToken }) };
      const page = await client.send(new ListObjectsV2Command(query));
      keys.push(...(page.Contents ?? []).flatMap(({ Key }) => Key?.slice(prefix.length) ?? []));
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken !== undefined);
    return keys;
  };
  return {
    read: async (key) => {
      try {
        const { Body } = await client.send(new GetObjectCommand({ Bucket, Key: prefix + key }));
        return Body as AsyncIterable<Uint8Array> | undefined;
      } catch (error) {
        if (error instanceof Error && error.name === 'NoSuchKey') return undefined;
        throw error;
      }
    },
    list,
    uploads: async (keys) => {
      // MinIO lists uploads of one whole key only.
      const pages = await Promise.all(
        keys.map((key) => client.send(new ListMultipartUploadsCommand({ Bucket, Prefix: prefix + key })))
      );
      return pages.flatMap(({ Uploads }) =>
        (Uploads ?? []).map(({ Key, UploadId }) => `${UploadId ?? ''} (${Key ?? ''})`)
      );
    },
    clear: async () => {
      for (let keys = await list(); keys.length > 0; keys = await list()) {
        const Objects = keys.slice(0, 1000).map((key) => ({ Key: prefix + key }));
        await client.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects, Quiet: true } }));
      }
    },
    close: () => {
      client.destroy();
    },
  };
}
