import { z } from 'zod';

import { SklarError, describe, expectOptions, unknownOptions } from '../errors';
import { atomsOf, chooseMargin, continuousMarginOf } from './auto';
import { DiscreteMargin } from './discrete';
import { EmpiricalMargin } from './empirical';
import { type FamilyName, familyNames } from './families';
import { GpdMargin } from './gpd';
import { KdeMargin } from './kde';
import { type Margin, type MarginJson, type MarginState, type Support, marginError } from './margin';
import { ParametricMargin } from './parametric';
import { type SortedColumn, countOf, sortedColumn, supportOf, withoutValues } from './sorted';
import { type Steps, finish } from './steps';
import { ZeroInflatedMargin } from './zero-inflated';

export const marginTypes = [
  'auto',
  'empirical',
  'kde',
  'discrete',
  'zero-inflated',
  'gpd',
  'parametric',
  ...familyNames,
] as const;
export type MarginType = (typeof marginTypes)[number];

const end = z.union([z.number(), z.literal(Infinity), z.literal(-Infinity), z.null()]);

/** How the margin of a column is to be learned; JSON, where null in `support` is an open end. */
export const marginOptionsSchema = z.strictObject({
  /** Default `auto`, see `chooseMargin`. */
  type: z.enum(marginTypes).default('auto'),
  /**
   * The least and the greatest value there can be; default [0, Infinity) for a column without negative values, else the
   * real line. Not for `discrete` and formulas, which have their own.
   */
  support: z
    .tuple([end, end])
    .transform(([lower, upper]): Support => [lower ?? -Infinity, upper ?? Infinity])
    .refine(([lower, upper]) => lower < upper, 'expected a lower end below the upper one')
    .optional(),
  /** Of `kde`: bandwidth on the scale asinh((x - median) / interquartile range); default by the plug-in rule. */
  bandwidth: z.number().positive().optional(),
  /** Of `gpd`: the margin between the thresholds; default `kde` below 1,000 rows, else `empirical`. */
  body: z.enum(['empirical', 'kde']).optional(),
  /**
   * Of `gpd`: a value, `auto`, or null for no tail of its own; default `auto` where the support is open, else null.
   */
  lowerThreshold: z
    .union([z.number(), z.literal('auto')])
    .nullable()
    .optional(),
  upperThreshold: z
    .union([z.number(), z.literal('auto')])
    .nullable()
    .optional(),
  /** Of `zero-inflated`: the values of positive probability; default those of at least 5 % of the rows. */
  atoms: z.array(z.number()).min(1).optional(),
});
export const marginSpecSchema = z.union([z.enum(marginTypes), marginOptionsSchema]);

export type MarginOptions = z.input<typeof marginOptionsSchema>;
/** A type of margin, or a type with its options. */
export type MarginSpec = z.input<typeof marginSpecSchema>;
export type ResolvedOptions = z.output<typeof marginOptionsSchema>;

/** Which options belong to one type only. */
const OWN_OPTIONS = {
  support: ['auto', 'empirical', 'kde', 'zero-inflated', 'gpd'],
  bandwidth: ['kde', 'gpd'],
  atoms: ['zero-inflated'],
  body: ['gpd'],
  lowerThreshold: ['gpd'],
  upperThreshold: ['gpd'],
} as const;

/**
 * Checks what margin is wanted for a column.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming the column
 */
export function resolveMarginSpec(spec: unknown, column: string): ResolvedOptions {
  const parsed = marginOptionsSchema.safeParse(typeof spec === 'string' ? { type: spec } : spec);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const { path, message } = issue!;
    if (issue!.code === 'unrecognized_keys') {
      const known = Object.keys(marginOptionsSchema.shape);
      throw unknownOptions(issue!.keys, `the margin of column ${describe(column)}`, known);
    }
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `bad margin for column ${describe(column)}: ${[...path, message].join(': ')}, got ${describe(spec)}`,
    );
  }
  const { type } = parsed.data;
  for (const [option, types] of Object.entries(OWN_OPTIONS) as [
    keyof typeof OWN_OPTIONS,
    readonly string[],
  ][]) {
    if (parsed.data[option] !== undefined && !types.includes(type)) {
      throw marginError(`no option ${option}`, type, column, parsed.data[option]);
    }
  }
  return parsed.data;
}

/**
 * Learns the distribution of one column.
 *
 * @param values finite numbers that are not all equal, at least 2 (8 for `kde`)
 * @param options.column its name, for messages
 * @throws SklarError ERR_SKLAR_VALUE naming the column: too few rows, values that are not finite, constant or outside the
 *   support, options that the type does not have
 */
export function fitMargin(
  values: Float64Array,
  spec: MarginSpec = 'auto',
  rest: { readonly column?: string } = {},
): Margin {
  expectOptions(rest, 'fitMargin', { column: true });
  const { column = 'values' } = rest;
  const options = resolveMarginSpec(spec, column);
  return finish(fitSorted(sortedColumn(values, column, options.type), options));
}

