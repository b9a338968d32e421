import {
  type Copula,
  type JointDistribution,
  Margins,
  type Matrix,
  PseudoObservations,
  type ReportNumbers,
  type ReportOptions,
  Table,
  fitCopula,
  fitEnsemble,
  fitJoint,
  kendall,
  meanOf,
  report,
  reportSections,
  toRows,
} from '../../lib';
import { HOSTILE_NAMES, sklarError } from '../data/support';
import { Generator } from '../../lib/data/random';
import { copulaLogPdf } from '../../lib/joint/copula-density';
import { cars } from '../helpers/cars';
import { ordersTable } from '../helpers/orders';

/** Sections that take a moment only. */
const quick: ReportOptions = { rows: 200, skip: ['certificate', 'comparison', 'density'] };
const small = { routeRows: 5, sampleRows: 100 };
const table = cars(['Horsepower', 'Acceleration', 'Cylinders']);
let margins: PseudoObservations;
let u: Matrix;
beforeAll(async () => {
  margins = await PseudoObservations.fit(table);
  u = margins.transformTrain();
});
const training = { hidden: 8, depth: 1, steps: 8, batch: 32 };

function embedded(page: string): ReportNumbers {
  const json = /<script type="application\/json" id="numbers">(.*)<\/script>/.exec(page)![1]!;
  return JSON.parse(json) as ReportNumbers;
}

const timeless = ({ timings: _, certificate, ...numbers }: ReportNumbers) => ({
  ...numbers,
  certificate: certificate && {
    ...certificate,
    routes: certificate.routes.map((route) => ({ ...route, seconds: 0 })),
  },
});

/** The page in a form that shows whether every element is closed. */
function balanced(page: string): void {
  const open: string[] = [];
  const empty = new Set(['meta', 'link', 'br']);
  const body = page.replace(/<!doctype html>/, '').replace(/<(script|style)\b[^>]*>[^]*?<\/\1>/g, '');
  for (const [, slash, name, rest] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)((?:[^>"]|"[^"]*")*)>/gi)) {
    if (slash) expect(name).toBe(open.pop());
    else if (!empty.has(name!) && !rest!.endsWith('/')) open.push(name!);
  }
  expect(open).toEqual([]);
}

/** The rows that have both cells. */
function completeOf(all: Table, names: string[]): Table {
  const own = all.select(names);
  const rows = Array.from({ length: own.rows }, (_, i) => i).filter((i) =>
    own.columns.every((values) => !Number.isNaN(values[i])),
  );
  return own.take(rows);
}

const kinds: [string, () => Promise<Copula>][] = [
  ['cdc', () => fitCopula(u, { kind: 'cdc', margins, ...training })],
  ['flow', () => fitCopula(u, { kind: 'flow', margins, ...training })],
  ['reflection', () => fitCopula(u, { kind: 'reflection', margins, ...training })],
  ['gaussian', () => fitCopula(u, { kind: 'gaussian', margins })],
  ['student', () => fitCopula(u, { kind: 'student', method: 'tau', margins })],
  ['ensemble', () => fitEnsemble(u, { kind: 'cdc', models: 2, margins, ...training })],
];

