/** Conditions on rows in words, such as `orders > 0 or amount = 0`. */
import { type ColumnType, labelsOf, numberOfCell } from '../data/columns/column-type';
import { type Table, listNames } from '../data/table';
import { SklarError, describe } from '../errors';
import type { SchemaColumn } from '../data/schema/table-schema';

type Operator = '=' | '!=' | '<' | '<=' | '>' | '>=';

/** A column beside a number, or beside another column. */
export interface Comparison {
  readonly left: string;
  readonly operator: Operator;
  readonly right: number | string;
}

export type Condition =
  | { readonly all: readonly Condition[] }
  | { readonly any: readonly Condition[] }
  | { readonly not: Condition }
  | { readonly compare: Comparison };

/** Longer ones first, which begin as others do. */
const OPERATORS = ['<=', '>=', '!=', '<>', '==', '=', '<', '>'] as const;
const SAME: Readonly<Record<string, Operator>> = { '<>': '!=', '==': '=' };

/** A condition on the rows of a table. */
export interface Where {
  readonly condition: Condition;
  /** What some modelled columns hold in every row that has it. */
  readonly given: Readonly<Record<string, number | string>>;
  /** The rows of a table that have it, by number. */
  readonly rows: (table: Table) => number[];
}

/**
 * Reads a condition: comparisons (`=`, `!=`, `<`, `<=`, `>`, `>=`) of columns with values or columns, `column in (a, b)`, `and`, `or`, `not`
 * and parentheses. Names of columns stand as they are or in "double quotes", texts as they are or in 'single quotes'.
 *
 * @throws SklarError ERR_SKLAR_VALUE naming what cannot be read, columns that do not exist, values that a column does not have and labels
 *   that are asked to be in order
 */
export function parseWhere(text: unknown, columns: readonly SchemaColumn[]): Where {
  if (typeof text !== 'string') {
    throw new SklarError('ERR_SKLAR_VALUE', `expected a condition in words for where, got ${describe(text)}`);
  }
  const condition = new Reader(text, columns).read();
  return {
    condition,
    given: givenBy(condition, columns),
    rows: (table) => {
      const holds = test(condition, table);
      return Array.from({ length: table.rows }, (_, i) => i).filter(holds);
    },
  };
}

class Reader {
  readonly #text: string;
  readonly #columns: readonly SchemaColumn[];
  readonly #names: readonly string[];
  #at = 0;

  constructor(text: string, columns: readonly SchemaColumn[]) {
    this.#text = text;
    this.#columns = columns;
    this.#names = columns.map(({ name }) => name).sort((a, b) => b.length - a.length);
  }

