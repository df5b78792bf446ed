import { execFile } from 'node:child_process';
import { open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { forEachAtOnce } from '../../src/tasks/for-each-at-once.js';
import type { BenchFile } from './checkpoint.js';

const run = promisify(execFile);

interface Options {
  readonly signal: AbortSignal;
}

/** `cp -r`, and what makes the copy survive a power cut, as the package's own files do. */
export async function copyFolder(
  files: readonly BenchFile[],
  { from, to }: { readonly from: string; readonly to: string },
  { signal }: Options
): Promise<void> {
  await run('cp', ['-r', from, to], { signal });
  for (const path of [...files.map((file) => file.path), '.']) {
    const handle = await open(join(to, path), 'r');
    await handle.sync();
    await handle.close();
  }
}

/** An S3 server and a bucket of it. */
export interface Bucket {
  readonly endpoint: string;
  readonly bucket: string;
  readonly user: string;
}

const FILES_AT_ONCE = 4;

/** From the bucket to the bucket, a pipe for each file, both sides signing. */
export async function pipeCurls(
  files: readonly BenchFile[],
  { bucket, from, to }: { readonly bucket: Bucket; readonly from: string; readonly to: string },
  { signal }: Options
): Promise<void> {
  await forEachAtOnce(files, { limit: FILES_AT_ONCE, signal }, async ({ path, size }, inner) => {
    const get = `curl ${signing(bucket)} '${urlOf(bucket, `${from}${path}`)}'`;
    const put = `curl ${putting(bucket, size)} -T - '${urlOf(bucket, `${to}${path}`)}'`;
    await run('bash', ['-o', 'pipefail', '-c', `${get} | ${put}`], inner);
  });
}

/** Brings files of this machine into the bucket. */
export async function putFiles(
  files: readonly BenchFile[],
  { bucket, from, to }: { readonly bucket: Bucket; readonly from: string; readonly to: string },
  { signal }: Options
): Promise<void> {
  for (const { path, size } of files) {
    const put = `curl ${putting(bucket, size)} -T '${join(from, path)}' '${urlOf(bucket, `${to}${path}`)}'`;
    await run('bash', ['-c', put], { signal });
  }
}

/** From the bucket to local disk, and from there to the bucket: it copies between a store and a disk only. */
export async function copyOverDisk(
  program: string,
  {
    bucket,
    from,
    to,
    disk,
  }: { readonly bucket: Bucket; readonly from: string; readonly to: string; readonly disk: string },
  { signal }: Options
): Promise<void> {
  const cp = ['--endpoint-url', bucket.endpoint, 'cp'];
  try {
    await run(program, [...cp, `s3://${bucket.bucket}/${from}*`, `${disk}/`], { signal });
    await run(program, [...cp, `${disk}/`, `s3://${bucket.bucket}/${to}`], { signal });
  } finally {
    await rm(disk, { recursive: true, force: true });
  }
}

function signing({ user }: Bucket): string {
  return `-sSf --aws-sigv4 aws:amz:us-east-1:s3 --user '${user}' -H 'x-amz-content-sha256: UNSIGNED-PAYLOAD'`;
}

function putting(bucket: Bucket, size: number): string {
  return `${signing(bucket)} -X PUT -H 'Transfer-Encoding:' -H 'Expect:' -H 'Content-Length: ${String(size)}'`;
}

function urlOf({ endpoint, bucket }: Bucket, key: string): string {
  return `${endpoint}/${bucket}/${key}`;
}
