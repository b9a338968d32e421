/**
 * For each value `expect` makes hundreds of functions, which takes 50 microseconds: seconds, where a test looks at a hundred thousand
 * numbers. Here what holds of a number or a text is seen at once; what does not hold, and all else, is jest's to say.
 */
type Holds = (value: unknown, wanted: unknown) => boolean;
interface Quick {
  readonly [matcher: string]: Holds | Quick;
}

const ofNumbers =
  (holds: (a: number, b: number) => boolean): Holds =>
  (a, b) =>
    typeof a === 'number' && typeof b === 'number' && holds(a, b);

const quick: Quick = {
  toBe: Object.is,
  toBeLessThan: ofNumbers((a, b) => a < b),
  toBeLessThanOrEqual: ofNumbers((a, b) => a <= b),
  toBeGreaterThan: ofNumbers((a, b) => a > b),
  toBeGreaterThanOrEqual: ofNumbers((a, b) => a >= b),
  not: {
    toBe: (value, other) => !Object.is(value, other),
    toBeNaN: (value) => !Number.isNaN(value),
  },
};

const jestExpect = expect;

type Matchers = Record<string, (...wanted: unknown[]) => void>;

/** @param jests what jest has for the value */
function matchers(value: unknown, holds: Quick, jests: () => Matchers): unknown {
  const get = (_: unknown, name: string) => {
    const matcher = holds[name];
    if (matcher === undefined) return jests()[name];
    if (typeof matcher === 'object')
      return matchers(value, matcher, () => jests()[name] as unknown as Matchers);
    return (...wanted: unknown[]) => {
      if (matcher(value, wanted[0])) return;
      try {
        jests()[name]!(...wanted);
      } catch (error) {
        // where the test is, and not this file
        (error as Error).stack = (error as Error).stack!.replaceAll(/\n.*quick-expect.*/g, '');
        throw error;
      }
    };
  };
  return new Proxy({}, { get });
}

const isPrimitive = (value: unknown) => typeof value !== 'object' && typeof value !== 'function';

function quickExpect(value: unknown, ...rest: []): unknown {
  const jests = () => jestExpect(value, ...rest) as unknown as Matchers;
  return isPrimitive(value) ? matchers(value, quick, jests) : jests();
}

Object.assign(globalThis, { expect: Object.assign(quickExpect, jestExpect) });
