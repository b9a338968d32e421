/** What the columns of a table are, which of them a model has, and how the others are made again. */
import { z } from 'zod';

import {
  type OptionNames,
  SklarError,
  describe,
  expectInteger,
  expectList,
  expectOneOf,
  expectOptions,
} from '../../errors';
import { type Note, andWords, columnsNote, groupNotes } from '../../notes';
import {
  type ColumnType,
  cellText,
  censoredNumber,
  censoredText,
  columnTypeSchema,
  expectType,
  kindOf,
  labelsOf,
  numberOfCell,
  numberType,
  typeOf,
} from '../columns/column-type';
import { numberIn } from '../columns/numerals';
import { knownValues } from '../column-jobs';
import { Generator, type Seed, hashText, hashWords, resolveSeed, seedWords } from '../random';
import { type Returns, returnsNote, returnsSchema } from '../returns';
import { Table, expectDistinctNames, expectTable, listNames, freshName } from '../table';
import type { RowWeights } from '../weights';
import { orderCategories, reordered } from './category-order';
import { type Cycle, cycleSchema, findCycles, findDays, follows, partsOf, sumOfParts } from './cycles';
import {
  type Difference,
  differenceOf,
  differenceSchema,
  findDifferences,
  isOfDays,
  ofOther,
  relationText,
  sumsOf,
} from './differences';
import { addSteps, dependsOn, findFormulas, findLookup, isMissingApart, lookupSources } from './derived';
import { type Formula, computeFormula, formulaSchema, formulaText, isOfDates } from './formula';
import { findEquals } from './equals';
import { type MissingGroup, dependentGroups, isMissing } from './missing-groups';
import {
  type Rule,
  breakingRows,
  breaksRule,
  findRules,
  holdsByChance,
  isMeasured,
  namesOfRule,
  partImplications,
  ruleSchema,
  ruleText,
} from './rules';
import {
  type IdRule,
  encodes,
  idOf,
  idRuleSchema,
  nameOfOther,
  namingNumbers,
  ruleOfNumbers,
  ruleOfOther,
  ruleOfTexts,
} from './ids';

/**
 * What a model does with a column: `modelled`; `constant`, one value (null: missing) that is set aside and put back; `id`, names
 * that are made anew; `derived`, computed again from others.
 */
export type ColumnRole =
  /** `other`: the label that labels stand for which the rows hardly had, or not at all. */
  | { readonly role: 'modelled'; readonly other?: string | undefined }
  | { readonly role: 'constant'; readonly value: number | null }
  /** `why` whole numbers were taken for names. */
  | { readonly role: 'id'; readonly ids: IdRule; readonly why?: string | undefined }
  /** `apart`: cells are missing in other rows than those in which the sources are, which are then computed with. */
  | { readonly role: 'derived'; readonly formula: Formula; readonly apart?: true | undefined };

/** A column of a schema. */
export type SchemaColumn = { readonly name: string; readonly type: ColumnType } & ColumnRole;

/** Which cells are missing together, as positions of columns, and in what share of the rows. */
export interface MissingPattern {
  readonly columns: readonly number[];
  readonly share: number;
}

/**
 * Whether cells of some columns, which are missing in the same rows, are missing: a boolean column that a model has beside those of
 * the table.
 */
export interface MissingIndicator {
  readonly name: string;
  readonly columns: readonly string[];
  /** Of other columns that determine it; null: it is modelled. */
  readonly formula: Formula | null;
}

/** What missing cells can be to a model. */
export const missingRules = ['auto', 'impute', 'model', 'error'] as const;
/**
 * What missing cells are to a model. `impute`: unknown, and cells are missing in samples in the patterns of the data, whatever the values;
 * `model`: whether a cell is missing is part of the model, with its dependence; `auto`: `model` of columns whose cells are missing in
 * dependence on others, `impute` of the rest; `error`: refused.
 */
export type MissingRule = (typeof missingRules)[number];

const patternSchema = z.strictObject({ columns: z.array(z.int().min(0)), share: z.number().min(0).max(1) });
const columnSchema = z.discriminatedUnion('role', [
  z.strictObject({
    name: z.string(),
    type: columnTypeSchema,
    role: z.literal('modelled'),
    other: z.string().optional(),
  }),
  z.strictObject({
    name: z.string(),
    type: columnTypeSchema,
    role: z.literal('constant'),
    value: z.number().nullable(),
  }),
  z.strictObject({
    name: z.string(),
    type: columnTypeSchema,
    role: z.literal('id'),
    ids: idRuleSchema,
    why: z.string().optional(),
  }),
  z.strictObject({
    name: z.string(),
    type: columnTypeSchema,
    role: z.literal('derived'),
    formula: formulaSchema,
    apart: z.literal(true).optional(),
  }),
]);
const indicatorSchema = z.strictObject({
  name: z.string(),
  columns: z.array(z.string()).min(1),
  formula: formulaSchema.nullable(),
});
const schemaSchema = z.strictObject({
  columns: z.array(columnSchema).min(1),
  missing: z.array(patternSchema),
  indicators: z.array(indicatorSchema).default([]),
  differences: z.array(differenceSchema).default([]),
  cycles: z.array(cycleSchema).default([]),
  rules: z.array(ruleSchema),
  returns: returnsSchema.optional(),
  weights: z.string().optional(),
  private: z.int().min(2).optional(),
});

/** Rules that a note lists. */
const NOTED_RULES = 4;

/** Patterns of missing cells that are kept. */
const MOST_PATTERNS = 256;

/** The chance that some column is taken for one that depends on names of rows. */
const FREE_LEVEL = 1e-3;

/** How rows are made again. */
export interface RestoreOptions {
  /** Decides ids and missing cells; default 1. */
  readonly seed?: Seed | undefined;
  /** The number of the first row, from 0. */
  readonly firstRow?: number | undefined;
  /** Leave no cell missing; default false: cells are missing as often, and together, as in the data. */
  readonly complete?: boolean | undefined;
}

const restoreOptions: OptionNames<RestoreOptions> = { seed: true, firstRow: true, complete: 'boolean' };

/** A rule in words, and how many of some rows break it. */
export interface BrokenRule {
  readonly rule: string;
  readonly columns: readonly [string, string];
  readonly count: number;
}

/** What a schema has beside its columns. */
interface SchemaParts {
  readonly missing?: readonly MissingPattern[];
  readonly indicators?: readonly MissingIndicator[];
  readonly differences?: readonly Difference[];
  readonly cycles?: readonly Cycle[];
  readonly rules?: readonly Rule[];
  readonly returns?: Returns | null | undefined;
  readonly weightsColumn?: string | null | undefined;
  readonly privateRows?: number | null | undefined;
}

