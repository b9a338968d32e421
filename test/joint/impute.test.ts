/** Missing cells drawn given the others, beside laws that are known. */
import {
  type Copula,
  EnsembleCopula,
  FamilyCopula,
  GaussianCopula,
  JointDistribution,
  Margins,
  StudentCopula,
  Table,
  fitJoint,
  normalCdf,
  readTable,
  stackImputations,
  writeTable,
} from '../../lib';
import { Generator } from '../../lib/data/random';
import { sklar } from '../cli/support';
import { TemporaryFolder } from '../data/support';

const folder = new TemporaryFolder();
const generator = new Generator(3);
const uniform = () => (generator.next() + 0.5) / 2 ** 32;
const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b, 0) / values.length;
const deviation = (values: ArrayLike<number>) => {
  const m = mean(values);
  return Math.sqrt(mean(Array.from(values, (value) => (value - m) ** 2)));
};

const R = Float64Array.of(1, 0.7, 0.5, 0.7, 1, 0.3, 0.5, 0.3, 1);

/** Columns with standard normal margins, so that values are scores. */
async function normal(copula: Copula): Promise<JointDistribution> {
  const z = await new GaussianCopula(R, 3).sample(20_000, { scale: 'gaussian', dtype: 'float64' });
  const table = Table.fromMatrix({ ...z, names: ['a', 'b', 'c'] });
  return new JointDistribution(copula, await Margins.fit(table, { margins: 'normal' }));
}

const missing = (length: number) => new Float64Array(length).fill(NaN);

describe('a Gaussian copula', () => {
  test('has the conditional law that regression has', async () => {
    const joint = await normal(new GaussianCopula(R, 3));
    const table = Table.fromColumns({ a: missing(1), b: Float64Array.of(1.2), c: Float64Array.of(-0.5) });
    const { tables, rows, effectiveSampleSize } = await joint.impute(table, { draws: 1000 });
    // R_ab R_bb^-1, by hand
    const [wb, wc] = [(0.7 - 0.5 * 0.3) / (1 - 0.09), (0.5 - 0.7 * 0.3) / (1 - 0.09)];
    const drawn = tables.map((one) => one.column('a')[0]!);
    expect(rows).toBe(1);
    expect(effectiveSampleSize).toBeNull();
    const sd = Math.sqrt(1 - wb * 0.7 - wc * 0.5);
    expect(Math.abs(mean(drawn) - (1.2 * wb - 0.5 * wc))).toBeLessThan((4 * sd) / Math.sqrt(1000));
    expect(Math.abs(deviation(drawn) - sd)).toBeLessThan(0.05);
  });
});

/** The sum over a grid of what a density says of the first column given a cell of the second. */
async function onGrid(
  copula: Copula,
  given: (z: number) => boolean,
  level: number | null,
): Promise<{ mean: number; deviation: number }> {
  const grid = Array.from({ length: 201 }, (_, k) => -5 + k / 20);
  const others = level === null ? grid.filter(given) : [level];
  const rows = grid.flatMap((x) => others.map((y) => [x, y]));
  const log = await copula.logPdf(rows, { scale: 'gaussian' });
  const weight = rows.map(([x, y], i) => Math.exp(log[i]! - (x! ** 2 + y! ** 2) / 2));
  const total = weight.reduce((a, b) => a + b, 0);
  const first = weight.reduce((sum, w, i) => sum + w * rows[i]![0]!, 0) / total;
  const second = weight.reduce((sum, w, i) => sum + w * rows[i]![0]! ** 2, 0) / total;
  return { mean: first, deviation: Math.sqrt(second - first ** 2) };
}