  read(): Condition {
    const condition = this.#any();
    if (this.#rest() !== '') throw this.#expected('and, or, or the end');
    return condition;
  }

  #any(): Condition {
    const any = [this.#all()];
    while (this.#word('or')) any.push(this.#all());
    return any.length === 1 ? any[0]! : { any };
  }

  #all(): Condition {
    const all = [this.#one()];
    while (this.#word('and')) all.push(this.#one());
    return all.length === 1 ? all[0]! : { all };
  }

  #one(): Condition {
    if (this.#sign('(')) {
      const inner = this.#any();
      if (!this.#sign(')')) throw this.#expected('a closing parenthesis');
      return inner;
    }
    const left = this.#column();
    if (left === null) {
      if (this.#word('not')) return { not: this.#one() };
      throw this.#expected(`a column of ${listNames(this.#columns.map(({ name }) => name))}`);
    }
    if (this.#word('in')) {
      if (!this.#sign('(')) throw this.#expected('values in parentheses');
      const any: Condition[] = [];
      do any.push({ compare: { left: left.name, operator: '=', right: this.#value(left) } });
      while (this.#sign(','));
      if (!this.#sign(')')) throw this.#expected('a closing parenthesis');
      return { any };
    }
    const found = OPERATORS.find((operator) => this.#sign(operator));
    if (found === undefined)
      throw this.#expected(`one of ${OPERATORS.join(' ')} after ${describe(left.name)}`);
    const operator = SAME[found] ?? (found as Operator);
    if (operator !== '=' && operator !== '!=' && labelsOf(left.type)) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected = or != for the column ${describe(left.name)}, whose labels have no order, got ${operator}`,
      );
    }
    const other = this.#column(labelsOf(left.type) ?? []);
    return { compare: { left: left.name, operator, right: other ? other.name : this.#value(left) } };
  }

  /** The column whose name is next; names that are labels of a column which they are compared with are values. */
  #column(labels: readonly string[] = []): SchemaColumn | null {
    const rest = this.#rest();
    const quoted = /^"((?:[^"]|"")*)"/.exec(rest);
    const name = quoted
      ? quoted[1]!.replaceAll('""', '"')
      : this.#names.find(
          (candidate) =>
            rest.startsWith(candidate) &&
            !/^\w/.test(/\w$/.test(candidate) ? rest.slice(candidate.length) : '') &&
            !labels.includes(candidate),
        );
    const column = this.#columns.find((candidate) => candidate.name === name);
    if (name === undefined || !column) return null;
    if (column.role === 'id') {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected columns that rows are drawn with, got ${describe(name)}, which names rows and is made anew`,
      );
    }
    this.#take(quoted ? quoted[0].length : name.length);
    return column;
  }

  #value({ name, type }: SchemaColumn): number {
    const rest = this.#rest();
    const quoted = /^'((?:[^']|'')*)'/.exec(rest);
    const plain = /^[^\s(),]+/.exec(rest);
    const labels = labelsOf(type);
    // labels have spaces, too
    const label = labels
      ?.filter((candidate) => rest.startsWith(candidate))
      .sort((a, b) => b.length - a.length)[0];
    const text = quoted ? quoted[1]!.replaceAll("''", "'") : (label ?? plain?.[0]);
    if (text === undefined) throw this.#expected(`a value for ${describe(name)}`);
    const value = numberOf(type, text);
    if (Number.isNaN(value)) {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected ${labels ? `one of ${listNames(labels)}` : `a ${type.type}`} for the column ${describe(name)}, ` +
          `got ${describe(text)}`,
      );
    }
    this.#take(quoted ? quoted[0].length : text.length);
    return value;
  }

  #rest(): string {
    return this.#text.slice(this.#at).trimStart();
  }

  /** Goes on behind so many characters of the rest. */
  #take(length: number): void {
    this.#at = this.#text.length - this.#rest().length + length;
  }

  #sign(sign: string): boolean {
    if (!this.#rest().startsWith(sign)) return false;
    this.#take(sign.length);
    return true;
  }

  #word(word: string): boolean {
    if (!new RegExp(`^${word}\\b`, 'i').test(this.#rest())) return false;
    this.#take(word.length);
    return true;
  }

  #expected(what: string): SklarError {
    const rest = this.#rest();
    return new SklarError(
      'ERR_SKLAR_VALUE',
      `expected ${what} in the condition ${describe(this.#text)}, got ${rest === '' ? 'its end' : describe(rest)}`,
    );
  }
}

function numberOf(type: ColumnType, text: string): number {
  return numberOfCell(type.type === 'integer' ? { type: 'number' } : type, text);
}

/** Which rows of a table have it. */
export function test(condition: Condition, table: Table): (row: number) => boolean {
  if ('all' in condition) {
    const all = condition.all.map((one) => test(one, table));
    return (i) => all.every((holds) => holds(i));
  }
  if ('any' in condition) {
    const any = condition.any.map((one) => test(one, table));
    return (i) => any.some((holds) => holds(i));
  }
  if ('not' in condition) {
    const holds = test(condition.not, table);
    return (i) => !holds(i);
  }
  const { left, operator, right } = condition.compare;
  const x = table.column(left);
  const y = typeof right === 'string' ? table.column(right) : null;
  const number = typeof right === 'number' ? right : NaN;
  const compare = comparisons[operator];
  return y ? (i) => compare(x[i]!, y[i]!) : (i) => compare(x[i]!, number);
}

const OPPOSITE: Readonly<Record<Operator, Operator>> = {
  '=': '!=',
  '!=': '=',
  '<': '>=',
  '<=': '>',
  '>': '<=',
  '>=': '<',
};

/** What rows with all cells have that do not have the condition, without a `not`. */
export function negated(condition: Condition): Condition {
  if ('all' in condition) return { any: condition.all.map(negated) };
  if ('any' in condition) return { all: condition.any.map(negated) };
  if ('not' in condition) return condition.not;
  const { compare } = condition;
  return { compare: { ...compare, operator: OPPOSITE[compare.operator] } };
}

const comparisons: Readonly<Record<Operator, (a: number, b: number) => boolean>> = {
  '=': (a, b) => a === b,
  '!=': (a, b) => a !== b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
};

/** The cells that single modelled columns have in all rows of a condition. */
function givenBy(condition: Condition, columns: readonly SchemaColumn[]): Where['given'] {
  const parts = 'all' in condition ? condition.all : [condition];
  return Object.fromEntries(
    parts.flatMap((part): [string, number | string][] => {
      if (!('compare' in part)) return [];
      const { left, operator, right } = part.compare;
      const column = columns.find(({ name }) => name === left)!;
      if (operator !== '=' || typeof right !== 'number' || column.role !== 'modelled') return [];
      return [[left, labelsOf(column.type)?.[right] ?? right]];
    }),
  );
}
