import { z } from 'zod';

import { type Matrix, matrix } from '../data/matrix';
import { PseudoObservations, type Ties } from '../data/pseudo-observations';
import { type Seed, hashText, hashWords, seedWords } from '../data/random';
import { type ColumnKind, Table, listNames } from '../data/table';
import { SklarError, describe, expectOneOf } from '../errors';
import {
  type MarginSpec,
  type MarginType,
  fitMargin,
  marginFromState,
  parseMarginState,
  resolveMarginSpec,
} from './fit';
import type { Margin, MarginState, Support } from './margin';

/** The margins of all columns: one type for all, or what each column gets, by name; `auto` for those not named. */
export type MarginsSpec = MarginType | Readonly<Record<string, MarginSpec>>;

export interface MarginsOptions {
  /** Default `auto`. */
  readonly margins?: MarginsSpec;
  /** Where F jumps: a random level of the jump (`random`, default), or its middle (`average`). */
  readonly ties?: Ties;
  /** Seed of the random levels, default 0. */
  readonly seed?: Seed;
}

const metaSchema = z.object({
  type: z.literal('margins'),
  ties: z.enum(['random', 'average']),
  /** The seed as decimal digits. */
  seed: z
    .string()
    .regex(/^\d{1,20}$/)
    .transform(BigInt)
    .refine((seed) => seed < 1n << 64n),
  rows: z.int().min(2),
  columns: z
    .array(z.object({ name: z.string(), kind: z.enum(['float', 'integer']), margin: z.unknown() }))
    .min(1),
});

/** What takes the columns of a model to the copula scale and back. */
export type TableMargins = Margins | PseudoObservations;

interface Column {
  readonly name: string;
  readonly kind: ColumnKind;
  readonly margin: Margin;
}

/** Levels that a copula takes reach from here to 1 minus the unit roundoff. */
const LEAST_LEVEL = Number.MIN_VALUE * 2 ** 52;
const GREATEST_LEVEL = 1 - 2 ** -53;

/**
 * The margins of the columns of a table: x to pseudo-observations u = F(x) and back, and log densities.
 *
 * Where F jumps, u is random in the jump (the distributional transform of Ruschendorf, by seed, column and row) or its
 * middle, as `ties` says. A value outside the support of its margin, or at an end without probability, gets 0.5 / (n + 1) or
 * (n + 0.5) / (n + 1), n the number of training rows. Columns of kind `integer` come back as the nearest integers.
 */
export class Margins {
  /** The number of training rows. */
  readonly rows: number;
  readonly names: readonly string[];
  readonly kinds: readonly ColumnKind[];
  readonly ties: Ties;
  readonly #seed: readonly [number, number];
  readonly #columns: readonly Column[];

  private constructor(rows: number, ties: Ties, seed: readonly [number, number], columns: readonly Column[]) {
    this.rows = rows;
    this.ties = ties;
    this.names = columns.map(({ name }) => name);
    this.kinds = columns.map(({ kind }) => kind);
    this.#seed = seed;
    this.#columns = columns;
  }

  /**
   * Learns the margins of training rows.
   *
   * @throws SklarError ERR_SKLAR_VALUE naming the column, see `fitMargin`; for margins of columns that do not exist
   */
  static fit(table: Table, options: MarginsOptions = {}): Margins {
    const ties = expectOneOf<Ties>(options.ties ?? 'random', 'ties', ['random', 'average']);
    const seed = seedWords(options.seed ?? 0);
    const specs = expectMarginsSpec(options.margins ?? 'auto', table.names);
    const columns = table.names.map((name, j): Column => {
      const margin = fitMargin(table.columns[j]!, specs[j], { column: name });
      return { name, kind: table.kinds[j]!, margin };
    });
    return new Margins(table.rows, ties, seed, columns);
  }