describe.each([
  ['clayton', new FamilyCopula('clayton', { theta: 4 })],
  ['student', new StudentCopula(Float64Array.of(1, 0.6, 0.6, 1), 2, 2)],
  ['gumbel, turned', new FamilyCopula('gumbel', { theta: 3 }, { rotation: 90 })],
  [
    'mixture',
    new EnsembleCopula([
      new FamilyCopula('clayton', { theta: 5 }),
      new FamilyCopula('clayton', { theta: 1 }),
    ]),
  ],
] as const)('%s', (_, copula) => {
  test.each([-2.5, 0.3, 2])('given a level, %d', async (level) => {
    const names = ['a', 'b'];
    const z = await new GaussianCopula(Float64Array.of(1, 0, 0, 1), 2).sample(5000, { scale: 'gaussian' });
    const margins = await Margins.fit(Table.fromMatrix({ ...z, names }), { margins: 'normal' });
    const joint = new JointDistribution(copula, margins);
    const rows = 40;
    const score = margins.margin('b').quantile(normalCdf(Float64Array.of(level)))[0]!;
    const table = new Table(names, [missing(rows), new Float64Array(rows).fill(score)]);
    const { tables } = await joint.impute(table, { draws: 50, particles: 512 });
    const u = await margins.transform(stackImputations(tables), { scale: 'gaussian' });
    const drawn = Array.from({ length: u.rows }, (_, i) => u.data[2 * i]!);
    const exact = await onGrid(copula, () => true, level);
    expect(Math.abs(mean(drawn) - exact.mean)).toBeLessThan(0.12 * exact.deviation);
    expect(Math.abs(deviation(drawn) / exact.deviation - 1)).toBeLessThan(0.1);
  });
});

test('a flag that is given stands for its block', async () => {
  const copula = new FamilyCopula('clayton', { theta: 3 });
  const { data, rows } = await copula.sample(4000, { dtype: 'float64', scale: 'gaussian', seed: 2 });
  const x = Float64Array.from({ length: rows }, (_, i) => data[2 * i]!);
  const flag = Array.from({ length: rows }, (_, i) => data[2 * i + 1]! > 0.8);
  const data2 = Table.fromColumns({ x, flag });
  const margins = await Margins.fit(data2);
  const joint = new JointDistribution(copula, margins);
  const many = 200;
  const table = Table.fromColumns({
    x: [...new Array<null>(many).fill(null), 0],
    flag: [...new Array<boolean>(many).fill(true), false],
  });
  const { tables } = await joint.impute(table, { draws: 20 });
  const drawn = tables.flatMap((one) => Array.from(one.column('x').subarray(0, many)));
  const own = Array.from(x).filter((_, i) => flag[i]);
  expect(Math.abs(mean(drawn) - mean(own))).toBeLessThan(0.07);
  expect(Math.abs(deviation(drawn) - deviation(own))).toBeLessThan(0.07);
  // and the flag given the value
  const back = Table.fromColumns({ x: [-1.5, 0, 1.5, 0], flag: [null, null, null, true] });
  const flags = await joint.impute(back, { draws: 500 });
  const share = (row: number) => mean(flags.tables.map((one) => one.column('flag')[row]!));
  const edge = margins.margin('flag').cdf(Float64Array.of(0))[0]!;
  const u = margins.margin('x').cdf(Float64Array.of(-1.5, 0, 1.5));
  const above = await copula.hfunc1(Array.from(u, (level) => [level, edge]));
  for (let row = 0; row < 3; row++) {
    expect(Math.abs(share(row) - (1 - above[row]!))).toBeLessThan(0.07);
  }
  expect(flags.columns[0]).toMatchObject({ name: 'flag', cells: 3, mean: null });
});

