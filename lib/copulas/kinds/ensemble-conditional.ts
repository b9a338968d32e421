import { matrix } from '../../matrix';
import { Generator, seedWords } from '../../data/random';
import { SklarError } from '../../errors';
import { type Copula } from '../copula';
import { expectDtype, toFloat32 } from '../inputs/rows';
import { type Execution } from '../inputs/run';
import type { ConditionalOptions, ConditionalSample } from '../fields/smc';
import { tell } from '../../tell';

/** Keeps the choice of members apart from other uses of a seed. */
const CHOICE = 0x63686f69;

const worst = (values: readonly (number | null)[]) =>
  values.includes(null) ? null : Math.max(...(values as readonly number[]));

/** Effective number of rows that come from independent samples of these sizes with these weights. */
function combinedSize(weights: readonly number[], sizes: readonly (number | null)[]): number | null {
  if (sizes.includes(null)) return null;
  return 1 / weights.reduce((sum, weight, k) => sum + (weight === 0 ? 0 : weight ** 2 / sizes[k]!), 0);
}

/** A copula with a normalised density, its share of a mixture, and how it draws. */
interface Member {
  readonly copula: Copula;
  readonly weight: number;
  readonly seed: bigint;
  readonly options: ConditionalOptions;
}

/**
 * Rows of a mixture of copulas given some columns: each member draws all rows, and each row is taken from
 * one of them, with probabilities in proportion to its weight and the density of the condition under it.
 */
export async function mixtureConditional(
  members: readonly Member[],
  names: readonly string[] | null,
  fixed: Readonly<Record<string | number, number>>,
  rows: number,
  {
    options,
    run,
    seed,
  }: { readonly options: ConditionalOptions; readonly run: Execution; readonly seed: bigint },
): Promise<ConditionalSample> {
  const dtype = expectDtype(options.dtype);
  const samples: ConditionalSample[] = [];
  const densities: number[] = [];
  for (const [k, member] of members.entries()) {
    member.copula.names = names;
    const sample = await member.copula.sampleConditional(fixed, rows, {
      ...member.options,
      ...run,
      dtype: 'float64',
      seed: member.seed,
      onProgress: ({ fraction }) => tell(options.onProgress, { fraction: (k + fraction) / members.length }),
    });
    if (sample.logMarginalDensity === null) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        'expected a method that knows the density of the condition, by which an ensemble weighs its members, got ' +
          `'${sample.method}'${options.weights === undefined ? '' : ` with weights '${options.weights}'`}`,
      );
    }
    samples.push(sample);
    densities.push(sample.logMarginalDensity);
  }
  const most = Math.max(...densities);
  const shares = densities.map((density, k) => members[k]!.weight * Math.exp(density - most));
  const total = shares.reduce((sum, share) => sum + share, 0);
  const weights = shares.map((share) => share / total);

  const { columns } = samples[0]!.rows;
  const values = new Float64Array(rows * columns);
  const generator = new Generator(...seedWords(seed), CHOICE);
  for (let row = 0; row < rows; row++) {
    let left = (generator.next() + 0.5) / 2 ** 32;
    let k = 0;
    while (k < weights.length - 1 && left >= weights[k]!) left -= weights[k++]!;
    const { data } = samples[k]!.rows;
    for (let j = 0; j < columns; j++) values[row * columns + j] = data[row * columns + j]!;
  }
  const of = (key: 'ancestors' | 'effectiveSampleSize' | 'polishEffectiveSampleSize') =>
    combinedSize(
      weights,
      samples.map((sample) => sample[key]),
    );
  const acceptances = samples.map(({ acceptance }) => acceptance);
  return {
    rows: matrix(
      dtype === 'float64' ? values : toFloat32(values, options.scale ?? 'copula'),
      rows,
      columns,
      names ?? undefined,
    ),
    logMarginalDensity: most + Math.log(total),
    normalised: samples.every(({ normalised }) => normalised),
    standardError: Math.hypot(...samples.map(({ standardError }, k) => weights[k]! * standardError!)),
    effectiveSampleSize: of('effectiveSampleSize'),
    ancestors: of('ancestors'),
    acceptance: acceptances.includes(null)
      ? null
      : acceptances.reduce<number>((sum, acceptance, k) => sum + weights[k]! * acceptance!, 0),
    rHat: worst(samples.map(({ rHat }) => rHat)),
    polishEffectiveSampleSize: of('polishEffectiveSampleSize'),
    method: samples[0]!.method,
  };
}
