/** The axis of a column of two tables, and its histogram. */
import { Generator, shuffle } from '../../data/random';
import type { Table } from '../../data/table';
import { SklarError, describe } from '../../errors';
import { printable } from './text';

export interface Bin {
  readonly from: number;
  readonly to: number;
  readonly share: number;
}

/** One column of both tables: the range of its axis and the histogram of each table. */
export interface Axis {
  readonly name: string;
  readonly values: readonly [Float64Array, Float64Array];
  readonly domain: readonly [number, number];
  readonly logarithmic: boolean;
  /** Vega expression of the label of a tick. */
  readonly label: string;
  readonly bins: readonly [readonly Bin[], readonly Bin[]];
  /** The histogram of other values over the same bins; those beyond are counted in the outermost. */
  readonly binsOf: (values: Float64Array) => Bin[];
}

/** @throws SklarError ERR_SKLAR_VALUE for values that cannot be drawn */
export function describeAxis(
  name: string,
  tables: readonly [Table, Table],
  labels: readonly [string, string],
  logarithmic: boolean,
): Axis {
  const values = [tables[0].column(name), tables[1].column(name)] as const;
  let low = Infinity;
  let high = -Infinity;
  values.forEach((column, side) => {
    for (let i = 0; i < column.length; i++) {
      const value = column[i]!;
      if (!Number.isFinite(value) || (logarithmic && value <= 0)) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected finite numbers${logarithmic ? ' above 0' : ''} to draw, got ${value} ` +
            `(column ${describe(name)}, row ${i + 1} of ${describe(labels[side])})`,
        );
      }
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  });
  const forward = logarithmic ? Math.log : (value: number) => value;
  const back = logarithmic ? Math.exp : (value: number) => value;
  const integer = !logarithmic && tables.every((table) => table.kind(name) === 'integer');
  const edges = binEdges(forward(low), forward(high), integer);
  const pad = 0.03 * (forward(high) - forward(low)) || 0.5 * Math.max(Math.abs(forward(low)), 1);
  const binsOf = (column: Float64Array) => histogram(column.map(forward), edges, back);
  return {
    name: printable(name),
    values,
    domain: [
      back(Math.min(forward(low) - pad, edges[0]!)),
      back(Math.max(forward(high) + pad, edges.at(-1)!)),
    ],
    logarithmic,
    label: labelExpression([low, high]),
    bins: [binsOf(values[0]), binsOf(values[1])],
    binsOf,
  };
}

/** Years and small numbers as they are, large ones as 20k, 3M or 1B, and huge ones as 1e+20. */
export function labelExpression([low, high]: readonly [number, number]): string {
  const largest = Math.max(Math.abs(low), Math.abs(high));
  if (largest >= 1e4 && largest < 1e13) return "replace(format(datum.value, '~s'), 'G', 'B')";
  return "format(datum.value, '.4~g')";
}

/** Edges of about 24 bins; bins of a column of integers hold the same number of integers each. */
function binEdges(low: number, high: number, integer: boolean): number[] {
  if (high === low) return [low - 0.5, low + 0.5];
  const wanted = 24;
  if (!integer) return Array.from({ length: wanted + 1 }, (_, k) => low + (k / wanted) * (high - low));
  const width = Math.max(1, Math.ceil((high - low + 1) / wanted));
  const count = Math.ceil((high - low + 1) / width);
  return Array.from({ length: count + 1 }, (_, k) => low - 0.5 + k * width);
}

function histogram(values: Float64Array, edges: readonly number[], back: (value: number) => number): Bin[] {
  const counts = new Array<number>(edges.length - 1).fill(0);
  const low = edges[0]!;
  const scale = counts.length / (edges.at(-1)! - low);
  for (const value of values) {
    counts[Math.max(0, Math.min(counts.length - 1, Math.floor((value - low) * scale)))]! += 1;
  }
  return counts.map((count, k) => ({
    from: back(edges[k]!),
    to: back(edges[k + 1]!),
    share: count / values.length,
  }));
}

/** The numbers of `count` rows at random, but the same in every run. */
export function chooseRows(rows: number, count: number): Uint32Array {
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  if (count < rows) shuffle(order, 0, rows, new Generator(rows, count));
  return order.subarray(0, count);
}
