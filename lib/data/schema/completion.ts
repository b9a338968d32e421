/** What the cells of a row that are there say of those that are missing, with certainty. */
import { cellRounding } from '../columns/column-type';
import { Table } from '../table';
import { computeFormula, solveFormula } from './formula';
import { breaksRule, namesOfRule } from './rules';
import type { SchemaColumn, TableSchema } from './table-schema';

/** What a row must have for a cell that is there: `allowed` are rows of which it is computed so. */
interface LookedUp {
  readonly asks: (row: number) => boolean;
  readonly allowed: (complete: Table, position: number, row: number) => boolean;
}

/** The modelled columns of a table with the cells that follow from others, and what is left to ask of drawn ones. */
export interface Completion {
  readonly modelled: Table;
  /** Whether something is asked of the missing cells of the row. */
  readonly constrained: (row: number) => boolean;
  /** Whether a complete row, at `position` of a table, may be that of the row. */
  readonly allowed: (complete: Table, position: number, row: number) => boolean;
  /** Columns that are functions of several others of which more than one is missing in some row where they are there: drawn cells do not make them. */
  readonly unsolved: readonly string[];
}

/**
 * Fills in what follows: the source of a linear function or a product whose value and other sources are there, and the cells that rules ask for.
 *
 * @param table whose modelled columns these are
 */
export function complete(schema: TableSchema, table: Table, modelled: Table): Completion {
  const columns = new Map(modelled.names.map((name) => [name, modelled.column(name).slice()] as const));
  const derived = schema.columns.filter(
    (column): column is SchemaColumn & { role: 'derived' } =>
      column.role === 'derived' && table.names.includes(column.name),
  );
  const unsolved: string[] = [];
  // those are settled in the end, see `withWholes`
  const isSettled = (name: string) =>
    schema.differences.some(({ of, as }) => of[0] === name && as !== 'same' && columns.has(of[1]));
  /** Cells of derived columns, which stay as they are whatever is drawn. */
  const given = new Map<string, Float64Array>();
  const isOpenRow = (i: number) => [...columns.values()].some((known) => Number.isNaN(known[i]));
  const lookups: LookedUp[] = [];
  for (const column of derived) {
    const { formula, name } = column;
    const values = schema.asHere(table, [name]).columns[0]!;
    given.set(name, values);
    if (!formula.of.every((source) => columns.has(source.name))) {
      // functions of functions are not solved
      if (values.some((value, i) => !Number.isNaN(value) && isOpenRow(i))) unsolved.push(name);
      continue;
    }
    // of a cell that counts as 0 where it is missing nothing follows
    if (formula.formula === 'linear' && formula.ofEmpty) continue;
    const allowed: LookedUp['allowed'] = (made, position, row) =>
      valuesIn(made, name)![position] === values[row];
    if (formula.formula !== 'linear' && formula.formula !== 'product') {
      const own = columns.get(formula.of.at(-1)!.name)!;
      lookups.push({ asks: (row) => !Number.isNaN(values[row]) && Number.isNaN(own[row]), allowed });
      continue;
    }
    const sources = formula.of.map(({ name: source }) => ({
      values: columns.get(source)!,
      type: modelled.type(source),
    }));
    const open = new Set<number>();
    lookups.push({ asks: (row) => open.has(row), allowed });
    for (let i = 0; i < table.rows; i++) {
      if (Number.isNaN(values[i])) continue;
      const missing = Array.from(sources.keys()).filter((k) => Number.isNaN(sources[k]!.values[i]));
      if (missing.length > 1 && !isSettled(name) && !unsolved.includes(name)) unsolved.push(name);
      if (missing.length !== 1) continue;
      const only = sources[missing[0]!]!;
      const round = cellRounding(only.type);
      const known = sources.map((source) => source.values[i]!);
      const solved = round(solveFormula(formula, column.type, values[i]!, known, missing[0]!));
      if (Number.isNaN(solved)) open.add(i);
      else only.values[i] = solved;
    }
  }
  const rules = schema.rules.map((rule) => ({ rule, names: namesOfRule(rule) }));
  // cells that are computed are not filled in
  const filling = rules.flatMap(({ rule, names: [first, second] }) => {
    const [x, y] = [columns.get(first), columns.get(second)];
    return x && y ? [{ rule, x, y }] : [];
  });
  for (let i = 0; i < table.rows; i++) {
    for (let changed = true; changed;) {
      changed = false;
      for (const { rule, x, y } of filling) {
        if ('where' in rule && x[i] === rule.where.value && Number.isNaN(y[i])) y[i] = rule.then.value;
        else if (!('either' in rule) || Number.isNaN(x[i]) === Number.isNaN(y[i])) continue;
        else if (Number.isNaN(y[i]) && x[i] !== rule.either[0].value) y[i] = rule.either[1].value;
        else if (Number.isNaN(x[i]) && y[i] !== rule.either[1].value) x[i] = rule.either[0].value;
        else continue;
        changed = true;
      }
    }
  }
  const filled = new Table(
    modelled.names,
    modelled.names.map((name) => columns.get(name)!),
    modelled.types,
  );
  const computed = new WeakMap<Table, Map<string, Float64Array | null>>();
  const valuesIn = (of: Table, name: string): Float64Array | null => {
    if (of.names.includes(name)) return of.column(name);
    const known = computed.get(of) ?? new Map<string, Float64Array | null>();
    computed.set(of, known);
    if (!known.has(name)) known.set(name, derivedValues(schema, of, name));
    return known.get(name)!;
  };
  const givenOr = (name: string, row: number, value: number) => {
    const cell = given.get(name)?.[row] ?? NaN;
    return Number.isNaN(cell) ? value : cell;
  };
  const asked = rules.flatMap(({ rule, names }) => {
    const [x, y] = names.map((name) => valuesIn(filled, name)?.map((value, i) => givenOr(name, i, value)));
    return x && y ? [{ rule, names, x, y }] : [];
  });
  const isOpen = ({ rule, x, y }: (typeof asked)[number], i: number) =>
    'where' in rule && !Number.isNaN(y[i])
      ? Number.isNaN(x[i]) && y[i] !== rule.then.value
      : Number.isNaN(x[i]! + y[i]!);
  const isBroken = ({ rule, names }: (typeof asked)[number], of: Table, at: number, row: number) => {
    const [x, y] = names.map((name) => givenOr(name, row, valuesIn(of, name)![at]!));
    return breaksRule(rule, x!, y!);
  };
  return {
    modelled: filled,
    constrained: (row) => asked.some((one) => isOpen(one, row)) || lookups.some(({ asks }) => asks(row)),
    allowed: (made, position, row) =>
      asked.every((one) => !isOpen(one, row) || !isBroken(one, made, position, row)) &&
      lookups.every(({ asks, allowed }) => !asks(row) || allowed(made, position, row)),
    unsolved,
  };
}