describe('a table of many types', () => {
  const ROWS = 300;
  const each = <T>(make: (i: number) => T) => Array.from({ length: ROWS }, (_, i) => make(i));
  const cents = (value: number) => Math.round(100 * value) / 100;

  /** Rows, and the same with a quarter of the cells missing. */
  async function orders() {
    const z = await new GaussianCopula(R, 3).sample(ROWS, { scale: 'gaussian', dtype: 'float64', seed: 8 });
    const score = (i: number, j: number) => z.data[3 * i + j]!;
    const count = each((i) => Math.max(0, Math.round(1.5 * score(i, 0))));
    const net = each((i) => (count[i] === 0 ? 0 : cents(Math.exp(3 + score(i, 1)))));
    const city = each(() => ['Bonn', 'Kiel', 'Lyon', 'Nice', 'Graz'][Math.floor(5 * uniform())]!);
    const countries: Record<string, string> = { Bonn: 'DE', Kiel: 'DE', Lyon: 'FR', Nice: 'FR', Graz: 'AT' };
    const columns = {
      id: each((i) => `A-${1000 + i}`),
      count,
      net,
      gross: net.map((value) => cents(1.19 * value)),
      size: each((i) => ['small', 'medium', 'large'][score(i, 2) < -0.5 ? 0 : score(i, 2) < 0.7 ? 1 : 2]!),
      when: each((i) => new Date(Date.UTC(2020, 0, 100 + Math.round(60 * score(i, 2) + 40 * uniform())))),
      open: each((i) => score(i, 0) > 0.3),
      city,
      country: city.map((name) => countries[name]!),
      unit: each(() => 'EUR'),
    };
    const holes = each(() => Object.keys(columns).filter(() => uniform() < 0.25));
    const some = Object.entries(columns).map(
      ([name, cells]) =>
        [
          name,
          (cells as unknown[]).map((cell, i) => (holes[i]!.includes(name) ? null : cell)) as string[],
        ] as const,
    );
    return { whole: Table.fromColumns(columns), table: Table.fromColumns(some) };
  }

  test('cells that are there stay, rules and formulas hold in the others, through files', async () => {
    const { whole, table } = await orders();
    const [data, holes, model, out] = ['whole.csv', 'holes.csv', 'm.safetensors', 'full.csv'].map((name) =>
      folder.file(name),
    ) as [string, string, string, string];
    await writeTable(whole, data);
    await writeTable(table, holes);
    expect(await sklar(['fit', data, '--kind', 'gaussian', '--out', model])).toMatchObject({ stderr: '' });
    const { status, stdout } = await sklar(['impute', model, holes, '--out', out, '--draws', 3, '--json']);
    expect(status).toBe(0);
    const result = JSON.parse(stdout) as {
      columns: { name: string; cells: number }[];
      notes: { message: string }[];
    };
    expect(result.notes.map(({ message }) => message)).toContain(
      'column "id": names rows, which nothing tells: its missing cells stay missing',
    );
    const before = await readTable(holes);
    const after = await readTable(out);
    expect(after.names).toEqual(['imputation', ...before.names]);
    expect(after.rows).toBe(3 * ROWS);
    const missing = (name: string) =>
      each((i) => before.text(name, i)).filter((cell) => cell === null).length;
    for (const { name, cells } of result.columns) expect([name, cells]).toEqual([name, missing(name)]);
    const countries = new Map(each((i) => [whole.text('city', i), whole.text('country', i)] as const));
    for (let i = 0; i < after.rows; i++) {
      const row = i % ROWS;
      expect(after.column('imputation')[i]).toBe(1 + Math.floor(i / ROWS));
      for (const name of before.names) {
        const cell = before.text(name, row);
        if (cell !== null) expect(after.text(name, i)).toBe(cell);
        else expect(after.text(name, i) === null).toBe(name === 'id');
      }
      const [count, net, gross] = ['count', 'net', 'gross'].map((name) => after.column(name)[i]!);
      expect(count === 0).toBe(net === 0);
      expect(Math.abs(gross! - 1.19 * net!)).toBeLessThan(0.00501);
      expect(after.text('country', i)).toBe(countries.get(after.text('city', i)));
      expect(after.text('unit', i)).toBe('EUR');
    }
    // a gross that is there says what the net was
    const known = each((i) => i).filter(
      (i) => before.text('net', i) === null && before.text('gross', i) !== null,
    );
    expect(known.length).toBeGreaterThan(25);
    for (const i of known)
      expect(Math.abs(after.column('net')[i]! - whole.column('net')[i]!)).toBeLessThan(0.011);
    // one draw is the table itself, filled
    const one = await sklar(['impute', model, holes, '--out', folder.file('one.parquet')]);
    expect(one.stdout).toContain('one draw does not show how uncertain it is');
    expect((await readTable(folder.file('one.parquet'))).names).toEqual(before.names);
  });

  test('draws do not depend on the other rows, nor on threads', async () => {
    const { whole, table } = await orders();
    const joint = await fitJoint(whole, { copula: { kind: 'clayton' } });
    const all = await joint.impute(table, { draws: 2, seed: 5, particles: 32 });
    const again = await joint.impute(table, { draws: 2, seed: 5, particles: 32, threads: 1 });
    expect(again.tables.map(({ columns }) => columns)).toEqual(all.tables.map(({ columns }) => columns));
    const part = await joint.impute(table.take(each((i) => i).slice(0, 50)), {
      draws: 2,
      seed: 5,
      particles: 32,
    });
    for (const name of table.names) {
      for (let i = 0; i < 50; i++) expect(part.tables[1]!.text(name, i)).toBe(all.tables[1]!.text(name, i));
    }
  });

  test('what cannot be is told', async () => {
    const { whole, table } = await orders();
    const joint = await fitJoint(whole, { copula: { kind: 'gaussian' } });
    await expect(joint.impute(table.exclude(['size']))).rejects.toThrow('none called "size"');
    await expect(joint.impute(table, { draws: 0 })).rejects.toThrow('draws');
    await expect(joint.impute(table, { steps: 3 } as object)).rejects.toThrow('steps');
    const strange = Table.fromColumns(
      [
        ...whole.names.map((name) => [name, [whole.text(name, 0)]] as const),
        ['size', ['huge']],
        ['when', [null]],
        ['remark', [null]],
      ].filter(([name], k, pairs) => k === pairs.findLastIndex(([other]) => other === name)) as [
        string,
        string[],
      ][],
    );
    const { tables, notes } = await joint.impute(strange);
    expect(tables[0]!.text('size', 0)).toBe('huge');
    expect(tables[0]!.text('when', 0)).not.toBeNull();
    expect(notes.map(({ message }) => message)).toEqual([
      'column "size": 1 cell holds what the model has not seen: nothing was drawn given it',
      'column "remark": the model does not have it: its missing cells stay missing',
    ]);
    await expect(sklar(['impute', 'none.safetensors', 'none.csv', '--out', 'x.csv'])).resolves.toMatchObject({
      status: 4,
    });
  });
});

