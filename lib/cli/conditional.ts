/** `sklar sample --given`: rows given the values of some columns. */
import type { Copula } from '../copulas/copula';
import type { ConditionalOptions, ConditionalSample } from '../copulas/smc';
import { matrix } from '../data/matrix';
import type { PseudoObservations } from '../data/pseudo-observations';
import { Table, defaultNames } from '../data/table';
import { SklarError, describe, expectNumber } from '../errors';
import { numberOrText } from './values';

/** `name=value` pairs between commas; names are looked up, since they may hold commas themselves. */
export function parseGiven(texts: readonly string[], names: readonly string[]): Map<string, number> {
  const given = new Map<string, number>();
  const longestFirst = [...names].sort((a, b) => b.length - a.length);
  for (const text of texts) {
    let rest = text.trimStart();
    while (rest !== '') {
      const name = longestFirst.find((candidate) => rest.startsWith(`${candidate}=`));
      if (name === undefined) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected column=value for --given with a column of ${names.map(describe).join(', ')}, got ${describe(rest)}`,
        );
      }
      if (given.has(name)) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected every column once for --given, got ${describe(name)} again`,
        );
      }
      const [value = '', ...others] = rest.slice(name.length + 1).split(',');
      given.set(name, expectNumber(numberOrText(value.trim()), `${describe(name)} of --given`));
      rest = others.join(',').trimStart();
    }
  }
  return given;
}

/** Pseudo-observations of the given values; the training rows must reach beyond them. */
function toPseudoObservations(
  given: ReadonlyMap<string, number>,
  margins: PseudoObservations,
): Record<string, number> {
  const width = margins.names.length;
  const ends = margins.inverse(
    matrix(
      Float64Array.from({ length: 2 * width }, (_, i) => (i < width ? 0 : 1)),
      2,
      width,
    ),
  );
  const row = margins.names.map((name, j) => {
    const [least, most] = ends.columns[j]! as unknown as [number, number];
    const value = given.get(name) ?? least;
    if (value < least || value > most) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected a value between ${least} and ${most}, the range of the training rows, for ${describe(name)} of ` +
          `--given, got ${value}`,
      );
    }
    if (margins.kinds[j] === 'integer' && !Number.isInteger(value)) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected an integer for ${describe(name)} of --given, a column of integers, got ${value}`,
      );
    }
    return Float64Array.of(value);
  });
  const u = margins.transform(new Table(margins.names, row, margins.kinds));
  return Object.fromEntries(Array.from(given.keys(), (name) => [name, u.data[margins.names.indexOf(name)]!]));
}

export interface GivenSample {
  readonly table: Table;
  readonly sample: ConditionalSample;
  readonly given: Readonly<Record<string, number>>;
}

/** Draws rows of the given scale; the given values are on that scale, too, and come back as they are. */
export async function sampleGiven(
  copula: Copula,
  texts: readonly string[],
  rows: number,
  scale: 'data' | 'copula' | 'gaussian',
  options: ConditionalOptions,
): Promise<GivenSample> {
  const { margins } = copula;
  const onData = scale === 'data' ? margins : null;
  const names = onData?.names ?? copula.names ?? defaultNames(copula.dim);
  const given = parseGiven(texts, names);
  // numbers, since the columns of a model need not have names
  const values = onData ? toPseudoObservations(given, onData) : Object.fromEntries(given);
  const fixed = Object.fromEntries(
    Object.entries(values).map(([name, value]) => [names.indexOf(name), value]),
  );
  const sample = await copula.sampleConditional(fixed, rows, {
    ...options,
    scale: scale === 'gaussian' ? 'gaussian' : 'copula',
    // nothing is lost between the model and the margins, or the file
    dtype: 'float64',
  });
  const drawn = onData
    ? onData.inverse(sample.rows)
    : new Table(
        names,
        names.map((_, j) =>
          Float64Array.from({ length: rows }, (__, i) => sample.rows.data[i * names.length + j]!),
        ),
      );
  const columns = drawn.columns.map((column, j) => {
    const value = given.get(names[j]!);
    return value === undefined ? column : new Float64Array(rows).fill(value);
  });
  return { table: new Table(names, columns, drawn.kinds), sample, given: Object.fromEntries(given) };
}