/** The same for a sorted column. */
export function* fitSorted(column: SortedColumn, options: ResolvedOptions): Steps<Margin> {
  const type = options.type === 'auto' ? chooseMargin(column) : options.type;
  switch (type) {
    case 'empirical':
      return EmpiricalMargin.fit(column, options.support);
    case 'kde':
      return yield* KdeMargin.fit(column, options.support, options);
    case 'discrete':
      return DiscreteMargin.fit(column);
    case 'zero-inflated':
      return yield* fitZeroInflated(column, options);
    case 'gpd':
      return yield* fitGpd(column, options);
    default:
      return yield* ParametricMargin.fit(column, type);
  }
}

function* fitZeroInflated(column: SortedColumn, options: ResolvedOptions): Steps<ZeroInflatedMargin> {
  const support = supportOf(column, 'zero-inflated', options.support);
  const { values, sorted } = column;
  const wanted = new Set(options.atoms ?? atomsOf(column));
  const found = Array.from(wanted, (atom) => values.indexOf(atom))
    .filter((k) => k >= 0)
    .sort((a, b) => a - b);
  const atoms = Float64Array.from(found, (k) => values[k]!);
  if (found.length < Math.max(1, wanted.size)) {
    const missing = [...wanted].filter((value) => !atoms.includes(value));
    throw marginError(
      options.atoms ? 'rows with each of the atoms' : 'a value of at least 5 % of the rows',
      'zero-inflated',
      column.column,
      missing.length > 0 ? `none with ${missing.join(', ')}` : 'none',
    );
  }
  const rest = withoutValues(column, new Set(atoms));
  if (rest.values.length < 2) {
    throw marginError(
      'different values beside the atoms',
      'zero-inflated',
      column.column,
      rest.values.length,
    );
  }
  const masses = Float64Array.from(found, (k) => countOf(column, k) / sorted.length);
  return new ZeroInflatedMargin(
    atoms,
    masses,
    yield* fitSorted(rest, { type: continuousMarginOf(rest), support }),
  );
}

function* fitGpd(column: SortedColumn, options: ResolvedOptions): Steps<GpdMargin> {
  const support = supportOf(column, 'gpd', options.support);
  const type = options.body ?? continuousMarginOf(column);
  const body = yield* fitSorted(column, { type, support, bandwidth: options.bandwidth });
  const byDefault = (end: number): 'auto' | null => (Number.isFinite(end) ? null : 'auto');
  return yield* GpdMargin.fit(column, body, {
    lower: options.lowerThreshold === undefined ? byDefault(support[0]) : options.lowerThreshold,
    upper: options.upperThreshold === undefined ? byDefault(support[1]) : options.upperThreshold,
  });
}

/**
 * The margin that `Margin.state` describes.
 *
 * @throws SklarError ERR_SKLAR_FORMAT when it is damaged
 */
export function marginFromState(state: MarginState): Margin {
  switch (state.name) {
    case 'empirical':
      return EmpiricalMargin.fromState(state);
    case 'kde':
      return KdeMargin.fromState(state);
    case 'discrete':
      return DiscreteMargin.fromState(state);
    case 'zero-inflated':
      return ZeroInflatedMargin.fromState(state, partOf(state, 'rest'));
    case 'gpd':
      return GpdMargin.fromState(state, partOf(state, 'body'));
    default:
      if (isFamily(state.name)) return ParametricMargin.fromState(state, state.name);
      throw new SklarError('ERR_SKLAR_FORMAT', `expected a known margin, got ${describe(state.name)}`);
  }
}

function isFamily(name: string): name is FamilyName {
  return (familyNames as string[]).includes(name);
}

function partOf(state: MarginState, part: string): Margin {
  if (Object.hasOwn(state.parts, part)) return marginFromState(state.parts[part]!);
  throw new SklarError(
    'ERR_SKLAR_FORMAT',
    `expected a part "${part}" in a stored ${state.name} margin, got none`,
  );
}

const supportSchema = z
  .tuple([z.number().nullable(), z.number().nullable()])
  .transform(([lower, upper]): Support => [lower ?? -Infinity, upper ?? Infinity])
  .refine(([lower, upper]) => lower < upper, 'a lower end below the upper one');

const jsonSchema: z.ZodType<MarginState> = z.strictObject({
  name: z.string(),
  support: supportSchema,
  parameters: z.record(z.string(), z.number()),
  arrays: z.record(
    z.string(),
    z.array(z.number()).transform((numbers) => Float64Array.from(numbers)),
  ),
  parts: z.record(
    z.string(),
    z.lazy(() => jsonSchema),
  ),
});

/** The state in plain JSON, which may come straight from a file. */
export function parseMarginState(json: unknown): MarginState {
  const parsed = jsonSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new SklarError('ERR_SKLAR_FORMAT', `expected a margin as JSON: ${[...path, message].join(': ')}`);
}

/**
 * The margin that `toJSON` describes; running through JSON changes nothing.
 *
 * @throws SklarError ERR_SKLAR_FORMAT when it is damaged
 */
export function marginFromJSON(json: MarginJson): Margin {
  return marginFromState(parseMarginState(json));
}