/**
 * The columns of a table as a model sees them, and back.
 *
 * @example
 * ```ts
 * import { Table, TableSchema } from 'sklar';
 *
 * const net = Array.from({ length: 40 }, (_, i) => 10 + ((7 * i) % 40));
 * const table = Table.fromColumns({
 *   order: net.map((_, i) => `A-${1000 + i}`),
 *   net,
 *   gross: net.map((value) => value * 1.2),
 *   currency: net.map(() => 'EUR'),
 * });
 * const schema = TableSchema.infer(table);
 * schema.columns.map(({ role }) => role); // => ['id', 'modelled', 'derived', 'constant']
 * schema.modelled(table).names; // => ['net']
 * schema.restore(schema.modelled(table)).text('gross', 0); // => '12'
 * ```
 */
export class TableSchema {
  /** In the order of the table. */
  readonly columns: readonly SchemaColumn[];
  /** The cells that are missing together in some row, the most frequent ones first, without those of indicators. */
  readonly missing: readonly MissingPattern[];
  /** What says whether cells are missing, where a model is to have it. */
  readonly indicators: readonly MissingIndicator[];
  /** How far dates are behind others: modelled in place of the dates, which are computed again. */
  readonly differences: readonly Difference[];
  /** Dates in years, weeks or days: parts that are modelled in place of the dates, which are computed again. */
  readonly cycles: readonly Cycle[];
  /** What holds in every row, and is to hold in every row that is drawn. */
  readonly rules: readonly Rule[];
  /** How the rows came from prices; null: they are as they were. */
  readonly returns: Returns | null;
  /** The column that held the weights of the rows, which is none of these; null: there was none. */
  readonly weightsColumn: string | null;
  /** Of how many values all is made that a model of it holds; null: of single ones, too. */
  readonly privateRows: number | null;

  private constructor(columns: readonly SchemaColumn[], parts: SchemaParts = {}) {
    this.columns = columns;
    this.missing = parts.missing ?? [];
    this.indicators = parts.indicators ?? [];
    this.differences = parts.differences ?? [];
    this.cycles = parts.cycles ?? [];
    this.rules = parts.rules ?? [];
    this.returns = parts.returns ?? null;
    this.weightsColumn = parts.weightsColumn ?? null;
    this.privateRows = parts.privateRows ?? null;
  }

  /**
   * Decides what each column is, from all rows.
   *
   * @throws SklarError ERR_SKLAR_VALUE naming columns with missing cells, where these are refused
   */
  static infer(table: Table, options: InferOptions = {}): TableSchema {
    return TableSchema.inferWith(table, options);
  }

