import {
  type Copula,
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
  report,
  reportSections,
  toRows,
} from '../../lib';
import { HOSTILE_NAMES, sklarError } from '../data/support';
import { cars } from '../helpers/cars';

/** Sections that take a moment only. */
const quick: ReportOptions = { rows: 200, skip: ['certificate', 'comparison'] };
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
  const left = ['pairs', 'tails', 'comparison'] as const;
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
  const options: ReportOptions = { rows: 300, seed: 7, certificate: small, skip: ['pairs'] };
  const { html, numbers } = await report(copula, table, options);
  const samples = await margins.inverse(await copula.sample(300, { seed: 7, dtype: 'float64' }));
  expect(numbers.rows).toEqual({ data: 392, used: 300, sample: 300 });
  expect(numbers.kendall!.model).toEqual(toRows(await kendall(samples)));
  expect(numbers.comparison!.rows).toMatchObject({ data: 300, sample: 300, compared: 150 });
  expect(numbers.comparison!.seed).toBe('7');
  expect(numbers.margins!.map(({ column }) => column)).toEqual(table.names);
  for (const { bins, quantiles } of numbers.margins!) {
    expect(bins.reduce((sum, { data }) => sum + data, 0)).toBeCloseTo(1, 12);
    expect(bins.reduce((sum, { model }) => sum + model, 0)).toBeCloseTo(1, 12);
    for (const { data, model, low, high } of quantiles) {
      expect(Number.isFinite(data) && Number.isFinite(model)).toBe(true);
      if (low !== null) expect(low).toBeLessThanOrEqual(model);
      if (high !== null) expect(high).toBeGreaterThanOrEqual(model);
    }
  }
  expect(numbers.tails).toHaveLength(3);
  const tau = numbers.kendall!.data;
  const sizes = numbers.tails!.map(({ columns: [a, b] }) =>
    Math.abs(tau[table.names.indexOf(a)]![table.names.indexOf(b)]!),
  );
  expect(sizes).toEqual([...sizes].sort((a, b) => b - a));
  const again = await report(copula, table, { ...options, threads: 1 });
  expect(timeless(again.numbers)).toEqual(timeless(numbers));
  const body = (page: string) => page.slice(page.indexOf('id="margins"'), page.indexOf('id="timings"'));
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
  expect(numbers.margins!.map(({ column, type, logarithmic }) => [column, type, logarithmic])).toEqual([
    ['Cylinders', 'discrete', false],
    ['Horsepower', 'gpd', true],
  ]);
  // the discrete margin has the shares of its rows
  const cylinders = numbers.margins![0]!.bins;
  for (const { data, model } of cylinders) expect(Math.abs(data - model)).toBeLessThan(0.08);
  expect(numbers.pairs).toEqual({ columns: ['Cylinders', 'Horsepower'], points: 200 });
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
  const hostile = new Table(evil, columns);
  const own = await PseudoObservations.fit(hostile);
  const copula = await fitCopula(own.transformTrain(), { kind: 'gaussian', margins: own });
  const { html, numbers } = await report(copula, hostile, {
    rows: 60,
    skip: ['certificate'],
    title: '</title><b>',
  });
  balanced(html);
  expect(embedded(html).model.columns).toEqual(evil);
  expect(numbers.margins).toHaveLength(8);
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
  const few = await report(copula, table.take([0, 1, 2, 3, 4, 5]), { rows: 50, certificate: small });
  expect(few.numbers.comparison).toBeNull();
  expect(few.numbers.absent.comparison).toContain('10 rows');
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
  const holes = new Table(
    table.names,
    table.columns.map((values, j) => (j === 1 ? values.map((x, i) => (i === 2 ? NaN : x)) : values)),
  );
  const cases: [() => Promise<unknown>, ...string[]][] = [
    [() => report(bare, table), 'margins'],
    [() => report(copula, table.select(['Horsepower', 'Cylinders']), quick), '"Acceleration"'],
    [() => report(copula, holes, { ...quick, rows: 1000 }), '"Acceleration"', 'NaN'],
    [() => report(copula, table, { ...quick, columns: ['Horsepower'] }), '2 to 8'],
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
