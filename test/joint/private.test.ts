/** Models that hold no values of the rows that they were learned from (docs/mathematics.md, N.6). */
import { readFile } from 'node:fs/promises';

import { type CopulaSpec, Table, fitJoint, loadJoint } from '../../lib';
import { Generator } from '../../lib/data/random';
import { readSafetensors } from '../../lib/model/safetensors';
import { normalNumbers } from '../data/series';
import { TemporaryFolder } from '../data/support';

const folder = new TemporaryFolder();
const n = 600;
const least = 10;

/** Two continuous columns, zeros beside one, counts, and labels of which some are rare. */
function mixedTable(): Table {
  const generator = new Generator(8);
  const [a, b, c, e] = [0, 1, 2, 3].map(() => normalNumbers(generator, n)) as [
    Float64Array,
    Float64Array,
    Float64Array,
    Float64Array,
  ];
  return Table.fromColumns({
    a: a.map((x) => 3 + x),
    heavy: b.map((x, i) => Math.exp(1.5 * x + 0.5 * a[i]!)),
    rain: c.map((x, i) => (x < -0.3 ? 0 : Math.abs(x + a[i]!))),
    visits: Int32Array.from(e, (x) => Math.floor(Math.exp(1 + 0.7 * x))),
    town: Array.from(e, (x, i) =>
      x > 2.2 ? `hamlet ${i}` : x > 0.4 ? 'north' : x > -0.5 ? 'south' : 'west',
    ),
    flag: Array.from(a, (x) => x > 2.6),
    rare: Array.from(a, (x) => (x > 2.6 ? 77.25 : 1.5)),
    size: Array.from({ length: n }, () => 12.5),
  });
}

/** All numbers in a file: of its tensors and of its JSON. */
async function numbersIn(file: string): Promise<number[]> {
  const { metadata, tensors } = await readSafetensors(file);
  const found: number[] = [];
  const walk = (value: unknown): void => {
    if (typeof value === 'number') found.push(value);
    else if (Array.isArray(value)) value.forEach(walk);
    else if (typeof value === 'object' && value !== null) Object.values(value).forEach(walk);
    else if (typeof value === 'string') {
      for (const text of value.match(/-?\d+(?:\.\d+)?(?:e[+-]?\d+)?/gi) ?? []) found.push(Number(text));
    }
  };
  for (const text of Object.values(metadata)) {
    try {
      walk(JSON.parse(text));
    } catch {
      walk(text);
    }
  }
  for (const { data } of tensors.values()) for (const value of data) found.push(Number(value));
  return found;
}

const isContinuous = (name: string) => name === 'a' || name === 'heavy' || name === 'rain';

/** Throws where a number of the file is a value of a continuous column that fewer than 10 rows have, in either precision. */
async function expectNone(file: string, table: Table): Promise<void> {
  const secret = new Set<number>();
  for (const name of table.names.filter(isContinuous)) {
    const values = table.column(name);
    for (const value of values) {
      if (values.filter((other) => other === value).length >= least) continue;
      for (const form of [value, Math.fround(value), -value]) secret.add(form);
    }
  }
  const found = await numbersIn(file);
  expect(found.length).toBeGreaterThan(10);
  expect(found.filter((value) => secret.has(value))).toEqual([]);
  // an end of a column, written with fewer digits, is one too
  const ends = table.names.filter(isContinuous).flatMap((name) => {
    const sorted = table.column(name).slice().sort();
    return [sorted[0]!, sorted.at(-1)!].filter((end) => end !== 0);
  });
  for (const end of ends) {
    expect(found.filter((value) => Math.abs(value - end) < 1e-6 * Math.abs(end))).toEqual([]);
  }
}

const gaussian: CopulaSpec = { kind: 'gaussian' };

