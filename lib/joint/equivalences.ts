/** Cells that two columns have in the same rows alone, such as no order and no amount, in rows that are drawn. */
import type { TableSchema } from '../data/schema/table-schema';
import { type RangeRule, partImplications } from '../data/schema/rules';
import type { TableMargins } from '../margins/margins';
import type { Matrix } from '../matrix';
import { normalCdf, normalQuantile } from '../normal';
import { cellsAt, conditionOf } from './fixed';

/** A column, and the block of scores of one of its values, or of a range of them: above `lower`, at most `upper`. */
interface Block {
  readonly column: number;
  readonly lower: number;
  readonly upper: number;
}

/** Rules of both directions, or of a range and what is there alone; cells of the second column are set where the first has its cell (`TableSchema.obeying`). */
export interface Equivalence {
  readonly first: Block;
  readonly second: Block;
}

/** Those of modelled columns that are there in every row. */
export async function equivalencesOf(schema: TableSchema, margins: TableMargins): Promise<Equivalence[]> {
  const missing = new Set([
    ...schema.missing.flatMap(({ columns }) => columns.map((j) => schema.columns[j]!.name)),
    ...schema.indicators.flatMap(({ columns }) => columns),
  ]);
  const isThere = (name: string) => margins.names.includes(name) && !missing.has(name);
  const converse = partImplications(schema.rules).converse.filter(
    ({ where, then }) => isThere(where.name) && isThere(then.name),
  );
  const blockOf = async ({ name, value }: { name: string; value: number }): Promise<Block> => {
    const column = margins.names.indexOf(name);
    const { lower, upper } = await cellsAt(new Map([[name, value]]), margins, () => value);
    return { column, lower: lower.data[column]!, upper: upper.data[column]! };
  };
  const ranges = schema.rules.filter(
    (rule): rule is RangeRule =>
      'beyond' in rule && rule.alone && isThere(rule.beyond.name) && isThere(rule.then.name),
  );
  const rangeOf = async ({ name, ...range }: RangeRule['beyond']): Promise<Block> => {
    const { columns, lower, upper } = await conditionOf(new Map([[name, range]]), margins);
    return { column: columns[0]!, lower: lower[0]!, upper: upper[0]! };
  };
  return Promise.all([
    ...converse.map(async ({ where, then }) => ({
      first: await blockOf(then),
      second: await blockOf(where),
    })),
    ...ranges.map(async ({ beyond, then }) => ({
      first: await rangeOf(beyond),
      second: await blockOf(then),
    })),
  ]);
}

/**
 * Moves scores of the second column out of the block where the first is not in its own, in place: as deep beyond the nearer end, as a share of
 * what lies there, as they were within. Setting the cells of rows on the other side alone would give the value a greater share of the rows than
 * its margin has; on both sides of the end a copula has much the same, so what one takes the other gives.
 *
 * @param fixed columns that stay as they are
 */
export function leaveBlocks(
  { data, rows, columns }: Matrix & { readonly data: Float64Array },
  equivalences: readonly Equivalence[],
  fixed: ReadonlySet<number> = new Set(),
): void {
  const isIn = (i: number, { column, lower, upper }: Block) => {
    const score = data[i * columns + column]!;
    return score > lower && score <= upper;
  };
  for (const { first, second } of equivalences) {
    if (fixed.has(second.column)) continue;
    const at: number[] = [];
    for (let i = 0; i < rows; i++)
      if (isIn(i, second) && !isIn(i, first)) at.push(i * columns + second.column);
    const scores = Float64Array.from(at, (k) => data[k]!);
    beyond(scores, second).forEach((score, k) => (data[at[k]!] = score));
  }
}

/** Scores beyond the nearer end of their block. */
function beyond(scores: Float64Array, { lower, upper }: Block): Float64Array {
  const [low, high] = normalCdf(Float64Array.of(lower, upper)) as unknown as [number, number];
  const levels = normalCdf(scores);
  const middle = high === 1 ? Infinity : low === 0 ? -Infinity : (low + high) / 2;
  const isUp = levels.map((level) => Number(level >= middle));
  const [fromLow, fromHigh] = [Math.max(middle, low), Math.min(middle, high)];
  const tail = normalCdf(Float64Array.of(-upper))[0]!;
  // 1 at the end of the block, 0 where it is farthest from it
  const near = levels.map((level, k) =>
    isUp[k] ? (level - fromLow) / (high - fromLow) : (fromHigh - level) / (fromHigh - low),
  );
  const quantiles = normalQuantile(near.map((share, k) => share * (isUp[k] ? tail : low)));
  return quantiles.map((quantile, k) => (isUp[k] ? -quantile : quantile));
}