  /** @internal The same where more is known. */
  static inferWith(
    table: Table,
    options: InferOptions,
    { weights = null, others, privateRows = null }: InferSettings = {},
  ): TableSchema {
    options = expectOptions(options, 'TableSchema.infer', {
      missing: true,
      returns: true,
      weightsColumn: true,
    });
    expectTable(table, 'TableSchema.infer');
    const { returns = null, weightsColumn = null } = options;
    if (returns !== null && !returnsSchema.safeParse(returns).success) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected what toReturns tells of its returns for returns, got ${describe(returns)}`,
      );
    }
    const rule = expectOneOf<MissingRule>(options.missing ?? 'auto', 'missing', missingRules);
    if (rule === 'error') expectNoneMissing(table);
    const completed = new Table(
      table.names,
      table.columns,
      table.types.map((type, j) => completeType(type, table.columns[j]!)),
    );
    const roles = new Map<string, SchemaColumn>();
    const candidates: string[] = [];
    for (const [j, name] of table.names.entries()) {
      const type = completed.types[j]!;
      const role = simpleRole(type, table.columns[j]!);
      if (role) roles.set(name, { name, type: role.role === 'id' ? withoutLabels(type) : type, ...role });
      else candidates.push(name);
    }
    for (const [name, role] of namesOfRows(completed, candidates)) {
      roles.set(name, { name, type: withoutLabels(completed.type(name)), ...role });
      candidates.splice(candidates.indexOf(name), 1);
    }
    for (const [name, ids] of namesOfNames(table, roles))
      roles.set(name, { ...roles.get(name)!, role: 'id', ids });
    const least = privateRows ?? 1;
    // cells that count as 0 where they are missing must be missing in samples as the model says
    const ofEmpty = rule !== 'impute' && rule !== 'error';
    const first = findFormulas(completed, candidates, { least, ofEmpty });
    const days = findDays(completed, candidates);
    const free = candidates.filter((name) => !first.has(name) && !days.has(name));
    const equals = findEquals(completed, free, {
      others: candidates.filter((name) => first.has(name)),
      dependsOn: (name, other) => dependsOn(first, name, other),
      least,
    });
    const ofDates = findDifferences(completed, free);
    const later = new Set(ofDates.map(({ of }) => of[0]));
    const inDays = ofDates.filter(({ of }) => isOfDays(of, completed)).map(({ of }) => of[1]);
    const cycles = findCycles(
      completed,
      candidates.filter(
        (name) =>
          free.includes(name) ||
          !(/^(?:date|timestamp)$/.test(completed.type(name).type) || isOfDates(first.get(name))),
      ),
      new Set([...days.values(), ...inDays]),
    ).filter(({ of }) => !later.has(of));
    // an hour or a weekday may be a function of a part, what nights cost of a difference
    const beside = [
      ...cycles.flatMap((cycle) =>
        partsOf(cycle, completed).map((part, k) => ({ name: cycle.parts[k]!.name, ...part })),
      ),
      ...ofDates.map((one) => ({ name: one.name, ...differenceOf(one, completed) })),
    ];
    const parts = beside.map(({ name }) => name);
    const withParts = new Table(
      [...parts, ...completed.names],
      [...beside.map(({ values }) => values), ...completed.columns],
      [...beside.map(({ type }) => type), ...completed.types],
    );
    const sums = sumsOf(ofDates, new Map(cycles.map((cycle) => [cycle.of, sumOfParts(cycle)])), completed);
    const related = new Map(equals.map((one) => [one.of[0], one]));
    const kept = [...parts, ...sums.keys(), ...related.keys()];
    const formulas = findFormulas(withParts, [...parts, ...candidates], { kept, least, ofEmpty });
    for (const [name, sum] of sums) formulas.set(name, sum);
    // private models have no thresholds, which are next to values
    if (least === 1) addSteps(withParts, [...parts, ...candidates], formulas, kept);
    const modelled = candidates.filter((name) => !formulas.has(name) && !related.has(name));
    const copies = equals.filter(({ as }) => as === 'same');
    const ownOf = copies.map((one) => differenceOf(one, completed));
    const withOwn = new Table(
      [...completed.names, ...copies.map(({ name }) => name)],
      [...completed.columns, ...ownOf.map(({ values }) => values)],
      [...completed.types, ...ownOf.map(({ type }) => type)],
    );
    const orders = orderCategories(withOwn, [...modelled, ...copies.map(({ name }) => name)]);
    const differences = [
      ...ofDates,
      ...equals.map((one) =>
        one.labels ? { ...one, labels: orders.get(one.name)!.map((k) => one.labels![k]!) } : one,
      ),
    ];
    for (const name of candidates) {
      const type = completed.type(name);
      const difference = differences.find(({ of }) => related.has(name) && of[0] === name);
      const formula = formulas.get(name);
      const order = orders.get(name);
      if (difference) {
        const [, before] = difference.of;
        const made = ofOther(difference, roles.get(before)?.type ?? completed.type(before), type);
        const apart = isMissingApart(completed, name, [before]);
        roles.set(name, { name, ...made, role: 'derived', ...(apart && { apart }) });
      } else if (formula) {
        const sources = formula.of.map((source) => source.name);
        const apart =
          /^(?:linear|product)$/.test(formula.formula) &&
          !('ofEmpty' in formula) &&
          !sums.has(name) &&
          isMissingApart(withParts, name, sources);
        const own = renumbered(formula, withParts, orders);
        roles.set(name, { name, type, role: 'derived', formula: own, ...(apart && { apart }) });
      } else {
        const own = type.type === 'category' && order ? reordered(type, order).type : type;
        const other = others?.get(name);
        roles.set(name, { name, type: own, role: 'modelled', ...(other !== undefined && { other }) });
      }
    }
    const columns = table.names.map((name) => roles.get(name)!);
    const apart = new Set(columns.flatMap((one) => (one.role === 'derived' && one.apart ? [one.name] : [])));
    const computed = new Set([...sums.keys(), ...related.keys(), ...apart]);
    const fixed = modelled.length === 0 && cycles.length === 0 && table.names.length > 0;
    const all = rule === 'impute' && !fixed ? [] : missingGroups(completed, columns, computed);
    // a model has a column at least: where cells are missing, or that none is
    if (fixed && all.length === 0)
      all.push({ columns: table.names.slice(0, 1), is: isMissing(table, table.names[0]!) });
    const asked = new Set(rule === 'auto' && !fixed ? dependentGroups(completed, all, candidates) : all);
    const counted = new Set(
      columns.flatMap((one) =>
        one.role === 'derived' && 'ofEmpty' in one.formula ? one.formula.of.map(({ name }) => name) : [],
      ),
    );
    for (const group of all) if (group.columns.some((name) => counted.has(name))) asked.add(group);
    const indicators = indicatorsOf(completed, all, asked, { columns, differences, orders, least });
    const groups = all.filter((group) => asked.has(group));
    const missing = missingPatterns(completed, columns, differences, computed, groups, weights, least);
    const found = { missing, indicators, differences, cycles };
    const own = new TableSchema(columns, found);
    // that a cell which is there is not missing is no rule of values, which a model draws of all cells
    const isOwn = (rule: Rule) => {
      const [first, second] = namesOfRule(rule);
      const about = (name: string, other: string) =>
        indicators.some((one) => one.name === name && one.columns.includes(laterOf(differences, other)));
      return about(first, second) || about(second, first);
    };
    const computedBy = (isMeant: (formula: Formula, type: ColumnType) => boolean) =>
      columns.flatMap((one) => (one.role === 'derived' && isMeant(one.formula, one.type) ? [one.name] : []));
    // steps and what many values are looked up to are a coarse look at columns of which rules may hold: below 0 where the kind is a payment
    const coarse = computedBy(
      (formula) =>
        formula.formula === 'steps' ||
        (formula.formula === 'lookup' && new Set(formula.to).size < formula.from.length),
    );
    const amounts = computedBy((_, type) => isMeasured(type));
    // of amounts by several columns thresholds may be told: no shipping costs from a net of 40 on
    const ofSeveral = computedBy((formula, type) => formula.of.length > 1 && isMeasured(type));
    const ruled = own.modelled(table);
    const lookedAt = [...new Set([...coarse, ...amounts])];
    const looked = new Table(
      [...ruled.names, ...lookedAt],
      [...ruled.columns, ...lookedAt.map((name) => completed.column(name))],
      [...ruled.types, ...lookedAt.map((name) => completed.type(name))],
    );
    const measured = ruled.names.filter((name) => isMeasured(ruled.type(name)));
    const { valuesOf } = own.#cells(independentRows(ruled), true);
    const rules = findRules(looked, [...ruled.names, ...coarse], {
      ordered: [...measured, ...amounts],
      // of a share that is not known nothing follows
      ofFormulas: (rule) =>
        !apart.has(rule.lower) &&
        own.#areSame(rule) &&
        holdsByChance(valuesOf(rule.lower), valuesOf(rule.upper)),
      // private models have no thresholds, which are next to values
      measured: least === 1 ? [...measured, ...ofSeveral] : [],
    }).filter((rule) => !isOwn(rule) && ('lower' in rule || !own.#areSame(rule)));
    return new TableSchema(columns, { ...found, rules, returns, weightsColumn, privateRows });
  }

  /** The schema of a table all of whose columns are modelled as they are. */
  static plain(names: readonly string[], types: readonly ColumnType[]): TableSchema {
    expectDistinctNames(names, 'the columns of a schema');
    if (expectList(types, 'the types of a schema').length !== names.length) {
      throw new SklarError('ERR_SKLAR_SHAPE', `expected ${names.length} types, got ${types.length}`);
    }
    return new TableSchema(
      names.map((name, j) => ({
        name,
        type: expectType(types[j]!, `column ${describe(name)}`),
        role: 'modelled',
      })),
    );
  }

  /** Names of all columns. */
  get names(): readonly string[] {
    return this.columns.map(({ name }) => name);
  }

  /** Names of the columns that a model has: those of the table, then those of `differences` and `cycles`, then `indicatorNames`. */
  get modelledNames(): readonly string[] {
    const parts = this.cycles.flatMap((cycle) => cycle.parts.map(({ name }) => name));
    return [
      ...this.#tableNames,
      ...this.differences.map(({ name }) => name),
      ...parts,
      ...this.indicatorNames,
    ];
  }

  /** Names of the columns of a table that a model knows as they are, by their differences from others or by their parts. */
  get knownNames(): readonly string[] {
    const computed = new Set([
      ...this.differences.map(({ of }) => of[0]),
      ...this.cycles.map(({ of }) => of),
    ]);
    return this.columns
      .filter(({ name, role }) => role === 'modelled' || computed.has(name))
      .map(({ name }) => name);
  }

  /** Names of the columns that a model has beside those of the table. */
  get indicatorNames(): readonly string[] {
    return this.indicators.filter(({ formula }) => formula === null).map(({ name }) => name);
  }

  /** Names of the columns of a table that `modelled` needs. */
  get neededNames(): readonly string[] {
    const others = this.differences.map(({ of }) => of[1]);
    return [
      ...new Set([...this.knownNames, ...others, ...this.indicators.flatMap(({ columns }) => columns)]),
    ];
  }

  get #tableNames(): readonly string[] {
    return this.columns.filter(({ role }) => role === 'modelled').map(({ name }) => name);
  }

  /** How a file writes dates and times, for `ReadTableOptions.formats`: other files of the same table may not make it plain. */
  get formats(): Readonly<Record<string, string>> {
    return Object.fromEntries(
      this.columns.flatMap(({ name, type }) =>
        'format' in type ? [[name, `${type.type}:${type.format}`]] : [],
      ),
    );
  }

  /** What was decided, in words. */
  get notes(): readonly Note[] {
    const notes = this.columns.flatMap((column): Note[] => {
      const note = (text: string) => [columnsNote('schema', [column.name], text)];
      switch (column.role) {
        case 'constant':
          return note(
            column.value === null
              ? 'no cell holds anything; it is set aside and put back'
              : `all cells are the same; it is set aside and put back`,
          );
        case 'id':
          return note(
            column.ids.rule === 'of'
              ? `names rows, as ${JSON.stringify(column.ids.name)} does, of which it is made again`
              : `names rows${whyText(column.why)}; it is not modelled, and made anew`,
          );
        case 'derived': {
          const difference = this.differences.find(({ of }) => of[0] === column.name);
          return note(
            difference
              ? `${relationText(difference, column.type)}, and it is computed again`
              : this.cycles.some(({ of }) => of === column.name)
                ? 'others come back with its periods: its place in them is modelled, and it is computed again'
                : `${formulaText(column.formula, this.columns)}; it is computed again, not modelled`,
          );
        }
        default:
          return [];
      }
    });
    const shown = this.rules.slice(0, NOTED_RULES).map((rule) => this.#ruleText(rule));
    if (this.rules.length > shown.length) shown.push(`${this.rules.length - shown.length} more`);
    const kept: Note[] =
      shown.length === 0
        ? []
        : [
            {
              code: 'schema',
              columns: [],
              message: `in all rows, and so in those drawn: ${shown.join('; ')}`,
            },
          ];
    const asked = this.indicators.map(({ columns }) =>
      columnsNote('missing', columns, 'whether cells are missing is part of the model'),
    );
    return [
      ...(this.returns ? [returnsNote(this.returns)] : []),
      ...groupNotes([...notes, ...asked], Infinity),
      ...kept,
    ];
  }

  /**
   * The modelled columns of a table, as the numbers of this schema: of categories the positions of the same labels, labels that
   * the schema does not know behind them.
   *
   * @throws SklarError ERR_SKLAR_VALUE naming columns that are not there, or hold other things
   */
  modelled(table: Table): Table {
    expectTable(table, 'the columns of the model');
    // the modelled columns themselves come as they are
    const has = (name: string) => table.names.includes(name);
    const differences = this.differences.filter(({ name }) => !has(name));
    const cycles = this.cycles.filter(({ parts }) => !parts.every(({ name }) => has(name)));
    const indicators = this.indicators.filter(({ name, formula }) => formula === null && !has(name));
    const needed = new Set([
      ...this.#tableNames,
      ...differences.flatMap(({ of }) => of),
      ...cycles.map(({ of }) => of),
      ...indicators.flatMap(({ columns }) => columns),
    ]);
    const absent = [...needed].filter((name) => !has(name));
    if (absent.length > 0) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected the columns of the model, got none called ${listNames(absent)} ` +
          `(available: ${listNames(table.names, 50)})`,
      );
    }
    const own = this.asHere(table, this.#tableNames);
    const dates = this.asHere(table, [
      ...new Set([...differences.flatMap(({ of }) => of), ...cycles.map(({ of }) => of)]),
    ]);
    const made = [
      ...this.differences.map((one) =>
        has(one.name)
          ? { values: table.column(one.name), type: table.type(one.name) }
          : differenceOf(one, dates),
      ),
      ...this.cycles.flatMap((one) =>
        cycles.includes(one)
          ? partsOf(one, dates)
          : one.parts.map(({ name }) => ({ values: table.column(name), type: table.type(name) })),
      ),
      ...this.indicators
        .filter(({ formula }) => formula === null)
        .map(({ name, columns }) => ({
          values: has(name) ? table.column(name) : isMissing(table, columns[0]!),
          type: BOOLEAN,
        })),
    ];
    if (made.length === 0) return own;
    return new Table(
      this.modelledNames,
      [...own.columns, ...made.map(({ values }) => values)],
      [...own.types, ...made.map(({ type }) => type)],
    );
  }

  /** @internal Of texts between numbers or dates that are missing to this schema. */
  leftNotes({ names, types }: Pick<Table, 'names' | 'types'>): Note[] {
    return this.columns.flatMap(({ name, type, role }) => {
      const texts = names.includes(name) ? labelsOf(types[names.indexOf(name)]!) : null;
      const read = texts && role !== 'id' ? readTexts(type, texts) : null;
      const others = texts?.filter((_, k) => read && Number.isNaN(read[k])) ?? [];
      if (others.length === 0) return [];
      const shown = others.slice(0, 3).map(describe);
      if (others.length > shown.length) shown.push(`${others.length - shown.length} more`);
      return [columnsNote('missing', [name], `${shown.join(', ')}, no ${type.type}, taken for missing`)];
    });
  }

  /** @internal Columns of a table by their names, as the numbers of this schema, whatever is done with them. */
  asHere(table: Table, names: readonly string[]): Table {
    const own = new Map(this.columns.map((column) => [column.name, column]));
    const columns = names.map((name) => {
      const column = own.get(name)!;
      return converted(table, name, column.type, column.role === 'modelled' ? column.other : undefined);
    });
    return new Table(
      names,
      columns.map(({ values }) => values),
      columns.map(({ type }) => type),
    );
  }

  /** All columns again, from those that are modelled. */
  restore(modelled: Table, options: RestoreOptions = {}): Table {
    options = expectOptions(options, 'TableSchema.restore', restoreOptions);
    const { seed = 1, complete = false } = options;
    resolveSeed(seed);
    const firstRow = expectInteger(options.firstRow ?? 0, 'firstRow', { min: 0 });
    expectTable(modelled, 'the modelled columns');
    const { rows } = modelled;
    const { valuesOf, goneOf } = this.#cells(modelled, complete);
    const namesAt = (j: number): string[] => {
      const column = this.columns[j]!;
      if (column.role !== 'id') return [];
      const { ids } = column;
      return ids.rule === 'of'
        ? namesAt(this.names.indexOf(ids.name)).map((name) => nameOfOther(ids, name))
        : Array.from({ length: rows }, (_, i) => idOf(ids, firstRow + i, seed, j));
    };
    const made = this.columns.map((column, j): { values: Float64Array; type: ColumnType } => {
      const { name, type } = column;
      switch (column.role) {
        case 'modelled':
          return { values: valuesOf(name), type: modelled.type(name) };
        case 'constant':
          return { values: without(new Float64Array(rows).fill(column.value ?? NaN), goneOf(name)), type };
        case 'derived':
          return { values: valuesOf(name), type };
        case 'id': {
          const texts = namesAt(j);
          return type.type === 'id' && !type.labels
            ? { values: without(Float64Array.from(texts, Number), goneOf(name)), type }
            : {
                values: without(Float64Array.from(texts.keys()), goneOf(name)),
                type: { type: 'id', labels: texts },
              };
        }
      }
    });
    if (!complete && this.missing.some(({ columns }) => columns.length > 0)) {
      const values = made.map((column) => column.values.slice());
      this.#remove(values, rows, seed, firstRow);
      values.forEach((column, j) => (made[j] = { values: column, type: made[j]!.type }));
    }
    return new Table(
      this.names,
      made.map(({ values }) => values),
      made.map(({ type }) => type),
    );
  }

  /** @internal The rows, by number, that break a rule with cells that `restore` would leave them. */
  breakingRows(modelled: Table, options: RestoreOptions = {}): number[] {
    expectOptions(options, 'TableSchema.breakingRows', restoreOptions);
    const { seed = 1, firstRow = 0, complete = false } = options;
    if (this.rules.length === 0) return [];
    const named = [...new Set(this.rules.flatMap(namesOfRule))];
    const { valuesOf } = this.#cells(modelled, complete);
    const columns = named.map(valuesOf);
    if (!complete && this.missing.length > 0) {
      const places = this.columns.map(({ name }) => columns[named.indexOf(name)]?.slice());
      this.#remove(places, modelled.rows, seed, firstRow);
      this.columns.forEach(({ name }, j) => {
        if (places[j]) columns[named.indexOf(name)] = places[j];
      });
    }
    return breakingRows(new Table(named, columns), this.rules);
  }

  /**
   * @internal The table with cells of these rows as rules say that they are where another cell is: `amount` 0 where `orders` is 0. The other
   * cell keeps its share of the rows so, which it would not if such rows were left out.
   *
   * @param fixed modelled columns that stay as they are
   */
  obeying(
    modelled: Table,
    rows: readonly number[],
    { fixed = new Set(), complete = true }: { fixed?: ReadonlySet<string>; complete?: boolean } = {},
  ): Table {
    const columns = new Map(modelled.names.map((name) => [name, modelled.column(name)]));
    const rules = partImplications(this.rules).setting.filter(
      ({ then }) => columns.has(then.name) && !fixed.has(then.name),
    );
    if (rows.length === 0 || rules.length === 0) return modelled;
    const { valuesOf } = this.#cells(modelled, true);
    const { goneOf } = this.#cells(modelled, complete);
    for (const { then } of rules) columns.set(then.name, columns.get(then.name)!.slice());
    for (const i of rows) {
      // what one rule sets may be what another one asks for
      for (let turn = 0, left = true; left && turn < rules.length; turn++) {
        left = false;
        for (const rule of rules) {
          const [source] = namesOfRule(rule);
          if (goneOf(source)?.[i] === 1) continue;
          const where = columns.get(source) ?? valuesOf(source);
          const then = columns.get(rule.then.name)!;
          if (then[i] === rule.then.value || !breaksRule(rule, where[i]!, then[i]!)) continue;
          then[i] = rule.then.value;
          left = true;
        }
      }
    }
    return new Table(
      modelled.names,
      modelled.names.map((name) => columns.get(name)!),
      modelled.types,
    );
  }

  /** @internal @throws SklarError ERR_SKLAR_VALUE for cells that no row of the data has together, by a rule */
  expectKept(cells: ReadonlyMap<string, unknown>): void {
    const broken = this.rules.find((rule) => {
      const [x, y] = namesOfRule(rule).map((name) => cells.get(name));
      return typeof x === 'number' && typeof y === 'number' && breaksRule(rule, x, y);
    });
    if (!broken) return;
    const names = namesOfRule(broken).map(describe).join(' and ');
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected values of ${names} that keep the rules of the data, got some that break one: ${this.#ruleText(broken)}`,
    );
  }

  /** @internal The rule that most of these rows break, its columns and how many rows do. */
  worstRule(modelled: Table): BrokenRule {
    const { valuesOf } = this.#cells(modelled, true);
    return this.rules
      .map((rule) => ({
        rule: this.#ruleText(rule),
        columns: namesOfRule(rule),
        count: breakingRows(new Table(namesOfRule(rule), namesOfRule(rule).map(valuesOf)), [rule]).length,
      }))
      .reduce((worst, one) => (one.count > worst.count ? one : worst));
  }

  /** Whether a rule is of a column and its own steps, which hold it by themselves. */
  #areSame(rule: Rule): boolean {
    const names = namesOfRule(rule);
    const sourcesOf = (name: string): string[] => {
      const column = this.columns.find((one) => one.name === name);
      return column?.role === 'derived' ? column.formula.of.flatMap((one) => sourcesOf(one.name)) : [name];
    };
    const [first, second] = names.map(sourcesOf) as [string[], string[]];
    return first.some((name) => second.includes(name));
  }

  #ruleText(rule: Rule): string {
    return ruleText(rule, (name) =>
      this.indicatorNames.includes(name)
        ? BOOLEAN
        : (this.columns.find((column) => column.name === name)?.type ?? { type: 'integer' }),
    );
  }

  /** The cells of columns that are modelled or derived, and of all columns which are missing, as indicators of drawn rows say; not where rows are complete. */
  #cells(modelled: Table, complete: boolean) {
    const known = new Map<string, Float64Array>();
    const formulas = new Map([
      ...this.columns.flatMap((one) =>
        one.role === 'derived'
          ? [[one.name, { formula: one.formula, type: one.type, apart: one.apart }] as const]
          : [],
      ),
      ...this.indicators.flatMap(({ name, formula }) =>
        formula ? [[name, { formula, type: BOOLEAN, apart: undefined }] as const] : [],
      ),
    ]);
    const indicators = new Map(
      complete ? [] : this.indicators.flatMap((one) => one.columns.map((name) => [name, one] as const)),
    );
    // what a column is of another is there where it is
    for (const { name, of } of complete ? [] : this.differences) {
      const indicator = indicators.get(of[0]);
      if (indicator) indicators.set(name, indicator);
    }
    const goneOf = (name: string): Float64Array | undefined => {
      const indicator = indicators.get(name);
      return indicator && valuesOf(indicator.name);
    };
    /** Before any is missing. */
    const fullOf = (name: string): Float64Array => {
      const derived = formulas.get(name);
      return derived ? computeFormula(derived.formula, derived.type, fullOf) : modelled.column(name);
    };
    const valuesOf = (name: string): Float64Array => {
      let values = known.get(name);
      if (values) return values;
      const derived = formulas.get(name);
      values = derived
        ? computeFormula(derived.formula, derived.type, derived.apart ? fullOf : valuesOf)
        : modelled.column(name);
      known.set(name, (values = without(values, goneOf(name))));
      return values;
    };
    return { valuesOf, goneOf };
  }

  /** Makes cells missing as they are in the data: in patterns, whatever the values. */
  #remove(columns: readonly (Float64Array | undefined)[], rows: number, seed: Seed, firstRow: number): void {
    const [low, high] = seedWords(seed);
    const key = hashText('missing');
    for (let i = 0; i < rows; i++) {
      const row = firstRow + i;
      let at = hashWords(low, high, key, Math.floor(row / 2 ** 32), row >>> 0) / 2 ** 32;
      const pattern = this.missing.find(({ share }) => (at -= share) < 0);
      for (const j of pattern?.columns ?? []) {
        const values = columns[j];
        if (values) values[i] = NaN;
      }
    }
  }

  /** Plain JSON. */
  toJSON(): object {
    return {
      columns: this.columns,
      missing: this.missing.map(({ columns, share }) => ({ columns: [...columns], share })),
      indicators: [...this.indicators],
      differences: [...this.differences],
      cycles: [...this.cycles],
      rules: [...this.rules],
      ...(this.returns && { returns: this.returns }),
      ...(this.weightsColumn !== null && { weights: this.weightsColumn }),
      ...(this.privateRows !== null && { private: this.privateRows }),
    };
  }

  /**
   * The inverse of `toJSON`.
   *
   * @throws SklarError ERR_SKLAR_FORMAT when it is damaged
   */
  static fromJSON(json: unknown): TableSchema {
    const parsed = schemaSchema.safeParse(json);
    if (!parsed.success) {
      const { path, message } = parsed.error.issues[0]!;
      throw new SklarError(
        'ERR_SKLAR_FORMAT',
        `expected the schema of a table: ${[...path.map(String), message].join(': ')}`,
        { cause: parsed.error },
      );
    }
    const { columns, missing, indicators, differences, cycles, rules } = parsed.data;
    const modelled = new Set(columns.filter(({ role }) => role === 'modelled').map(({ name }) => name));
    const all = new Set(columns.map(({ name }) => name));
    const named = [
      ...indicators.map(({ columns: of }) => of),
      ...differences.map(({ of }) => of),
      cycles.map(({ of }) => of),
    ].flat();
    if (named.some((name) => !all.has(name))) {
      throw new SklarError(
        'ERR_SKLAR_FORMAT',
        'expected differences of and indicators of missing cells in columns that there are',
      );
    }
    for (const { name } of differences) modelled.add(name);
    for (const { parts } of cycles) for (const { name } of parts) modelled.add(name);
    for (const { name, formula } of indicators) if (!formula) modelled.add(name);
    const repeated = all.size < columns.length;
    // what is computed, and where it is missing, follows from modelled columns in some order
    const settled = new Set([...modelled].filter((name) => !all.has(name)));
    const follows = (formula: Formula | null | undefined) =>
      !formula || formula.of.every(({ name }) => settled.has(name));
    const isMade = (column: SchemaColumn) =>
      follows(column.role === 'derived' ? column.formula : null) &&
      follows(indicators.find((one) => one.columns.includes(column.name))?.formula);
    for (let size = -1; settled.size > size;) {
      size = settled.size;
      for (const column of columns) if (isMade(column)) settled.add(column.name);
      for (const { name, formula } of indicators) if (follows(formula)) settled.add(name);
    }
    for (const column of columns) {
      if (!settled.has(column.name) || repeated) {
        throw new SklarError(
          'ERR_SKLAR_FORMAT',
          `expected a schema whose derived columns follow from modelled ones, got ${describe(column.name)}`,
        );
      }
    }
    if (missing.some((pattern) => pattern.columns.some((j) => j >= columns.length))) {
      throw new SklarError(
        'ERR_SKLAR_FORMAT',
        'expected patterns of missing cells in columns that there are',
      );
    }
    const idOfName = new Map(
      columns.flatMap((one) => (one.role === 'id' ? [[one.name, one.ids] as const] : [])),
    );
    for (const ids of idOfName.values()) {
      if (ids.rule !== 'of' || (idOfName.get(ids.name)?.rule ?? 'of') !== 'of') continue;
      throw new SklarError('ERR_SKLAR_FORMAT', 'expected names that are made of those of a column of names');
    }
    if (rules.flatMap(namesOfRule).some((name) => !settled.has(name))) {
      throw new SklarError('ERR_SKLAR_FORMAT', 'expected rules of columns that are modelled or computed');
    }
    return new TableSchema(columns, {
      ...parsed.data,
      weightsColumn: parsed.data.weights,
      privateRows: parsed.data.private,
    });
  }
}

