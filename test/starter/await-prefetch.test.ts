import { Client } from '@temporalio/client';
import { expect, test } from 'vitest';
import { awaitPrefetch } from '../../src/starter/await-prefetch.js';
import { useTemporalServer } from '../helpers/temporal.js';

const server = useTemporalServer();

// A native connection ends a call of 20 s with another status than the server does: both must only start the next one.
test.concurrent.each([['native'], ['JavaScript']])(
  'waits longer than one call may last, over a connection of the %s kind',
  { timeout: 90_000 },
  async (kind) => {
    const client = kind === 'native' ? new Client({ connection: server().nativeConnection }) : server().client;
    const workflowId = `a run that nobody takes, ${kind}`;
    await client.workflow.start('prefetchModel', { workflowId, taskQueue: workflowId, args: [] });
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
