/** Strict and canonical JSON for files that may be damaged or hostile. */

/** Names that would reach into the prototype of a plain object if they were assigned to one. */
const FORBIDDEN = '__proto__';

/** No document of ours has so many levels; those that walk through it call themselves. */
const DEEPEST = 100;

/**
 * Throws an Error when an object in the text has a key twice, or a key named `__proto__`, or lies 100 levels deep. The text must be valid JSON:
 * call JSON.parse first.
 */
export function expectCleanKeys(text: string): void {
  // The keys of the objects around the current position; undefined for an array.
  const stack: (Set<string> | undefined)[] = [];
  let keyNext = false;
  for (let i = 0; i < text.length; i++) {
    const character = text[i]!;
    if (stack.length > DEEPEST) throw new Error(`it is nested more than ${DEEPEST} levels deep`);
    if (character === '{') {
      stack.push(new Set());
      keyNext = true;
    } else if (character === '[') stack.push(undefined);
    else if (character === '}' || character === ']') stack.pop();
    else if (character === ',') keyNext = stack.at(-1) !== undefined;
    else if (character === '"') {
      const begin = i++;
      while (text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
      if (!keyNext) continue;
      keyNext = false;
      const key = JSON.parse(text.slice(begin, i + 1)) as string;
      if (key === FORBIDDEN) throw new Error(`the key "${FORBIDDEN}" is not allowed`);
      const keys = stack.at(-1)!;
      if (keys.has(key)) throw new Error(`the key ${JSON.stringify(key)} occurs twice`);
      keys.add(key);
    }
  }
}

/** JSON with the keys of every object in order, so that equal values give equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : Number(a > b))))
      : part,
  );
}
