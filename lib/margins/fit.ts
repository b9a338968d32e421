import { z } from 'zod';

import { type OptionShape, SklarError, describe, expectOptions, unknownOptions } from '../errors';
import type { Note } from '../notes';
import { atomsOf, atomsOfRounded, distanceFrom, isForKernels, recurs } from './basis/auto';
import {
  atomsNote,
  discreteNote,
  farNote,
  otherTypeNote,
  recordedNote,
  supportNote,
} from './basis/decisions';
import { type Grid, gridOf, plainEnds, spreadOver, supportBefore } from './basis/grid';
import { DiscreteMargin } from './types/discrete';
import { EmpiricalMargin } from './types/empirical';
import { type FamilyName, familyNames } from './types/families';
import { GpdMargin } from './types/gpd';
import { KdeMargin, logarithmicScales, reaches, usualScale } from './types/kde';
import {
  type Margin,
  MarginError,
  type MarginJson,
  type MarginState,
  type MarginSupport,
  canBeRounded,
  isBody,
  isPart,
  marginError,
  stateError,
} from './basis/margin';
import { ParametricMargin } from './types/parametric';
import { RoundedMargin } from './types/rounded';
import { type SortedColumn, massOf, sizeOf, sortedColumn, supportOf, withoutValues } from './basis/sorted';
import { type Weights, resolveWeights } from '../data/weights';
import { type Steps, finish } from './basis/steps';
import { inferSupport, stopsAbruptly } from './basis/support';
import { ZeroInflatedMargin } from './types/zero-inflated';

/** Types of margins, see the guide's table: `auto` chooses, `parametric` chooses a family. */
export const marginTypes: readonly MarginType[] = [
  'auto',
  'empirical',
  'kde',
  'discrete',
  'rounded',
  'zero-inflated',
  'gpd',
  'parametric',
  ...familyNames,
];
/** A type of margin: one of `marginTypes`. */
export type MarginType =
  | 'auto'
  | 'empirical'
  | 'kde'
  | 'discrete'
  | 'rounded'
  | 'zero-inflated'
  | 'gpd'
  | 'parametric'
  | 'normal'
  | 'student-t'
  | 'johnson-su'
  | 'logistic'
  | 'gumbel'
  | 'generalised-extreme-value'
  | 'log-normal'
  | 'exponential'
  | 'gamma'
  | 'weibull'
  | 'beta';

/** How the margin of a column is to be learned; JSON. An option that the type does not have is an error. */
export interface MarginOptions {
  /**
   * Default `auto`: atoms keep their probabilities, the rest is `kde` where that is near the data, as the body of a `gpd` where it has
   * heavy tails, else `empirical`; `rounded` where it is a resolution that makes values recur.
   */
  type?: MarginType | undefined;
  /**
   * The least and the greatest value there can be, in the units of the column; null is an open end. Default what the values
   * make plain; of `gpd` [0, Infinity) for a column without negative values, (-Infinity, 0] for one without positive
   * values, else the real line. Not for `discrete` and formulas, which have their own.
   */
  support?: readonly [number | null, number | null] | undefined;
  /** Of `kde` and the body of `gpd`: bandwidth on the scale asinh((x - median) / interquartile range), at most 100; default by the plug-in rule. */
  bandwidth?: number | undefined;
  /** Of `gpd`: the margin between the thresholds; default `kde` below 1,000 rows, else `empirical`. */
  body?: 'empirical' | 'kde' | undefined;
  /**
   * Of `gpd`: where the lower tail begins, in the units of the column; `auto`, or null for no tail of its own. Default null
   * where the support has an end that was given, or that is no further from the values than they are apart; else `auto`.
   * Of `zero-inflated`: the same tail of its rest, which makes the margin a `gpd` one; default null.
   */
  lowerThreshold?: number | 'auto' | null | undefined;
  /** The same of the upper tail. */
  upperThreshold?: number | 'auto' | null | undefined;
  /**
   * What the column gets if it cannot have the type: `auto`, and a note; default of a column that is named an error, of a type
   * for all columns `auto`.
   */
  otherwise?: 'auto' | undefined;
  /** Of `zero-inflated`: the values of positive probability; default those that recur far more often than others. */
  atoms?: readonly number[] | undefined;
}

/** A type of margin, or a type with its options. */
export type MarginSpec = MarginType | MarginOptions;

