// Log densities of tables one after another: as those of all their rows, one table at a time, until a signal says otherwise.
import { setImmediate } from 'node:timers/promises';

import {
  type JointDistribution,
  type JointLogPdfOptions,
  Table,
  TableReader,
  fitJoint,
  writeTable,
} from '../../lib';
import { exampleTable } from '../cli/support';
import { TemporaryFolder } from '../data/support';

const folder = new TemporaryFolder();
const ROWS = 115;
const BATCH = 25;
const whole = exampleTable(ROWS);
const network = { hidden: 8, depth: 1, steps: 6, batch: 32 };
const models = new Map<string, JointDistribution>();

beforeAll(async () => {
  for (const copula of [
    { kind: 'gaussian' },
    { kind: 'cdc', ...network },
    { kind: 'flow', ...network },
  ] as const) {
    models.set(copula.kind, await fitJoint(whole, { copula }));
  }
});

afterAll(() => models.forEach((model) => model.dispose()));

/** The table in parts; what was asked of them. */
function parts(table: Table, rows = BATCH) {
  const seen = { asked: 0, closed: false };
  async function* tables() {
    try {
      for (let from = 0; from < table.rows; from += rows) {
        seen.asked++;
        await setImmediate();
        const numbers = Array.from({ length: Math.min(rows, table.rows - from) }, (_, i) => from + i);
        yield table.take(numbers);
      }
    } finally {
      seen.closed = true;
    }
  }
  return { seen, tables: tables() };
}

async function joined(batches: AsyncIterable<Float64Array>): Promise<number[]> {
  const all: number[] = [];
  for await (const values of batches) all.push(...values);
  return all;
}

/** Rows with missing cells, which have fewer columns than others. */
function withHoles(table: Table): Table {
  const columns = table.columns.map((values, j) =>
    values.map((value, i) => (i % 11 === 3 + j ? NaN : value)),
  );
  return new Table(table.names, columns, table.types);
}

describe.each<[string, JointLogPdfOptions]>([
  ['gaussian', {}],
  ['cdc', {}],
  ['cdc', { method: 'ode', steps: 6, cellPoints: 2 }],
  ['flow', { steps: 6, cellPoints: 2 }],
])('%s %j', (kind, options) => {
  test('batches of any size have the numbers of the whole table, also of rows with missing cells', async () => {
    const model = models.get(kind)!;
    const table = withHoles(whole);
    const expected = Array.from(await model.logPdf(table, options));
    expect(expected).toHaveLength(ROWS);
    for (const rows of [BATCH, 7, ROWS]) {
      expect(await joined(model.logPdfStream(parts(table, rows).tables, options))).toEqual(expected);
    }
  });
});

test.each(['csv', 'parquet'])('batches of a file, %s', async (ending) => {
  const file = folder.file(`rows.${ending}`);
  await writeTable(whole, file);
  const model = models.get('gaussian')!;
  using reader = await TableReader.open(file);
  const streamed = await joined(model.logPdfStream(reader.batches({ rows: BATCH })));
  expect(streamed).toEqual(Array.from(await model.logPdf(whole)));
  // a turn that is left in the middle lets go of the file
  for await (const values of model.logPdfStream(reader.batches({ rows: BATCH }))) {
    expect(values).toHaveLength(BATCH);
    break;
  }
  expect(await joined(model.logPdfStream(reader.batches()))).toEqual(streamed);
});

test('a table is asked for when the numbers of the last one have been taken, however slow one takes them', async () => {
  const { seen, tables } = parts(whole);
  const stream = models.get('gaussian')!.logPdfStream(tables);
  expect(seen.asked).toBe(0);
  for (let taken = 1; taken <= ROWS / BATCH; taken++) {
    expect((await stream.next()).done).toBe(false);
    for (let turn = 0; turn < 50; turn++) await setImmediate();
    expect(seen).toEqual({ asked: taken, closed: false });
  }
  await stream.return();
  expect(seen).toEqual({ asked: Math.floor(ROWS / BATCH), closed: true });
});

test('a signal ends it between two tables and within one, with its reason, and the tables are closed', async () => {
  const model = models.get('cdc')!;
  const reason = new Error('enough');
  const between = new AbortController();
  const { seen, tables } = parts(whole);
  const stream = model.logPdfStream(tables, { signal: between.signal });
  await stream.next();
  await stream.next();
  between.abort(reason);
  await expect(stream.next()).rejects.toBe(reason);
  expect(seen).toEqual({ asked: 3, closed: true });
  expect((await stream.next()).done).toBe(true);

  const within = new AbortController();
  const other = parts(whole);
  const working = model.logPdfStream(other.tables, { method: 'ode', steps: 1000, signal: within.signal });
  const values = working.next();
  while (other.seen.asked === 0) await setImmediate();
  await setImmediate();
  within.abort(reason);
  await expect(values).rejects.toBe(reason);
  expect(other.seen).toEqual({ asked: 1, closed: true });
});

test('an error names the row of the whole table, and closes the tables', async () => {
  const columns = whole.columns.map((values) => values.slice());
  columns[0]![BATCH + 9] = Infinity;
  const { seen, tables } = parts(new Table(whole.names, columns, whole.types));
  const stream = models.get('gaussian')!.logPdfStream(tables);
  await stream.next();
  await expect(stream.next()).rejects.toThrow(`row ${BATCH + 10}`);
  expect(seen).toEqual({ asked: 2, closed: true });
});
