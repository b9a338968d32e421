/** Rows given blocks of levels: what a condition on values of positive probability is. */
import { logWidths } from '../copulas/cells';
import type { Copula } from '../copulas/copula';
import { mostDraws, needsMore, nextDraws, sampleEstimate, tooRare } from '../copulas/events/rejection';
import type { LevelsOf } from '../copulas/events/subset-simulation';
import { GaussianCopula } from '../copulas/classical/gaussian';
import { StudentCopula } from '../copulas/classical/student';
import type { RunOptions } from '../copulas/inputs/run';
import {
  type ConditionalMethod,
  type ConditionalOptions,
  type ConditionalSample,
  exactConditional,
} from '../copulas/fields/smc';
import { type Matrix, matrix } from '../matrix';
import { type Seed, hashWords, resolveSeed, seedWords } from '../data/random';
import type { Table } from '../data/table';
import { SklarError, describe, expectInteger } from '../errors';
import { tell } from '../tell';

/** What columns are held to, by their numbers, on the Gaussian scale: one level where lower equals upper. */
export interface Condition {
  readonly columns: readonly number[];
  readonly lower: Float64Array;
  readonly upper: Float64Array;
}

/** Rows of the condition on the data scale; the rest is that of `ConditionalSample`. */
export interface JointConditionalSample extends Omit<ConditionalSample, 'rows' | 'method'> {
  /** The fixed columns hold the fixed values. */
  table: Table;
  /**
   * `rejection`: rows drawn without the blocks of levels, of which those outside were left out. `subset-simulation`: of blocks that too few
   * draws fall into, by the levels between (docs/mathematics.md, O); `effectiveSampleSize` says how many independent rows they are worth.
   */
  readonly method: ConditionalMethod | 'rejection' | 'subset-simulation';
  /** The share of draws that fell into the blocks, of `subset-simulation` its estimate; null for a condition without a block. */
  readonly blockAcceptance: number | null;
}

/** What a condition with blocks gives, on the Gaussian scale. */
export interface BlockSample extends Omit<JointConditionalSample, 'table'> {
  readonly rows: Matrix;
}

/**
 * Draws rows given one level in some columns and a block of levels in others.
 *
 * Without a block this is `sampleConditional`. With blocks, rows are drawn given the levels alone, and those outside the blocks
 * are left out: exact for every kind that can draw so. The density of the condition is that of the levels times the
 * probability of the blocks given them: the width in u of a block that is alone, `logPdfCells` of the marginal copula of Gaussian
 * and Student ones, else estimated by the share of draws inside.
 *
 * @param describeBlocks names columns and values of the blocks, for messages
 * @returns rows on the Gaussian scale
 * @throws SklarError ERR_SKLAR_VALUE when too few draws fall into the blocks, and as `Copula.sampleConditional`
 */