/** What columns are to be. */
export interface InferOptions {
  /** What missing cells are to a model, default `auto`. */
  readonly missing?: MissingRule | undefined;
  /** Of `toReturns`, where the rows came from prices. */
  readonly returns?: Returns | null | undefined;
  /** The name of a column that held weights and is no longer in the table. */
  readonly weightsColumn?: string | null | undefined;
}

/** What is known beside the table. */
interface InferSettings {
  /** Of the rows, for the shares of patterns of missing cells. */
  readonly weights?: RowWeights | null;
  /** See `poolRare`. */
  readonly others?: ReadonlyMap<string, string>;
  /** Rows that look-ups and patterns of missing cells are told by, at least. */
  readonly privateRows?: number | null;
}

/** The type with the decimals that its values have. */
function completeType(type: ColumnType, values: Float64Array): ColumnType {
  if (type.type !== 'number' || type.decimals !== undefined) return type;
  return { ...type, ...numberType(values) };
}

/** Rows of which formulas are computed of independent cells. */
const MOST_INDEPENDENT = 10_000;

/** Rows whose cells come from different rows, drawn at random. */
function independentRows(table: Table): Table {
  const generator = new Generator(1);
  const rows = Math.min(table.rows, MOST_INDEPENDENT);
  const drawn = table.columns.map((values) =>
    Float64Array.from({ length: rows }, () => values[Math.floor((generator.next() / 2 ** 32) * table.rows)]!),
  );
  return new Table(table.names, drawn, table.types);
}

