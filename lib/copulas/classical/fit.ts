import { z } from 'zod';

import { Generator } from '../../data/random';
import { runRecord } from '../../devices';
import { SklarError } from '../../errors';
import { type ModelDocument, expectConfig } from '../../model/model-file';
import { type ClassicalDefinition, callNative, runJob } from '../../native';
import {
  correlationParameters,
  normalScoresCorrelation,
  positiveDefinite,
  shrinkageNotes,
} from '../correlation';
import { GaussianCopula } from '../gaussian';
import { parseOptions } from '../options';
import { type DenseRows } from '../rows';
import { type Execution } from '../run';
import { type ClassicalCopula, type ClassicalTraining } from './classical';
import { fitEmpiricalBeta } from './empirical-beta';
import {
  type ClassicalKind,
  type FamilyKind,
  type ParameterRule,
  type Rotation,
  definitionOf,
  expectRotation,
  families,
  isFamily,
  parameterOfTau,
  parameterRules,
  rotations,
  tauOf,
} from './families';
import { FamilyCopula } from './family';
import { fitKernel, kernelOptionsSchema } from './kernel';
import { maximiseBrent, maximiseNewton, maximiseSimplex, standardErrors } from './optimise';
import { rankErrors } from './rank-errors';
import { StudentCopula } from './student';

/** Options of `fitCopula` for the classical kinds but `empirical-beta` and `kernel`, with their defaults. */
export const classicalOptionsSchema = z.strictObject({
  /** Degrees, counter-clockwise; beyond two columns 0 or 180. */
  rotation: z.literal(rotations).default(0),
  /**
   * `mle`: maximum pseudo-likelihood; for gaussian the correlation of the normal scores. `tau`: inversion of Kendall's
   * tau, of families with one parameter and the correlation of gaussian and student.
   */
  method: z.enum(['mle', 'tau']).default('mle'),
});
export type ClassicalOptions = z.input<typeof classicalOptionsSchema>;
type Resolved = z.output<typeof classicalOptionsSchema>;

/** Where the degrees of freedom of a Student copula are looked for, as logarithms. */
const DEGREES = [Math.log(1), Math.log(300)] as const;