/**
 * Drawn rows with the columns that others are modelled by what they are of, where these are known and what they are of them was drawn: the list price
 * of a known price and a drawn share.
 *
 * @param table with missing cells
 * @param completed its modelled columns, complete
 */
export function withWholes(schema: TableSchema, table: Table, completed: Table): Table {
  const columns = new Map(completed.names.map((name) => [name, completed.column(name)]));
  for (const { name, of } of schema.differences) {
    const [later, before] = of;
    const column = schema.columns.find((one) => one.name === later)!;
    const whole = columns.get(before);
    if (!whole || column.role !== 'derived') continue;
    const { formula } = column;
    const k = formula.of.findIndex((one) => one.name === before);
    if (k < 0 || (formula.formula !== 'linear' && formula.formula !== 'product')) continue;
    const here = schema.asHere(table, [later, before]);
    const round = cellRounding(completed.type(before));
    const own = columns.get(name)!;
    const values = whole.map((value, i) => {
      const known = here.columns[0]![i]!;
      if (Number.isNaN(known) || !Number.isNaN(here.columns[1]![i]!)) return value;
      const sources = formula.of.map((one) =>
        one.name === name ? own[i]! : (columns.get(one.name)?.[i] ?? NaN),
      );
      const solved = round(solveFormula(formula, column.type, known, sources, k));
      return Number.isNaN(solved) ? value : solved;
    });
    columns.set(before, values);
  }
  return new Table(
    completed.names,
    completed.names.map((name) => columns.get(name)!),
    completed.types,
  );
}

/** The columns that are functions of others, of a complete table of modelled columns; null: the column is none. */
export function derivedValues(schema: TableSchema, modelled: Table, name: string): Float64Array | null {
  const column = schema.columns.find((one) => one.name === name);
  if (column?.role === 'constant') return new Float64Array(modelled.rows).fill(column.value ?? NaN);
  if (column?.role !== 'derived') return null;
  return computeFormula(column.formula, column.type, (source) =>
    modelled.names.includes(source) ? modelled.column(source) : derivedValues(schema, modelled, source)!,
  );
}