/** Why whole numbers name rows, in parentheses. */
export const whyText = (why: string | undefined) => (why === undefined ? '' : ` (${why})`);

const withoutLabels = (type: ColumnType): ColumnType =>
  labelsOf(type) ? { type: 'id', labels: [] } : { type: 'id' };

/** The role of a column that is no matter of others; null: others decide. */
function simpleRole(type: ColumnType, values: Float64Array): ColumnRole | null {
  const first = values.find((value) => !Number.isNaN(value));
  const constant = values.every((value) => value === first || Number.isNaN(value));
  if (constant) return { role: 'constant', value: first ?? null };
  const labels = labelsOf(type);
  if (type.type === 'id') {
    const texts = labels ?? Array.from(new Set(values), String);
    const numbers = [...new Set(values)].filter((value) => !Number.isNaN(value));
    return { role: 'id', ids: labels ? ruleOfTexts(texts) : ruleOfNumbers(numbers) };
  }
  return null;
}

/** The columns of whole numbers that name rows. */
function namesOfRows(table: Table, candidates: readonly string[]): Map<string, ColumnRole> {
  const found = new Map<string, ColumnRole>();
  const naming = candidates.flatMap((name) => {
    const type = table.type(name);
    const isCount = type.type === 'integer' && !type.asked && type.style?.duration === undefined;
    const own = isCount ? namingNumbers(name, table.column(name)) : null;
    return own ? [{ name, ...own }] : [];
  });
  const others = candidates.filter(
    (name) =>
      !/^(?:date|time|timestamp)$/.test(table.type(name).type) && !naming.some((one) => one.name === name),
  );
  for (const { name, why, ifFree, ifPlain } of naming) {
    const values = table.column(name);
    const level = FREE_LEVEL / (others.length * naming.length);
    if (ifFree && others.some((other) => follows(table, other, values, level))) continue;
    if (ifPlain && others.some((other) => encodes(values, table.column(other), level))) continue;
    found.set(name, { role: 'id', ids: ruleOfNumbers(knownValues(values)), why });
  }
  return found;
}

