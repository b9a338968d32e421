import type { RowWeights } from './weights';

/**
 * Of each column the blocks of levels that its recurring values fill: disjoint pairs (from, to) in ascending order, empty for
 * a column of different values. A level inside a block stands for the whole block; where in it, is not known.
 */
export type LevelBlocks = readonly Float64Array[];

/**
 * The blocks of a column of values, given how many of them are not above each of the different ones: of ranks first
 * to last among n from (first - 1/2) / (n + 1) to (last + 1/2) / (n + 1), the outermost from 0 and to 1.
 *
 * @param upTo of weighted rows the weight of those that are not above
 */
export function blocksOfRanks(last: Float64Array, upTo: Float64Array = last): Float64Array {
  const pairs: number[] = [];
  const rows = upTo.at(-1)!;
  for (let k = 0; k < last.length; k++) {
    if (last[k]! - (k === 0 ? 0 : last[k - 1]!) < 2) continue;
    pairs.push(
      k === 0 ? 0 : (upTo[k - 1]! + 0.5) / (rows + 1),
      k === last.length - 1 ? 1 : (upTo[k]! + 0.5) / (rows + 1),
    );
  }
  return Float64Array.from(pairs);
}

/**
 * The blocks of rows (NaN: missing) whose equal values all have the mean of their ranks, rank / (rows + 1); undefined where no values are equal,
 * or equal ones are no such ranks.
 *
 * @param data rows x columns, row-major
 * @param weights of the rows; null: all count alike
 */
export function blocksOfLevels(
  data: Float64Array,
  rows: number,
  columns: number,
  weights: RowWeights | null = null,
): LevelBlocks | undefined {
  if (weights) return blocksOfWeighted(data, rows, columns, weights);
  let tied = false;
  const all = new Float64Array(rows);
  const seen = new Uint8Array(rows + 2);
  const blocks = Array.from({ length: columns }, (_, j) => {
    let known = 0;
    for (let i = 0; i < rows; i++) {
      const level = data[i * columns + j]!;
      if (!Number.isNaN(level)) all[known++] = level;
    }
    const column = all.subarray(0, known);
    if (areRanks(column, seen)) return new Float64Array(0);
    const sorted = column.sort();
    const last: number[] = [];
    for (let first = 0, end = 1; first < known; first = end++) {
      while (end < known && sorted[end] === sorted[first]) end++;
      if (end - first > 1 && Math.abs(sorted[first]! * (known + 1) - (first + end + 1) / 2) > 0.25) {
        return new Float64Array(0);
      }
      last.push(end);
    }
    tied ||= last.length < known;
    return blocksOfRanks(Float64Array.from(last));
  });
  return tied ? blocks : undefined;
}

function blocksOfWeighted(
  data: Float64Array,
  rows: number,
  columns: number,
  weights: RowWeights,
): LevelBlocks | undefined {
  let tied = false;
  const blocks = Array.from({ length: columns }, (_, j) => {
    const at = (row: number) => data[row * columns + j]!;
    const order = Uint32Array.from({ length: rows }, (__, row) => row).filter(
      (row) => !Number.isNaN(at(row)),
    );
    order.sort((a, b) => at(a) - at(b) || a - b);
    const size = order.reduce((sum, row) => sum + weights.each[row]!, 0);
    const [last, upTo]: [number[], number[]] = [[], []];
    let weight = 0;
    for (let first = 0, end = 0; first < order.length; first = end) {
      const before = weight;
      while (end < order.length && at(order[end]!) === at(order[first]!))
        weight += weights.each[order[end++]!]!;
      const rank = (before + weight + 1) / 2;
      if (end - first > 1 && Math.abs(at(order[first]!) * (size + 1) - rank) > 0.25)
        return new Float64Array(0);
      last.push(end);
      upTo.push(weight);
    }
    tied ||= last.length < order.length;
    return blocksOfRanks(Float64Array.from(last), Float64Array.from(upTo));
  });
  return tied ? blocks : undefined;
}

/** Whether the levels are next to ranks / (rows + 1) that all differ, as those of rows without ties are: no need to sort them. */
function areRanks(levels: Float64Array, seen: Uint8Array): boolean {
  seen.fill(0);
  for (const level of levels) {
    const rank = Math.round(level * (levels.length + 1));
    // a level outside (0, 1) has none
    if (seen[rank] !== 0) return false;
    seen[rank] = 1;
  }
  return true;
}

/** Number of the block that holds a level, or -1. */
export function blockOf(pairs: Float64Array, level: number): number {
  let [low, high] = [0, pairs.length / 2];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (pairs[2 * middle + 1]! < level) low = middle + 1;
    else high = middle;
  }
  return 2 * low < pairs.length && pairs[2 * low]! <= level ? low : -1;
}
