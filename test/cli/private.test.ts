import { readFile } from 'node:fs/promises';

import { FamilyCopula, Table, writeTable } from '../../lib';
import { TemporaryFolder } from '../data/support';
import { sklar, sklarFails, sklarJson } from './support';

const folder = new TemporaryFolder();
const n = 400;

async function tables(): Promise<{ train: string; held: string; data: Float64Array }> {
  const copula = new FamilyCopula('frank', { theta: 5 });
  const made = async (seed: number, file: string) => {
    const data = Float64Array.from((await copula.sample(n, { seed, dtype: 'float64' })).data);
    const table = Table.fromColumns({
      a: Array.from({ length: n }, (_, i) => data[2 * i]! + 1),
      b: Array.from({ length: n }, (_, i) => data[2 * i + 1]! ** 2),
      town: Array.from({ length: n }, (_, i) => (i % 90 === 7 ? `hamlet${i}` : i % 3 ? 'north' : 'south')),
    });
    await writeTable(table, folder.file(file));
    return { file: folder.file(file), data: table.column('a') };
  };
  const { file: train, data } = await made(1, 'train.csv');
  return { train, data, held: (await made(2, 'held.csv')).file };
}

test('fit --private, info, and compare --train', async () => {
  const { train, held, data } = await tables();
  const model = folder.file('private.safetensors');
  const fitted = await sklarJson(['fit', train, '--private', '--kind', 'gaussian', '--out', model]);
  const told = fitted.notes.filter(({ code }: { code: string }) => code === 'privacy');
  expect(told).toHaveLength(2);
  expect(told[0].message).toMatch(/^private: margins are made of means of at least 10 values/);
  expect(told[1].message).toMatch(/^column "town": \d labels of few rows, together \d+, are one, "other"$/);
  expect(fitted.holdout.impossible).toBeUndefined();
  const bytes = await readFile(model);
  expect(bytes.toString('latin1')).not.toContain('hamlet');
  const numbers = new Set(data);
  const stored: number[] = [];
  for (let at = bytes.length % 8; at + 8 <= bytes.length; at += 8) stored.push(bytes.readDoubleLE(at));
  expect(stored.filter((value) => numbers.has(value))).toEqual([]);
  const info = await sklar(['info', model]);
  expect(info.stdout).toContain('private: margins are made of means of at least 10 values');
  const wider = await sklarJson(['fit', train, '--private', 20, '--kind', 'gaussian', '--out', model]);
  expect(wider.notes.map(({ message }: { message: string }) => message).join()).toContain(
    'at least 20 values',
  );

  const sample = folder.file('sample.csv');
  await sklarJson(['sample', model, '--rows', n, '--out', sample]);
  const command = ['compare', held, sample, '--exclude', 'town', '--metrics', 'ks', '--train', train];
  const { closest } = await sklarJson(command);
  expect(closest.training).toBe(n);
  expect(closest.sample).toEqual({ rows: n, median: expect.any(Number), low: expect.any(Number), copies: 0 });
  expect(Math.abs(closest.nearer.value - 0.5)).toBeLessThan(4 * closest.nearer.standardError);
  const words = await sklar(command);
  expect(words.stdout).toContain('distance to the closest of 400 training rows');
  expect(words.stdout).toMatch(/copies of a training row +0 % +0 %/);
  // the training rows themselves
  const copied = await sklarJson(['compare', held, train, '--metrics', 'ks', '--train', train]);
  expect(copied.closest.sample.copies).toBe(1);
  expect(copied.closest.nearer.value).toBeGreaterThan(0.9);
});

test('what cannot be private is refused', async () => {
  const { train } = await tables();
  const out = folder.file('refused.safetensors');
  await sklarFails(
    ['fit', train, '--private', '--kind', 'empirical-beta', '--out', out],
    3,
    'ERR_SKLAR_VALUE',
    'for --private, got empirical-beta',
  );
  await sklarFails(['fit', train, '--private', 1, '--out', out], 3, 'ERR_SKLAR_VALUE', '--private');
  const config = folder.file('private.json', '{"private": true, "kind": "empirical-beta"}');
  await sklarFails(['fit', train, '--config', config, '--out', out], 3, 'ERR_SKLAR_VALUE', 'empirical-beta');
});
