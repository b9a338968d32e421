/** Fits of the families with parameters of their own (docs/mathematics.md, M.5). */
import { z } from 'zod';
import { SklarError } from '../../errors';
import { type ModelDocument, expectConfig } from '../../model/model-file';
import { type Note, andWords } from '../../notes';
import { type DenseRows, effectiveRows } from '../inputs/rows';
import { type Execution } from '../inputs/run';
import {
  type FamilyKind,
  type ParameterRule,
  type Rotation,
  definitionOf,
  parameterOfTau,
  parameterRules,
  rotations,
  tauOf,
} from './families';
import { FamilyCopula } from './family';
import {
  type Observations,
  likelihoodOf,
  logDensities,
  merged,
  mostCells,
  stackedPairs,
  thinned,
} from './observations';
import { maximiseBrent, maximiseNewton, maximiseSimplex } from './optimise';
import { rankErrors } from './rank-errors';
import { areRanks, isBlurred, pairOf } from './resolution';
import {
  type Resolved,
  tauVariance,
  prepare,
  estimateText,
  replacedNote,
  blurredNote,
  fitByTau,
  recordOf,
} from './fit';

/** Kendall's tau of the rows as the unrotated family would have it; of many columns the mean over pairs. */
function turnedTau(tau: Float64Array, dim: number, rotation: Rotation): number {
  let total = 0;
  for (let i = 0; i < dim; i++) for (let j = 0; j < i; j++) total += tau[i * dim + j]!;
  const mean = total / ((dim * (dim - 1)) / 2);
  return rotation === 90 || rotation === 270 ? -mean : mean;
}

const toFree = ({ scale }: ParameterRule, value: number) =>
  scale === 'linear' ? value : Math.log(value - scale.log);

const fromFree = ({ scale }: ParameterRule, x: number) => (scale === 'linear' ? x : scale.log + Math.exp(x));

const freeBox = (rule: ParameterRule) => rule.box.map((edge) => toFree(rule, edge)) as [number, number];

/** Beyond two columns rows with more cells than this are too many corners: pairs of columns take their place. */
const MOST_CELLS = 6;

/** @param replaced the parameter of maximum likelihood, which that of tau takes the place of */
export async function fitFamily(
  kind: FamilyKind,
  u: DenseRows,
  { rotation, method }: Resolved,
  run: Execution,
  replaced: number | null = null,
): Promise<FamilyCopula> {
  const dim = u.columns;
  const rules = parameterRules(kind, dim);
  const { tau, levels, observations, seen, notes } = await prepare(u, method, run);
  const blur: Note[] = [];
  // exchangeable: every pair has the same parameter
  const composite = dim > 2 && mostCells(observations) > MOST_CELLS;
  const rows = composite ? merged(stackedPairs(observations)) : seen;
  const of = (part: Observations) => (values: readonly number[]) =>
    likelihoodOf(definitionOf(kind, part.columns, values, rotation), part, run);
  let values: number[];
  let errors: Record<string, number | null> | null = null;
  if (rules.length === 0) values = [];
  else if (method === 'tau') {
    const turned = turnedTau(await tau(), dim, rotation);
    values = [replaced === null ? parameterOfTau(kind, turned) : parameterNearTau(kind, rules[0]!, turned)];
    if (replaced !== null) {
      blur.push(replacedNote(`${rules[0]!.name} of the ${kind} copula`, values[0]!, replaced));
    }
    errors = { [rules[0]!.name]: await errorOfTau(kind, rules[0]!, values[0]!, levels, run) };
  } else {
    values =
      rules.length === 1
        ? await maximiseOne(kind, rules[0]!, of(rows), turnedTau(await tau(), dim, rotation))
        : await maximiseMany(rules, of(rows), of(merged(thinned(observations))));
    const blurred =
      areRanks(u) &&
      (await isBlurred(definitionOf(kind, 2, values, rotation), pairOf(levels, 0, 1), effectiveRows(u), run));
    if (blurred && rules.length === 1) {
      const options = { rotation, method: 'tau' } as const;
      const byTau = await fitByTau(u, () => fitFamily(kind, u, options, run, values[0]));
      if (byTau) return byTau;
    }
    if (blurred) {
      const names = andWords(rules.map(({ name }) => name));
      const many = rules.length > 1;
      const own = estimateText(tauOf(kind, values));
      const ofRows = estimateText(turnedTau(await tau(), dim, rotation));
      blur.push(
        blurredNote(
          `${names} of the ${kind} copula ${many ? 'have' : 'has'} no standard ${many ? 'errors' : 'error'}, and its Kendall's tau ` +
            `is ${own}, that of the rows ${ofRows}`,
        ),
      );
    }
    const found =
      composite || blurred
        ? rules.map(() => null)
        : await rankErrors(
            (at, some) => logDensities(definitionOf(kind, dim, at, rotation), some, run),
            seen,
            thinned(observations),
            u.rows,
            rules.map(({ box }) => box),
            values,
          );
    errors = Object.fromEntries(rules.map(({ name }, i) => [name, found[i]!]));
  }
  const logLikelihood = await of(seen)(values);
  const record = recordOf(
    { rows: u.rows, method, logLikelihood, standardErrors: errors },
    [...notes, ...boundNotes(kind, rules, values), ...blur],
    run,
  );
  const parameters = Object.fromEntries(rules.map(({ name }, i) => [name, values[i]!]));
  return new FamilyCopula(kind, parameters, { dim, rotation, training: record });
}

/** `parameterOfTau`, or the end of the range that is searched where tau lies beyond. */
function parameterNearTau(kind: FamilyKind, { box: [least, most] }: ParameterRule, tau: number): number {
  if (tau >= tauOf(kind, [most])) return most;
  return tau <= tauOf(kind, [least]) ? least : parameterOfTau(kind, tau);
}

/** Says which parameters sit at an end of where they are looked for. */
function boundNotes(kind: FamilyKind, rules: readonly ParameterRule[], values: readonly number[]): Note[] {
  return rules.flatMap((rule, i): Note[] => {
    const [low, high] = freeBox(rule);
    const x = toFree(rule, values[i]!);
    // a range of 1e4 is no measure of how near to its lower end an estimate of 2 is
    const near = (at: number) =>
      1e-3 * (rule.scale === 'linear' ? Math.min(high - low, Math.max(1, Math.abs(at))) : high - low);
    const end = x - low < near(low) ? 0 : high - x < near(high) ? 1 : null;
    if (end === null) return [];
    const message =
      `${rule.name} of the ${kind} copula is at ${rule.box[end]}, the ${end === 0 ? 'lower' : 'upper'} end of its range: ` +
      'its maximum may lie beyond';
    return [{ code: 'bound', columns: [], message }];
  });
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
  const error = Math.sqrt((await tauVariance(u, run)).mean) / Math.abs(slope);
  return error > 0 && Number.isFinite(error) ? error : null;
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
