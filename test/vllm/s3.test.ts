import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { runVllmJob } from '../../src/shard/vllm/run-job.js';
import { openStore, type ObjectStore } from '../../src/storage/index.js';
import { describeWithS3, startVersitygw, type S3Server } from '../helpers/s3-servers.js';
import { failure, live } from '../helpers/transfer-setup.js';
import { createTmpFolder, removeFolder, tmpFolder } from '../helpers/tmp.js';
import { makeCheckpoints } from './checkpoints.js';
import { openFolder, prepareDir } from './setup.js';
import { describeWithVllm } from './vllm-python.js';

describeWithVllm('sharding with real vLLM from S3 to S3', () => {
  describeWithS3('versitygw', () => {
    let folder = '';
    let server: S3Server;
    let store: ObjectStore;
    let checkpoint = '';

    beforeAll(async () => {
      folder = await createTmpFolder();
      server = await startVersitygw();
      store = await openStore(`s3://${server.bucket}/`, { s3: server.options });
      checkpoint = (await makeCheckpoints(folder, ['llama-large']))['llama-large'];
    }, 300_000);
    afterAll(async () => {
      await store.close();
      await server.stop();
      await removeFolder(folder);
    });

    test('gives the same shards as from folder to folder, in parts and whole', { timeout: 300_000 }, async () => {
      const root = await tmpFolder();
      const args = { maxFileSize: 50_000_000 };
      const remote = await prepareDir(checkpoint, { store, scratchFolder: join(root, 'scratch'), args });
      const local = await prepareDir(checkpoint, {
        store: await openFolder(root),
        scratchFolder: join(root, 'scratch'),
        args,
      });
      const summary = ({ files }: Awaited<ReturnType<typeof runVllmJob>>) =>
        files.map(({ path, size, sha256 }) => ({ path, size, sha256 }));

      const result = await runVllmJob(remote.request, remote.dependencies, live());

      expect(summary(result)).toEqual(summary(await runVllmJob(local.request, local.dependencies, live())));
      for (const { path, size, etag } of result.files) {
        expect(await store.head(`model/sharded/${path}`)).toMatchObject({ size, etag });
      }
    });

    test('refuses a Dir whose weights were damaged in the store', { timeout: 120_000 }, async () => {
      const root = await tmpFolder();
      const { request, dependencies } = await prepareDir(checkpoint, { store, scratchFolder: join(root, 'scratch') });
      const weights = await readFile(join(checkpoint, 'model.safetensors'));
      weights[weights.length - 1] = (weights.at(-1) ?? 0) ^ 1;
      await store.put('model/plain/model.safetensors', weights);
      expect(await failure(runVllmJob(request, dependencies, live()))).toMatchObject({ code: 'DirNotIntact' });
    });
  });
});