  /** The margin of a column, by name or number (from 0). */
  margin(column: string | number): Margin {
    const found = this.#columns[typeof column === 'number' ? column : this.names.indexOf(column)];
    if (found) return found.margin;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected one of the columns ${listNames(this.names)}, got ${describe(column)}`,
    );
  }

  /** The type of each margin. */
  get types(): readonly string[] {
    return this.#columns.map(({ margin }) => margin.name);
  }

  /** The support of each margin. */
  get supports(): readonly Support[] {
    return this.#columns.map(({ margin }) => margin.support);
  }

  /**
   * Pseudo-observations u = F(x), rows x d, strictly between 0 and 1. Columns are found by name; others in the table are
   * ignored.
   *
   * @param options.seed default that of `fit`
   * @param options.ties default that of `fit`
   * @throws SklarError ERR_SKLAR_VALUE for missing columns and values that are not finite
   */
  transform(
    table: Table,
    options: { readonly seed?: Seed; readonly ties?: Ties } = {},
  ): Matrix & { readonly data: Float64Array } {
    const [low, high] = options.seed === undefined ? this.#seed : seedWords(options.seed);
    const random = (options.ties ?? this.ties) === 'random';
    const width = this.names.length;
    const u = new Float64Array(table.rows * width);
    const half = 0.5 / (this.rows + 1);
    this.#eachColumn(table, ({ name, margin }, x, j) => {
      const [least, most] = margin.support;
      const key = hashText(name);
      const after = margin.cdf(x);
      const before = margin.hasAtoms ? margin.cdfBefore(x) : after;
      for (let i = 0, k = j; i < x.length; i++, k += width) {
        const jump = after[i]! - before[i]!;
        const share = jump > 0 && random ? (hashWords(low, high, key, i) + 0.5) / 2 ** 32 : 0.5;
        const level = before[i]! + share * jump;
        if (x[i]! <= least && after[i] === 0) u[k] = half;
        else if (x[i]! >= most && before[i] === 1) u[k] = 1 - half;
        else u[k] = Math.min(GREATEST_LEVEL, Math.max(LEAST_LEVEL, level));
      }
    });
    return matrix(u, table.rows, width, this.names);
  }

  /**
   * Quantiles: the table whose column j has the quantiles of margin j at column j of `u`.
   *
   * @param u rows x d, in [0, 1]
   * @throws SklarError ERR_SKLAR_SHAPE when it has another number of columns, ERR_SKLAR_VALUE for levels outside
   */
  inverse(u: Matrix): Table {
    const width = this.names.length;
    if (u.columns !== width) {
      throw new SklarError(
        'ERR_SKLAR_SHAPE',
        `expected ${width} columns for ${width} margins, got ${u.columns}`,
      );
    }
    const values = this.#columns.map(({ name, kind, margin }, j) => {
      const levels = new Float64Array(u.rows);
      for (let i = 0, k = j; i < u.rows; i++, k += width) {
        const level = u.data[k]!;
        if (!(level >= 0 && level <= 1)) {
          throw new SklarError(
            'ERR_SKLAR_VALUE',
            `expected levels between 0 and 1, got ${level} (column ${describe(name)}, row ${i + 1})`,
          );
        }
        levels[i] = level;
      }
      const quantiles = margin.quantile(levels);
      return kind === 'integer' ? quantiles.map(toInteger) : quantiles;
    });
    return new Table(this.names, values, this.kinds);
  }

  /**
   * The sum of the log densities of the margins of each row, in nats; see `Margin.logPdf`.
   *
   * @throws SklarError ERR_SKLAR_VALUE for missing columns and values that are not finite
   */
  logPdf(table: Table): Float64Array {
    const sum = new Float64Array(table.rows);
    this.#eachColumn(table, ({ margin }, x) => {
      const log = margin.logPdf(x);
      for (let i = 0; i < sum.length; i++) sum[i]! += log[i]!;
    });
    return sum;
  }

  /** What a model file needs: JSON, and tensors of Float64 named by column number. */
  toTensors(): { meta: Readonly<Record<string, unknown>>; tensors: Record<string, Float64Array> } {
    const tensors: Record<string, Float64Array> = {};
    const collect = (state: MarginState, prefix: string): void => {
      for (const [key, data] of Object.entries(state.arrays)) tensors[prefix + key] = data;
      for (const [part, inner] of Object.entries(state.parts)) collect(inner, `${prefix}${part}.`);
    };
    const columns = this.#columns.map(({ name, kind, margin }, j) => {
      const state = margin.state();
      collect(state, `${j}.`);
      return { name, kind, margin: withoutArrays(state) };
    });
    const [low, high] = this.#seed;
    const seed = String((BigInt(high) << 32n) | BigInt(low));
    return { meta: { type: 'margins', ties: this.ties, seed, rows: this.rows, columns }, tensors };
  }

  /**
   * The inverse of `toTensors`.
   *
   * @param meta checked here, so it may come straight from a file
   * @throws SklarError ERR_SKLAR_FORMAT when the parts do not fit together
   */
  static fromTensors(meta: unknown, tensors: Readonly<Record<string, Float64Array>>): Margins {
    const parsed = metaSchema.safeParse(meta);
    if (!parsed.success) {
      throw new SklarError('ERR_SKLAR_FORMAT', `expected a description of margins, got ${describe(meta)}`, {
        cause: parsed.error,
      });
    }
    const { ties, seed, rows } = parsed.data;
    const columns = parsed.data.columns.map(({ name, kind, margin }, j): Column => {
      const state = withArrays(parseMarginState(margin), tensors, `${j}.`);
      return { name, kind, margin: marginFromState(state) };
    });
    return new Margins(rows, ties, seedWords(seed), columns);
  }

  #eachColumn(table: Table, visit: (column: Column, x: Float64Array, j: number) => void): void {
    const selected = table.select(this.names);
    this.#columns.forEach((column, j) => {
      const x = selected.columns[j]!;
      const bad = x.findIndex((value) => !Number.isFinite(value));
      if (bad >= 0) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected finite numbers in every column, got ${x[bad]} (column ${describe(column.name)}, row ${bad + 1})`,
        );
      }
      visit(column, x, j);
    });
  }
}

