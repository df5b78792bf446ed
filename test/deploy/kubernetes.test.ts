import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { environmentOf, stageOf } from './dockerfile.js';
import { kustomizations, ofKind, readText, theOne } from './manifests.js';
import { deployments, queuesOf, scaledJobs, scaledObjects, settings, workloads, type Workload } from './workloads.js';

/** What `createWorkers` gives running activities after SIGTERM, and then a process with vLLM. */
const GRACE_SECONDS = 5 + 30;

const forGpus = workloads.filter(({ worker }) => worker.roles.includes('gpu'));
const withoutGpus = workloads.filter(({ worker }) => !worker.roles.includes('gpu'));

describe('scaling', () => {
  test.each(scaledJobs)('$name counts the queue that its own command polls, and no other', ({ spec, worker }) => {
    expect(queuesOf(worker)).toEqual([spec.triggers[0].metadata.taskQueue]);
  });

  test.each(scaledObjects)('$name counts a queue that the Deployment polls which it scales', ({ spec, target }) => {
    expect(queuesOf(target.worker)).toContain(spec.triggers[0].metadata.taskQueue);
  });

  test('finds the server and the namespace where the workers find theirs', () => {
    for (const { spec } of [...scaledObjects, ...scaledJobs]) {
      const { endpointFromEnv, namespaceFromEnv } = spec.triggers[0].metadata;
      expect([endpointFromEnv, namespaceFromEnv]).toEqual(['TEMPORAL_ADDRESS', 'TEMPORAL_NAMESPACE']);
      expect(Object.keys(settings)).toEqual(expect.arrayContaining([endpointFromEnv, namespaceFromEnv]));
    }
  });

  test('keeps no GPU while nothing waits for one', () => {
    expect(scaledJobs.map(({ worker }) => worker.roles)).toEqual([['gpu']]);
    for (const { spec } of scaledJobs) expect(spec.minReplicaCount).toBe(0);
  });

  test('stops no worker in the middle of what it does on a GPU: each ends by itself', () => {
    expect(scaledObjects.filter(({ target }) => target.worker.roles.includes('gpu'))).toEqual([]);
    for (const { spec, worker } of scaledJobs) {
      expect(worker.exitWhenIdleMs).toBeGreaterThan(0);
      expect(spec.rollout.strategy).toBe('gradual');
    }
  });

  test('starts no second GPU worker for what one is about to take', () => {
    for (const { spec, template } of scaledJobs) {
      expect(spec.scalingStrategy).toMatchObject({ strategy: 'accurate', pendingPodConditions: ['Ready'] });
      expect(template.spec.containers[0].readinessProbe).toMatchObject({ initialDelaySeconds: 20 });
      expect(spec.triggers[0].metadata.targetQueueSize).toBe('1');
    }
  });

  test('leaves a worker for every queue whose own Deployment it scales to nothing', () => {
    const always = deployments.filter(
      ({ file, name }) =>
        file.startsWith('base/') &&
        scaledObjects.every(({ target, spec }) => target.name !== name || spec.minReplicaCount > 0)
    );
    for (const { spec, target } of scaledObjects.filter(({ spec }) => spec.minReplicaCount === 0)) {
      const { taskQueue } = spec.triggers[0].metadata;
      const others = always.filter(({ name, worker }) => name !== target.name && queuesOf(worker).includes(taskQueue));
      expect(others.map(({ name }) => name)).toEqual(['worker']);
    }
  });
});

describe('the pods', () => {
  test.each(workloads)('of $kind $name have longer to end than the worker needs', ({ template }) => {
    expect(template.spec.terminationGracePeriodSeconds).toBeGreaterThan(GRACE_SECONDS);
  });

  test.each(workloads)('of $kind $name are not root, and get no token of the cluster', ({ template: { spec } }) => {
    expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
    expect(spec.automountServiceAccountToken).toBe(false);
    expect(spec.containers[0].securityContext).toEqual({
      allowPrivilegeEscalation: false,
      capabilities: { drop: ['ALL'] },
    });
  });

  test.each(deployments)('of Deployment $name are those that it selects', ({ selector, template }) => {
    expect(template.metadata.labels).toEqual(selector.matchLabels);
  });

  test.each(workloads)('of $kind $name know the store and the server', (workload) => {
    expect(secretsOf(workload)).toEqual(expect.arrayContaining(['model-prefetch-store', 'model-prefetch-temporal']));
    expect(configMapsOf(workload)).toEqual(['model-prefetch']);
  });

  test('have a token of the Hub only where the Hub is asked: never where code of a model may run', () => {
    const have = workloads.filter((workload) => secretsOf(workload).includes('model-prefetch-hub'));
    expect(have.map(({ name }) => name)).toEqual(['worker']);
  });

  test.each(forGpus)('of $kind $name ask for the GPUs that their queue is for', ({ worker, template }) => {
    const { limits } = template.spec.containers[0].resources;
    expect(limits['nvidia.com/gpu']).toBe(worker.gpu?.split(':').at(-1));
  });

  test('ask for no GPU where nothing needs one', () => {
    for (const { template } of withoutGpus) {
      expect(Object.keys(template.spec.containers[0].resources.limits)).not.toContain('nvidia.com/gpu');
    }
  });

  test.each(forGpus)('of $kind $name have disk where the image expects it, and shared memory', ({ template }) => {
    const { containers, volumes } = template.spec;
    expect(containers[0].volumeMounts).toEqual([
      { name: 'scratch', mountPath: environmentOf(stageOf('gpu'))['MODEL_PREFETCH_SCRATCH'] },
      { name: 'shm', mountPath: '/dev/shm' },
    ]);
    expect(volumes).toMatchObject([{ name: 'scratch' }, { name: 'shm', emptyDir: { medium: 'Memory' } }]);
  });

  test.each(forGpus)('of $kind $name are moved by nothing that packs nodes', ({ template }) => {
    expect(template.metadata.annotations).toEqual({
      'cluster-autoscaler.kubernetes.io/safe-to-evict': 'false',
      'karpenter.sh/do-not-disrupt': 'true',
    });
  });

  test('for GPUs are the same with KEDA and without, but for how they end', () => {
    const [fixed, job, ...more] = forGpus;
    expect([fixed?.kind, job?.kind, more]).toEqual(['Deployment', 'ScaledJob', []]);
    if (job === undefined) return;
    const { restartPolicy, ...spec } = job.template.spec;
    expect(restartPolicy).toBe('Never');
    const { readinessProbe, command, ...container } = spec.containers[0];
    expect(readinessProbe).toBeDefined();
    expect(command.slice(-2)).toEqual(['--exit-when-idle', '5m']);
    const containers = [{ ...container, command: command.slice(0, -2) }];
    expect(fixed?.template).toEqual({ ...job.template, spec: { ...spec, containers } });
  });
});

