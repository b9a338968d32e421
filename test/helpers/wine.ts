import { Table } from '../../lib';
import { normals } from './data';

/**
 * A table in the manner of the wine quality data: skewed and rounded measurements, columns of integers, one with many
 * zeros, one heavily tied, all depending on two common factors, not only linearly.
 */
export function wines(rows: number, seed: number): Table {
  const next = normals(seed);
  const names = [
    'fixed acidity',
    'citric acid',
    'residual sugar',
    'free sulfur dioxide',
    'density',
    'alcohol',
    'quality',
  ];
  const columns = names.map(() => new Float64Array(rows));
  const round = (x: number, digits: number): number => Number(x.toFixed(digits));
  for (let i = 0; i < rows; i++) {
    const ripe = next();
    const sour = next();
    const acidity = 8 * Math.exp(0.2 * (0.8 * sour + 0.6 * next()));
    const citric = Math.max(0, 0.25 + 0.15 * sour + 0.1 * next());
    const sugar = 2.2 * Math.exp(0.5 * (0.5 * ripe * Math.abs(ripe) + next()));
    const sulfur = Math.floor(15 * Math.exp(0.6 * (0.4 * ripe + 0.9 * next())));
    const alcohol = 9 + 1.2 * Math.log(1 + Math.exp(1.5 * ripe + 0.5 * next()));
    const weight =
      0.9967 + 0.0007 * (acidity - 8) + 0.0004 * (sugar - 2.2) - 0.0008 * (alcohol - 10) + 0.0006 * next();
    const quality = Math.min(8, Math.max(3, Math.round(5.6 + 0.5 * ripe - 0.2 * sour + 0.6 * next())));
    const row = [
      round(acidity, 1),
      round(citric, 2),
      round(sugar, 1),
      sulfur,
      weight,
      round(alcohol, 1),
      quality,
    ];
    row.forEach((value, j) => (columns[j]![i] = value));
  }
  return new Table(
    names,
    columns,
    names.map((name) => (name === 'quality' || name === 'free sulfur dioxide' ? 'integer' : 'float')),
  );
}

/** The probability that a score of the first kind is above one of the second, ties half. */
export function areaUnderCurve(positive: readonly number[], negative: readonly number[]): number {
  const all = [
    ...positive.map((score) => ({ score, one: 1 })),
    ...negative.map((score) => ({ score, one: 0 })),
  ];
  all.sort((a, b) => a.score - b.score);
  let sum = 0;
  for (let begin = 0; begin < all.length;) {
    let end = begin;
    while (end < all.length && all[end]!.score === all[begin]!.score) end++;
    const rank = (begin + 1 + end) / 2;
    for (let i = begin; i < end; i++) sum += all[i]!.one * rank;
    begin = end;
  }
  const [p, n] = [positive.length, negative.length];
  return (sum - (p * (p + 1)) / 2) / (p * n);
}

/**
 * How well two classifiers tell a sample from the data, as the area under their curves on rows they did not see: a
 * logistic regression on all products of two columns, and the share of data among the nearest neighbours.
 */
export function separation(data: Table, sample: Table): { logistic: number; neighbours: number } {
  const d = data.names.length;
  const mean = data.columns.map((x) => x.reduce((sum, value) => sum + value, 0) / x.length);
  const spread = data.columns.map((x, j) =>
    Math.sqrt(x.reduce((sum, value) => sum + (value - mean[j]!) ** 2, 0) / x.length),
  );
  const rowsOf = (table: Table, one: number): { x: Float64Array; one: number }[] =>
    Array.from({ length: table.rows }, (_, i) => ({
      one,
      x: Float64Array.from(table.columns, (column, j) => (column[i]! - mean[j]!) / spread[j]!),
    }));
  const even = <T>(rows: T[], odd: number): T[] => rows.filter((_, i) => i % 2 === odd);
  const [a, b] = [rowsOf(data, 1), rowsOf(sample, 0)];
  const train = [...even(a, 0), ...even(b, 0)];
  const test = [...even(a, 1), ...even(b, 1)];

  const features = (x: Float64Array): Float64Array => {
    const out = [1, ...x];
    for (let j = 0; j < d; j++)
      for (let k = 0; k <= j; k++) out.push(Math.max(-9, Math.min(9, x[j]! * x[k]!)) / 3);
    return Float64Array.from(out);
  };
  const inputs = train.map(({ x }) => features(x));
  const weights = new Float64Array(inputs[0]!.length);
  const dot = (x: Float64Array): number => {
    let sum = 0;
    for (let k = 0; k < x.length; k++) sum += x[k]! * weights[k]!;
    return sum;
  };
  for (let step = 0; step < 150; step++) {
    const gradient = new Float64Array(weights.length);
    inputs.forEach((x, i) => {
      const error = train[i]!.one - 1 / (1 + Math.exp(-dot(x)));
      for (let k = 0; k < x.length; k++) gradient[k]! += error * x[k]!;
    });
    for (let k = 0; k < weights.length; k++) weights[k]! += (0.3 * gradient[k]!) / inputs.length;
  }

  const nearest = (x: Float64Array): number => {
    const distances = train.map((row) => {
      let sum = 0;
      for (let j = 0; j < d; j++) sum += (x[j]! - row.x[j]!) ** 2;
      return { sum, one: row.one };
    });
    distances.sort((p, q) => p.sum - q.sum);
    return distances.slice(0, 25).reduce((sum, { one }) => sum + one, 0);
  };
  const judge = (score: (x: Float64Array) => number, rows: typeof test): number =>
    areaUnderCurve(
      rows.filter(({ one }) => one === 1).map(({ x }) => score(x)),
      rows.filter(({ one }) => one === 0).map(({ x }) => score(x)),
    );
  return {
    logistic: judge((x) => dot(features(x)), test),
    neighbours: judge(
      nearest,
      test.filter((_, i) => i % 3 === 0),
    ),
  };
}
