/** A set of the texts that were added last. */
export interface SomeTexts {
  add(text: string): void;
  has(text: string): boolean;
}

/** Remembers texts, and forgets the oldest where there are more than `most`. */
export function rememberSome(most: number): SomeTexts {
  const texts = new Set<string>();
  return {
    add: (text) => {
      texts.add(text);
      const [oldest] = texts;
      if (texts.size > most && oldest !== undefined) texts.delete(oldest);
    },
    has: (text) => texts.has(text),
  };
}

/** Values that were set last, and not long ago. */
export interface SomeValues<T> {
  set(key: string, value: T): void;
  get(key: string): T | undefined;
}

/** Remembers values for a while, and forgets the oldest where there are more than `most`. */
export function rememberSomeFor<T>(ms: number, most: number): SomeValues<T> {
  const values = new Map<string, { readonly value: T; readonly until: number }>();
  return {
    set: (key, value) => {
      values.delete(key);
      values.set(key, { value, until: Date.now() + ms });
      const [oldest] = values.keys();
      if (values.size > most && oldest !== undefined) values.delete(oldest);
    },
    get: (key) => {
      const known = values.get(key);
      return known === undefined || known.until <= Date.now() ? undefined : known.value;
    },
  };
}