test.each(kinds)('a page about a %s copula', async (kind, fit) => {
  const copula = await fit();
  const left = ['density', 'pairs', 'tails', 'comparison'] as const;
  const { html, numbers } = await report(copula, table, {
    rows: 100,
    columns: ['Horsepower', 'Acceleration'],
    skip: left,
    certificate: small,
  });
  balanced(html);
  expect(embedded(html)).toEqual(JSON.parse(JSON.stringify(numbers)));
  const trained = ['cdc', 'flow', 'reflection', 'ensemble'].includes(kind);
  expect(numbers.model).toMatchObject({
    kind,
    dim: 3,
    margins: { rows: 392, types: ['ranks', 'ranks', 'ranks'] },
  });
  expect(numbers.certificate).toMatchObject({ kind, routeRows: 5, rows: 100 });
  expect(numbers.losses?.length ?? 0).toBe(kind === 'ensemble' ? 2 : trained ? 1 : 0);
  expect(Object.keys(numbers.absent)).toEqual([...left, ...(trained ? [] : ['losses'])]);
  expect(html).toContain('Not shown: left out as asked.');
  expect(html.includes('has no history of losses')).toBe(!trained);
  expect(html).not.toMatch(/NaN|undefined|\[object/);
});

test('the numbers are those of the library, of one sample, the same every time', async () => {
  const copula = await fitCopula(u, { kind: 'gaussian', margins });
  const options: ReportOptions = { rows: 300, seed: 7, certificate: small, skip: ['pairs', 'density'] };
  const { html, numbers } = await report(copula, table, options);
  const samples = await margins.inverse(await copula.sample(300, { seed: 7, dtype: 'float64' }));
  expect(numbers.rows).toEqual({ data: 392, used: 300, sample: 300 });
  expect(numbers.kendall!.model).toEqual(toRows(await kendall(samples)));
  expect(numbers.comparison!.rows).toMatchObject({ data: 300, sample: 300, compared: 150 });
  expect(numbers.comparison!.seed).toBe('7');
  expect(numbers.margins!.map(({ column }) => column)).toEqual(table.names);
  for (const { bars, bins, quantiles } of numbers.margins!) {
    const shares = [...bars, ...bins];
    expect(shares.reduce((sum, { data }) => sum + data, 0)).toBeCloseTo(1, 12);
    expect(shares.reduce((sum, { model }) => sum + model, 0)).toBeCloseTo(1, 12);
    for (const { data, model, low, high } of quantiles) {
      expect(Number.isFinite(data) && Number.isFinite(model)).toBe(true);
      if (low !== null) expect(low).toBeLessThanOrEqual(model);
      if (high !== null) expect(high).toBeGreaterThanOrEqual(model);
    }
  }
  // of cylinders there are few different values
  expect(numbers.tails!.map(({ columns }) => columns)).toEqual([['Horsepower', 'Acceleration']]);
  const tau = numbers.kendall!.data;
  const sizes = numbers.tails!.map(({ columns: [a, b] }) =>
    Math.abs(tau[table.names.indexOf(a)]![table.names.indexOf(b)]!),
  );
  expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
  const again = await report(copula, table, { ...options, threads: 1 });
  expect(timeless(again.numbers)).toEqual(timeless(numbers));
  const body = (page: string) => page.slice(page.indexOf('id="columns"'), page.indexOf('id="certificate"'));
  expect(body(again.html)).toBe(body(html));
});

test('margins of all types, a model of fitJoint, logarithmic axes', async () => {
  const joint = await fitJoint(table, {
    copula: { kind: 'gaussian' },
    margins: { Horsepower: 'gpd', Acceleration: 'kde', Cylinders: 'discrete' },
  });
  const { html, numbers } = await report(joint, table, {
    ...quick,
    columns: ['Cylinders', 'Horsepower'],
    logarithmic: ['Horsepower'],
    title: 'Cars & <engines>',
  });
  expect(numbers.margins!.map(({ column, type, axis }) => [column, type, axis.scale])).toEqual([
    ['Cylinders', 'discrete', 'linear'],
    ['Horsepower', 'gpd', 'logarithmic'],
  ]);
  // the discrete margin has the shares of its rows
  const cylinders = numbers.margins![0]!.bars;
  expect(cylinders.map(({ label }) => label)).toEqual(['3', '4', '5', '6', '8']);
  for (const { data, model } of cylinders) expect(Math.abs(data - model)).toBeLessThan(0.08);
  expect(numbers.pairs).toEqual({ pairs: [['Horsepower', 'Cylinders']], points: 200 });
  expect(numbers.kendall!.columns).toEqual(table.names);
  expect(html).toContain('<h1>Cars &amp; &lt;engines&gt;</h1>');
  balanced(html);
});

test('hostile names', async () => {
  const evil = [
    '</script><script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    ']]><!-- "\'`${1}$& --></style>',
    ...HOSTILE_NAMES,
  ];
  const rows = 40;
  const columns = evil.map((_, j) =>
    Float64Array.from({ length: rows }, (_, i) => Math.sin((i + 1) * (j + 2) * 0.37) + 0.01 * i),
  );
  // labels, too
  const hostile = new Table(
    evil,
    [columns[0]!.map((_, i) => i % evil.length), ...columns.slice(1)],
    [{ type: 'category', labels: evil }, ...columns.slice(1).map(() => 'float' as const)],
  );
  const own = await PseudoObservations.fit(hostile);
  const copula = await fitCopula(own.transformTrain(), { kind: 'gaussian', margins: own });
  const { html, numbers } = await report(copula, hostile, {
    rows: 60,
    skip: ['certificate', 'density'],
    title: '</title><b>',
  });
  balanced(html);
  expect(embedded(html).model.columns).toEqual(evil);
  expect(numbers.margins).toHaveLength(12);
  for (const svg of html.match(/<svg[^]*?<\/svg>/g)!) expect(svg).not.toMatch(/NaN|undefined/);
  expect(html.match(/<script/g)).toHaveLength(1);
  expect(html.match(/<\/script/g)).toHaveLength(1);
  expect(html.match(/<\/style/g)).toHaveLength(1);
  expect(html).not.toMatch(/<img|<b>|<!--/);
  expect(html).toContain('&lt;img src=x onerror=alert(1)&gt;');
  // nothing in the pictures has a name that the others have, too
  expect(
    html
      .slice(html.indexOf('<main>'))
      .match(/<svg[^]*?<\/svg>/g)!
      .join(''),
  ).not.toMatch(/\bid=/);
});

