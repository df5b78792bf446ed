import { createRequire } from 'node:module';

/** The name and the version of this package, for manifests and the Hub. */
export function readTool(): { name: string; version: string } {
  const tool: unknown = createRequire(import.meta.url)('../../package.json');
  const version =
    typeof tool === 'object' && tool !== null && 'version' in tool && typeof tool.version === 'string'
      ? tool.version
      : 'unknown';
  return { name: 'temporal-model-prefetch', version };
}
