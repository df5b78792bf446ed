import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { Connection } from '@temporalio/client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { isPrefetchError } from '../../src/core/errors.js';
import { noteSecret } from '../../src/core/secrets.js';
import { startDevServer } from '../../src/embedded/dev-server.js';
import { takeLease } from '../../src/embedded/leases.js';
import { findProcesses, processStart } from '../../src/embedded/processes.js';
import { readServer } from '../../src/embedded/server-record.js';
import { temporalCliPath } from '../helpers/temporal.js';
import { tmpFolder } from '../helpers/tmp.js';

describe('startDevServer', () => {
  it('serves the default namespace and its Web UI, says where, and is gone after stop', async () => {
    const home = await tmpFolder();
    const server = await startDevServer({ cli: await temporalCliPath(), home });
    try {
      expect(await namespaceIsThere(server.address)).toBe(true);
      expect((await fetch(server.uiUrl)).status).toBe(200);
      const { pid, address, uiUrl, session } = server;
      expect(await readServer(home)).toEqual({ pid, address, uiUrl, session });
    } finally {
      await server.stop();
    }
    expect(await processStart(server.pid)).toBeUndefined();
    expect(await readServer(home)).toBeUndefined();
    expect(await findProcesses([home])).toEqual([]);
  });

  it('leaves the server to another command of the home at stop, and it ends with that one', async () => {
    const home = await tmpFolder();
    const server = await startDevServer({ cli: await temporalCliPath(), home });
    const lease = await takeLease(home);
    await server.stop();
    expect(await namespaceIsThere(server.address)).toBe(true);
    expect((await readServer(home))?.pid).toBe(server.pid);
    await lease.release();
    await server.ended;
    expect(await processStart(server.pid)).toBeUndefined();
    expect(await readServer(home)).toBeUndefined();
  });

  it.each(['supervisor', 'server'])('ends altogether when its %s is killed', async (killed) => {
    const home = await tmpFolder();
    const server = await startDevServer({ cli: await temporalCliPath(), home });
    onTestFinished(() => server.stop());
    const supervisor = (await findProcesses([home])).find((pid) => pid !== server.pid) ?? 0;
    process.kill(killed === 'server' ? server.pid : supervisor, 'SIGKILL');
    await server.ended;
    for (const pid of [server.pid, supervisor]) expect(await processStart(pid)).toBeUndefined();
  });

  it('ends the server that a killed process left behind, and only that one', async () => {
    const home = await tmpFolder();
    const other = await startDevServer({ cli: await temporalCliPath(), home: await tmpFolder() });
    onTestFinished(() => other.stop());
    const orphan = await leaveOrphan(home);
    // A server that nobody watches, as it was left before there was a supervisor.
    const [supervisor = 0] = (await findProcesses([home])).filter((pid) => pid !== orphan);
    process.kill(supervisor, 'SIGKILL');
    expect(await processStart(orphan)).toBeDefined();

    const server = await startDevServer({ cli: await temporalCliPath(), home });
    onTestFinished(() => server.stop());
    expect(await processStart(orphan)).toBeUndefined();
    expect(await processStart(other.pid)).toBeDefined();
    expect((await readServer(home))?.pid).toBe(server.pid);
  });

  it("fails as ServerUnavailable with the server's own words when it does not start", async () => {
    const home = await tmpFolder();
    await mkdir(join(home, 'temporal', 'temporal.db'), { recursive: true });
    const error = await startDevServer({ cli: await temporalCliPath(), home }).catch((error: unknown) => error);
    expect(isPrefetchError(error, 'ServerUnavailable')).toBe(true);
    expect(String(error)).toMatch(/unable to open database file|is a directory/i);
  });

  it('fails as ServerUnavailable and leaves nothing running when the server never answers', async () => {
    const home = await tmpFolder();
    const cli = join(home, 'silent');
    await writeFile(cli, `#!/bin/sh\necho $$ > ${join(home, 'pid')}\nexec sleep 600\n`, { mode: 0o755 });
    const error = await startDevServer({ cli, home, startTimeoutMs: 500 }).catch((error: unknown) => error);
    expect(isPrefetchError(error, 'ServerUnavailable')).toBe(true);
    expect(await processStart(Number(await readFile(join(home, 'pid'), 'utf8')))).toBeUndefined();
  });

  it('fails as ServerUnavailable when the program cannot be started', async () => {
    const home = await tmpFolder();
    const error = await startDevServer({ cli: join(home, 'absent'), home }).catch((error: unknown) => error);
    expect(isPrefetchError(error, 'ServerUnavailable')).toBe(true);
  });

  it.each([
    ['failed assigning ephemeral port: listen tcp 127.0.0.1:0: bind: address already in use', 'panic'],
    ['listen tcp 127.0.0.1:41234: bind: address already in use', 'one line'],
    ['signal: killed', 'nothing at all'],
    ['database is locked', 'one line'],
  ])('tries again with other ports after an early end: %s', async (words, kind) => {
    const home = await tmpFolder();
    const said = { panic: panic(words), 'one line': `Error: ${words}`, 'nothing at all': '' }[kind] ?? words;
    const cli = await failingFirst(home, { times: 3, said });
    const server = await startDevServer({ cli, home });
    onTestFinished(() => server.stop());
    expect(await namespaceIsThere(server.address)).toBe(true);
    const ports = (await readFile(join(home, 'tries'), 'utf8')).trim().split('\n');
    expect(new Set(ports).size).toBe(4);
  });

  it('gives up after some tries and shows where the log is, how it begins and how it ends, without secrets', async () => {
    const home = await tmpFolder();
    noteSecret('hf_of_somebody');
    const said = panic('failed assigning ephemeral port; token hf_of_somebody');
    const cli = await failingFirst(home, { times: 99, said });
    const error = String(await startDevServer({ cli, home }).catch((error: unknown) => error));
    expect(error).toMatch(/ServerUnavailable: .*ended at once, 8 times, .*temporal\.db\.log/);
    expect(error).toMatch(/panic: failed assigning ephemeral port[^]*… \(\d+ lines\)[^]*last line of the stack/);
    expect(error).not.toContain('hf_of_somebody');
    expect(await findProcesses([home])).toEqual([]);
    expect((await readFile(join(home, 'tries'), 'utf8')).trim().split('\n')).toHaveLength(8);
  });

  it.each([
    'sql schema version compatibility check failed: unable to open database file',
    'Error: unknown flag: --sqlite-pragma',
    'file is not a database',
    'attempt to write a readonly database',
  ])('tries once where another try changes nothing: %s', async (said) => {
    const home = await tmpFolder();
    const cli = await failingFirst(home, { times: 99, said });
    const error = String(await startDevServer({ cli, home }).catch((error: unknown) => error));
    expect(error).toContain(said);
    expect(error).toContain(cli);
    expect((await readFile(join(home, 'tries'), 'utf8')).trim().split('\n')).toHaveLength(1);
  });

  it('names a program that may not be run, at once', async () => {
    const home = await tmpFolder();
    const cli = join(home, 'temporal-without-mode');
    await writeFile(cli, '#!/bin/sh\n', { mode: 0o600 });
    const error = String(await startDevServer({ cli, home }).catch((error: unknown) => error));
    expect(error).toMatch(/ServerUnavailable: .*temporal-without-mode.*ended at once\. [^]*EACCES/);
  });

  it('gives up on abort and leaves nothing running', async () => {
    const home = await tmpFolder();
    const started = createServer();
    started.listen(0, '127.0.0.1');
    await once(started, 'listening');
    const address = started.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const cli = join(home, 'silent.mjs');
    const script = `#!${process.execPath}\nawait fetch('http://127.0.0.1:${String(port)}/' + process.pid);\nsetInterval(() => {}, 1000);\n`;
    await writeFile(cli, script, { mode: 0o755 });
    const controller = new AbortController();
    const pid = new Promise<number>((resolve) => {
      started.on('request', (request, response) => {
        response.end();
        controller.abort(new Error('stopped'));
        resolve(Number(request.url?.slice(1)));
      });
    });
    await expect(startDevServer({ cli, home, signal: controller.signal })).rejects.toThrow('stopped');
    expect(await processStart(await pid)).toBeUndefined();
    started.close();
  });
});

