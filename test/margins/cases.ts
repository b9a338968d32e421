import { readFileSync } from 'node:fs';
import path from 'node:path';

import type { Margin } from '../../lib';
import { uniforms } from '../helpers/data';

const folder = path.join(__dirname, '..', 'fixtures', 'cases');

/** A column of a small CSV file of numbers. */
export function csvColumn(file: string, name: string): Float64Array {
  const [header, ...rows] = readFileSync(path.join(folder, file), 'utf8').trim().split('\n');
  const j = header!.split(',').indexOf(name);
  return Float64Array.from(rows, (row) => Number(row.split(',')[j]));
}

export function jsonColumn(file: string): Float64Array {
  return Float64Array.from(JSON.parse(readFileSync(path.join(folder, file), 'utf8')) as number[]);
}

const LEVELS = [
  0.001,
  0.002,
  0.005,
  0.01,
  0.02,
  0.05,
  ...Array.from({ length: 9 }, (_, k) => (k + 1) / 10),
].flatMap((p) => [p, 1 - p]);

/**
 * What is wrong about quantiles of 20,000 draws from a margin: those that leave the band of the data's order statistics whose
 * ranks are n p within three standard deviations, of data and draws together.
 */
export function outsideBands(margin: Margin, x: Float64Array, seed = 1): string[] {
  const draws = 20_000;
  const next = uniforms(seed);
  const drawn = margin.quantile(Float64Array.from({ length: draws }, next)).sort();
  const data = x.slice().sort();
  const n = data.length;
  return LEVELS.flatMap((p) => {
    const width = 3 * n * Math.sqrt(p * (1 - p) * (1 / n + 1 / draws));
    const [from, to] = [Math.floor(p * n - width - 1), Math.ceil(p * n + width + 1)];
    const value = drawn[Math.min(draws - 1, Math.floor(p * draws))]!;
    const low = from >= 1 && value < data[from - 1]!;
    const high = to <= n && value > data[to - 1]!;
    return low || high || !Number.isFinite(value) ? [`${p}: ${value}`] : [];
  });
}
