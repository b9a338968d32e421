/** Models that version 0.1.0 saved load, and say what they said then. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { loadModel } from '../../lib';

interface Expected {
  probe: number[][];
  models: Record<string, { kind: string; sample: number[]; logPdf: number[] | null }>;
}

const folder = path.join(__dirname, '..', 'fixtures', 'models-0.1.0');
const { probe, models } = JSON.parse(readFileSync(path.join(folder, 'expected.json'), 'utf8')) as Expected;

/** float32 networks differ in their last digits between instruction sets. */
const NEAR = 2e-4;

test.each(Object.entries(models))('%s', async (name, { kind, sample, logPdf }) => {
  const copula = await loadModel(path.join(folder, `${name}.safetensors`));
  expect(copula.kind).toBe(kind);
  const drawn = await copula.sample(3, { seed: 5, dtype: 'float64' });
  sample.forEach((value, i) => expect(Math.abs(drawn.data[i]! - value)).toBeLessThan(NEAR));
  if (logPdf === null) return;
  const density = await copula.logPdf(probe);
  logPdf.forEach((value, i) => expect(Math.abs(density[i]! - value)).toBeLessThan(NEAR));
});