/** The columns of names that are made of those of another. */
function namesOfNames(table: Table, roles: ReadonlyMap<string, SchemaColumn>): Map<string, IdRule> {
  const found = new Map<string, IdRule>();
  const ids = table.names.filter((name) => roles.get(name)?.role === 'id');
  if (ids.length < 2) return found;
  const texts = new Map(
    ids.map((name) => [name, Array.from({ length: table.rows }, (_, i) => table.text(name, i))]),
  );
  for (const name of ids) {
    for (const other of ids) {
      if (
        other === name ||
        found.has(other) ||
        [...found.values()].some((rule) => 'name' in rule && rule.name === name)
      )
        continue;
      const rule = ruleOfOther(other, texts.get(other)!, texts.get(name)!);
      if (rule) found.set(name, rule);
    }
  }
  return found;
}

/** The formula of a column whose source has its labels in a new order. */
function renumbered(formula: Formula, table: Table, orders: ReadonlyMap<string, number[]>): Formula {
  if (formula.formula !== 'lookup') return formula;
  const { name } = formula.of[0]!;
  const type = table.type(name);
  const order = orders.get(name);
  if (type.type !== 'category' || !order) return formula;
  const { position } = reordered(type, order);
  return { ...formula, from: formula.from.map((from) => position[from]!) };
}

