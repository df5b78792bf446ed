import { z } from 'zod';
import { DEFAULT_TASK_QUEUE, ROLES, taskQueue, type Role } from '../../src/core/queues.js';
import { gpuSpec } from '../../src/core/schemas/input.js';
import { parseArguments } from '../../src/cli/parse-arguments.js';
import { manifests, theOne } from './manifests.js';

const named = z.looseObject({ name: z.string() });

const podSchema = z.looseObject({
  restartPolicy: z.string().optional(),
  terminationGracePeriodSeconds: z.number(),
  automountServiceAccountToken: z.boolean(),
  securityContext: z.looseObject({ runAsNonRoot: z.boolean() }),
  containers: z.tuple([
    z.looseObject({
      image: z.string(),
      command: z.array(z.string()),
      envFrom: z.array(z.looseObject({ configMapRef: named.optional(), secretRef: named.optional() })),
      env: z.array(named).default([]),
      resources: z.looseObject({ limits: z.record(z.string(), z.string()) }),
      securityContext: z.looseObject({ allowPrivilegeEscalation: z.boolean() }),
      volumeMounts: z.array(z.strictObject({ name: z.string(), mountPath: z.string() })).default([]),
      readinessProbe: z.unknown().optional(),
    }),
  ]),
  volumes: z.array(named).default([]),
});

const templateSchema = z.strictObject({
  metadata: z.strictObject({
    labels: z.record(z.string(), z.string()),
    annotations: z.record(z.string(), z.string()).default({}),
  }),
  spec: podSchema,
});

const deploymentSchema = z.looseObject({
  selector: z.strictObject({ matchLabels: z.record(z.string(), z.string()) }),
  template: templateSchema,
});

const temporalTrigger = z.strictObject({
  type: z.literal('temporal'),
  metadata: z.strictObject({
    endpointFromEnv: z.string(),
    namespaceFromEnv: z.string(),
    taskQueue: z.string(),
    queueTypes: z.literal('activity'),
    targetQueueSize: z.string(),
    activationTargetQueueSize: z.string(),
  }),
});

const scaling = {
  minReplicaCount: z.number(),
  maxReplicaCount: z.number(),
  triggers: z.tuple([temporalTrigger]),
};

const scaledObjectSchema = z.looseObject({
  ...scaling,
  scaleTargetRef: z.strictObject({ name: z.string() }),
});

const scaledJobSchema = z.looseObject({
  ...scaling,
  rollout: z.looseObject({ strategy: z.string() }),
  scalingStrategy: z.looseObject({ strategy: z.string(), pendingPodConditions: z.array(z.string()) }),
  jobTargetRef: z.looseObject({ template: templateSchema }),
});

/** What a container runs, as the CLI itself reads its arguments. */
export interface WorkerCommand {
  readonly roles: readonly Role[];
  readonly gpu?: string;
  readonly exitWhenIdleMs?: number;
}

/** A Deployment or a ScaledJob, by its pods. */
export interface Workload {
  readonly file: string;
  readonly kind: 'Deployment' | 'ScaledJob';
  readonly name: string;
  readonly template: z.output<typeof templateSchema>;
  readonly worker: WorkerCommand;
}

export const deployments = manifests.flatMap(({ file, object }) =>
  object.kind === 'Deployment'
    ? [
        {
          ...workload(file, 'Deployment', object.metadata.name, deploymentOf(object).template),
          ...deploymentOf(object),
        },
      ]
    : []
);

export const scaledJobs = manifests.flatMap(({ file, object }) => {
  if (object.kind !== 'ScaledJob') return [];
  const spec = scaledJobSchema.parse(object['spec']);
  return [{ ...workload(file, 'ScaledJob', object.metadata.name, spec.jobTargetRef.template), spec }];
});

export const scaledObjects = manifests.flatMap(({ file, object }) => {
  if (object.kind !== 'ScaledObject') return [];
  const spec = scaledObjectSchema.parse(object['spec']);
  const target = deployments.find(({ name }) => name === spec.scaleTargetRef.name);
  if (target === undefined) throw new Error(`${file} scales a Deployment that is not there`);
  return [{ file, name: object.metadata.name, spec, target }];
});

export const workloads: readonly Workload[] = [...deployments, ...scaledJobs];

/** What all workers are told. */
export const settings = z.record(z.string(), z.string()).parse(theOne('ConfigMap', 'model-prefetch')['data']);

/** The queues that a worker with this command polls. */
export function queuesOf({ roles, gpu }: WorkerCommand): string[] {
  return roles.map((role) => taskQueue(settings['MODEL_PREFETCH_TASK_QUEUE'] ?? DEFAULT_TASK_QUEUE, role, gpu));
}

/** Reads `model-prefetch worker ...`; fails where the CLI would. */
export function workerCommand([program, ...argv]: readonly string[]): WorkerCommand {
  if (program !== 'model-prefetch') throw new Error(`Expected model-prefetch, got ${String(program)}`);
  const parsed = parseArguments(argv, '0.0.0');
  if (parsed.kind !== 'run' || parsed.invocation.command !== 'worker') throw new Error(`${argv.join(' ')}: no worker`);
  const { roles = ROLES.filter((role) => role !== 'gpu'), ...options } = parsed.invocation.options;
  gpuSpec.optional().parse(options.gpu);
  return { ...options, roles };
}

function workload(
  file: string,
  kind: Workload['kind'],
  name: string,
  template: z.output<typeof templateSchema>
): Workload {
  return { file, kind, name, template, worker: workerCommand(template.spec.containers[0].command) };
}

function deploymentOf(object: Readonly<Record<string, unknown>>) {
  return deploymentSchema.parse(object['spec']);
}
