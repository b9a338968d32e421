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