/** A Temporal CLI that ends so often with these words, and then is the real one. It notes the port of each try. */
async function failingFirst(home: string, { times, said }: { times: number; said: string }): Promise<string> {
  const cli = join(home, 'temporal-stand-in');
  await writeFile(join(home, 'said'), said);
  const script = `#!/bin/sh
    echo "$6" >> ${join(home, 'tries')}
    [ "$(wc -l < ${join(home, 'tries')})" -gt ${String(times)} ] && exec ${await temporalCliPath()} "$@"
    cat ${join(home, 'said')} >&2; exit 2`;
  await writeFile(cli, script, { mode: 0o755 });
  return cli;
}

/** As Go ends: the reason first, then a long stack. */
function panic(words: string): string {
  const frames = Array.from({ length: 30 }, (_, at) => `main.frame${String(at)}(...)`);
  return [`panic: ${words}`, '', 'goroutine 1 [running]:', ...frames, 'last line of the stack'].join('\n');
}

async function namespaceIsThere(address: string): Promise<boolean> {
  const connection = await Connection.connect({ address });
  try {
    const { namespaceInfo } = await connection.workflowService.describeNamespace({ namespace: 'default' });
    return namespaceInfo?.name === 'default';
  } finally {
    await connection.close();
  }
}

/** A real server whose starter was killed. The starter runs the built module, for Node does not run TypeScript. */
async function leaveOrphan(home: string): Promise<number> {
  const built = pathToFileURL(join(import.meta.dirname, '../../dist/embedded/dev-server.js')).href;
  const options = JSON.stringify({ cli: await temporalCliPath(), home });
  const script = `
    const { startDevServer } = await import(${JSON.stringify(built)});
    console.log((await startDevServer(${options})).pid);
    setInterval(() => {}, 1000);`;
  const starter = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [said] = (await once(starter.stdout, 'data')) as [Buffer];
  starter.kill('SIGKILL');
  await once(starter, 'exit');
  return Number(said.toString());
}