/**
 * The margins of a model file, of either kind.
 *
 * @throws SklarError ERR_SKLAR_FORMAT when the parts do not fit together
 */
export function marginsFromTensors(
  meta: Readonly<Record<string, unknown>>,
  tensors: Readonly<Record<string, Float64Array>>,
): TableMargins {
  return 'type' in meta ? Margins.fromTensors(meta, tensors) : PseudoObservations.fromTensors(meta, tensors);
}

function toInteger(value: number): number {
  return Math.min(Number.MAX_SAFE_INTEGER, Math.max(Number.MIN_SAFE_INTEGER, Math.round(value) + 0));
}

function withoutArrays(state: MarginState): unknown {
  const ends = state.support.map((end) => (Number.isFinite(end) ? end : null));
  const parts = Object.entries(state.parts).map(([part, inner]) => [part, withoutArrays(inner)] as const);
  return { ...state, support: ends, arrays: {}, parts: Object.fromEntries(parts) };
}

/** The state with the tensors whose names begin with the prefix, and go on without a dot. */
function withArrays(
  state: MarginState,
  tensors: Readonly<Record<string, Float64Array>>,
  prefix: string,
): MarginState {
  const own = Object.entries(tensors).filter(
    ([name]) => name.startsWith(prefix) && !name.includes('.', prefix.length),
  );
  const parts = Object.entries(state.parts).map(
    ([part, inner]) => [part, withArrays(inner, tensors, `${prefix}${part}.`)] as const,
  );
  const arrays = Object.fromEntries(own.map(([name, data]) => [name.slice(prefix.length), data]));
  return { ...state, arrays, parts: Object.fromEntries(parts) };
}

/**
 * What each column gets.
 *
 * @throws SklarError ERR_SKLAR_VALUE for columns that do not exist and specs that are none
 */
export function expectMarginsSpec(spec: MarginsSpec, names: readonly string[]): MarginSpec[] {
  const resolved = new Map<string, MarginSpec>();
  if (typeof spec === 'object' && spec !== null) {
    const unknown = Object.keys(spec).filter((name) => !names.includes(name));
    if (unknown.length > 0) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected names of existing columns for margins, got ${listNames(unknown)} (available: ${listNames(names, 50)})`,
      );
    }
    for (const [name, one] of Object.entries(spec)) resolved.set(name, one);
  }
  return names.map((name) => {
    const one = typeof spec === 'object' && spec !== null ? (resolved.get(name) ?? 'auto') : spec;
    resolveMarginSpec(one, name);
    return one;
  });
}