test('what does not apply is left out, and why', async () => {
  const copula = await fitCopula(u, { kind: 'gaussian', margins });
  const few = await report(copula, table.take([0, 1, 2]), { rows: 50, certificate: small });
  expect(few.numbers.comparison).toBeNull();
  expect(few.numbers.absent.comparison).toContain('2 rows');
  expect(few.numbers.certificate).not.toBeNull();
  const one = await report(copula, table.take([0]), { rows: 50 });
  expect(Object.keys(one.numbers.absent).sort()).toEqual(
    ['certificate', 'comparison', 'kendall', 'losses', 'tails'].sort(),
  );
  expect(one.html.match(/Not shown: /g)).toHaveLength(5);
  balanced(one.html);
  const nothing = await report(copula, table, { rows: 50, skip: reportSections });
  expect(Object.keys(nothing.numbers.absent)).toHaveLength(reportSections.length);
  expect(nothing.html).not.toContain('<svg');
});

test('what cannot be reported on', async () => {
  const copula = await fitCopula(u, { kind: 'gaussian', margins });
  const bare = await fitCopula(u, { kind: 'gaussian' });
  const infinite = new Table(
    table.names,
    table.columns.map((values, j) => (j === 1 ? values.map((x, i) => (i === 2 ? Infinity : x)) : values)),
  );
  const cases: [() => Promise<unknown>, ...string[]][] = [
    [() => report(bare, table), 'margins'],
    [() => report(copula, table.select(['Horsepower', 'Cylinders']), quick), '"Acceleration"'],
    [() => report(copula, infinite, { ...quick, rows: 1000 }), '"Acceleration"', 'Infinity'],
    [() => report(copula, table, { ...quick, columns: ['Horsepower'] }), '2 to 24'],
    [() => report(copula, table, { ...quick, errors: 'none' as 'rows' }), 'errors'],
    [() => report(copula, table, { ...quick, trainWeights: [1] }), 'trainWeights'],
    [() => report(copula, table, { ...quick, columns: ['Horsepower', 'x'] }), '"x"'],
    [() => report(copula, table, { ...quick, logarithmic: ['x'] }), '"x"'],
    [() => report(copula, table, { ...quick, rows: 2 }), 'rows'],
    [() => report(copula, table, { ...quick, skip: ['pear' as 'pairs'] }), '"pear"'],
    [() => report(copula, table, { rows: 50, certificate: { routeRows: 0 } }), 'routeRows'],
  ];
  for (const [work, ...culprits] of cases) {
    const { message } = await sklarError(work, 'ERR_SKLAR_VALUE');
    for (const culprit of culprits) expect(message).toContain(culprit);
  }
  await sklarError(() => report(copula, table.take([]), quick), 'ERR_SKLAR_SHAPE');
});

