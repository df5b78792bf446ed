import { describe, type Call, type Result } from './calls.js';
import { startProcess, type Ending, type LiveProcess } from './process.js';
import { takeStep, type Step, type Writer } from './steps.js';
import type { StoreKind } from './store-kind.js';
import type { Repo } from './world.js';

/**
 * A process after all answers that it got so far. Since it knows of the world only by answers, the same answers bring it
 * to the same place: its code runs once for each, and not once for each interleaving.
 */
export interface ProcessNode {
  readonly id: number;
  readonly pending: readonly Call[];
  readonly ending: Ending | undefined;
  readonly isFirst: boolean;
  /** Where it was before the last answer, to which of its calls that was, and what. */
  readonly parent: ProcessNode | undefined;
  readonly index: number;
  readonly result: Result | undefined;
}

interface KnownNode extends ProcessNode {
  readonly parent: KnownNode | undefined;
  readonly start: () => Promise<LiveProcess>;
  readonly edges: Map<string, KnownNode>;
}

/** Where a process starts; `attempt` tells processes of one step apart. */
export interface Start {
  readonly writer: Writer;
  readonly step: Step;
  readonly attempt: number;
}

/** All places that processes are known to get to. What is asked for and not known is known once the tree has grown. */
export interface ProcessTree {
  start(at: Start): ProcessNode | undefined;
  /** The process once a call is answered. */
  deliver(node: ProcessNode, index: number, result: Result): ProcessNode | undefined;
  readonly isWanting: boolean;
  grow(): Promise<void>;
  readonly counts: { readonly nodes: number; readonly replays: number };
}

/** What a process got when it last read an object; undefined where it never did, or got nothing. */
export function lastRead(node: ProcessNode, key: string): unknown {
  for (let at = node; at.parent !== undefined; at = at.parent) {
    const call = at.parent.pending[at.index];
    if (call?.op === 'get' && call.key === key) return at.result?.ok === true ? at.result.value : undefined;
  }
  return undefined;
}

/** Processes that are kept alive where they stand, so that they need not be brought there again. */
const KEPT_ALIVE = 3000;

export function growTree(world: { readonly kind: StoreKind; readonly repo: Repo }): ProcessTree {
  const roots = new Map<string, KnownNode>();
  const alive = new Map<KnownNode, LiveProcess>();
  const counts = { nodes: 0, replays: 0 };
  const wanted = new Map<string, () => Promise<void>>();
  const keys = new WeakMap<Step, string>();

  function add(live: LiveProcess, at: Pick<KnownNode, 'parent' | 'index' | 'result' | 'start'>): KnownNode {
    const pending = [...live.pending];
    const { ending } = live;
    const isFirst = at.parent === undefined;
    const node: KnownNode = { ...at, id: ++counts.nodes, pending, ending, isFirst, edges: new Map() };
    if (ending === undefined) keep(node, live);
    return node;
  }

  function keep(node: KnownNode, live: LiveProcess): void {
    alive.set(node, live);
    const [oldest] = alive;
    if (alive.size > KEPT_ALIVE && oldest !== undefined) {
      alive.delete(oldest[0]);
      oldest[1].drop();
    }
  }

  async function reach(node: KnownNode): Promise<LiveProcess> {
    const kept = alive.get(node);
    alive.delete(node);
    if (kept !== undefined) return kept;
    counts.replays++;
    const path: KnownNode[] = [];
    for (let at = node; at.parent !== undefined; at = at.parent) path.unshift(at);
    const live = await node.start();
    for (const { index, result } of path) if (result !== undefined) await live.deliver(index, result);
    const [found, expected] = [live.pending, node.pending].map((calls) => calls.map(describe).join('\n'));
    if (found !== expected)
      throw new Error(`A process is not the same every time: ${found ?? ''} for ${expected ?? ''}`);
    return live;
  }

  async function startAt({ writer, step, attempt }: Start, key: string): Promise<void> {
    const part = step.kind === 'transfer' ? `transfer${step.batch}` : step.kind;
    const name = `${writer.name}-${part}-${step.round}-${attempt}`;
    const start = (): Promise<LiveProcess> => startProcess(name, (port) => takeStep({ writer, step }, world, port));
    roots.set(key, add(await start(), { parent: undefined, index: 0, result: undefined, start }));
  }

  async function goOn(node: KnownNode, index: number, result: Result): Promise<void> {
    const live = await reach(node);
    await live.deliver(index, result);
    node.edges.set(edgeOf(index, result), add(live, { parent: node, index, result, start: node.start }));
  }

  return {
    counts,
    get isWanting() {
      return wanted.size > 0;
    },
    async grow() {
      for (const get of wanted.values()) await get();
      wanted.clear();
    },
    start(at) {
      let key = keys.get(at.step);
      if (key === undefined) keys.set(at.step, (key = JSON.stringify(at.step)));
      key = `${at.writer.name} ${at.attempt} ${key}`;
      const found = roots.get(key);
      if (found === undefined) wanted.set(key, () => startAt(at, key));
      return found;
    },
    deliver(given, index, result) {
      const node = given as KnownNode;
      const found = node.edges.get(edgeOf(index, result));
      if (found === undefined) wanted.set(`${node.id} ${index} ${result.key}`, () => goOn(node, index, result));
      return found;
    },
  };
}

function edgeOf(index: number, { key }: Result): string {
  return index === 0 ? key : `${index}:${key}`;
}

/** A process where it starts, whether that is known or not. */
export async function startNow(tree: ProcessTree, at: Start): Promise<ProcessNode> {
  const known = tree.start(at);
  if (known !== undefined) return known;
  await tree.grow();
  return startNow(tree, at);
}
