import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { repository } from './manifests.js';

const serviceSchema = z.looseObject({
  build: z.union([z.string(), z.strictObject({ context: z.string(), target: z.string() })]).optional(),
  profiles: z.array(z.string()).default([]),
  command: z.union([z.string(), z.array(z.string())]).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  volumes: z.array(z.string()).default([]),
  stop_grace_period: z.string().optional(),
});

/** The file as it is, with its merge keys resolved. */
export const composeFile: unknown = parse(readFileSync(join(repository, 'docker-compose.yml'), 'utf8'), {
  merge: true,
});

export const services = z
  .looseObject({ services: z.record(z.string(), serviceSchema) })
  .transform(({ services }) => services)
  .parse(composeFile);

/** The services that run an image of this Dockerfile, with the stage that each is built from. */
export const ownServices = Object.entries(services).flatMap(([name, service]) => {
  if (service.build === undefined) return [];
  return [{ ...service, name, target: typeof service.build === 'string' ? 'worker' : service.build.target }];
});