describe('a table of labels, dates, counts, recurring values and missing cells', () => {
  const generator = new Generator(21);
  let orders: Table;
  let joint: JointDistribution;
  let held: Table;
  let training: Table;
  beforeAll(async () => {
    orders = await ordersTable(900, () => generator.next() / 2 ** 32);
    training = orders.part(0, 600);
    held = orders.part(600, 900);
    joint = await fitJoint(training, { copula: { kind: 'gaussian' } });
  });

  test('its columns are named, its margins are shares of all rows, also of those without a cell', async () => {
    const { html, numbers } = await report(joint, held, { rows: 2000, skip: ['certificate', 'density'] });
    balanced(html);
    expect(html).not.toMatch(/NaN|undefined|\[object/);
    expect(numbers.columns.map(({ name, role }) => [name, role])).toEqual([
      ['id', 'id'],
      ['size', 'modelled'],
      ['when', 'modelled'],
      ['count', 'modelled'],
      ['amount', 'modelled'],
      ['gross', 'derived'],
      ['rating', 'modelled'],
      ['open', 'modelled'],
      ['unit', 'constant'],
    ]);
    expect(numbers.columns[5]!.how).toBe('= 1.19 x "amount", computed again in samples');
    expect(numbers.columns[8]!.how).toBe('always EUR, put back in samples');
    const [size, when, count, amount, rating, open] = numbers.margins!;
    expect(size!.bars.map(({ label }) => label)).toEqual(['small', 'medium', 'large']);
    expect(open!.bars.map(({ label }) => label)).toEqual(['false', 'true']);
    expect(count!.bars[0]!.label).toBe('0');
    expect(when!.axis.holds).toBe('date');
    // the zeros stand alone, and the others are drawn without them
    expect(amount!.bars.map(({ label }) => label)).toEqual(['0']);
    const zeros = held.column('amount').filter((x) => x === 0).length / held.rows;
    expect(amount!.bars[0]!.data).toBeCloseTo(zeros, 12);
    const missing = held.column('rating').filter(Number.isNaN).length / held.rows;
    expect(rating!.missing.data).toBeCloseTo(missing, 12);
    expect(Math.abs(rating!.missing.model - 0.2)).toBeLessThan(0.05);
    for (const { bars, bins, missing: none } of numbers.margins!) {
      for (const side of ['data', 'model'] as const) {
        const all = [...bars, ...bins, none].reduce((sum, share) => sum + share[side], 0);
        expect(all).toBeCloseTo(1, 9);
      }
    }
    // ranks are of the rows that have both cells
    const both = completeOf(held, ['count', 'rating']);
    const [i, j] = ['count', 'rating'].map((name) => numbers.kendall!.columns.indexOf(name));
    expect(numbers.kendall!.data[i!]![j!]).toBeCloseTo((await kendall(both)).data[1]!, 12);
  });

  test('the log density is that of the model, beside baselines row by row', async () => {
    const skip = reportSections.filter((name) => name !== 'density');
    const options = { rows: 1000, skip };
    const { numbers } = await report(joint, held, { ...options, train: training });
    const density = numbers.density!;
    expect(density).toMatchObject({ rows: 300, normalised: true, normaliser: null, errors: 'rows' });
    expect(density.fitted).toEqual({ rows: 600, folds: null });
    expect(density.baselines.map(({ kind }) => kind)).toEqual(['independence', 'student']);
    const [independence, student] = density.baselines;
    expect(independence!.own!.mean).toBe(0);
    expect(independence!.difference!.mean).toBeCloseTo(density.model.mean, 12);
    expect(student!.difference!.mean).toBeCloseTo(density.model.mean - student!.own!.mean, 9);
    // much less than the errors of the two means
    expect(student!.difference!.standardError!).toBeLessThan(0.5 * density.model.standardError!);
    expect(Math.abs(student!.difference!.mean)).toBeLessThan(0.1);

    // ten more fits of baselines, of fewer columns
    using few = await fitJoint(training.select(['when', 'count', 'amount']), {
      copula: { kind: 'gaussian' },
    });
    const alone = await report(few, held, { ...options, errors: 'blocks' });
    const beside = await report(few, held, { ...options, train: training });
    expect(alone.numbers.density!.fitted).toEqual({ rows: 270, folds: 10 });
    expect(alone.numbers.density!.model.mean).toBe(beside.numbers.density!.model.mean);
    expect(alone.numbers.density!.model.blockRows).toBeGreaterThan(1);
    expect(alone.html).toContain('the training rows are not known here');
    const tooFew = await report(joint, held.part(0, 12), options);
    expect(tooFew.numbers.density!.baselines[1]!.failure).toContain('20 rows');

    const weights = Float64Array.from({ length: held.rows }, (_, i) => i % 3);
    const weighted = await report(joint, held, { ...options, weights, train: training });
    const logs = await copulaLogPdf(joint.copula, joint.margins, joint.schema.modelled(held));
    expect(density.model.mean).toBe(meanOf(logs).mean);
    const kept = Array.from(logs.keys()).filter((i) => weights[i]! > 0);
    const wanted = meanOf(
      Float64Array.from(kept, (i) => logs[i]!),
      kept,
      'rows',
      kept.map((i) => weights[i]!),
    );
    expect(weighted.numbers.density!.rows).toBe(200);
    expect(weighted.numbers.density!.model.mean).toBeCloseTo(wanted.mean, 12);
  });
});

test('progress rises to the end, and an abort ends it', async () => {
  const joint = await Margins.fit(table);
  const copula = await fitCopula(u, { kind: 'gaussian', margins: joint });
  const seen: [string, number][] = [];
  await report(copula, table, {
    rows: 100,
    certificate: small,
    onProgress: ({ stage, fraction }) => seen.push([stage, fraction]),
  });
  const fractions = seen.map(([, fraction]) => fraction);
  expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
  expect(fractions.at(-1)).toBeCloseTo(1, 12);
  expect(new Set(seen.map(([stage]) => stage))).toEqual(new Set(['sample', ...reportSections, 'pictures']));
  for (const stop of ['sample', 'certificate', 'pictures']) {
    const controller = new AbortController();
    const reason = new Error('enough');
    await expect(
      report(copula, table, {
        rows: 100,
        certificate: small,
        signal: controller.signal,
        onProgress: ({ stage }) => {
          if (stage === stop) controller.abort(reason);
        },
      }),
    ).rejects.toBe(reason);
  }
});
