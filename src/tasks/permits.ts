/** In whose name something is asked for. */
export interface Claimant {
  readonly model: string;
  readonly file: string;
}

/** How something is asked for; in nobody's name, it is as if asked for by one that holds nothing. */
export interface AskOptions {
  readonly signal: AbortSignal;
  readonly claimant?: Claimant;
}

/** Releases what was acquired, once. */
export type Release = () => void;

/** A bounded amount of something, shared out fairly. */
export interface Permits {
  readonly inUse: number;
  /** Waits for an amount. */
  acquire(amount: number, options: AskOptions): Promise<Release>;
}

/** Permits as their owner has them. */
export interface PermitPool extends Permits {
  readonly peak: number;
  /** Waits until so many of an amount can be had at once, each to be released by itself. */
  acquireTogether(count: number, amount: number, options: AskOptions): Promise<Release[]>;
  /** There are so many from now on. Where that is less than is held, nobody gets any until enough is released. */
  resize(total: number): void;
}

interface Request {
  readonly amount: number;
  readonly claimant: Claimant | undefined;
  readonly grant: () => void;
}

/**
 * The model that holds the least comes first, in it the file that holds the least, of equals the one that asked first.
 * So one model alone may use all, and two come to share evenly as permits come back. Whoever holds nothing is served in
 * the order of asking: a big request is never starved by small ones. `reserve` is for those alone, so that a newcomer
 * need not wait for a model that gives nothing back. A request for more than there is has its turn when nothing is held.
 */
export function createPermits(total: number, { reserve = 0 }: { readonly reserve?: number } = {}): PermitPool {
  const queue: Request[] = [];
  const held = holdings();
  let limit = total;
  let inUse = 0;
  let peak = 0;

  function serve(): void {
    for (;;) {
      const position = held.neediest(queue);
      const next = queue[position];
      if (next === undefined) return;
      const room = limit - (held.byModel(next.claimant) > 0 ? reserve : 0);
      if (inUse > 0 && inUse + next.amount > room) return;
      queue.splice(position, 1);
      inUse += next.amount;
      held.add(next.claimant, next.amount);
      peak = Math.max(peak, inUse);
      next.grant();
    }
  }

  function releaseOf(amount: number, claimant: Claimant | undefined): Release {
    let holds = true;
    return () => {
      if (!holds) return;
      holds = false;
      inUse -= amount;
      held.add(claimant, -amount);
      serve();
    };
  }

  function ask<T>(amount: number, { signal, claimant }: AskOptions, granted: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      signal.throwIfAborted();
      const onAbort = (): void => {
        queue.splice(queue.indexOf(request), 1);
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the reason of an abort is its caller's
        reject(signal.reason);
        // The one that gave up may have held back a smaller one.
        serve();
      };
      const request: Request = {
        amount,
        claimant,
        grant: () => {
          signal.removeEventListener('abort', onAbort);
          resolve(granted());
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      queue.push(request);
      serve();
    });
  }

  return {
    get inUse() {
      return inUse;
    },
    get peak() {
      return peak;
    },
    acquire: (amount, options) => ask(amount, options, () => releaseOf(amount, options.claimant)),
    acquireTogether: (count, amount, options) =>
      ask(count * amount, options, () => Array.from({ length: count }, () => releaseOf(amount, options.claimant))),
    resize(to) {
      limit = to;
      serve();
    },
  };
}

/** The same permits, asked for in the name of one claimant. */
export function permitsOf(permits: Permits, claimant: Claimant): Permits {
  return {
    get inUse() {
      return permits.inUse;
    },
    acquire: (amount, { signal }) => permits.acquire(amount, { signal, claimant }),
  };
}

/** Waits while others may have what is held. */
export type GiveWay = (wait: () => Promise<void>) => Promise<void>;

/** Holds one permit while it is used, but for the times in which its user gives way. */
export async function holdOne<T>(
  permits: Permits,
  options: AskOptions,
  use: (giveWay: GiveWay) => Promise<T>
): Promise<T> {
  let release = await permits.acquire(1, options);
  try {
    return await use(async (wait) => {
      release();
      await wait();
      release = await permits.acquire(1, options);
    });
  } finally {
    release();
  }
}

/** What each model and each file holds. */
function holdings() {
  const amounts = new Map<string, number>();
  // No key of a store and no root has a line break in it.
  const fileOf = ({ model, file }: Claimant): string => `${model}\n${file}`;

  const amountOf = (name: string): number => amounts.get(name) ?? 0;
  const change = (name: string, by: number): void => {
    const amount = amountOf(name) + by;
    if (amount === 0) amounts.delete(name);
    else amounts.set(name, amount);
  };
  const byModel = (claimant: Claimant | undefined): number => (claimant === undefined ? 0 : amountOf(claimant.model));
  const byFile = (claimant: Claimant | undefined): number => (claimant === undefined ? 0 : amountOf(fileOf(claimant)));

  return {
    byModel,
    add(claimant: Claimant | undefined, amount: number): void {
      if (claimant === undefined) return;
      change(claimant.model, amount);
      change(fileOf(claimant), amount);
    },
    /** The position of the request that comes first; some dozens wait at the most. */
    neediest(queue: readonly Request[]): number {
      let first = 0;
      for (let position = 1; position < queue.length; position++) {
        const one = queue[first]?.claimant;
        const other = queue[position]?.claimant;
        const differs = byModel(other) - byModel(one) || byFile(other) - byFile(one);
        if (differs < 0) first = position;
      }
      return first;
    },
  };
}