const end = z.union([z.number(), z.literal(Infinity), z.literal(-Infinity), z.null()]);
/** Its kernel covers all that doubles hold: asinh of the greatest is 710. */
const MOST_BANDWIDTH = 100;

const threshold = z
  .union([z.number(), z.literal('auto')])
  .nullable()
  .optional();

export const marginOptionsSchema = z.strictObject({
  type: z.enum(marginTypes).default('auto'),
  support: z
    .tuple([end, end])
    .transform(([lower, upper]): MarginSupport => [lower ?? -Infinity, upper ?? Infinity])
    .refine(([lower, upper]) => lower < upper, 'expected a lower end below the upper one')
    .optional(),
  bandwidth: z.number().positive().max(MOST_BANDWIDTH).optional(),
  body: z.enum(['empirical', 'kde']).optional(),
  lowerThreshold: threshold,
  upperThreshold: threshold,
  otherwise: z.literal('auto').optional(),
  atoms: z.array(z.number()).min(1).optional(),
} satisfies OptionShape<MarginOptions>);
export type ResolvedOptions = z.output<typeof marginOptionsSchema> & {
  /** Values that are atoms however few rows have them. */
  readonly marks?: readonly number[];
};

/** With fewer rows a kernel estimate is the body of tails. */
const KDE_BODY_ROWS = 1000;
/** A kernel estimate is taken that is within so many standard deviations of the data's own F. */
const NEAR = 2;
/** Shares of the bandwidth that are tried in turn until it is, unless it is further off than this. */
const NARROWER = [0.7, 0.5, 0.35];
const HOPELESS = 10;
/** Beyond these a model of the data says so. */
const VISIBLY = 5;

/** Values beside the atoms that a kernel estimate needs. */
const FEWEST_KDE_ROWS = 8;

/** Which options belong to one type only. */
const OWN_OPTIONS = {
  support: ['auto', 'empirical', 'kde', 'rounded', 'zero-inflated', 'gpd'],
  bandwidth: ['kde', 'gpd'],
  atoms: ['zero-inflated'],
  body: ['gpd'],
  lowerThreshold: ['gpd', 'zero-inflated'],
  upperThreshold: ['gpd', 'zero-inflated'],
} as const;

/**
 * Checks what margin is wanted for a column.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming the column
 */
