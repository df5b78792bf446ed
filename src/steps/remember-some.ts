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
