import type { TensorSpec } from '../../../safetensors/index.js';
import type { ShardFile } from './check-output.js';

/** How the files differ from the layout that a planner computed: names of files, then tensors in the order of the header. */
export function compareWithExpected(
  files: readonly ShardFile[],
  expected: ReadonlyMap<string, readonly TensorSpec[]>
): string[] {
  const found = new Set(files.map(({ name }) => name));
  return [
    ...[...expected.keys()].filter((name) => !found.has(name)).map((name) => `there is no ${name}`),
    ...files.flatMap(({ name, tensors }) => {
      const wanted = expected.get(name);
      if (wanted === undefined) return [`there is ${name}, which the layout has not`];
      return compareTensors(tensors, wanted).map((problem) => `${name}: ${problem}`);
    }),
  ];
}

function compareTensors(found: readonly TensorSpec[], wanted: readonly TensorSpec[]): string[] {
  const byName = new Map(found.map((tensor) => [tensor.name, tensor]));
  const wantedNames = new Set(wanted.map(({ name }) => name));
  const problems = [
    ...wanted.flatMap((tensor) => {
      const other = byName.get(tensor.name);
      if (other === undefined) return [`${tensor.name} is missing`];
      return describe(other) === describe(tensor)
        ? []
        : [`${tensor.name} is ${describe(other)}, expected ${describe(tensor)}`];
    }),
    ...found.filter(({ name }) => !wantedNames.has(name)).map(({ name }) => `${name} is not in the layout`),
  ];
  if (problems.length > 0) return problems;
  const misplaced = wanted.find(({ name }, index) => found[index]?.name !== name);
  return misplaced === undefined ? [] : [`${misplaced.name} is not where the layout has it`];
}

function describe({ dtype, shape }: TensorSpec): string {
  return `${dtype} [${shape.join(', ')}]`;
}