export function resolveMarginSpec(spec: unknown, column: string): ResolvedOptions {
  const given = typeof spec === 'string' ? { type: spec } : spec;
  const parsed = marginOptionsSchema.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const { path, message } = issue!;
    if (issue!.code === 'unrecognized_keys') {
      const known = Object.keys(marginOptionsSchema.shape);
      throw unknownOptions(issue.keys, `the margin of column ${describe(column)}`, known);
    }
    const got = path.reduce<unknown>((part, key) => (part as Record<PropertyKey, unknown>)[key], given);
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `bad margin for column ${describe(column)}: ${[...path, message].join(': ')}, got ${describe(got)}`,
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
 * Learns the distribution of one column (docs/mathematics.md, N).
 *
 * @param values finite numbers that are not all equal, at least 2 (8 for `kde`)
 * @param options `column`: its name, for messages; `weights`: of the values, in any unit, none negative and not all 0 (default: all
 *   count alike)
 * @throws SklarError ERR_SKLAR_VALUE naming the column: too few rows, values that are not finite, constant or outside the
 *   support, options that the type does not have
 *
 * @example
 * ```ts
 * import { fitMargin } from 'sklar';
 *
 * const rain = Float64Array.from({ length: 300 }, (_, i) => (i < 100 ? 0 : (i - 99) ** 2 / 400));
 * const margin = fitMargin(rain, { type: 'zero-inflated', support: [0, null] }, { column: 'rain' });
 * margin.cdf(Float64Array.of(0)); // => [0.333]
 * margin.cdfBefore(Float64Array.of(0)); // => [0]
 * ```
 */
export function fitMargin(
  values: Float64Array,
  spec: MarginSpec = 'auto',
  options: { readonly column?: string; readonly weights?: Weights | undefined } = {},
): Margin {
  options = expectOptions(options, 'fitMargin', { column: true, weights: true });
  const { column = 'values', weights: given } = options;
  const resolved = resolveMarginSpec(spec, column);
  if (given === undefined)
    return finish(fitSorted(sortedColumn(values, column, resolved.type, null), resolved));
  const { kept, weights } = resolveWeights(given, values.length);
  const counted = kept ? Float64Array.from(kept, (row) => values[row]!) : values;
  return finish(fitSorted(sortedColumn(counted, column, resolved.type, weights), resolved));
}

/** The same for a sorted column. */
export function* fitSorted(column: SortedColumn, options: ResolvedOptions): Steps<Margin> {
  let margin: Margin;
  // nothing is to be learned of one value
  if (column.values.length === 1) return DiscreteMargin.fit(column);
  try {
    margin = yield* fitType(column, options);
    expectGivesNumbers(margin, column);
  } catch (error) {
    if (options.otherwise === undefined || !(error instanceof MarginError)) throw error;
    const { support } = options;
    margin = yield* fitType(column, { type: options.otherwise, ...(support && { support }) });
    expectGivesNumbers(margin, column);
    const note = otherTypeNote(column.column, margin.name, options.type, error.expected);
    margin.notes = [note, ...margin.notes];
  }
  const model = modelIn(margin);
  const distance = model === null ? 0 : distanceFrom(column, margin);
  if (distance > VISIBLY) margin.notes = [...margin.notes, farNote(column.column, model!, distance)];
  return margin;
}

/** Levels at which a margin is tried. */
const TRIED = Float64Array.of(0.001, 0.25, 0.5, 0.75, 0.999);

/** Whether quantiles are finite and in order, and whether probabilities are such: of them, of other values, and far beyond. */
function givesNumbers(margin: Margin, values: readonly number[]): boolean {
  const quantiles = margin.quantile(TRIED);
  if (!quantiles.every((x, k) => Number.isFinite(x) && (k === 0 || x >= quantiles[k - 1]!))) return false;
  const [low, high] = [quantiles[0]!, quantiles.at(-1)!];
  const far = [low - 9 * (high - low), high + 9 * (high - low)].filter(Number.isFinite);
  const at = Float64Array.from([...quantiles, ...values, ...far]);
  return [margin.cdf(at), margin.cdfBefore(at), margin.survival(at)].every((levels) =>
    levels.every((p) => p >= 0 && p <= 1),
  );
}

/** @throws MarginError where values, or weights, are so small, so large or so far apart that doubles have no probabilities of them */
function expectGivesNumbers(margin: Margin, { column, values }: SortedColumn): void {
  const [least, most] = [values[0]!, values.at(-1)!];
  if (givesNumbers(margin, [least, values[values.length >> 1]!, most])) return;
  throw marginError(
    'values and weights that have finite probabilities',
    margin.name,
    column,
    `values from ${least} to ${most}`,
  );
}

/** What in a margin is a model of the data, in words; null where it is the data's own distribution. */
function modelIn(margin: Margin): string | null {
  if (margin instanceof ZeroInflatedMargin) return modelIn(margin.rest);
  if (margin instanceof KdeMargin) return 'the kernel estimate';
  if (margin instanceof GpdMargin) return 'the margin with generalised Pareto tails';
  return margin instanceof ParametricMargin ? `the ${margin.name} law` : null;
}

function* fitType(column: SortedColumn, options: ResolvedOptions): Steps<Margin> {
  switch (options.type) {
    case 'zero-inflated': {
      const { lowerThreshold = null, upperThreshold = null } = options;
      if (lowerThreshold === null && upperThreshold === null) {
        return yield* fitFromData(column, { ...options, type: options.type });
      }
      return yield* fitGpd(column, { ...options, lowerThreshold, upperThreshold });
    }
    case 'auto':
    case 'empirical':
    case 'kde':
    case 'rounded':
      return yield* fitFromData(column, { ...options, type: options.type });
    case 'discrete':
      return DiscreteMargin.fit(column);
    case 'gpd':
      return yield* fitGpd(column, options);
    default:
      return yield* ParametricMargin.fit(column, options.type);
  }
}

/**
 * A margin that is made of the data.
 *
 * - Its atoms (`atomsOf`) keep their probabilities; what remains is continuous.
 * - `auto`: where the values recur (`recurs`) they are `rounded` if it is the resolution that makes them so (`gridOf`), else
 *   `discrete`. Else what is continuous is `kde` where that is within two
 *   standard deviations of the data (`distanceFrom`), with generalised Pareto tails where they are heavy (`heavyTail`), else `empirical`.
 * - `kde` is on its usual scale where that is within two, else with ends where values stop abruptly or on a logarithmic scale,
 *   whichever is nearest, with a bandwidth that shrinks as long as it is not within two.
 * - `empirical` and `kde` where hardly anything is beside the atoms are `discrete`, too.
 */
function* fitFromData(
  column: SortedColumn,
  options: ResolvedOptions & { type: 'auto' | 'empirical' | 'kde' | 'rounded' | 'zero-inflated' },
): Steps<Margin> {
  const { type } = options;
  if (options.support) supportOf(column, type, options.support);
  const atoms = options.atoms ?? withMarks(column, atomsOf(column), options);
  if (type === 'zero-inflated') expectAtoms(column, atoms, options.atoms !== undefined);
  const rest = atoms.length === 0 ? column : withoutValues(column, new Set(atoms));
  if (type === 'rounded' || (type === 'auto' && recurs(column, rest))) {
    const rounded = yield* fitRounded(column, options);
    if (rounded) return rounded;
    if (type === 'auto') return discreteOf(column);
    throw marginError('recurring values on a grid', type, column.column, 'none');
  }
  if (atoms.length > 0 && type !== 'zero-inflated') {
    if (rest.values.length < 2 || (type === 'kde' && rest.sorted.length < FEWEST_KDE_ROWS)) {
      return discreteOf(column);
    }
  }
  if (type === 'zero-inflated' && rest.values.length < 2) {
    throw marginError('different values beside the atoms', type, column.column, rest.values.length);
  }
  return yield* fitMixture(column, rest, atoms, options);
}

/** The atoms, and those of a column that are such without recurring. */
function withMarks(
  { values }: SortedColumn,
  atoms: readonly number[],
  { marks = [] }: ResolvedOptions,
): number[] {
  const own = marks.filter((mark) => values.includes(mark));
  return [...new Set([...atoms, ...own])].sort((a, b) => a - b);
}

/** Null: its values are not on a grid. */
function* fitRounded(column: SortedColumn, options: ResolvedOptions): Steps<RoundedMargin | null> {
  const atoms = withMarks(column, atomsOfRounded(column), options);
  const rest = withoutValues(column, new Set(atoms));
  const grid = gridOf(rest);
  if (!grid) return null;
  const margin = new RoundedMargin(yield* fitMixture(column, rest, atoms, options, grid), grid);
  margin.notes = [recordedNote(column.column, grid.step), ...margin.of.notes];
  return margin;
}

/** @param grid on which the values are recorded: the margin is that of the measurements */
function* fitMixture(
  column: SortedColumn,
  rest: SortedColumn,
  atoms: readonly number[],
  options: ResolvedOptions,
  grid?: Grid,
): Steps<Margin> {
  const { support, notes } = rangeOf(column, rest, atoms, options.support, grid);
  const part = yield* fitContinuous(grid ? spreadOver(rest, grid) : rest, support, options);
  if (atoms.length === 0) {
    part.notes = [...notes, ...part.notes];
    return part;
  }
  const blocks = Array.from(new Set(atoms), (atom) => column.values.indexOf(atom)).sort((a, b) => a - b);
  const values = Float64Array.from(blocks, (k) => column.values[k]!);
  const masses = Float64Array.from(blocks, (k) => massOf(column, k) / sizeOf(column));
  const margin = new ZeroInflatedMargin(values, masses, part);
  margin.notes = [atomsNote(column.column, values, masses), ...notes, ...part.notes];
  return margin;
}

function* fitContinuous(
  column: SortedColumn,
  support: MarginSupport,
  { type, bandwidth }: Pick<ResolvedOptions, 'type' | 'bandwidth'>,
): Steps<Margin> {
  if (bandwidth !== undefined) return yield* KdeMargin.fit(column, support, { bandwidth });
  if (type === 'empirical' || (type !== 'kde' && !isForKernels(column))) {
    return EmpiricalMargin.fit(column, support);
  }
  const nearest = yield* nearestKernel(column, support);
  if (type !== 'kde') {
    if (!nearest || nearest.distance > NEAR) return EmpiricalMargin.fit(column, support);
    const withTails = yield* GpdMargin.withHeavyTails(column, nearest.margin, support);
    return givesNumbers(withTails, [column.values[0]!, column.values.at(-1)!]) ? withTails : nearest.margin;
  }
  return nearest?.margin ?? (yield* KdeMargin.fit(column, support));
}

interface Kernel {
  readonly margin: KdeMargin;
  readonly distance: number;
}

/** The smoothest kernel estimate that is near the data, or the nearest one; null where none has a density at all values. */
function* nearestKernel(column: SortedColumn, support: MarginSupport): Steps<Kernel | null> {
  const usual = usualScale(column);
  const abrupt = stopsAbruptly(column);
  const ways = [
    { scale: usual },
    ...(abrupt[0] || abrupt[1] ? [{ scale: usual, abrupt }] : []),
    ...logarithmicScales(column, support).map((scale) => ({ scale })),
  ].filter(({ scale }) => reaches(scale, column));
  let nearest: (Kernel & { way: (typeof ways)[number] }) | null = null;
  for (const [k, way] of ways.entries()) {
    const margin = yield* KdeMargin.fit(column, support, way);
    const distance = distanceFrom(column, margin);
    if (distance < (nearest?.distance ?? Infinity)) nearest = { margin, distance, way };
    if (k === 0 && distance <= NEAR) break;
    yield;
  }
  for (const share of NARROWER) {
    if (!nearest || nearest.distance <= NEAR || nearest.distance > HOPELESS) break;
    const { way } = nearest;
    const margin: KdeMargin = yield* KdeMargin.fit(column, support, { ...way, share });
    const distance = distanceFrom(column, margin);
    if (distance < nearest.distance) nearest = { margin, distance, way };
    yield;
  }
  return nearest;
}

function discreteOf(column: SortedColumn): DiscreteMargin {
  const margin = DiscreteMargin.fit(column);
  margin.notes = [discreteNote(column.column, column.values.length)];
  return margin;
}

/** The support of the rest of a column beside its atoms, which are ends of it where they are the outermost values. */
function rangeOf(
  column: SortedColumn,
  rest: SortedColumn,
  atoms: readonly number[],
  given: MarginSupport | undefined,
  grid: Grid | undefined,
): { support: MarginSupport; notes: readonly Note[] } {
  const measured = (ends: MarginSupport) => (grid ? supportBefore(ends, rest, atoms, grid) : ends);
  if (given) return { support: measured(given), notes: [] };
  const [least, most] = [column.values[0]!, column.values.at(-1)!];
  const inferred = inferSupport(rest);
  const support: [number, number] = [...inferred.support];
  const evidence = [...inferred.evidence];
  const plain = grid ? plainEnds(rest) : [null, null];
  for (const [side, end] of [least, most].entries()) {
    if (plain[side] === null || support[side] === end || atoms.includes(end)) continue;
    support[side] = end;
    evidence[side] = { rows: plain[side]!, within: grid!.step / 2 };
  }
  if (atoms.includes(least) && support[0] <= least) [support[0], evidence[0]] = [least, null];
  if (atoms.includes(most) && support[1] >= most) [support[1], evidence[1]] = [most, null];
  return { support: measured(support), notes: supportNote(column.column, support, evidence) };
}

function expectAtoms(column: SortedColumn, atoms: readonly number[], given: boolean): void {
  const missing = atoms.filter((atom) => !column.values.includes(atom));
  if (atoms.length > 0 && missing.length === 0) return;
  throw marginError(
    given ? 'rows with each of the atoms' : 'values that recur',
    'zero-inflated',
    column.column,
    missing.length > 0 ? `none with ${missing.join(', ')}` : 'none',
  );
}

function* fitGpd(column: SortedColumn, options: ResolvedOptions): Steps<GpdMargin> {
  const given = supportOf(column, 'gpd', options.support);
  const smooth = column.sorted.length < KDE_BODY_ROWS ? 'kde' : 'empirical';
  const type = options.type === 'zero-inflated' ? options.type : (options.body ?? smooth);
  const body = yield* fitFromData(column, { ...options, type });
  const atoms = options.atoms ?? withMarks(column, atomsOf(column), options);
  const [least, most] = [column.values[0]!, column.values.at(-1)!];
  // an end that signs alone tell is none where it is further off than all values are apart: kelvin, prices, seconds since 1970
  const isEnd = (end: number, value: number) =>
    Number.isFinite(end) && (options.support !== undefined || Math.abs(value - end) <= most - least);
  const byDefault = (end: number, value: number): null | undefined => (isEnd(end, value) ? null : undefined);
  const margin = yield* GpdMargin.fit(
    column,
    body,
    {
      lower: options.lowerThreshold === undefined ? byDefault(given[0], least) : options.lowerThreshold,
      upper: options.upperThreshold === undefined ? byDefault(given[1], most) : options.upperThreshold,
    },
    { atoms, ends: body.support },
  );
  margin.notes = [...body.notes, ...margin.notes];
  return margin;
}

/**
 * The margin that `Margin.state` describes.
 *
 * @throws SklarError ERR_SKLAR_FORMAT when it is damaged
 */
export function marginFromState(state: MarginState): Margin {
  const margin = madeOf(state);
  if (!givesNumbers(margin, [])) throw stateError(state, 'parameters that give quantiles and probabilities');
  return margin;
}

function madeOf(state: MarginState): Margin {
  switch (state.name) {
    case 'empirical':
      return EmpiricalMargin.fromState(state);
    case 'kde':
      return KdeMargin.fromState(state);
    case 'discrete':
      return DiscreteMargin.fromState(state);
    case 'rounded':
      return RoundedMargin.fromState(state, partOf(state, 'of', canBeRounded));
    case 'zero-inflated':
      return ZeroInflatedMargin.fromState(
        state,
        partOf(state, 'rest', (rest) => isPart(rest) || rest.name === 'gpd' || isFamily(rest.name)),
      );
    case 'gpd':
      return GpdMargin.fromState(state, partOf(state, 'body', isBody));
    default:
      if (isFamily(state.name)) return ParametricMargin.fromState(state, state.name);
      throw new SklarError('ERR_SKLAR_FORMAT', `expected a known margin, got ${describe(state.name)}`);
  }
}

function isFamily(name: string): name is FamilyName {
  return (familyNames as string[]).includes(name);
}

/** A part of a stored margin; its name is checked first, so that no file nests them without end. */
function partOf(state: MarginState, part: string, fits: (part: { name: string }) => boolean): Margin {
  if (!Object.hasOwn(state.parts, part)) {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected a part "${part}" in a stored ${state.name} margin, got none`,
    );
  }
  const inner = state.parts[part]!;
  if (!fits(inner)) throw stateError(state, `a ${part} that is made of data`);
  return marginFromState(inner);
}

const supportSchema = z
  .tuple([z.number().nullable(), z.number().nullable()])
  .transform(([lower, upper]): MarginSupport => [lower ?? -Infinity, upper ?? Infinity])
  .refine(([lower, upper]) => lower <= upper, 'a lower end that is not above the upper one');

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

/** No margin is made of so many levels of others. */
const DEEPEST = 16;

/** How deep objects lie in a value; of more than `DEEPEST` levels, and of circles, no more are counted. */
function levelsOf(json: unknown): number {
  let level: unknown[] = [json];
  let levels = 0;
  while (level.length > 0 && levels <= DEEPEST) {
    level = level.flatMap((value): unknown[] =>
      typeof value === 'object' && value !== null ? Object.values(value) : [],
    );
    levels++;
  }
  return levels;
}

/** The state in plain JSON, which may come straight from a file. */
export function parseMarginState(json: unknown): MarginState {
  if (levelsOf(json) > DEEPEST) {
    throw new SklarError(
      'ERR_SKLAR_FORMAT',
      `expected a margin as JSON, got ${DEEPEST} levels of objects in objects`,
    );
  }
  const parsed = jsonSchema.safeParse(json);
  if (parsed.success) return parsed.data;
  const { path, message } = parsed.error.issues[0]!;
  throw new SklarError('ERR_SKLAR_FORMAT', `expected a margin as JSON: ${[...path, message].join(': ')}`);
}

/**
 * The margin that `toJSON` describes; running through JSON changes nothing.
 *
 * @throws SklarError ERR_SKLAR_FORMAT when it is damaged
 *
 * @example
 * ```ts
 * import { fitMargin, marginFromJSON } from 'sklar';
 *
 * const margin = fitMargin(Float64Array.of(1, 2, 2, 3), 'discrete');
 * const again = marginFromJSON(JSON.parse(JSON.stringify(margin)));
 * again.cdf(Float64Array.of(2)); // => [0.7]
 * ```
 */
export function marginFromJSON(json: MarginJson): Margin {
  return marginFromState(parseMarginState(json));
}