export async function sampleGivenBlocks(
  copula: Copula,
  { columns, lower, upper }: Condition,
  rows: number,
  options: Omit<ConditionalOptions, 'scale' | 'dtype'>,
  describeBlocks: () => string,
): Promise<BlockSample> {
  const isBlock = columns.map((_, i) => lower[i] !== upper[i]);
  const levels = Object.fromEntries(
    columns.flatMap((column, i) =>
      isBlock[i] ? [] : [[copula.names?.[column] ?? String(column), lower[i]!] as const],
    ),
  );
  const exact = Object.keys(levels).length > 0;
  const scale = { scale: 'gaussian', dtype: 'float64' } as const;
  const { dim } = copula;
  if (!isBlock.includes(true)) {
    if (columns.length === dim) return copiesOf(copula, columns, lower, rows, options);
    return {
      ...(await copula.sampleConditional(levels, rows, { ...options, ...scale })),
      blockAcceptance: null,
    };
  }
  expectInteger(rows, 'the number of rows', { min: 1, max: Math.floor(2 ** 26 / dim) });
  const { method, seed = 1, onProgress, signal, ...rest } = options;
  const run = { device: rest.device, precision: rest.precision, threads: rest.threads, signal };
  if (!exact && method !== undefined && method !== 'exact') {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected no method for a condition on values of positive probability alone, whose rows are drawn without a ` +
        `condition and kept where they have them, got ${describe(method)}`,
    );
  }
  const most = mostDraws(rows);
  const values = new Float64Array(rows * dim);
  let [kept, inside, drawn] = [0, 0, 0];
  let first: ConditionalSample | undefined;
  for (let batch = 0; kept < rows; batch++) {
    if (!exact && needsMore(rows, inside, drawn)) {
      const noRow = () => tooRare(describeBlocks(), inside, drawn, rows);
      return rareBlocks(copula, { columns, lower, upper }, rows, options, noRow);
    }
    if (drawn >= most) throw tooRare(describeBlocks(), inside, drawn, rows);
    const count = nextDraws(rows - kept, inside, drawn, { batch, most, dim });
    let data: Matrix['data'];
    if (exact) {
      const sample = await copula.sampleConditional(levels, count, {
        ...rest,
        ...(method !== undefined && { method }),
        ...scale,
        signal,
        seed: batchSeed(seed, batch),
      });
      first ??= sample;
      ({ data } = sample.rows);
    } else {
      ({ data } = await copula.sample(count, { ...run, ...scale, seed, firstRow: drawn }));
    }
    for (let row = 0; row < count; row++) {
      const at = row * dim;
      if (
        !columns.every((j, i) => !isBlock[i] || (data[at + j]! > lower[i]! && data[at + j]! <= upper[i]!))
      ) {
        continue;
      }
      inside++;
      if (kept === rows) continue;
      values.set(data.subarray(at, at + dim), kept * dim);
      kept++;
    }
    drawn += count;
    tell(onProgress, { fraction: kept / rows });
  }

  const share = inside / drawn;
  const known = await logCondition(copula, { columns, lower, upper }, run);
  const ofLevels = first ? first.logMarginalDensity : 0;
  const logDensity = known ?? (ofLevels === null ? null : ofLevels + Math.log(share));
  const error = known === null ? Math.hypot(first?.standardError ?? 0, Math.sqrt((1 - share) / inside)) : 0;
  return {
    ancestors: null,
    acceptance: null,
    rHat: null,
    polishEffectiveSampleSize: null,
    normalised: true,
    ...first,
    rows: matrix(values, rows, dim, copula.names ?? undefined),
    logMarginalDensity: logDensity,
    standardError: logDensity === null ? null : error,
    effectiveSampleSize: first === undefined || first.method === 'exact' ? rows : null,
    method: first?.method ?? 'rejection',
    blockAcceptance: share,
  };
}

/** Rows given blocks alone that hardly any draw falls into. */
async function rareBlocks(
  copula: Copula,
  { columns, lower, upper }: Condition,
  rows: number,
  { device, precision, threads, signal, method: _, ...options }: Omit<ConditionalOptions, 'scale' | 'dtype'>,
  noRow: () => SklarError,
): Promise<BlockSample> {
  const { dim } = copula;
  const run = { device, precision, threads, signal };
  const levelsOf: LevelsOf = (z, count) =>
    Promise.resolve(
      Float64Array.from({ length: count }, (_, row) =>
        columns.reduce((level, j, i) => {
          const score = z[row * dim + j]!;
          return Math.min(level, score - lower[i]!, upper[i]! - score);
        }, Infinity),
      ),
    );
  const estimate = await copula.estimateEvent(levelsOf, { ...options, ...run });
  const { rows: values, effectiveRows, ...event } = await sampleEstimate(estimate, rows, noRow);
  const known = await logCondition(copula, { columns, lower, upper }, run);
  return {
    rows: matrix(values, rows, dim, copula.names ?? undefined),
    logMarginalDensity: known ?? Math.log(event.probability),
    normalised: true,
    standardError: known === null ? event.standardError / event.probability : 0,
    effectiveSampleSize: effectiveRows,
    ancestors: null,
    acceptance: event.acceptance,
    rHat: null,
    polishEffectiveSampleSize: null,
    method: 'subset-simulation',
    blockAcceptance: event.probability,
  };
}

/** Rows of which every column is given. */
async function copiesOf(
  copula: Copula,
  columns: readonly number[],
  levels: Float64Array,
  rows: number,
  { device, precision, threads, signal }: RunOptions,
): Promise<BlockSample> {
  const { dim, names, normalised } = copula;
  expectInteger(rows, 'the number of rows', { min: 1, max: Math.floor(2 ** 26 / dim) });
  const row = new Float64Array(dim);
  columns.forEach((column, i) => (row[column] = levels[i]!));
  const all = new Float64Array(rows * dim);
  for (let i = 0; i < rows; i++) all.set(row, i * dim);
  const run = { device, precision, threads, signal, scale: 'gaussian' } as const;
  const hasDensity = copula.capabilities.logPdf.some((method) => method !== 'bound');
  const log = hasDensity ? (await copula.logPdf(matrix(row, 1, dim), run))[0]! : null;
  return {
    ...exactConditional(matrix(all, rows, dim, names ?? undefined), log ?? 0),
    normalised,
    ...(log === null && { logMarginalDensity: null, standardError: null }),
    blockAcceptance: null,
  };
}

/** The log density of a condition where no draws are needed for it: of one block, and of copulas whose marginals are known. */
async function logCondition(
  copula: Copula,
  { columns, lower, upper }: Condition,
  run: RunOptions,
): Promise<number | null> {
  if (columns.length === 1) return logWidths(lower, upper, 1, true)[0]!;
  if (!(copula instanceof GaussianCopula || copula instanceof StudentCopula)) return null;
  const ends = [matrix(lower, 1, columns.length), matrix(upper, 1, columns.length)] as const;
  const options = { threads: run.threads, signal: run.signal, scale: 'gaussian' } as const;
  return (await copula.marginal(columns).logPdfCells(...ends, options))[0]!;
}

/** Of what each batch draws. */
export function batchSeed(seed: Seed, batch: number): bigint {
  if (batch === 0) return resolveSeed(seed);
  const words = seedWords(seed);
  const KEY = 0x626c6f63;
  return (BigInt(hashWords(...words, KEY, batch, 1)) << 32n) | BigInt(hashWords(...words, KEY, batch, 0));
}
