import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe } from 'vitest';
import type { Dir } from '../../src/core/contract.js';
import { describeWithS3, startVersitygw, type S3Server } from './s3-servers.js';
import { createTmpFolder, removeFolder } from './tmp.js';

/** An empty store of a real backend. */
export interface RealStore {
  /** Its root, as a URL. */
  readonly root: string;
  /** Where a file of a Dir lies on the disk of this machine, behind the back of the store. */
  onDisk(dir: Pick<Dir, 'path'>, file: string): string;
}

/** Defines the same tests for a folder and for an S3 server; the store is there inside tests and hooks only. */
export function onBothStores(define: (store: () => RealStore) => void): void {
  let store: RealStore | undefined;
  const opened = () => {
    if (store === undefined) throw new Error('The store is there inside tests only.');
    return store;
  };

  describe('on file://', () => {
    let folder: string;

    beforeAll(async () => {
      folder = await createTmpFolder();
      store = {
        root: `${pathToFileURL(folder).href}/`,
        onDisk: (dir, file) => join(fileURLToPath(dir.path), file),
      };
    });

    afterAll(() => removeFolder(folder));

    define(opened);
  });

  describeWithS3('on S3', () => {
    let folder: string;
    let s3: S3Server;

    beforeAll(async () => {
      folder = await createTmpFolder();
      s3 = await startVersitygw({ folder });
      // The store reads the standard AWS environment, in this process that of the worker.
      Object.assign(process.env, s3.env);
      store = {
        root: `s3://${s3.bucket}/root/`,
        onDisk: (dir, file) => join(folder, decodeURIComponent(dir.path.slice('s3://'.length)), file),
      };
    });

    afterAll(async () => {
      await s3.stop();
      await removeFolder(folder);
    });

    define(opened);
  });
}