test.each(['auto', 'empirical', 'kde', 'gpd', 'parametric'] as const)(
  'no value of a single row is in the file, margins %s',
  async (margins) => {
    const table = mixedTable();
    const joint = await fitJoint(table, { copula: gaussian, margins, private: true });
    const file = folder.file(`${margins}.safetensors`);
    await joint.save(file);
    await expectNone(file, table);
    const bytes = (await readFile(file)).toString('latin1');
    expect(bytes).not.toContain('hamlet');
    expect(bytes).not.toContain('77.25');
    const again = await loadJoint(file);
    expect(again.notes[0]!.code).toBe('privacy');
    expect(again.notes[0]!.message).toContain('means of at least 10 values');
    expect(again.schema.privateRows).toBe(10);
    // rows have all columns, and labels that many rows had
    const sample = await again.sample(300, { seed: 2 });
    expect(sample.names).toEqual(table.names);
    const towns = new Set(Array.from({ length: 300 }, (_, i) => sample.text('town', i)));
    expect(towns.has('north') && towns.has('south')).toBe(true);
    expect(new Set(sample.column('rare'))).toEqual(new Set([1.5]));
    // a label that the model does not know is one of the rare ones
    expect((await again.logPdf(table)).filter(Number.isFinite).length).toBeGreaterThan(0.98 * n);
  },
);

test('without private they are', async () => {
  const table = mixedTable();
  const file = folder.file('public.safetensors');
  await (await fitJoint(table, { copula: gaussian, margins: 'empirical' })).save(file);
  await expect(expectNone(file, table)).rejects.toThrow();
});

test('margins are within 1.5 blocks of the data', async () => {
  const table = mixedTable();
  for (const wanted of [5, 10, 30]) {
    const { margins } = await fitJoint(table, { copula: gaussian, margins: 'empirical', private: wanted });
    for (const name of ['a', 'heavy']) {
      const sorted = table.column(name).slice().sort();
      const f = margins.margin(name).cdf(sorted);
      const most = f.reduce((far, p, i) => Math.max(far, Math.abs(p - (i + 0.5) / n)), 0);
      expect(most).toBeLessThan((1.5 * wanted + 2) / n);
    }
  }
});

test('dependence is that of the rows', async () => {
  const table = mixedTable().select(['a', 'heavy', 'rain']);
  const { copula } = await fitJoint(table, { copula: gaussian, private: true });
  const plain = await fitJoint(table, { copula: gaussian });
  expect(copula.info().training).toEqual(plain.copula.info().training);
});

test('weights, few rows and missing cells', async () => {
  const table = mixedTable();
  const weights = Float64Array.from({ length: n }, (_, i) => 1 + (i % 3));
  const joint = await fitJoint(table, { copula: gaussian, margins: 'empirical', private: true, weights });
  const times = Array.from(weights, (weight, i) => Array.from({ length: weight }, () => i)).flat();
  const sorted = Float64Array.from(times, (i) => table.column('a')[i]!).sort();
  const f = joint.margins.margin('a').cdf(sorted);
  expect(f.reduce((far, p, i) => Math.max(far, Math.abs(p - (i + 0.5) / times.length)), 0)).toBeLessThan(
    0.05,
  );

  const few = table.select(['a', 'heavy']).take(Array.from({ length: 24 }, (_, i) => i));
  const file = folder.file('few.safetensors');
  await (await fitJoint(few, { copula: gaussian, private: true })).save(file);
  await expectNone(file, few);
  const fewer = few.take(Array.from({ length: 9 }, (_, i) => i));
  await expect(fitJoint(fewer, { copula: gaussian, private: true })).rejects.toThrow(
    'expected at least 10 rows that are not missing for the private margin of column "a", got 9',
  );
  const holes = new Table(
    ['a', 'heavy'],
    [table.column('a').map((x, i) => (i % 7 === 0 ? NaN : x)), table.column('heavy')],
  );
  const other = folder.file('holes.safetensors');
  await (await fitJoint(holes, { copula: gaussian, private: true })).save(other);
  await expectNone(other, holes);
});

test('a learned kind, and what is refused', async () => {
  const table = mixedTable();
  const file = folder.file('cdc.safetensors');
  const checkpoint = folder.file('state.safetensors');
  const copula: CopulaSpec = { kind: 'cdc', hidden: 8, depth: 1, levels: 4, steps: 5, batch: 16 };
  await (
    await fitJoint(table, {
      copula,
      private: true,
      checkpoint,
      keepCheckpoint: true,
      checkpointSeconds: 1e-3,
    })
  ).save(file);
  await expectNone(file, table);
  await expectNone(checkpoint, table);
  await expect(fitJoint(table, { copula: { kind: 'empirical-beta' }, private: true })).rejects.toThrow(
    'expected a kind that keeps no rows of the data for private, got empirical-beta',
  );
  await expect(fitJoint(table, { copula: gaussian, private: 1 })).rejects.toThrow(
    'between 2 and 30 for private',
  );
});