describe('the kustomizations', () => {
  test.each(kustomizations)('$folder takes every file beside it, but examples', ({ resources, beside }) => {
    const own = resources.filter((resource) => !resource.startsWith('../'));
    expect(own.sort()).toEqual(beside.filter((file) => !file.endsWith('.example.yaml')));
    const folders = kustomizations.map(({ folder }) => `../${folder}`);
    expect(folders).toEqual(expect.arrayContaining(resources.filter((resource) => resource.startsWith('../'))));
  });

  test('put everything into the namespace that they make', () => {
    const { metadata } = theOne('Namespace', 'model-prefetch');
    for (const { kind, namespace } of kustomizations) {
      expect(namespace).toBe(kind === 'Kustomization' ? metadata.name : undefined);
    }
  });

  test('name an image for every container', () => {
    const wanted = new Set(workloads.map(({ template }) => template.spec.containers[0].image));
    for (const { folder, images } of kustomizations.filter(({ images }) => images.length > 0)) {
      expect(images.map(({ name }) => name).sort(), folder).toEqual([...wanted].sort());
    }
    expect([...wanted].sort()).toEqual(['model-prefetch-gpu', 'model-prefetch-worker']);
  });

  test('that add credentials for KEDA hand them to every trigger', () => {
    const components = kustomizations.filter(({ kind }) => kind === 'Component');
    expect(components.map(({ folder }) => folder)).toEqual(['temporal-api-key', 'temporal-mtls']);
    for (const { folder, patches } of components) {
      expect(patches.map(({ target }) => target)).toEqual([{ group: 'keda.sh', kind: 'ScaledObject|ScaledJob' }]);
      expect(parse(patches[0]?.patch ?? '')).toEqual([
        { op: 'add', path: '/spec/triggers/0/authenticationRef', value: { name: 'temporal' } },
      ]);
      expect(readText('keda/kustomization.yaml')).toContain(`#   - ../${folder}\n`);
    }
  });
});

describe('the secrets', () => {
  test('are examples, with no value in them', () => {
    for (const { file, object } of ofKind('Secret')) {
      expect(file).toMatch(/\.example\.yaml$/);
      expect(Object.values(z.record(z.string(), z.string()).parse(object['stringData']))).toSatisfy(
        (values: string[]) => values.every((value) => value === '')
      );
    }
  });

  test('are those that the pods name, and the other way round', () => {
    const named = new Set(workloads.flatMap(secretsOf));
    expect(new Set(ofKind('Secret').map(({ object }) => object.metadata.name))).toEqual(named);
  });

  test.each(['temporal-api-key', 'temporal-mtls'])('of %s hold each key that KEDA looks for', (folder) => {
    const spec = z.object({ secretTargetRef: z.array(z.object({ name: z.string(), key: z.string() })) });
    const [authentication] = ofKind('TriggerAuthentication').filter(({ file }) => file.startsWith(`${folder}/`));
    const [secret] = ofKind('Secret').filter(({ file }) => file.startsWith(`${folder}/`));
    const wanted = spec.parse(authentication?.object['spec']).secretTargetRef;
    expect(authentication?.object.metadata.name).toBe('temporal');
    expect(new Set(wanted.map(({ name }) => name))).toEqual(new Set([secret?.object.metadata.name]));
    expect(wanted.map(({ key }) => key)).toEqual(Object.keys(Object(secret?.object['stringData']) as object));
  });
});

function secretsOf({ template }: Workload): string[] {
  return template.spec.containers[0].envFrom.flatMap(({ secretRef }) =>
    secretRef === undefined ? [] : [secretRef.name]
  );
}

function configMapsOf({ template }: Workload): string[] {
  return template.spec.containers[0].envFrom.flatMap(({ configMapRef }) =>
    configMapRef === undefined ? [] : [configMapRef.name]
  );
}
