/** Weights with which the cells that are there stand for all rows, where what is missing depends on other columns. */
import { drawMissing, observedLaw } from '../copulas/correlation/ties';
import type { DenseRows } from '../copulas/inputs/rows';
import type { Execution } from '../copulas/inputs/run';
import type { PseudoObservations } from '../data/pseudo-observations';
import { dependentGroups, isMissing } from '../data/schema/missing-groups';
import type { CellWeights } from '../data/sorted-table';
import type { Table } from '../data/table';
import { type RowWeights, cellWeightsOf } from '../data/weights';
import { type Note, columnsNote } from '../notes';

/** Draws of a missing cell: as many as make so many in all, within limits. */
const DRAWS_IN_ALL = 200_000;
const [FEWEST_DRAWS, MOST_DRAWS] = [4, 64];

/** The columns whose cells are missing in dependence on others, but those whose missing cells are part of the model. */
export function selectedColumns(table: Table, modelled: ReadonlySet<string>): string[] {
  const holes = table.names.filter(
    (name) => !modelled.has(name) && table.column(name).some((value) => Number.isNaN(value)),
  );
  const groups = holes.map((name) => ({ columns: [name], is: isMissing(table, name) }));
  return dependentGroups(table, groups, table.names).flatMap(({ columns }) => columns);
}

/**
 * Weights of the cells of `selected` columns, those of the rows in all others. A missing cell is drawn from the Gaussian copula of all rows
 * given what is there, several times, and each time gives its part of the weight to the cell at that level (docs/mathematics.md, M.7).
 *
 * @param ranks of the table, each cell among those of its column that are there
 */
export async function weightsForAllRows(
  table: Table,
  selected: readonly string[],
  ranks: PseudoObservations,
  weights: RowWeights | null,
  run: Execution,
): Promise<CellWeights> {
  const { data, rows, columns } = ranks.transformTrain();
  const u: DenseRows = { data, rows, columns, blocks: ranks.trainingBlocks(), ...(weights && { weights }) };
  const law = await observedLaw(u, run);
  const level = (i: number, j: number) => data[i * columns + j]!;
  const holes = selected.map((name) => {
    const j = table.names.indexOf(name);
    const [there, missing]: [number[], number[]] = [[], []];
    for (let i = 0; i < rows; i++) (Number.isNaN(level(i, j)) ? missing : there).push(i);
    there.sort((a, b) => level(a, j) - level(b, j));
    return { j, there, missing, each: Float64Array.from({ length: rows }, (_, i) => weights?.each[i] ?? 1) };
  });
  const most = Math.max(...holes.map(({ missing }) => missing.length));
  const draws = Math.min(MOST_DRAWS, Math.max(FEWEST_DRAWS, Math.ceil(DRAWS_IN_ALL / most)));
  for (let draw = 1; draw <= draws; draw++) {
    const drawn = await drawMissing(u, law, draw, run);
    for (const { j, there, missing, each } of holes) {
      const at = (i: number) => drawn[i * columns + j]!;
      const ascending = Float64Array.from(missing).sort((a, b) => at(a) - at(b));
      let k = 0;
      for (const i of ascending) {
        // halfway between two levels the next one begins
        while (k + 1 < there.length && level(there[k]!, j) + level(there[k + 1]!, j) < 2 * at(i)) k++;
        each[there[k]!]! += (weights?.each[i] ?? 1) / draws;
      }
    }
  }
  const all: (RowWeights | null)[] = table.names.map(() => weights);
  for (const { j, there, each } of holes) all[j] = cellWeightsOf(each, there);
  return all;
}

/** What was done about columns whose cells that are there are no sample. */
export function allRowsNote(columns: readonly string[]): Note {
  const text =
    'cells are missing in dependence on other columns; margins and ranks are those of all rows, with the missing cells drawn from the nearest Gaussian copula';
  return columnsNote('missing', [...columns], text);
}
