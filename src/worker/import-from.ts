import { Module } from 'node:module';
import { join } from 'node:path';

/**
 * Imports as a module in a folder would: an import of this file would look for packages beside this file, and a `require`
 * does not see what a package has for `import` only. The ways of `node:vm` to do so print a warning of Node.
 * @param specifier - a package or a URL
 * @param folder - where packages are looked for
 */
export function importFrom(specifier: string, folder: string): Promise<unknown> {
  const filename = join(folder, 'model-prefetch.cjs');
  const module = new Module(filename);
  const compile: unknown = Reflect.get(module, '_compile');
  if (typeof compile !== 'function') return import(specifier);
  Reflect.apply(compile, module, ['module.exports = (specifier) => import(specifier)', filename]);
  const load: unknown = module.exports;
  return typeof load === 'function' ? Promise.resolve(Reflect.apply(load, undefined, [specifier])) : import(specifier);
}
