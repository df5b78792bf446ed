import { describe, expect, test } from 'vitest';
import type { LogFormat, LogLevel } from '../../../src/config/worker-settings.js';
import { handedOver } from '../../../src/activities/hand-over.js';
import { PrefetchError } from '../../../src/core/errors.js';
import { noteSecret } from '../../../src/core/secrets.js';
import { toFailure } from '../../../src/starter/to-failure.js';
import { sdkLogger } from '../../../src/worker/log/sdk-logger.js';
import { openWorkerLog } from '../../../src/worker/log/worker-log.js';

const OF_STEP = {
  sdkComponent: 'worker',
  activityType: 'streamFiles',
  workflowId: 'prefetch/a',
  attempt: 3,
  taskToken: 'x',
};

describe('the log of a worker', () => {
  test('has a line for each event, with time, level, message and what tells one run from another', () => {
    const { log, lines } = open('text');
    log.write('info', 'Published org/tiny', { workflowId: 'prefetch/a', attempt: 1, bytes: 5 });
    expect(lines).toEqual([
      expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z INFO {2}Published org\/tiny workflowId=prefetch\/a\n$/),
    ]);
  });

  test('is JSON with names that do not change', () => {
    const { log, lines } = open('json');
    log.write('warn', 'Two\nlines', { workflowId: 'prefetch/a', attempt: 1, bytes: 5, code: undefined });
    expect(lines).toHaveLength(1);
    const { time, ...rest } = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
    expect(time).toMatch(/^\d{4}-.*Z$/);
    expect(rest).toEqual({ level: 'warn', message: 'Two\nlines', workflowId: 'prefetch/a', attempt: 1, bytes: 5 });
  });

  test.each<LogFormat>(['text', 'json'])('forges no line and shows no secret as %s', (format) => {
    noteSecret('secret-of-this-test');
    const { log, lines } = open(format);
    log.write('info', 'a\nb \u001b[31m https://cdn/x?Signature=abc', {
      repo: 'secret-of-this-test',
      workflowId: 'x\ny',
    });
    expect(lines.join('').match(/\n/g)).toHaveLength(1);
    expect(lines.join('')).not.toMatch(/secret-of-this-test|Signature=abc|\p{Cc}\[/u);
  });

  test('leaves out what weighs too little', () => {
    const { log, lines } = open('text', 'warn');
    log.write('info', 'no');
    log.write('error', 'yes');
    expect(lines).toHaveLength(1);
  });
});

describe('what the SDK logs', () => {
  test('is one line for a step that failed: code, reason, attempt, and whether it is tried again', () => {
    const { log, lines } = open('json');
    const error = toFailure(new PrefetchError('RateLimited', 'slow down', { retryAfterMs: 42_000 }));
    sdkLogger(log).debug('Activity failed', { ...OF_STEP, error, durationMs: 5 });
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      expect.objectContaining({
        level: 'warn',
        message: 'streamFiles failed and is tried again in 42 s: RateLimited: slow down',
        ...{ step: 'streamFiles', workflowId: 'prefetch/a', attempt: 3, code: 'RateLimited', retried: true },
      }),
    ]);
    expect(lines.join('')).not.toMatch(/taskToken|stack/);
  });

  test('says when a failure is one for good, without a stack', () => {
    const { log, lines } = open('text');
    sdkLogger(log).debug('Activity failed', { ...OF_STEP, error: toFailure(new PrefetchError('GatedRepo', 'closed')) });
    sdkLogger(log).warn('Workflow failed', {
      sdkComponent: 'worker',
      workflowId: 'prefetch/a',
      // As it comes out of the sandbox of the workflow: of another class by the same name.
      error: new Error('GatedRepo: closed'),
    });
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(
      /WARN {2}streamFiles failed: GatedRepo: closed step=streamFiles workflowId=prefetch\/a attempt=3\n/
    );
    expect(lines[1]).toMatch(/WARN {2}The run failed: GatedRepo workflowId=prefetch\/a\n/);
  });

  test.each<LogFormat>(['text', 'json'])('shows no task of which a converter fails as %s', (format) => {
    const { log, lines } = open(format);
    const error = new Error('the key service is away');
    const dump = { task: '{"taskToken":"abc","start":{"input":[]}}', taskEncoded: 'CgVzZWNyZXQ=' };
    sdkLogger(log).error('Error while processing ActivityTask.start', { ...OF_STEP, ...dump, error });
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('Error while processing ActivityTask.start: the key service is away');
    expect(lines[0]).not.toMatch(/"?task"?[=:]|taskEncoded|taskToken|CgVz/);
  });

  test('tells a step that goes to the next worker from one that failed', () => {
    const { log, lines } = open('text');
    sdkLogger(log).debug('Activity failed', { ...OF_STEP, error: handedOver() });
    expect(lines.join('')).toMatch(/INFO {2}streamFiles is handed over/);
  });

  test('is quiet of its own start and stop, and lets its warnings and errors through', () => {
    const { log, lines } = open('text');
    const logger = sdkLogger(log);
    logger.info('Worker state changed', { sdkComponent: 'worker', state: 'RUNNING' });
    logger.warn('No workflows registered, not polling for workflow tasks', { sdkComponent: 'worker' });
    logger.warn('gRPC call retried', { sdkComponent: 'core' });
    logger.error('Worker failed', { sdkComponent: 'worker', error: new Error('broken') });
    logger.info('Transferred', { sdkComponent: 'activity' });
    expect(lines.map((line) => line.slice(25))).toEqual([
      'WARN  gRPC call retried\n',
      'ERROR Worker failed: broken\n',
      'INFO  Transferred\n',
    ]);
  });

  test('is one line a minute while Temporal is away, however many ask for work', () => {
    const { log, lines } = open('text');
    const logger = sdkLogger(log);
    const status = 'Status { code: Unavailable, message: "tcp connect error", source: Some(tonic::transport::Error) }';
    for (const call of ['poll_workflow_task_queue', 'poll_activity_task_queue', 'poll_activity_task_queue']) {
      logger.warn(`gRPC call ${call} retried 6 times: ${status}`, { sdkComponent: 'core' });
    }
    expect(lines.map((line) => line.slice(25))).toEqual([
      'WARN  Temporal does not answer (Unavailable: tcp connect error); it is asked again until it does\n',
    ]);
  });

  test('shows no dump of a status of gRPC', () => {
    const { log, lines } = open('text');
    const dump =
      'Query not found: Status { code: NotFound, message: "gone", details: b"\\x08", metadata: MetadataMap {} }';
    sdkLogger(log).warn(dump, { sdkComponent: 'core' });
    expect(lines[0]).toMatch(/WARN {2}Query not found: Status \{ code: NotFound, message: "gone" \}\n$/);
  });

  test('is all there for those who debug, with stacks', () => {
    const { log, lines } = open('text', 'debug');
    sdkLogger(log).info('Worker state changed', { sdkComponent: 'worker', state: 'RUNNING' });
    sdkLogger(log).error('Worker failed', { sdkComponent: 'worker', error: new Error('broken') });
    expect(lines.join('')).toContain('state=RUNNING');
    expect(lines.join('')).toMatch(/\n\s+at /);
  });
});

function open(format: LogFormat, level: LogLevel = 'info') {
  const lines: string[] = [];
  return { lines, log: openWorkerLog({ format, level, out: (line) => void lines.push(line) }) };
}
