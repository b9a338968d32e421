/** `sklar sample --given`: rows given the values of some columns. */
import type { Copula } from '../../copulas/copula';
import type { ConditionalOptions } from '../../copulas/fields/smc';
import { Table, defaultNames, listNames } from '../../data/table';
import { SklarError, describe, expectNumber } from '../../errors';
import { type BlockSample, sampleGivenBlocks } from '../../joint/block-sample';
import { conditionOf, describeBlocks, withFixed } from '../../joint/fixed';
import { JointDistribution } from '../../joint/joint';
import { Margins } from '../../margins/margins';
import { numberOrText, quotedName } from '../terminal/values';

/** `name=value` pairs between commas; names are looked up, since they may hold commas themselves, or in quotes as in CSV. */
export function parsePairs(
  texts: readonly string[],
  names: readonly string[],
  option: string,
): Map<string, string> {
  const pairs = new Map<string, string>();
  const longestFirst = [...names].sort((a, b) => b.length - a.length);
  for (const text of texts) {
    let rest = text.trimStart();
    while (rest !== '') {
      const quoted = quotedName(rest);
      const plain = longestFirst.find((candidate) => rest.startsWith(`${candidate}=`));
      const name = plain ?? (quoted?.rest.startsWith('=') ? quoted.name : undefined);
      if (name === undefined || !names.includes(name)) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected column=value for ${option} with a column of ${listNames(names)}, got ${describe(rest)}`,
        );
      }
      if (pairs.has(name)) {
        throw new SklarError(
          'ERR_SKLAR_VALUE',
          `expected every column once for ${option}, got ${describe(name)} again`,
        );
      }
      const after = plain === undefined ? quoted!.rest.slice(1) : rest.slice(name.length + 1);
      const [value = '', ...others] = after.split(',');
      pairs.set(name, value.trim());
      rest = others.join(',').trimStart();
    }
  }
  return pairs;
}

function parseGiven(texts: readonly string[], names: readonly string[]): Map<string, number> {
  const pairs = Array.from(
    parsePairs(texts, names, '--given'),
    ([name, value]) => [name, expectNumber(numberOrText(value), `${describe(name)} of --given`)] as const,
  );
  return new Map(pairs);
}

/** Numbers of columns of numbers; what other columns hold is for them to read. */
function parseCells(texts: readonly string[], margins: Margins): Record<string, number | string> {
  return Object.fromEntries(
    Array.from(parsePairs(texts, margins.names, '--given'), ([name, value]) => {
      const { type } = margins.columnTypes[margins.names.indexOf(name)]!;
      const numeric = type === 'number' || type === 'integer';
      return [
        name,
        numeric ? expectNumber(numberOrText(value), `${describe(name)} of --given`) : value,
      ] as const;
    }),
  );
}

export interface GivenSample {
  readonly table: Table;
  readonly sample: Omit<BlockSample, 'rows'>;
  readonly given: Readonly<Record<string, number | string>>;
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
    const cells = parseCells(texts, onData);
    const { table, ...sample } = await new JointDistribution(copula, onData).sampleConditional(
      cells,
      rows,
      options,
    );
    return { table, sample, given: cells };
  }
  const given = parseGiven(texts, names);
  if (onData) {
    const condition = await conditionOf(given, onData);
    const { rows: drawn, ...sample } = await sampleGivenBlocks(copula, condition, rows, options, () =>
      describeBlocks(given, condition),
    );
    const table = withFixed(await onData.inverse(drawn, { scale: 'gaussian' }), given);
    return { table, sample, given: Object.fromEntries(given) };
  }
  // numbers, since the columns of a model need not have names
  const fixed = Object.fromEntries(Array.from(given, ([name, value]) => [names.indexOf(name), value]));
  const { rows: drawn, ...sample } = await copula.sampleConditional(fixed, rows, {
    ...options,
    scale: scale === 'gaussian' ? 'gaussian' : 'copula',
    // nothing is lost between the model and the file
    dtype: 'float64',
  });
  const table = Table.fromMatrix({ ...drawn, names });
  return {
    table: withFixed(table, given),
    sample: { ...sample, blockAcceptance: null },
    given: Object.fromEntries(given),
  };
}