test('Rubin: the fraction of missing information of a mean', async () => {
  const rows = 4000;
  const { data } = await new GaussianCopula(R, 3).sample(rows, {
    scale: 'gaussian',
    dtype: 'float64',
    seed: 12,
  });
  const full = Table.fromMatrix({ data, rows, columns: 3, names: ['a', 'b', 'c'] });
  const holes = full.columns.map((values, j) =>
    j === 0 ? values.map((x) => (uniform() < 0.4 ? NaN : x)) : values,
  );
  const joint = await fitJoint(full, { copula: { kind: 'gaussian' }, margins: 'normal' });
  const { columns } = await joint.impute(new Table(full.names, holes), { draws: 200 });
  // R^2 of a given b and c: 40 % of the cells are missing, of each the part 1 - R^2
  const explained = (0.49 + 0.25 - 2 * 0.7 * 0.5 * 0.3) / (1 - 0.09);
  const [summary] = columns;
  expect(summary).toMatchObject({ name: 'a', agreement: null });
  expect(Math.abs(summary!.cellDeviation! - Math.sqrt(1 - explained))).toBeLessThan(0.03);
  // parameters that are known: the variance between draws is that of the missing part of the mean alone
  const between = Math.sqrt((0.4 * (1 - explained)) / rows);
  expect(Math.abs(summary!.betweenDeviation! / between - 1)).toBeLessThan(0.25);
});