/** Checks the options of a classical kind, and gives what fits it. */
export function classicalFitter(
  kind: ClassicalKind,
  options: object,
): (u: DenseRows, run: Execution) => Promise<ClassicalCopula> {
  const what = `a ${kind} copula`;
  if (kind === 'empirical-beta') {
    parseOptions(z.strictObject({}), options, what);
    // eslint-disable-next-line @typescript-eslint/require-await -- what it throws must reject
    return async (u, run) => fitEmpiricalBeta(u, run);
  }
  if (kind === 'kernel') {
    const parsed = parseOptions(kernelOptionsSchema, options, what);
    return (u, run) => fitKernel(u, parsed, run);
  }
  const parsed = parseOptions(classicalOptionsSchema, options, what);
  expectRotation(kind, parsed.rotation, parsed.rotation === 180 ? 3 : 2);
  if (parsed.method === 'tau' && isFamily(kind) && families[kind].parameters.length > 1) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected method 'mle' for a ${kind} copula: tau does not determine its ${families[kind].parameters.length} parameters`,
    );
  }
  return (u, run) => {
    expectRotation(kind, parsed.rotation, u.columns);
    if (kind === 'gaussian') return fitGaussian(u, parsed, run);
    if (kind === 'student') return fitStudent(u, parsed, run);
    return fitFamily(kind, u, parsed, run);
  };
}

const sum = (values: Float64Array) => values.reduce((total, value) => total + value, 0);

const kendallOf = (u: DenseRows, run: Execution) =>
  runJob((addon) => addon.kendallTau(u.data, u.rows, u.columns, run.threads), { signal: run.signal });

/** Variances of Kendall's tau, by its asymptotic normal law. */
const tauVariance = (u: DenseRows, run: Execution) =>
  runJob((addon) => addon.kendallVariance(u.data, u.rows, u.columns, run.threads), { signal: run.signal });

/** Correlation of the normal scores, drawn towards independence. */
async function correlationOfScores(u: DenseRows, run: Execution) {
  return positiveDefinite(await normalScoresCorrelation(u, run), u.columns, u.rows);
}

/** sin(pi tau / 2) of every pair, drawn no less than the normal scores, whose eigenvalues have less noise. */
async function correlationOfTau(u: DenseRows, run: Execution) {
  const least = u.columns === 2 ? 0 : (await correlationOfScores(u, run)).shrinkage;
  const tau = await kendallOf(u, run);
  const raw = tau.map((value, i) => (i % (u.columns + 1) === 0 ? 1 : Math.sin((Math.PI / 2) * value)));
  return positiveDefinite(raw, u.columns, u.rows, least);
}

/** Of the correlations sin(pi tau / 2), by the delta method. */
async function correlationErrors(correlation: Float64Array, u: DenseRows, run: Execution) {
  const { pairs } = await tauVariance(u, run);
  const errors = correlation.map((r, i) => (Math.PI / 2) * Math.sqrt(Math.max(0, 1 - r * r) * pairs[i]!));
  return correlationParameters(errors, u.columns);
}

const logPdfOf = (definition: ClassicalDefinition, u: DenseRows, run: Execution) =>
  runJob((addon) => addon.classicalLogPdf(definition, u.data, false, u.rows, run.threads), {
    signal: run.signal,
  });

/** The log-likelihood of the rows. */
const likelihoodOf = async (definition: ClassicalDefinition, u: DenseRows, run: Execution) =>
  sum(await logPdfOf(definition, u, run));

async function fitGaussian(u: DenseRows, { method }: Resolved, run: Execution): Promise<GaussianCopula> {
  const { correlation, shrinkage } = await (method === 'tau' ? correlationOfTau : correlationOfScores)(
    u,
    run,
  );
  const logLikelihood = sum(await new GaussianCopula(correlation, u.columns).logPdf(u, run));
  const named = Object.entries(correlationParameters(correlation, u.columns));
  const training: ClassicalTraining = {
    rows: u.rows,
    method,
    logLikelihood,
    // of the normal scores: efficient, and not changed by the ranks (Klaassen and Wellner 1997)
    standardErrors:
      method === 'mle'
        ? Object.fromEntries(named.map(([name, r]) => [name, (1 - r * r) / Math.sqrt(u.rows)]))
        : await correlationErrors(correlation, u, run),
    ...runRecord(run, 'float64'),
  };
  const notes = shrinkageNotes(shrinkage, u.rows, u.columns);
  return new GaussianCopula(correlation, u.columns, { ...training, shrinkage, notes });
}

async function fitStudent(u: DenseRows, { method }: Resolved, run: Execution): Promise<StudentCopula> {
  const dim = u.columns;
  const start = await (method === 'tau' ? correlationOfTau : correlationOfScores)(u, run);
  const { shrinkage } = start;
  const notes = shrinkageNotes(shrinkage, u.rows, dim);
  let { correlation } = start;
  const definition = (r: Float64Array, degrees: number): ClassicalDefinition => ({
    family: 'student',
    dim,
    parameters: Float64Array.of(degrees),
    rotation: 0,
    factor: callNative((addon) => addon.cholesky(r, dim)).factor,
  });
  // of the best correlation for these degrees of freedom
  const profile = async (degrees: number) => {
    if (method === 'tau') return likelihoodOf(definition(correlation, degrees), u, run);
    const fit = await runJob(
      (addon) => addon.classicalFitStudent(degrees, correlation, shrinkage, u.data, u.rows, dim, run.threads),
      { signal: run.signal },
    );
    ({ correlation } = fit);
    return fit.logLikelihood;
  };
  const spread = notes.length > 0 ? spreadRows(u) : u;
  const degrees = Math.exp(
    await alternate(
      (x) => likelihoodOf(definition(correlation, Math.exp(x)), spread, run),
      (x) => profile(Math.exp(x)),
      method === 'tau',
    ),
  );
  const found = correlation;
  const logLikelihood = await likelihoodOf(definition(found, degrees), u, run);
  const range = DEGREES.map(Math.exp) as [number, number];
  let errors: Record<string, number | null>;
  if (method === 'mle' && dim === 2) {
    const [rho, nu] = await rankErrors(
      ([r, n], rows) => logPdfOf(definition(Float64Array.of(1, r!, r!, 1), n!), rows, run),
      u,
      thinned(u),
      [[-1, 1], range],
      [found[1]!, degrees],
    );
    errors = { rho: rho!, degrees: nu! };
  } else {
    const [nu] = await standardErrors(([n]) => profile(n!), [range], [degrees]);
    errors = { ...(method === 'tau' && (await correlationErrors(found, u, run))), degrees: nu! };
  }
  const training: ClassicalTraining = {
    rows: u.rows,
    method,
    logLikelihood,
    standardErrors: errors,
    ...runRecord(run, 'float64'),
  };
  return new StudentCopula(found, dim, degrees, { ...training, shrinkage, notes });
}

/**
 * The logarithm of the degrees of freedom: their maximum for a correlation and the best correlation for them in turns,
 * until they come to rest. The first maximum is looked for everywhere, those after it are vertices of parabolas.
 *
 * @param follow finds the best correlation
 * @param once whether the correlation is to stay
 */
async function alternate(
  likelihood: (x: number) => Promise<number>,
  follow: (x: number) => Promise<number>,
  once: boolean,
): Promise<number> {
  const [low, high] = DEGREES;
  let { x } = await maximiseBrent(likelihood, DEGREES, Math.log(8), once ? 1e-5 : 1e-3);
  for (let turn = 0; !once && turn < 100; turn++) {
    await follow(x);
    const step = 1e-3;
    const at = Math.min(Math.max(x, low + step), high - step);
    const [below, here, above] = [
      await likelihood(at - step),
      await likelihood(at),
      await likelihood(at + step),
    ];
    const bend = below - 2 * here + above;
    const vertex = bend < 0 ? at - (0.5 * step * (above - below)) / bend : above > below ? high : low;
    // far from it a parabola is no more than a direction
    const next = Math.min(Math.max(vertex, low, x - 0.5), high, x + 0.5);
    const moved = Math.abs(next - x);
    x = next;
    if (moved < 1e-4) break;
  }
  return x;
}

/** Kendall's tau of the rows as the unrotated family would have it; of many columns the mean over pairs. */
async function turnedTau(u: DenseRows, rotation: Rotation, run: Execution): Promise<number> {
  const tau = await kendallOf(u, run);
  const dim = u.columns;
  let total = 0;
  for (let i = 0; i < dim; i++) for (let j = 0; j < i; j++) total += tau[i * dim + j]!;
  const mean = total / ((dim * (dim - 1)) / 2);
  return rotation === 90 || rotation === 270 ? -mean : mean;
}

const toFree = ({ scale }: ParameterRule, value: number) =>
  scale === 'linear' ? value : Math.log(value - scale.log);
const fromFree = ({ scale }: ParameterRule, x: number) => (scale === 'linear' ? x : scale.log + Math.exp(x));
const freeBox = (rule: ParameterRule) => rule.box.map((edge) => toFree(rule, edge)) as [number, number];

async function fitFamily(
  kind: FamilyKind,
  u: DenseRows,
  { rotation, method }: Resolved,
  run: Execution,
): Promise<FamilyCopula> {
  const rules = parameterRules(kind, u.columns);
  const of = (rows: DenseRows) => (values: readonly number[]) =>
    likelihoodOf(definitionOf(kind, u.columns, values, rotation), rows, run);
  const likelihood = of(u);
  let values: number[];
  let errors: Record<string, number | null> | null = null;
  if (rules.length === 0) values = [];
  else if (method === 'tau') {
    values = [parameterOfTau(kind, await turnedTau(u, rotation, run))];
    errors = { [rules[0]!.name]: await errorOfTau(kind, rules[0]!, values[0]!, u, run) };
  } else {
    values =
      rules.length === 1
        ? await maximiseOne(kind, rules[0]!, likelihood, await turnedTau(u, rotation, run))
        : await maximiseMany(rules, likelihood, of(thinned(u)));
    const found = await rankErrors(
      (at, some) => logPdfOf(definitionOf(kind, u.columns, at, rotation), some, run),
      u,
      thinned(u),
      rules.map(({ box }) => box),
      values,
    );
    errors = Object.fromEntries(rules.map(({ name }, i) => [name, found[i]!]));
  }
  const training: ClassicalTraining = {
    rows: u.rows,
    method,
    logLikelihood: await likelihood(values),
    standardErrors: errors,
    ...runRecord(run, 'float64'),
  };
  const parameters = Object.fromEntries(rules.map(({ name }, i) => [name, values[i]!]));
  return new FamilyCopula(kind, parameters, { dim: u.columns, rotation, training: { ...training } });
}

/** Standard error of the parameter that tau gives, by the delta method; null at a bound. */
async function errorOfTau(
  kind: FamilyKind,
  rule: ParameterRule,
  value: number,
  u: DenseRows,
  run: Execution,
) {
  const [low, high] = freeBox(rule);
  const x = toFree(rule, value);
  const step = 1e-4 * Math.max(1, Math.abs(x));
  if (!(x - step > low && x + step < high)) return null;
  const [below, above] = [x - step, x + step].map((at) => fromFree(rule, at)) as [number, number];
  const slope = (tauOf(kind, [above]) - tauOf(kind, [below])) / (above - below);
  return Math.sqrt((await tauVariance(u, run)).mean) / Math.abs(slope);
}

/**
 * Copies of few rows of ranks with each value anywhere in the block of its rank. Ranks as such end at 1 / (n + 1): new rows
 * go farther out, where heavy tails make them improbable.
 */
function spreadRows(u: DenseRows): DenseRows {
  const copies = Math.ceil(1000 / u.rows);
  const generator = new Generator(0x73707265);
  const data = new Float64Array(copies * u.data.length);
  for (let at = 0; at < data.length; at++) {
    const rank = u.data[at % u.data.length]! * (u.rows + 1);
    const level = (rank - 1 + (generator.next() + 0.5) / 2 ** 32) / u.rows;
    data[at] = Math.min(Math.max(level, 1e-9), 1 - 1e-9);
  }
  return { data, rows: copies * u.rows, columns: u.columns };
}

/** Every k-th row, so that about as many are left as decide where to look, and how sure to be. */
function thinned(u: DenseRows): DenseRows {
  const every = Math.max(1, Math.floor(u.rows / 1000));
  const rows = Math.ceil(u.rows / every);
  const data = new Float64Array(rows * u.columns);
  for (let i = 0; i < rows; i++) {
    data.set(u.data.subarray(i * every * u.columns, (i * every + 1) * u.columns), i * u.columns);
  }
  return { data, rows, columns: u.columns };
}

async function maximiseOne(
  kind: FamilyKind,
  rule: ParameterRule,
  likelihood: (values: readonly number[]) => Promise<number>,
  tau: number,
): Promise<number[]> {
  const box = freeBox(rule);
  let start = 0.5 * (box[0] + box[1]);
  try {
    start = toFree(rule, parameterOfTau(kind, tau));
  } catch (error) {
    if (!(error instanceof SklarError)) throw error; // the family does not reach that tau
  }
  const { x } = await maximiseBrent((value) => likelihood([fromFree(rule, value)]), box, start);
  return [fromFree(rule, x)];
}

/** From the best of a coarse grid uphill by a part of the rows, then by all of them. */
async function maximiseMany(
  rules: readonly ParameterRule[],
  likelihood: (values: readonly number[]) => Promise<number>,
  rough: (values: readonly number[]) => Promise<number>,
): Promise<number[]> {
  const box = rules.map(freeBox);
  const toValues = (x: readonly number[]) => x.map((value, i) => fromFree(rules[i]!, value));
  let starts: number[][] = [[]];
  for (const own of rules) {
    const { scale } = own;
    const [low, high] = own.box;
    const choices =
      scale === 'linear'
        ? [0.25, 0.6, 0.9].map((share) => low + share * (high - low))
        : [0.15, 0.7, 3].map((distance) => scale.log + distance);
    starts = starts.flatMap((head) => choices.map((value) => [...head, toFree(own, value)]));
  }
  let best = { x: starts[0]!, value: -Infinity };
  for (const x of starts) {
    const value = await rough(toValues(x));
    if (value > best.value) best = { x, value };
  }
  const near = await maximiseSimplex((x) => rough(toValues(x)), box, best.x, { tolerance: 1e-3 });
  const objective = (x: readonly number[]) => likelihood(toValues(x));
  const x =
    (await maximiseNewton(objective, box, near.x)) ??
    (await maximiseSimplex(objective, box, near.x, { size: 0.1, rounds: 2 })).x;
  return toValues(x);
}

const configSchema = z.object({
  dim: z.int().min(2).max(65536),
  parameters: z.record(z.string(), z.number()),
  rotation: z.literal(rotations),
});

export function familyFromFile(kind: FamilyKind, document: ModelDocument): FamilyCopula {
  const { dim, parameters, rotation } = expectConfig(configSchema, document);
  return new FamilyCopula(kind, parameters, { dim, rotation, training: document.training });
}
