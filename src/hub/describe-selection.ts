import { weightsAskedFor, type FileSelection } from '../core/identity.js';
import type { LeftOutReason } from './files-for-others.js';
import type { ListedFile } from './hub.js';
import { matchingFiles } from './select-files.js';
import { isConsolidated, sortForVllm, type WeightsFormat } from './vllm-files.js';

/** What `selection: vllm` comes to, for people. */
export interface DescribedSelection {
  /** The format of the weights that are taken; absent where there are none. */
  readonly weights?: WeightsFormat;
  readonly reason: string;
  readonly leftOut: readonly LeftOutFiles[];
}

/** Files that are left out for one reason. */
export interface LeftOutFiles {
  readonly reason: LeftOutReason | 'include, exclude or weights';
  readonly files: number;
  readonly bytes: number;
  /** The first of them. */
  readonly some: readonly string[];
}

const SOME = 5;

/** Which weights a selection for vLLM takes of a listing and why, and what it leaves out. */
export function describeSelection(files: readonly ListedFile[], selection: FileSelection): DescribedSelection {
  const matching = new Set(matchingFiles(files, selection));
  const { format, leftOut } = sortForVllm([...matching]);
  const byReason = new Map<LeftOutFiles['reason'], ListedFile[]>();
  const note = (why: LeftOutFiles['reason'], file: ListedFile) => {
    const noted = byReason.get(why);
    if (noted === undefined) byReason.set(why, [file]);
    else noted.push(file);
  };
  for (const { file, why } of leftOut) note(why, file);
  for (const file of files) if (!matching.has(file)) note('include, exclude or weights', file);
  return {
    ...(format === undefined ? {} : { weights: format }),
    reason: reasonOf(files, { format, selection }),
    leftOut: [...byReason].map(([reason, left]) => ({
      reason,
      files: left.length,
      bytes: left.reduce((total, { size = 0 }) => total + size, 0),
      some: left.slice(0, SOME).map(({ path }) => path),
    })),
  };
}

function reasonOf(
  files: readonly ListedFile[],
  { format, selection }: { readonly format: WeightsFormat | undefined; readonly selection: FileSelection }
): string {
  if (format === undefined) return 'there are no weights that vLLM loads';
  const asked = weightsAskedFor(selection);
  if (asked !== undefined) return `weights "${asked}" was asked for`;
  if (format === 'consolidated') return 'there are none in the layout of Hugging Face';
  return files.some(({ path }) => isConsolidated(path.slice(path.lastIndexOf('/') + 1)))
    ? 'the layout of Hugging Face; of the whole repo vLLM would take that of Mistral, which weights "mistral" chooses'
    : 'the first that is there of safetensors, bin, consolidated and pt';
}
