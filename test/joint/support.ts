import { type ColumnKind, type Copula, JointDistribution, type MarginJson, Margins } from '../../lib';

export interface TestColumn {
  readonly name: string;
  readonly kind?: ColumnKind;
  readonly margin: MarginJson;
}

export const law = (name: string, parameters: Record<string, number>): MarginJson => ({
  name,
  support: [null, null],
  parameters,
  arrays: {},
  parts: {},
});

/** A joint distribution with margins that were not fitted. */
export function jointOf(copula: Copula, columns: readonly TestColumn[], rows = 1000): JointDistribution {
  const tensors: Record<string, Float64Array> = {};
  const withoutArrays = (margin: MarginJson, prefix: string): unknown => {
    for (const [key, data] of Object.entries(margin.arrays)) tensors[prefix + key] = Float64Array.from(data);
    const parts = Object.entries(margin.parts).map(
      ([part, inner]) => [part, withoutArrays(inner, `${prefix}${part}.`)] as const,
    );
    return { ...margin, arrays: {}, parts: Object.fromEntries(parts) };
  };
  const meta = {
    type: 'margins',
    ties: 'random',
    seed: '0',
    rows,
    columns: columns.map(({ name, kind = 'float', margin }, j) => ({
      name,
      kind,
      margin: withoutArrays(margin, `${j}.`),
    })),
  };
  return new JointDistribution(copula, Margins.fromTensors(meta, tensors));
}

export const mean = (x: ArrayLike<number>): number =>
  Array.from(x).reduce((sum, value) => sum + value, 0) / x.length;
