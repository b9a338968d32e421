/** Columns without their values, from which margins are made that hold none of them: docs/mathematics.md, N.6. */
import { kindOf, labelsOf } from '../data/columns/column-type';
import { type ColumnRunOptions, nextTurn } from '../data/column-jobs';
import { type CellWeights, type SortedValues, releaseSorted, sortedColumns } from '../data/sorted-table';
import { Table } from '../data/table';
import type { Note } from '../notes';
import { type MarginsSpec, expectMarginsSpec } from './margins';
import { atomsOf, recurs } from './basis/auto';
import { type SortedColumn, massOf, sizeOf } from './basis/sorted';
import { marginError } from './basis/margin';
import type { MarginSupport } from './basis/margin';
import { resolutionOf } from './basis/rounding';
import { inferSupport } from './basis/support';
import { EmpiricalMargin } from './types/empirical';

/** Of an exponential tail the share of the values beyond their mean. */
const BEYOND_MEAN = Math.exp(-1);

/** What a private model is made of. */
export function privateNote(least: number): Note {
  const message =
    `private: margins are made of means of at least ${least} values, of recurring values that at least ${least} rows have, and of tails ` +
    'fitted to such means; there is no value of a single row in the model';
  return { code: 'privacy', columns: [], message };
}

/**
 * A table with the columns of another one without its values (`privateValues`), each in ascending order: margins can be learned from it,
 * dependence cannot.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming a column of too few values
 */
export async function privateTable(
  table: Table,
  weights: CellWeights,
  spec: MarginsSpec,
  least: number,
  run: ColumnRunOptions,
): Promise<Table> {
  const { names, types, rows } = table;
  const options = expectMarginsSpec(spec, names);
  const columns: Float64Array[] = [];
  for await (const { j, values: source } of sortedColumns(table, null, weights, run)) {
    const column = names[j]!;
    const { support, atoms } = options[j]!;
    const integer = kindOf(types[j]!) === 'integer';
    const values = privateValues({ column, ...source }, least, { support, atoms, integer });
    releaseSorted(source);
    if (values[0] === values.at(-1)) {
      const what = labelsOf(types[j]!) ? 'labels' : 'values';
      throw marginError(`two ${what} that at least ${least} rows have`, 'private', column, 'one');
    }
    const padded = new Float64Array(rows).fill(NaN);
    padded.set(values);
    columns.push(padded);
    await nextTurn(run.signal);
  }
  return new Table(names, columns, types);
}

/**
 * As many values as a column has, in ascending order, none of which depends on fewer than `least` of them: atoms, and values of a column whose values
 * recur, stay as they are where so many rows at least have them, all others are quantiles of a distribution through the means of blocks of neighbours.
 *
 * @param least how many values a mean is of, at least
 * @param options.support the ends that were given; undefined: those that the values make plain
 * @param options.atoms that were given; undefined: those that stand out
 * @param options.integer whether values are whole
 * @throws SklarError ERR_SKLAR_VALUE naming a column of fewer values
 */
export function privateValues(
  column: SortedColumn,
  least: number,
  options: {
    readonly support: MarginSupport | undefined;
    readonly atoms: readonly number[] | undefined;
    readonly integer: boolean;
  },
): Float64Array {
  const { values, last, sorted } = column;
  const rows = sorted.length;
  const counts = last.map((rank, k) => rank - (k === 0 ? 0 : last[k - 1]!));
  const atoms = new Set(options.atoms ?? atomsOf(column));
  // where values do not recur, equal ones are so by rounding
  const recurring = recurs(column, {
    column: column.column,
    ...restOf(column, (k) => !atoms.has(values[k]!)),
  });
  const stays = (k: number) => counts[k]! >= least && (recurring || atoms.has(values[k]!));
  const frequent = Array.from(counts.keys()).filter(stays);
  const rare = restOf(column, (k) => !stays(k));
  const masses = new Map(frequent.map((k) => [k, massOf(column, k)]));
  if (rare.sorted.length < least) {
    if (frequent.length === 0) {
      throw marginError(`at least ${least} rows that are not missing`, 'private', column.column, rows);
    }
    // too few for a mean: they count with the nearest value that many rows have
    rare.values.forEach((value, k) => {
      const nearest = frequent.reduce((a, b) =>
        Math.abs(values[b]! - value) < Math.abs(values[a]! - value) ? b : a,
      );
      masses.set(nearest, masses.get(nearest)! + massOf({ column: column.column, ...rare }, k));
    });
  }
  const share = rows / sizeOf(column);
  const out = new Float64Array(rows);
  let [below, done] = [0, 0];
  for (const k of frequent) {
    below += masses.get(k)!;
    const end = Math.round(below * share);
    out.fill(values[k]!, done, end);
    done = end;
  }
  if (rare.sorted.length >= least) {
    const step = options.integer ? 1 : recurring ? resolutionOf(column) : 0;
    const drawn = quantiles(
      { column: column.column, ...rare },
      least,
      options.support ?? inferSupport(column).support,
      rows - done,
    );
    const origin = values[0]!;
    out.set(
      step > 0
        ? drawn.map((x) => Number((origin + Math.round((x - origin) / step) * step).toPrecision(14)))
        : drawn,
      done,
    );
  }
  return out.sort();
}

