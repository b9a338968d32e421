/**
 * Of each column the blocks of levels that its recurring values fill: disjoint pairs (from, to) in ascending order, empty for
 * a column of different values. A level inside a block stands for the whole block; where in it, is not known.
 */
export type LevelBlocks = readonly Float64Array[];

/**
 * The blocks of a column of `rows` values, given how many of them are not above each of the different ones: of ranks first
 * to last from (first - 1/2) / (rows + 1) to (last + 1/2) / (rows + 1), the outermost from 0 and to 1.
 */
export function blocksOfRanks(last: Float64Array, rows: number): Float64Array {
  const pairs: number[] = [];
  for (let k = 0, before = 0; k < last.length; before = last[k]!, k++) {
    if (last[k]! - before < 2) continue;
    pairs.push(
      before === 0 ? 0 : (before + 0.5) / (rows + 1),
      last[k] === rows ? 1 : (last[k]! + 0.5) / (rows + 1),
    );
  }
  return Float64Array.from(pairs);
}

/**
 * The blocks of rows (NaN: missing) whose equal values all have the mean of their ranks, rank / (rows + 1); undefined where no values are equal,
 * or equal ones are no such ranks.
 *
 * @param data rows x columns, row-major
 */
export function blocksOfLevels(data: Float64Array, rows: number, columns: number): LevelBlocks | undefined {
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
    return blocksOfRanks(Float64Array.from(last), known);
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