describe('networks', () => {
  const law = new FamilyCopula('clayton', { theta: 2 }, { dim: 3 });
  const holes = async () => {
    const { data } = await law.sample(200, { scale: 'gaussian', dtype: 'float64' });
    const column = (j: number) =>
      Float64Array.from({ length: 200 }, (_, i) => (j > 0 && uniform() < 0.2 ? NaN : data[3 * i + j]!));
    return new Table(['a', 'b', 'c'], [column(0), column(1), column(2)]);
  };

  test.each([
    { kind: 'cdc', hidden: 8, depth: 1, steps: 20 },
    { kind: 'flow', hidden: 8, depth: 1, steps: 20 },
    { kind: 'reflection', hidden: 8, depth: 1, steps: 20 },
  ] as const)('$kind', async (copula) => {
    const table = await holes();
    const joint = await fitJoint(table, { copula });
    const some = table.take(Array.from({ length: 20 }, (_, i) => i));
    const seen: number[] = [];
    const { tables, effectiveSampleSize, rows } = await joint.impute(some, {
      draws: 2,
      particles: 16,
      onProgress: ({ rowsDone }) => seen.push(rowsDone),
    });
    expect(seen.at(-1)).toBe(rows);
    expect(tables.flatMap(({ columns }) => columns.filter((values) => values.some(Number.isNaN)))).toEqual(
      [],
    );
    expect(tables[0]!.column('a')).toEqual(some.column('a'));
    expect(effectiveSampleSize!.least).toBeGreaterThanOrEqual(1);
    const again = await joint.impute(some, { draws: 2, particles: 16, threads: 1 });
    expect(again.tables.map(({ columns }) => columns)).toEqual(tables.map(({ columns }) => columns));
  });

  test('one without a density is refused', async () => {
    const table = await holes();
    const published = { network: 'published', weighting: 'published', hidden: 8, steps: 5 } as const;
    const joint = await fitJoint(table, { copula: { kind: 'reflection', ...published } });
    await expect(joint.impute(table)).rejects.toThrow(
      'expected a copula with a density to draw missing cells, got a reflection one without',
    );
  });
});

test('means and deviations of the greatest numbers are finite', async () => {
  const generator = new Generator(3);
  const uniform = () => (generator.next() + 0.5) / 2 ** 32;
  const x = Array.from({ length: 80 }, uniform);
  const table = Table.fromColumns({
    far: x.map((value, i) => (i % 4 === 0 ? null : (2 * value - 1) * 1.7e308)),
    near: x.map((value) => value + 0.1 * uniform()),
  });
  using joint = await fitJoint(table, { copula: { kind: 'gaussian' } });
  const one = await joint.impute(table);
  expect(Number.isFinite(one.columns[0]!.mean)).toBe(true);
  const { columns } = await joint.impute(table, { draws: 3 });
  const { mean, standardError, betweenDeviation, cellDeviation } = columns[0]!;
  expect([mean, standardError, betweenDeviation, cellDeviation].every(Number.isFinite)).toBe(true);
  expect(cellDeviation).toBeGreaterThan(1e305);
});

test('rules of computed columns hold in rows with drawn cells', async () => {
  const rows = 400;
  const each = (make: (i: number) => number) => Float64Array.from({ length: rows }, (_, i) => make(i));
  const cents = (value: number) => Math.round(100 * value) / 100;
  const pieces = each(() => 1 + Math.floor(6 * uniform()));
  const price = each(() => cents(5 + 40 * uniform()));
  const net = pieces.map((count, i) => cents(count * price[i]!));
  const refund = net.map((value) => (uniform() < 0.3 ? 0 : cents(value * uniform())));
  const joint = await fitJoint(Table.fromColumns({ pieces, price, net, refund }), {
    copula: { kind: 'gaussian' },
  });
  expect(joint.schema.rules).toContainEqual({ lower: 'refund', upper: 'net' });
  const holes = Table.fromColumns({
    pieces: pieces.map((value, i) => (i % 4 === 1 ? NaN : value)),
    price,
    net: net.map((value, i) => (i % 4 === 1 ? NaN : value)),
    refund: refund.map((value, i) => (i % 4 === 0 ? NaN : value)),
  });
  const { tables } = await joint.impute(holes, { draws: 3 });
  for (const full of tables) {
    const column = full.column('net');
    expect(full.column('refund').every((value, i) => value <= column[i]!)).toBe(true);
    // what is given stays
    expect(full.column('price')).toEqual(price);
  }
});
