import { Context } from '@temporalio/activity';
import { Client } from '@temporalio/client';
import { ApplicationFailure, defaultPayloadConverter, type Payload } from '@temporalio/common';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { WORKFLOW_TYPE } from '../../src/core/contract.js';
import { awaitPrefetch } from '../../src/starter/await-prefetch.js';
import { smallRepo } from '../helpers/models.js';
import { startPlatform } from '../helpers/platform.js';
import { describeWithS3, startVersitygw } from '../helpers/s3-servers.js';
import { useTemporalServer } from '../helpers/temporal.js';
import { spec, useToldWorkflow } from '../workflows/told-workflow.js';

const server = useTemporalServer();
const runToEnd = useToldWorkflow(server);

// A native connection ends a call of 20 s with another status than the server does: both must only start the next one.
test.concurrent.each([['native'], ['JavaScript']])(
  'waits longer than one call may last, over a connection of the %s kind',
  { timeout: 90_000 },
  async (kind) => {
    const client = kind === 'native' ? new Client({ connection: server().nativeConnection }) : server().client;
    const workflowId = await startRun(`a run that nobody takes, ${kind}`);
    const enough = new AbortController();
    let polls = 0;
    const onPoll = () => {
      polls += 1;
      if (polls === 2) enough.abort(new Error('Seen enough'));
    };
    await expect(awaitPrefetch(client, workflowId, { signal: enough.signal, onPoll })).rejects.toThrow('Seen enough');
  }
);

test('a server that refuses to tell ends the wait, and the run is said to go on', async () => {
  const client = new Client({ connection: server().nativeConnection, namespace: 'nowhere' });
  await expect(awaitPrefetch(client, 'prefetch/org/model')).rejects.toThrow(
    /^ServerUnavailable: .*prefetch\/org\/model .*nowhere.*goes on.*TEMPORAL_NAMESPACE/
  );
});

test('a key service that is away while the result is read is asked again', async () => {
  const workflowId = `read-later-${String(process.hrtime.bigint())}`;
  const { client: plain } = server();
  await plain.workflow.start('any', { workflowId, taskQueue: workflowId, args: [] });
  let calls = 0;
  const decode = (payloads: Payload[]) => {
    calls += 1;
    if (calls === 1) return Promise.reject(new Error('key service: 503 Service Unavailable'));
    return Promise.resolve(payloads);
  };
  const codec = { encode: (payloads: Payload[]) => Promise.resolve(payloads), decode };
  const client = new Client({ connection: plain.connection, dataConverter: { payloadCodecs: [codec] } });
  await completeRun(workflowId);
  const outages: string[] = [];
  const dir = await awaitPrefetch(client, workflowId, { onOutage: (answer) => outages.push(answer) });
  expect(dir).toEqual({ repo: 'org/model' });
  expect(outages).toEqual(['key service: 503 Service Unavailable']);
});

describe('a run that has no Dir in the end is named', () => {
  test('where there is none', async () => {
    await expect(awaitPrefetch(server().client, 'prefetch/org/absent')).rejects.toMatchObject({
      code: 'WorkflowNotFound',
      text: 'There is no workflow with the ID prefetch/org/absent',
    });
  });

  test('where it was terminated', async () => {
    const workflowId = await startRun('a run that is terminated');
    await server().client.workflow.getHandle(workflowId).terminate();
    await expect(awaitPrefetch(server().client, workflowId)).rejects.toMatchObject({
      code: 'Cancelled',
      text: `The run ${workflowId} was terminated`,
    });
  });

  test('where its time was up', async () => {
    const workflowId = await startRun('a run without time', { workflowExecutionTimeout: '1s' });
    await expect(awaitPrefetch(server().client, workflowId)).rejects.toMatchObject({
      code: 'Internal',
      text: `The run ${workflowId} timed out`,
    });
  });

  test('where it was cancelled', async () => {
    const cancel = async () => {
      const { workflowExecution } = Context.current().info;
      await server()
        .client.workflow.getHandle(workflowExecution?.workflowId ?? '')
        .cancel();
      return spec;
    };
    await expect(runToEnd({ authenticate: cancel })).rejects.toMatchObject({
      code: 'Cancelled',
      text: expect.stringMatching(/^The run told-\d+ was cancelled$/) as string,
    });
  });

  test('where an activity failed by a code that is none of ours', async () => {
    const fail = () => Promise.reject(ApplicationFailure.nonRetryable('out of luck', 'SomebodyElses', { status: 403 }));
    await expect(runToEnd({ authenticate: fail })).rejects.toMatchObject({
      code: 'Internal',
      text: expect.stringMatching(/^The run told-\d+ failed: out of luck$/) as string,
      details: {},
    });
  });
});

describeWithS3('a store that refuses', () => {
  test('is named to the program that waits, with what it said, and so is the run', async () => {
    const s3 = await startVersitygw();
    onTestFinished(() => s3.stop());
    const keys = { ...s3.env, AWS_SECRET_ACCESS_KEY: 'wrong-secret-key' };
    for (const [name, value] of Object.entries(keys)) vi.stubEnv(name, value);
    onTestFinished(() => void vi.unstubAllEnvs());
    const platform = await startPlatform(server(), {
      repos: [smallRepo('org/model')],
      settings: { store: `s3://${s3.bucket}/root/` },
    });
    onTestFinished(() => platform.stop());
    const { workflowId } = await platform.client.start({ repo: 'org/model' });
    await expect(awaitPrefetch(server().client, workflowId)).rejects.toMatchObject({
      code: 'StoreAccessDenied',
      details: { bucket: s3.bucket, endpoint: s3.endpoint, status: 403, reason: 'SignatureDoesNotMatch', workflowId },
    });
  });
});

/** Ends a run with a result, as its worker would. */
async function completeRun(name: string): Promise<void> {
  const { client } = server();
  const { workflowService: service, options } = client;
  const { namespace } = options;
  const { taskToken } = await client.withDeadline(Date.now() + 20_000, () =>
    service.pollWorkflowTaskQueue({ namespace, taskQueue: { name }, identity: 'a test' })
  );
  const payloads = [defaultPayloadConverter.toPayload({ repo: 'org/model' })];
  await service.respondWorkflowTaskCompleted({
    namespace,
    taskToken,
    // The enum of commands lives in a package that is no dependency of ours.
    // eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
    commands: [{ commandType: 4, completeWorkflowExecutionCommandAttributes: { result: { payloads } } }],
  });
}

/** A run on a queue that no worker polls. */
async function startRun(
  workflowId: string,
  options: { readonly workflowExecutionTimeout?: '1s' } = {}
): Promise<string> {
  await server().client.workflow.start(WORKFLOW_TYPE, { ...options, workflowId, taskQueue: workflowId, args: [] });
  return workflowId;
}