const BOOLEAN: ColumnType = { type: 'boolean' };

/** The values but those that are gone. */
function without(values: Float64Array, gone: Float64Array | undefined): Float64Array {
  return gone ? values.map((value, i) => (gone[i] === 1 ? NaN : value)) : values;
}

/** The columns whose cells are missing in the same rows. Functions of others are missing with these. */
function missingGroups(
  table: Table,
  columns: readonly SchemaColumn[],
  computed: ReadonlySet<string>,
): MissingGroup[] {
  const alike = new Map<string, { columns: string[]; is: Float64Array }>();
  for (const column of columns) {
    const { name, role } = column;
    const follows = role === 'derived' && !computed.has(name);
    if (follows || (role === 'constant' && column.value === null)) continue;
    if (!table.column(name).some(Number.isNaN)) continue;
    const is = isMissing(table, name);
    const key = is.join('');
    const group = alike.get(key);
    if (group) group.columns.push(name);
    else alike.set(key, { columns: [name], is });
  }
  return [...alike.values()];
}

/** Of missing cells that go by another column's values by chance. */
const CHANCE = 1e-9;

/** The column that a difference is of, which is there where it is; of other columns the column itself. */
const laterOf = (differences: readonly Difference[], name: string): string =>
  differences.find((one) => one.name === name)?.of[0] ?? name;

/**
 * What says where cells of groups are missing.
 *
 * @param asked groups that are to have such a column; those whose missing cells another column determines, and those of its own, are added
 */
function indicatorsOf(
  table: Table,
  groups: readonly MissingGroup[],
  asked: Set<MissingGroup>,
  {
    columns,
    differences,
    orders,
    least,
  }: {
    readonly columns: readonly SchemaColumn[];
    readonly differences: readonly Difference[];
    readonly orders: ReadonlyMap<string, number[]>;
    readonly least: number;
  },
): MissingIndicator[] {
  if (groups.length === 0) return [];
  const taken = new Set(table.names);
  const names = groups.map(({ columns: of }) => {
    const listed = of.length > 3 ? [...of.slice(0, 2), `${of.length - 2} more`] : of;
    const name = freshName(`${andWords(listed)} missing`, (one) => taken.has(one));
    taken.add(name);
    return name;
  });
  const all = new Table(
    [...table.names, ...names],
    [...table.columns, ...groups.map(({ is }) => is)],
    [...table.types, ...names.map(() => BOOLEAN)],
  );
  const computed = new Map(
    columns.flatMap((one) => (one.role === 'derived' ? [[one.name, one.formula] as const] : [])),
  );
  const known = columns.flatMap(({ name, role }) =>
    role === 'modelled' || role === 'derived' ? [name] : [],
  );
  const groupOf = (name: string) =>
    groups.findIndex((group, k) => names[k] === name || group.columns.includes(laterOf(differences, name)));
  const accepted = new Map<number, Formula>();
  /** Whether cells of the column, or where they are missing, follow from where those of the group are. */
  const dependsOn = (name: string, k: number): boolean => {
    const own = groupOf(name);
    if (own === k) return true;
    return [computed.get(name), accepted.get(own)].some((formula) =>
      formula?.of.some((source) => dependsOn(source.name, k)),
    );
  };
  const coarse = lookupSources(all, [...known, ...names]);
  groups.forEach((group, k) => {
    const name = names[k]!;
    const isSource = (one: string) => one !== name && !dependsOn(one, k);
    const lookup = findLookup(all, name, coarse.filter(isSource), { least, filled: true });
    const formulas = new Map(lookup ? [[name, lookup]] : []);
    const sources = known.filter(isSource);
    // private models have no thresholds, which are next to values
    if (least === 1) addSteps(all, [...sources, name], formulas, sources, [name]);
    const formula = formulas.get(name);
    if (!formula) return;
    const byChance = formula.formula === 'lookup' && isByChance(group.is, formula.from.length + 1);
    if (!asked.has(group) && byChance) return;
    accepted.set(k, formula);
    asked.add(group);
  });
  for (const group of asked) {
    const source = accepted.get(groups.indexOf(group))?.of[0]!.name;
    const other = source === undefined ? undefined : groups[groupOf(source)];
    if (other) asked.add(other);
  }
  return groups.flatMap((group, k) => {
    if (!asked.has(group)) return [];
    const formula = accepted.get(k);
    return [
      {
        name: names[k]!,
        columns: group.columns,
        formula: formula ? renumbered(formula, all, orders) : null,
      },
    ];
  });
}

/** Whether so many missing cells could be those of some of so many values of another column, which there are 2^values choices of. */
function isByChance(is: Float64Array, values: number): boolean {
  const missing = is.reduce((sum, one) => sum + one, 0);
  let log = values * Math.LN2;
  for (let k = 0; k < missing; k++) log += Math.log((k + 1) / (is.length - k));
  return log > Math.log(CHANCE);
}