/** Some of the values of a column. */
function restOf(column: SortedColumn, is: (k: number) => boolean): SortedValues {
  const { sorted, values, last, weights } = column;
  const chosen = Array.from(values.keys()).filter(is);
  const rows: number[] = [];
  const ends = chosen.map((k) => {
    for (let i = k === 0 ? 0 : last[k - 1]!; i < last[k]!; i++) rows.push(i);
    return rows.length;
  });
  let [weight, squares, at] = [0, 0, 0];
  const upTo = ends.map((end) => {
    for (; at < end; at++) {
      weight += weights ? weights.each[rows[at]!]! : 1;
      squares += (weights ? weights.each[rows[at]!]! : 1) ** 2;
    }
    return weight;
  });
  return {
    sorted: Float64Array.from(rows, (i) => sorted[i]!),
    values: Float64Array.from(chosen, (k) => values[k]!),
    last: Float64Array.from(ends),
    ...(weights && {
      weights: {
        each: Float64Array.from(rows, (i) => weights.each[i]!),
        upTo: Float64Array.from(upTo),
        rows: weight,
        effective: (weight * weight) / squares,
      },
    }),
  };
}

/** So many quantiles of a distribution through means of blocks, with exponential tails beyond the outermost. */
function quantiles(column: SortedColumn, least: number, support: MarginSupport, count: number): Float64Array {
  const { sorted, weights } = column;
  const rows = sorted.length;
  const size = sizeOf(column);
  const blocks = Math.floor(rows / least);
  const means: number[] = [];
  const levels: number[] = [];
  let below = 0;
  for (let block = 0; block < blocks; block++) {
    let [weight, sum] = [0, 0];
    const from = Math.floor((block * rows) / blocks);
    const to = Math.floor(((block + 1) * rows) / blocks);
    for (let i = from; i < to; i++) {
      const own = weights ? weights.each[i]! : 1;
      weight += own;
      sum += own * sorted[i]!;
    }
    means.push(sum / weight);
    const inside =
      blocks === 1 ? 0.5 : block === 0 ? BEYOND_MEAN : block === blocks - 1 ? 1 - BEYOND_MEAN : 0.5;
    levels.push((below + inside * weight) / size);
    below += weight;
  }
  const at = Float64Array.from({ length: count }, (_, i) => (i + 0.5) / count);
  const inside = (x: number): number => Math.min(support[1], Math.max(support[0], x));
  if (blocks === 1) {
    const deviation =
      sorted.reduce((sum, x, i) => sum + (weights ? weights.each[i]! : 1) * Math.abs(x - means[0]!), 0) /
      size;
    return at.map((level) =>
      inside(
        means[0]! + (level < 0.5 ? deviation * Math.log(2 * level) : -deviation * Math.log(2 - 2 * level)),
      ),
    );
  }
  // the mean excess over a block of about the square root of all values
  const outermost = Math.min(blocks - 1, Math.ceil(Math.sqrt(rows) / least));
  let [lowerScale, upperScale] = [0, 0];
  for (let k = 0; k < outermost; k++) {
    lowerScale += (means[outermost]! - means[k]!) / outermost;
    upperScale += (means[blocks - 1 - k]! - means[blocks - 1 - outermost]!) / outermost;
  }
  const margin = new EmpiricalMargin(
    support,
    { rows, lowerScale, upperScale },
    Float64Array.from(means),
    Float64Array.from(levels),
  );
  return margin.quantile(at).map(inside);
}
