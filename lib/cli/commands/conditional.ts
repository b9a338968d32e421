/** `sklar sample --given`: rows given the values of some columns. */
import type { Copula } from '../../copulas/copula';
import type { ConditionalOptions } from '../../copulas/fields/smc';
import type { Cell } from '../../data/columns/column-of-values';
import { Table, defaultNames, listNames } from '../../data/table';
import { SklarError, describe, expectNumber } from '../../errors';
import { type BlockSample, sampleGivenBlocks } from '../../joint/block-sample';
import { type CellRange, conditionOf, describeBlocks, numbersOfCells, withFixed } from '../../joint/fixed';
import { JointDistribution } from '../../joint/joint';
import { Margins } from '../../margins/margins';
import { numberOrText, quotedName } from '../terminal/values';

/** A column, what it has to do with a value, and the value as it was written. */
interface Term {
  readonly name: string;
  readonly operator: string;
  readonly value: string;
}

/** `name=value` terms between commas; names are looked up, since they may hold commas themselves, or in quotes as in CSV. */
function parseTerms(
  texts: readonly string[],
  names: readonly string[],
  option: string,
  operators: readonly string[],
): Term[] {
  const terms: Term[] = [];
  const longestFirst = [...names].sort((a, b) => b.length - a.length);
  const operatorOf = (rest: string) => operators.find((operator) => rest.trimStart().startsWith(operator));
  for (const text of texts) {
    let rest = text.trimStart();
    while (rest !== '') {
      const quoted = quotedName(rest);
      const plain = longestFirst.find(
        (candidate) => rest.startsWith(candidate) && operatorOf(rest.slice(candidate.length)) !== undefined,
      );
      const name = plain ?? quoted?.name;
      const after = plain === undefined ? quoted?.rest : rest.slice(plain.length);
      const operator = after === undefined ? undefined : operatorOf(after);
      if (name === undefined || operator === undefined || !names.includes(name)) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected column=value for ${option} with a column of ${listNames(names)}, got ${describe(rest)}`,
        );
      }
      const [value = '', ...others] = after!.trimStart().slice(operator.length).split(',');
      terms.push({ name, operator, value: value.trim() });
      rest = others.join(',').trimStart();
    }
  }
  return terms;
}

/** `name=value` pairs, every column once. */
export function parsePairs(
  texts: readonly string[],
  names: readonly string[],
  option: string,
): Map<string, string> {
  const pairs = new Map<string, string>();
  for (const { name, value } of parseTerms(texts, names, option, ['='])) {
    if (pairs.has(name)) throw repeated(name, option);
    pairs.set(name, value);
  }
  return pairs;
}

function repeated(name: string, option: string): SklarError {
  return new SklarError(
    'ERR_SKLAR_VALUE',
    `expected every column once for ${option}, got ${describe(name)} again`,
  );
}

/** The longer ones first, which begin as the others do. */
const ends = { '>=': 'atLeast', '<=': 'atMost', '>': 'above', '<': 'below' } as const;

/** Values and ranges by column; a range may have two terms, one for each end. */
function parseGiven<T>(
  texts: readonly string[],
  names: readonly string[],
  valueOf: (name: string, text: string) => T,
): Record<string, T | { readonly [end in keyof CellRange]?: T }> {
  const option = '--given';
  const given = new Map<string, T | { readonly [end in keyof CellRange]?: T }>();
  for (const { name, operator, value } of parseTerms(texts, names, option, [...Object.keys(ends), '='])) {
    const before = given.get(name);
    if (operator === '=') {
      if (given.has(name)) throw repeated(name, option);
      given.set(name, valueOf(name, value));
      continue;
    }
    const side = operator.startsWith('>') ? ['atLeast', 'above'] : ['atMost', 'below'];
    const isRange = typeof before === 'object' && before !== null;
    if (given.has(name) && (!isRange || side.some((end) => end in before))) throw repeated(name, option);
    const end = ends[operator as keyof typeof ends];
    given.set(name, { ...(isRange ? before : {}), [end]: valueOf(name, value) });
  }
  return Object.fromEntries(given);
}

const numberOfText = (name: string, text: string): number =>
  expectNumber(numberOrText(text), `${describe(name)} of --given`);

/** Numbers of columns of numbers; what other columns hold is for them to read. */
function cellOfText(margins: Margins): (name: string, text: string) => number | string {
  return (name, text) => {
    const { type } = margins.columnTypes[margins.names.indexOf(name)]!;
    return type === 'number' || type === 'integer' ? numberOfText(name, text) : text;
  };
}

export interface GivenSample {
  readonly table: Table;
  readonly sample: Omit<BlockSample, 'rows'>;
  readonly given: Readonly<Record<string, Cell | CellRange>>;
}

/** Draws rows of the given scale; the given values are on that scale, too, and come back as they are. */
export async function sampleGiven(
  copula: Copula,
  texts: readonly string[],
  rows: number,
  scale: 'data' | 'copula' | 'gaussian',
  options: ConditionalOptions,
): Promise<GivenSample> {
  const { margins } = copula;
  const onData = scale === 'data' ? margins : null;
  const names = onData?.names ?? copula.names ?? defaultNames(copula.dim);
  if (onData instanceof Margins) {
    const cells = parseGiven(texts, onData.names, cellOfText(onData));
    const { table, ...sample } = await new JointDistribution(copula, onData).sampleConditional(
      cells,
      rows,
      options,
    );
    return { table, sample, given: cells };
  }
  const given = parseGiven(texts, names, numberOfText);
  if (onData) {
    const held = numbersOfCells(given, onData);
    const condition = await conditionOf(held, onData);
    const { rows: drawn, ...sample } = await sampleGivenBlocks(copula, condition, rows, options, () =>
      describeBlocks(held, condition),
    );
    const table = withFixed(await onData.inverse(drawn, { scale: 'gaussian' }), held);
    return { table, sample, given };
  }
  // numbers, since the columns of a model need not have names
  const fixed = Object.entries(given).map(([name, value]) => {
    if (typeof value === 'number') return [names.indexOf(name), value] as const;
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected ${name}=value for --given with --scale ${scale}, got a range; ranges are those of --scale data`,
    );
  });
  const { rows: drawn, ...sample } = await copula.sampleConditional(Object.fromEntries(fixed), rows, {
    ...options,
    scale: scale === 'gaussian' ? 'gaussian' : 'copula',
    // nothing is lost between the model and the file
    dtype: 'float64',
  });
  const table = Table.fromMatrix({ ...drawn, names });
  return {
    table: withFixed(table, new Map(Object.entries(given))),
    sample: { ...sample, blockAcceptance: null },
    given,
  };
}