/** @throws SklarError ERR_SKLAR_VALUE naming the columns with missing cells, and how many there are */
export function expectNoneMissing(table: Table): void {
  const counts = table.columns.map((values) => values.filter(Number.isNaN).length);
  const found = table.names.flatMap((name, j) =>
    counts[j]! > 0 ? [`${counts[j]} in ${describe(name)}`] : [],
  );
  if (found.length === 0) return;
  const shown = found.length > 20 ? [...found.slice(0, 20), `and ${found.length - 20} more columns`] : found;
  throw new SklarError('ERR_SKLAR_VALUE', `expected no missing cells, got ${shown.join(', ')}`);
}

/** The patterns in which cells are missing, but those of groups. */
function missingPatterns(
  table: Table,
  columns: readonly SchemaColumn[],
  differences: readonly Difference[],
  computed: ReadonlySet<string>,
  groups: readonly MissingGroup[],
  weights: RowWeights | null,
  least: number,
): MissingPattern[] {
  const inGroups = new Set(groups.flatMap(({ columns: of }) => of));
  const matters = (column: SchemaColumn) => {
    if (inGroups.has(column.name) || (column.role === 'constant' && column.value === null)) return false;
    if (column.role !== 'derived' || computed.has(column.name)) return true;
    // a function is missing where its sources are
    return !follows(column);
  };
  const follows = (column: SchemaColumn): boolean =>
    column.role === 'derived' &&
    !column.apart &&
    column.formula.of.some(({ name }) => {
      const source = columns.find((one) => one.name === name);
      return inGroups.has(laterOf(differences, name)) || (source !== undefined && follows(source));
    });
  const looked = table.columns.flatMap((values, j) =>
    matters(columns[j]!) && values.some(Number.isNaN) ? [j] : [],
  );
  if (looked.length === 0) return [];
  const counts = new Map<string, { rows: number; weight: number }>();
  for (let i = 0; i < table.rows; i++) {
    const key = looked.filter((j) => Number.isNaN(table.columns[j]![i])).join();
    const count = counts.get(key) ?? { rows: 0, weight: 0 };
    counts.set(key, { rows: count.rows + 1, weight: count.weight + (weights ? weights.each[i]! : 1) });
  }
  const frequent = [...counts]
    .filter(([, { rows }]) => rows >= least)
    .map(([key, { weight }]) => [key, weight] as const)
    .sort((a, b) => b[1] - a[1])
    .slice(0, MOST_PATTERNS);
  const kept = frequent.reduce((sum, [, count]) => sum + count, 0);
  return frequent.map(([key, count]) => ({
    columns: key === '' ? [] : key.split(',').map(Number),
    share: count / kept,
  }));
}

/** The number of a text in a column of numbers or dates; NaN: it has none. */
function readAs(type: ColumnType, text: string): number {
  const word = text.trim();
  if (type.type !== 'number' && type.type !== 'integer') return numberOfCell(type, word);
  const beyond = censoredNumber(type, word);
  return Number.isNaN(beyond) ? numberIn(type.style ?? {}, word) : beyond;
}

/** The numbers of texts in a column of numbers or dates, NaN where they are missing; null: more than half are no such. */
function readTexts(type: ColumnType, texts: readonly string[]): number[] | null {
  if (labelsOf(type)) return null;
  const read = texts.map((text) => readAs(type, text));
  const known = read.filter((value) => !Number.isNaN(value)).length;
  return known > 0 && 2 * known >= texts.length ? read : null;
}

/** Of numbers that are known to be beyond a limit only those that stand for the same text in another type. */
function withLimits(values: Float64Array, given: ColumnType, type: ColumnType): Float64Array {
  if (!('censored' in type) || !type.censored) return values;
  return values.map((value) => {
    const text = censoredText(given, value);
    const own = text === null ? NaN : censoredNumber(type, text);
    return Number.isNaN(own) ? value : own;
  });
}

/** The numbers of a column for a type that the schema has. */
function converted(
  table: Table,
  name: string,
  type: ColumnType,
  other: string | undefined,
): { values: Float64Array; type: ColumnType } {
  const [given, values] = [table.type(name), table.column(name)];
  const misfit = () => {
    const row = values.findIndex((value) => !Number.isNaN(value));
    return new SklarError(
      'ERR_SKLAR_VALUE',
      `expected cells of type ${type.type} in column ${describe(name)}, as the model has, got ${given.type} ` +
        `(${describe(table.text(name, row))} in row ${row + 1})`,
    );
  };
  if (values.every(Number.isNaN)) return { values, type };
  const labels = labelsOf(type);
  if (labels) {
    const own = labelsOf(given);
    if (own && labels.length === own.length && own.every((label, k) => label === labels[k]))
      return { values, type };
    const position = new Map(labels.map((label, k) => [label, k]));
    if (type.type === 'boolean' && !own) {
      if (!values.every((value) => Number.isNaN(value) || value === 0 || value === 1)) throw misfit();
      return { values, type };
    }
    const all = [...labels];
    const codeOf = (text: string) => {
      let k = position.get(text) ?? (other === undefined ? undefined : position.get(other));
      if (k === undefined) {
        k = all.push(text) - 1;
        position.set(text, k);
      }
      return k;
    };
    // labels of parts of a table get the same numbers, whichever come first
    const present = new Set(values);
    const ownCodes = own?.some((label, k) => !position.has(label) && present.has(k)) ? own.map(codeOf) : null;
    const codes = values.map((value) => {
      if (Number.isNaN(value)) return NaN;
      return ownCodes?.[value] ?? codeOf(cellText(given, value));
    });
    if (all.length === labels.length) return { values: codes, type };
    if (type.type === 'boolean') throw misfit();
    return { values: codes, type: { type: 'category', labels: all } };
  }
  const numeric = (one: ColumnType) => one.type === 'number' || one.type === 'integer';
  if (numeric(type) && numeric(given)) {
    return {
      values: withLimits(values, given, type),
      type: kindOf(type) === 'integer' && kindOf(given) === 'float' ? { type: 'number' } : type,
    };
  }
  if (type.type === given.type) return { values, type };
  // of few rows hours below 24 may be times of day
  const isDuration = (one: ColumnType) => 'style' in one && one.style?.duration !== undefined;
  if (isDuration(type) && given.type === 'time')
    return { values: values.map((value) => readAs(type, cellText(given, value))), type };
  if (type.type === 'timestamp' && given.type === 'date')
    return { values: values.map((day) => day * 86_400), type };
  const texts = labelsOf(given);
  // of few rows not all that a column holds is told by them
  const read = texts && readTexts(type, texts);
  if (read) {
    const found = values.map((value) => read[value] ?? NaN);
    const isWhole = found.every((value) => Number.isNaN(value) || Number.isSafeInteger(value));
    return { values: found, type: type.type === 'integer' && !isWhole ? { type: 'number' } : type };
  }
  if (type.type === 'number' && given.type === 'boolean') return { values, type: typeOf('float') };
  if (type.type === 'integer' && given.type === 'boolean') return { values, type };
  throw misfit();
}
