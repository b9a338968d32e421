/** What the cells of a column are, from files and from JavaScript, and back. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

import fc from 'fast-check';

import { type ColumnType, type Note, Table, fitJoint, readTable, writeTable } from '../../lib';
import { calendarFormat, findFormat } from '../../lib/data/columns/calendar';
import { cellText, roundedTo } from '../../lib/data/columns/column-type';
import { inferType } from '../../lib/data/columns/infer-type';
import { readNumerals } from '../../lib/data/columns/numerals';
import { TemporaryFolder, readBoth, sklarError, writeParquet } from './support';

const folder = new TemporaryFolder();
let files = 0;

/** A column of a CSV file, quoted where it must be. */
async function column(cells: readonly string[], options = {}) {
  const notes: Note[] = [];
  const lines = cells.map((cell) => (/[",]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell));
  const file = folder.file(
    `${files++}.csv`,
    `x,row\n${lines.map((line, i) => `${line},${i}.5`).join('\n')}\n`,
  );
  const table = await readBoth(file, { ...options, onNote: (note) => notes.push(note) });
  return {
    type: table.type('x'),
    texts: cells.map((_, i) => table.text('x', i)),
    values: [...table.column('x')],
    notes: notes.map(({ message }) => message),
  };
}

test('thousands in few cells of a column of plain numbers are numbers, other texts are missing', async () => {
  const amounts = Array.from({ length: 40 }, (_, i) => (i % 10 === 3 ? `-${1 + i},250.75` : `${7 * i}.50`));
  const read = await column(amounts);
  expect(read.values).toEqual(amounts.map((amount) => Number(amount.replace(',', ''))));
  expect(read.type).toEqual({ type: 'number', decimals: 2, style: { group: ',', fixed: 2 } });
  expect(read.texts).toEqual(amounts);
  expect(read.notes).toEqual([]);
  const marked = await column([...amounts.map((_, i) => `${i}.25`), 'see below']);
  expect(marked.values.at(-1)).toBeNaN();
  expect(marked.notes.join()).toContain('taken for missing');
});

test.each([
  ['a currency', (i: number) => `$${7 * i + 1},250.50`, 'call us', 'number'],
  ['a unit behind', (i: number) => `${i},50 €`, 'auf Anfrage', 'number'],
  ['decimal commas', (i: number) => `${i % 15},125`, 'k.A.', 'number'],
  ['dates', (i: number) => `2020-03-${10 + (i % 20)}`, 'pending', 'date'],
  ['a date that there is not', (i: number) => `${10 + (i % 20)}.03.2020`, '31.02.2020', 'date'],
  ['timestamps', (i: number) => `2020-03-02 10:15:${10 + i}`, '0000-00-00 00:00:00', 'timestamp'],
  ['times', (i: number) => `09:${10 + i}`, 'late', 'time'],
])('of %s in nearly all cells, other texts are missing', async (_, cellOf, other, type) => {
  const cells = Array.from({ length: 40 }, (_, i) => (i % 12 === 0 ? other : cellOf(i)));
  const read = await column(cells);
  expect(read.type.type).toBe(type);
  expect(read.texts).toEqual(cells.map((cell) => (cell === other ? null : cell)));
  expect(read.notes.at(-1)).toMatch(`4 cells between ${type === 'number' ? 'numbers' : 'dates or times'}`);
  const half = await column(cells.map((cell, i) => (i % 2 ? cell : other)));
  expect(half.type.type).toBe('category');
});

describe('other texts between few dates', () => {
  const days = Array.from({ length: 60 }, (_, i) => `${String(10 + (i % 18))}/0${1 + (i % 9)}/2024`);

  test.each([5, 9, 12])('of %i rows are missing', async (rows) => {
    const cells = days.slice(0, rows).map((day, i) => (i === 3 ? 'pending' : day));
    const read = await column(cells);
    expect(read.type).toEqual({ type: 'date', format: 'DD/MM/YYYY' });
    expect(read.values[3]).toBeNaN();
    expect(read.notes).toContain(
      'column "x": 1 cell between dates or times ("pending") was taken for missing',
    );
  });

  test('of many rows few days do not make dates', async () => {
    const cells = Array.from({ length: 60 }, (_, i) => (i % 10 === 3 ? 'opening' : days[i % 3]!));
    expect((await column(cells)).type.type).toBe('category');
  });

  test('are missing to a model that has dates there, as in many rows', async () => {
    const rows = days.map((day, i) => `${day},${(i * 37) % 61}.5`);
    const table = await readTable(folder.file('days.csv', `when,x\n${rows.join('\n')}\n`));
    const joint = await fitJoint(table, { copula: { kind: 'gaussian' } });
    const few = folder.file('two.csv', `when,x\n${rows[0]!}\npending,7.5\n`);
    const { formats } = joint.schema;
    expect(formats).toEqual({ when: 'date:DD/MM/YYYY' });
    const notes: Note[] = [];
    const read = await readTable(few, { formats, onNote: (note) => notes.push(note) });
    expect(read.type('when')).toEqual(table.type('when'));
    expect(read.column('when')).toEqual(Float64Array.of(table.column('when')[0]!, NaN));
    expect(notes.map(({ message }) => message)).toEqual([
      'column "when": 1 cell between dates or times ("pending") was taken for missing',
    ]);
    // other formats that have one reading are read as where all cells are there
    const twoFormats = folder.file('mixed.csv', `when,x\n${rows.slice(0, 20).join('\n')}\n2024-05-30,7.5\n`);
    const mixed = await readTable(twoFormats, { formats });
    expect([mixed.type('when'), mixed.text('when', 20)]).toEqual([table.type('when'), '30/05/2024']);
    // without the formats, too
    const plain = await readTable(few);
    expect(plain.type('when').type).toBe('category');
    expect(await joint.logPdf(plain)).toEqual(await joint.logPdf(read));
    expect(joint.schema.leftNotes(plain).map(({ message }) => message)).toEqual([
      'column "when": "pending", no date, taken for missing',
    ]);
    // what is asked for is an error, and so is a column of other things
    const error = await sklarError(() => readTable(few, { types: formats }), 'ERR_SKLAR_VALUE');
    expect(error.message).toContain('got "pending"');
    const other = await readTable(folder.file('other.csv', 'when,x\npending,1.5\nlate,2.5\n'), { formats });
    expect(() => joint.schema.modelled(other)).toThrow('expected cells of type date in column "when"');
  });
});

describe('the type of a column', () => {
  const dates = (format: string) => ({ type: 'date', format });
  test.each<[cells: string[], type: ColumnType, values: number[]]>([
    [['true', 'false', 'true'], { type: 'boolean' }, [1, 0, 1]],
    [['Yes', 'No', 'Yes'], { type: 'boolean', labels: ['No', 'Yes'] }, [1, 0, 1]],
    [['Y', 'N', 'Y'], { type: 'boolean', labels: ['N', 'Y'] }, [1, 0, 1]],
    [['TRUE', 'FALSE'], { type: 'boolean', labels: ['FALSE', 'TRUE'] }, [1, 0]],
    [['low', 'high', 'low'], { type: 'category', labels: ['high', 'low'] }, [1, 0, 1]],
    [['b10', 'b9', 'b10'], { type: 'category', labels: ['b9', 'b10'] }, [1, 0, 1]],
    [['02134', '10001', '02134'], { type: 'category', labels: ['02134', '10001'] }, [0, 1, 0]],
    [['1970-01-01', '1970-01-03'], dates('YYYY-MM-DD') as ColumnType, [0, 2]],
    [['31.12.1969', '01.01.1970'], dates('DD.MM.YYYY') as ColumnType, [-1, 0]],
    [['1/31/1970', '12/1/1970'], dates('M/D/YYYY') as ColumnType, [30, 334]],
    [['02 Jan 1970', '01 Feb 1970'], dates('DD MMM YYYY') as ColumnType, [1, 31]],
    [['1970-02', '1970-01'], dates('YYYY-MM') as ColumnType, [31, 0]],
    [['1970-Q2', '1970-Q1'], dates('YYYY-[Q]Q') as ColumnType, [90, 0]],
    [['19700102', '19700201', '20240229'], dates('YYYYMMDD') as ColumnType, [1, 31, 19782]],
    [['08:30', '23:59'], { type: 'time', format: 'HH:mm' }, [30600, 86340]],
    [['8:30 PM', '12:00 AM'], { type: 'time', format: 'h:mm A' }, [73800, 0]],
    [
      ['1970-01-01 00:01:00', '1970-01-02 00:00:00'],
      { type: 'timestamp', format: 'YYYY-MM-DD HH:mm:ss' },
      [60, 86400],
    ],
    [
      ['1970-01-01T00:00:01Z', '1970-01-01T00:00:02Z'],
      { type: 'timestamp', format: 'YYYY-MM-DD[T]HH:mm:ss[Z]' },
      [1, 2],
    ],
    [
      ['1970-01-01T02:00:00.125', '1970-01-01T02:00:00.250'],
      { type: 'timestamp', format: 'YYYY-MM-DD[T]HH:mm:ss.SSS' },
      [7200.125, 7200.25],
    ],
    [
      ['$1,234.50', '$12.00', '-$3.10'],
      { type: 'number', decimals: 1, style: { prefix: '$', group: ',', fixed: 2 } },
      [1234.5, 12, -3.1],
    ],
    [
      ['1.234,5 €', '12,0 €'],
      { type: 'number', decimals: 1, style: { suffix: ' €', group: '.', mark: ',', fixed: 1 } },
      [1234.5, 12],
    ],
    [['12 %', '7 %'], { type: 'integer', style: { suffix: ' %' } }, [12, 7]],
    [['1.50', '2.25'], { type: 'number', decimals: 2, style: { fixed: 2 } }, [1.5, 2.25]],
    [['1.5', '2.25'], { type: 'number', decimals: 2 }, [1.5, 2.25]],
    [['1', '2'], { type: 'integer' }, [1, 2]],
    [
      ['(1,250.00)', '50.50', '0.00'],
      { type: 'number', decimals: 1, style: { group: ',', fixed: 2, negative: ['(', ')'] } },
      [-1250, 50.5, 0],
    ],
    [
      ['$(3.50)', '$2.00'],
      { type: 'number', decimals: 1, style: { prefix: '$', fixed: 2, negative: ['$(', ')'] } },
      [-3.5, 2],
    ],
    [['(5%)', '7%'], { type: 'integer', style: { suffix: '%', negative: ['(', '%)'] } }, [-5, 7]],
    [['€-5', '€7'], { type: 'integer', style: { prefix: '€', negative: ['€-', ''] } }, [-5, 7]],
    [['−5', '7'], { type: 'integer', style: { negative: ['−', ''] } }, [-5, 7]],
    [
      ['5.25-', '7.25'],
      { type: 'number', decimals: 2, style: { fixed: 2, negative: ['', '-'] } },
      [-5.25, 7.25],
    ],
    [
      ['+3.00', '-2.50', '+0.00'],
      { type: 'number', decimals: 1, style: { fixed: 2, positive: ['+', ''] } },
      [3, -2.5, 0],
    ],
    [['+3', '-2', '0'], { type: 'integer', style: { positive: ['+', ''], zero: ['', ''] } }, [3, -2, 0]],
    [['002.010', '120.500'], { type: 'number', decimals: 2, style: { fixed: 3, width: 3 } }, [2.01, 120.5]],
    [['+07', '-12'], { type: 'integer', style: { width: 2, positive: ['+', ''] } }, [7, -12]],
    [['007', '012'], { type: 'category', labels: ['007', '012'] }, [0, 1]],
    [['1', '2-', '2'], { type: 'category', labels: ['1', '2', '2-'] }, [0, 2, 1]],
  ])('%j', async (cells, type, values) => {
    const read = await column(cells);
    expect(read.type).toEqual(type);
    expect(read.values).toEqual(values);
    expect(read.texts).toEqual(cells);
  });

  test('texts that hardly recur are ids', async () => {
    const ids = Array.from({ length: 50 }, (_, i) => `C-${String(7 * i).padStart(4, '0')}`);
    expect((await column(ids)).type.type).toBe('id');
    const words = ids.map((_, i) => ['red', 'green', 'blue'][i % 3]!);
    expect((await column(words)).type.type).toBe('category');
  });

  test('missing cells, and what stands for them among numbers and dates', async () => {
    const numbers = Array.from({ length: 20 }, (_, i) =>
      i === 3 ? '?' : i === 5 ? '' : i === 7 ? 'NA' : String(i / 4),
    );
    const read = await column(numbers);
    expect(read.type).toEqual({ type: 'number', decimals: 2 });
    expect(read.texts.flatMap((text, i) => (text === null ? [i] : []))).toEqual([3, 5, 7]);
    expect(read.notes).toEqual(['column "x": 1 cell between numbers ("?") was taken for missing']);
    const dates = await column(['2020-01-02', '-', '2021-03-04']);
    expect(dates.type.type).toBe('date');
    expect(dates.texts).toEqual(['2020-01-02', null, '2021-03-04']);
    expect((await column(['1.5', 'inf', 'nan'])).texts).toEqual(['1.5', null, null]);
    expect((await column(['a', '-999', 'b'], { null: ['-999'] })).texts).toEqual(['a', null, 'b']);
    const counts = await column(['0', '1', '2', '3+', '0', '1']);
    expect(counts.type).toEqual({ type: 'category', labels: ['0', '1', '2', '3+'] });
  });

  test('dates that can be read in two ways are said', async () => {
    const { notes, type } = await column(['03/04/2020', '05/06/2021']);
    expect(type).toMatchObject({ type: 'date', format: 'MM/DD/YYYY' });
    expect(notes).toEqual(['column "x": "03/04/2020" was read as MM/DD/YYYY; it could be DD/MM/YYYY']);
    expect((await column(['03/04/2020'], { types: { x: 'date:DD/MM/YYYY' } })).values).toEqual([18355]);
    expect((await column(['03/04/2020', '25/06/2021'])).type).toMatchObject({ format: 'DD/MM/YYYY' });
  });

  test('as told, or an error that names column and cell', async () => {
    expect((await column(['1', '2'], { types: { x: 'category' } })).type).toEqual({
      type: 'category',
      labels: ['1', '2'],
    });
    expect((await column(['1', '0'], { types: { x: 'boolean' } })).values).toEqual([1, 0]);
    expect((await column(['a', 'b'], { types: { x: 'id' } })).type.type).toBe('id');
    for (const [cells, type, message] of [
      [['1', 'oops'], 'number', 'expected numbers in column "x", got "oops"'],
      [['1', '1.5'], 'integer', 'expected integers in column "x", got "1.5"'],
      [['a', 'b'], 'date', 'expected a date in every cell in column "x", got "a"'],
      [['a'], 'colour', 'for the type of column "x", got "colour"'],
      [['a'], 'category:x', 'expected a type without a format for column "x"'],
    ] as const) {
      const error = await sklarError(() => column(cells, { types: { x: type } }), 'ERR_SKLAR_VALUE');
      expect(error.message).toContain(message);
    }
    const error = await sklarError(() => column(['1'], { types: { y: 'number' } }), 'ERR_SKLAR_VALUE');
    expect(error.message).toContain('got "y"');
  });

  test('of the cases', async () => {
    const types = async (name: string) =>
      (await readBoth(path.join(__dirname, '../fixtures/cases/header', name))).types.map(({ type }) => type);
    expect(await types('bool.csv')).toEqual(['boolean', 'number', 'number']);
    expect(await types('text.csv')).toContain('category');
    expect((await types('dates.csv')).some((type) => type === 'date' || type === 'timestamp')).toBe(true);
  });

  test('in Parquet', async () => {
    const file = await writeParquet(
      folder.file('types.parquet'),
      `SELECT * FROM (VALUES (DATE '2020-02-29', TIME '01:02:03', TIMESTAMP '2020-02-29 01:02:03.5', true, 'b', 1.25, NULL::INTEGER),
       (NULL, TIME '00:00:00', TIMESTAMP '1970-01-01 00:00:00', NULL, 'a', NULL, 4)) t(d, t, ts, b, w, x, n)`,
    );
    const table = await readBoth(file);
    expect(table.types.map(({ type }) => type)).toEqual([
      'date',
      'time',
      'timestamp',
      'boolean',
      'category',
      'number',
      'integer',
    ]);
    expect(table.names.map((name) => table.text(name, 0))).toEqual([
      '2020-02-29',
      '01:02:03',
      '2020-02-29 01:02:03.500',
      'true',
      'b',
      '1.25',
      null,
    ]);
    expect(table.names.map((name) => table.text(name, 1))).toEqual([
      null,
      '00:00:00',
      '1970-01-01 00:00:00.000',
      null,
      'a',
      null,
      '4',
    ]);
  });

  test('in JSON', async () => {
    const file = folder.file(
      'types.ndjson',
      '{"b":true,"w":"x","d":"2020-01-01","n":1,"m":1.5}\n{"b":null,"w":"y","d":"2020-01-02","n":"2","m":null}\n',
    );
    const table = await readBoth(file);
    expect(table.types.map(({ type }) => type)).toEqual(['boolean', 'category', 'date', 'integer', 'number']);
    expect(table.names.map((name) => table.text(name, 1))).toEqual([null, 'y', '2020-01-02', '2', null]);
  });

  test('of cells in JavaScript', () => {
    const day = new Date('2020-03-01');
    const table = Table.fromColumns({
      n: [1, null, 2.5],
      b: [true, false, undefined],
      w: ['x', 'y', null],
      d: [day, null, day],
      i: Int8Array.of(1, 2, 3),
    });
    expect(table.types.map(({ type }) => type)).toEqual(['number', 'boolean', 'category', 'date', 'integer']);
    expect(table.names.map((name) => table.text(name, 0))).toEqual(['1', 'true', 'x', '2020-03-01', '1']);
    expect(() => Table.fromColumns({ a: [{} as never] })).toThrow(
      'expected a number, boolean, text, Date or null in column "a"',
    );
  });
});

test('the form of numbers comes back in samples, of which it is told again', async () => {
  const money = (value: number) => (value < 0 ? `(${(-value).toFixed(2)})` : value.toFixed(2));
  const rows = Array.from({ length: 300 }, (_, i) => {
    const value = ((i * 37) % 300) - 150;
    const change = (value + ((i * 13) % 60)) / 50;
    return [
      money(value / 4),
      `${change >= 0 ? '+' : '-'}${Math.abs(change).toFixed(2)}`,
      (100 + value / 2).toFixed(3).padStart(7, '0'),
    ];
  });
  const file = folder.file('forms.csv', `balance,change,dose\n${rows.map((row) => row.join()).join('\n')}\n`);
  const table = await readBoth(file);
  expect(table.types).toMatchObject([
    { style: { fixed: 2, negative: ['(', ')'] } },
    { style: { fixed: 2, positive: ['+', ''] } },
    { style: { fixed: 3, width: 3 } },
  ]);
  const sample = await (await fitJoint(table, { copula: { kind: 'gaussian' } })).sample(300);
  const forms = [/^(?:\d+\.\d\d|\(\d+\.\d\d\))$/, /^[-+]\d\.\d\d$/, /^\d{3}\.\d{3}$/];
  forms.forEach((form, j) => {
    for (let i = 0; i < 300; i++) expect(sample.text(table.names[j]!, i)).toMatch(form);
  });
  const target = path.join(path.dirname(file), 'forms-again.csv');
  await writeTable(sample, target);
  expect((await readTable(target)).types).toEqual(table.types);
});

describe('durations', () => {
  const two = (value: number) => String(value).padStart(2, '0');
  const clock = (seconds: number) =>
    `${two(Math.floor(seconds / 3600))}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)}`;
  const read = (name: string, texts: readonly string[]) =>
    inferType({ name, texts, counts: texts.map(() => 1) });

  test.each<[name: string, format: string, cells: string[], seconds: number[]]>([
    ['x', 'HH:mm:ss', ['75:10:05', '04:00:00'], [270_605, 14_400]],
    ['x', 'H:mm:ss', ['125:10:05', '4:00:00'], [450_605, 14_400]],
    ['x', 'mm:ss', ['61:30', '04:05'], [3690, 245]],
    ['lap', 'm:ss', ['4:05', '12:00'], [245, 720]],
    ['best', 'm:ss.SSS', ['1:23.456', '1:24.000'], [83.456, 84]],
    ['best', 'm:ss,SS', ['1:23,45', '1:24,00'], [83.45, 84]],
    ['x', 'HH:mm:ss', ['-00:05:00', '00:10:00'], [-300, 600]],
    ['length', '[H:]m:ss', ['4:05', '1:02:03', '59:59'], [245, 3723, 3599]],
    ['length', '[H:]mm:ss', ['04:05', '1:02:03'], [245, 3723]],
    ['hours', 'HH:mm', ['38:30', '41:15'], [138_600, 148_500]],
    ['x', 'D days HH:mm:ss', ['0 days 00:05:00', '12 days 23:00:01'], [300, 1_119_601]],
    ['elapsed', 'H:mm:ss[.SSSSSS]', ['0:01:00', '0:01:00.250000'], [60, 60.25]],
    ['Duration', 'HH:mm:ss', ['01:00:00', '02:00:00'], [3600, 7200]],
  ])('in %s, %s: %j', (name, duration, cells, seconds) => {
    const { type, values } = read(name, cells);
    const whole = seconds.every(Number.isInteger);
    expect(type).toMatchObject({ type: whole ? 'integer' : 'number', style: { duration } });
    expect([...values]).toEqual(seconds);
    expect(Array.from(values, (value) => cellText(type, value))).toEqual(cells);
    expect(seconds.map((value) => (roundedTo(type) ?? Number)(value))).toEqual(seconds);
  });

  test('signs are written as they were, and rounding goes on to the next minute and hour', () => {
    const { type } = read('gap', ['+01:00', '-00:31', '+00:00']);
    expect(type).toEqual({ type: 'integer', style: { duration: 'mm:ss', positive: ['+', ''] } });
    expect([3599.7, -3599.7, 0].map((value) => cellText(type, value))).toEqual([
      '+60:00',
      '-60:00',
      '+00:00',
    ]);
    const hours = read('hours', ['38:30', '41:15']).type;
    expect(roundedTo(hours)!(3629)).toBe(3600);
    expect(roundedTo(hours)!(3631)).toBe(3660);
  });

  test.each<[name: string, cells: string[], type: string]>([
    ['x', ['4:05', '23:59'], 'time'],
    ['x', ['00:05:00', '23:59:59'], 'time'],
    ['x', ['8:30 PM', '9:15 AM'], 'time'],
    ['zone', ['+05:30', '-08:00'], 'category'],
    ['ratio', ['75:100', '61:200'], 'category'],
    ['x', ['2:1', '25:3'], 'category'],
  ])('in %s, %j are none', (name, cells, type) => {
    expect(read(name, cells).type.type).toBe(type);
  });

  test('one slip between times of day is missing, the end of the day, too', () => {
    const times = Array.from({ length: 300 }, (_, i) => clock(((i * 389) % 1440) * 60));
    for (const other of ['27:15:00', '24:00:00']) {
      const { type, values } = read('x', [...times, other]);
      expect(type.type).toBe('time');
      expect(values.at(-1)).toBeNaN();
    }
    // of a timetable beyond midnight many are
    const late = Array.from({ length: 30 }, (_, i) => clock(86_400 + 60 * i));
    expect(read('x', [...times, ...late]).type).toEqual({ type: 'integer', style: { duration: 'HH:mm:ss' } });
  });

  test('other texts between many are missing, and numbers that are asked for are seconds', async () => {
    const cells = Array.from({ length: 40 }, (_, i) => (i === 5 ? 'DNF' : clock(9000 + 37 * i)));
    const { type, values, notes } = read('elapsed', cells);
    expect(type).toEqual({ type: 'integer', style: { duration: 'HH:mm:ss' } });
    expect(values[5]).toBeNaN();
    expect(notes.map(({ message }) => message)).toEqual([
      'column "elapsed": 1 cell between durations ("DNF") was taken for missing',
      'column "elapsed": "02:30:00" was read as a duration, HH:mm:ss',
    ]);
    const asked = await column(['04:05', '12:00'], { types: { x: 'integer' } });
    expect(asked.type).toEqual({ type: 'integer', style: { duration: 'mm:ss' }, asked: true });
  });

  test('of files, and of samples, which do not name rows', async () => {
    const rows = Array.from(
      { length: 300 },
      (_, i) => `${clock(600 * i + ((i * 37) % 100))},${(i * 7) % 90}.5`,
    );
    const file = folder.file('runs.csv', `elapsed,x\n${rows.join('\n')}\n`);
    const table = await readBoth(file);
    const joint = await fitJoint(table, { copula: { kind: 'gaussian' } });
    expect(joint.schema.columns[0]!.role).toBe('modelled');
    const sample = await joint.sample(200);
    for (let i = 0; i < 200; i++) expect(sample.text('elapsed', i)).toMatch(/^\d\d:\d\d:\d\d$/);
    for (const name of ['runs-again.csv', 'runs-again.json']) {
      const target = path.join(path.dirname(file), name);
      await writeTable(sample, target);
      const again = await readTable(target);
      expect(again.type('elapsed')).toEqual(table.type('elapsed'));
      expect(again.column('elapsed')).toEqual(sample.column('elapsed'));
    }
    // of few rows that could be times of day the model has seconds
    const few = await readTable(folder.file('run.csv', `elapsed,x\n04:00:00,1.5\n05:00:00,2.5\n`));
    const renamed = new Table(['elapsed', 'x'], few.columns, [
      { type: 'time', format: 'HH:mm:ss' },
      few.types[1]!,
    ]);
    expect(joint.schema.modelled(renamed).column('elapsed')).toEqual(Float64Array.of(14_400, 18_000));
  });
});

describe('several forms in a column', () => {
  const days = Array.from({ length: 40 }, (_, i) => [
    `2024-0${1 + (i % 9)}-${10 + (i % 19)}`,
    `${10 + (i % 19)}/0${1 + (i % 9)}/2024`,
  ]);

  test('dates of which each has one reading are written as most are', async () => {
    const cells = days.map(([iso, other], i) => (i % 3 === 1 ? other! : iso!));
    const read = await column([...cells, 'pending']);
    expect(read.type).toEqual({ type: 'date', format: 'YYYY-MM-DD' });
    expect(read.texts).toEqual([...days.map(([iso]) => iso), null]);
    expect(read.notes).toEqual([
      'column "x": 1 cell between dates or times ("pending") was taken for missing',
      'column "x": dates are written as YYYY-MM-DD and DD/MM/YYYY, in samples as YYYY-MM-DD',
    ]);
    const stamps = await column(['2024-01-05 10:00', '2024-01-06', '2024-01-07 11:30']);
    expect(stamps.type).toEqual({ type: 'timestamp', format: 'YYYY-MM-DD HH:mm' });
    expect(stamps.texts[1]).toBe('2024-01-06 00:00');
  });

  test('dates that can be read in two ways are none, which is said', async () => {
    // all slashed ones may be either, or some are the one and some the other
    for (const [others, shown] of [
      [['05/01/2024', '06/02/2024'], '05/01/2024'],
      [['25/01/2024', '01/25/2024', '03/04/2024'], '03/04/2024'],
    ] as const) {
      const cells = days
        .slice(0, 30)
        .map(([iso], i) => (i % 3 ? others[Math.floor(i / 3) % others.length]! : iso!));
      const read = await column(cells);
      expect(read.type.type).toBe('category');
      expect(read.notes).toEqual([
        `column "x": dates in several formats, of which "${shown}" can be read in two ways, taken for labels: write them in one format`,
      ]);
    }
  });

  test.each([
    [
      'currencies',
      (i: number) => `${i % 3 ? '$' : '€'}${5 + i}.25`,
      'numbers in several currencies or units ("€" and "$")',
    ],
    [
      'units',
      (i: number) => `${5 + i}.5 ${i % 3 ? 'kg' : 'lb'}`,
      'numbers in several currencies or units ("lb" and "kg")',
    ],
    ['places', (i: number) => `59.${10 + i}, 10.75`, 'pairs of numbers ("59.10, 10.75")'],
    ['points', (i: number) => `POINT (10.${10 + i} 59.75)`, 'pairs of numbers ("POINT (10.10 59.75)")'],
  ])('%s are names or labels, which is said', async (_, cellOf, what) => {
    const cells = Array.from({ length: 40 }, (_, i) => cellOf(i));
    const ids = await column(cells);
    expect(ids.type.type).toBe('id');
    expect(ids.notes.join()).toContain(`${what}, taken for names of rows, which samples have others of: `);
    const labels = await column([...cells, ...cells]);
    expect(labels.type.type).toBe('category');
    expect(labels.notes.join()).toContain(`${what}, taken for labels: `);
  });

  test('seats, sizes and versions are labels like others', async () => {
    for (const cellOf of [
      (i: number) => `${1 + (i % 9)}${'ABC'[i % 3]!}`,
      (i: number) => `${(i % 5) + 38}${i % 2 ? 'EU' : 'UK'}`,
      (i: number) => `v1.${i % 7}`,
    ]) {
      const read = await column(Array.from({ length: 40 }, (_, i) => cellOf(i)));
      expect(read.type.type).toBe('category');
      expect(read.notes).toEqual([]);
    }
  });
});

describe('formats', () => {
  test('dates go round', () => {
    const formats = [
      'YYYY-MM-DD',
      'D/M/YYYY',
      'DD MMMM YYYY',
      'MMM D, YYYY',
      'YYYY-MM-DD HH:mm:ss.SSSSSS',
      'DD.MM.YYYY h:mm A',
    ];
    fc.assert(
      fc.property(
        fc.constantFrom(...formats),
        fc.integer({ min: -100_000, max: 100_000 }),
        fc.integer({ min: 0, max: 86_399 }),
        (name, day, second) => {
          const format = calendarFormat(name)!;
          const value =
            format.holds === 'date'
              ? day
              : day * 86_400 + (name.includes('ss') ? second : second - (second % 60));
          expect(format.read(format.write(value))).toBe(value);
        },
      ),
    );
  });

  test('what is no date has no format', () => {
    for (const text of ['2020-02-30', '2020-13-01', '25:00', 'a', '12', '1.2.3.4'])
      expect(findFormat([text])).toBeNull();
    expect(findFormat(['2020-01-01', '2020-01-01 10:00'])).toBeNull();
    expect(calendarFormat('MM-DD')).toBeNull();
    expect(findFormat(['2020-01-01T00:00:00+02:00', '2020-01-01T00:00:00Z'])!.values).toEqual(
      Float64Array.of(1577829600, 1577836800),
    );
  });

  test('numbers of different styles are none', () => {
    expect(readNumerals(['$1', '€2'])).toBeNull();
    expect(readNumerals(['1,2,3'])).toBeNull();
    expect(readNumerals(['A12', 'A13'])).toBeNull();
    expect(readNumerals(['(1,000)', '25'])!.values).toEqual(Float64Array.of(-1000, 25));
  });
});

/** Tables of every type, with missing cells. */
const anyTable = fc
  .array(
    fc.constantFrom(
      'number',
      'integer',
      'boolean',
      'words',
      'category',
      'date',
      'time',
      'timestamp',
      'money',
    ),
    { minLength: 1, maxLength: 6 },
  )
  .chain((kinds) =>
    fc.integer({ min: 3, max: 30 }).chain((rows) =>
      fc.tuple(
        fc.constant(kinds),
        fc.array(
          fc.array(fc.option(fc.nat({ max: 1e6 }), { freq: 8, nil: null }), {
            minLength: rows,
            maxLength: rows,
          }),
          {
            minLength: kinds.length,
            maxLength: kinds.length,
          },
        ),
      ),
    ),
  )
  .map(([kinds, draws]) => {
    const labels = ['a b', 'NA', 'true', '1', 'say "x", y', ' lead', 'null', 'ü\n2'];
    const type = (kind: string): ColumnType => {
      switch (kind) {
        case 'words':
          return { type: 'boolean', labels: ['no', 'yes'] };
        case 'category':
          return { type: 'category', labels };
        case 'date':
          return { type: 'date', format: 'YYYY-MM-DD' };
        case 'time':
          return { type: 'time', format: 'HH:mm:ss' };
        case 'timestamp':
          return { type: 'timestamp', format: 'YYYY-MM-DD HH:mm:ss' };
        case 'money':
          return { type: 'number', decimals: 2 };
        default:
          return { type: kind as 'number' | 'integer' | 'boolean' };
      }
    };
    const value = (kind: string, draw: number) =>
      ({
        number: draw / 7,
        integer: draw,
        boolean: draw % 2,
        words: draw % 2,
        category: draw % labels.length,
        date: draw % 40_000,
        time: draw % 86_400,
        timestamp: draw * 1000,
        money: draw / 100,
      })[kind]!;
    return new Table(
      kinds.map((kind, j) => `${kind} ${j}`),
      kinds.map((kind, j) =>
        Float64Array.from(draws[j]!, (draw) => (draw === null ? NaN : value(kind, draw))),
      ),
      kinds.map(type),
    );
  });

test.each(['csv', 'tsv', 'parquet', 'json', 'ndjson'])('every cell comes back from %s', async (ending) => {
  await fc.assert(
    fc.asyncProperty(anyTable, async (table) => {
      const file = folder.file(`${files++}.${ending}`);
      await writeTable(table, file);
      const types = Object.fromEntries(
        table.names.map((name, j) => [
          name,
          table.types[j]!.type === 'integer' ? 'number' : table.types[j]!.type,
        ]),
      );
      const back = await readBoth(file, { header: true, types });
      for (const name of table.names) {
        // a file has no cell of one column that is nothing at all
        const cells = Array.from({ length: table.rows }, (_, i) => table.text(name, i)?.trim() ?? null);
        const again = Array.from({ length: back.rows }, (_, i) => back.text(name, i)?.trim() ?? null);
        if (back.rows === table.rows) expect(again).toEqual(cells);
        else expect(table.names).toHaveLength(1);
      }
    }),
    { numRuns: 40 },
  );
});

test('a column without a cell has the type that it is said to have', async () => {
  const file = folder.file('empty.csv', 'a,b,c\n1,,\n2,,\n');
  for (const type of ['number', 'integer', 'boolean', 'date', 'time', 'timestamp', 'category'] as const) {
    const table = await readTable(file, { types: { b: type } });
    expect(table.type('b')).toMatchObject({ type });
    expect(table.column('b').every(Number.isNaN)).toBe(true);
  }
});

describe('times of day as whole numbers', () => {
  const clock = (minutes: number) => 100 * Math.floor(minutes / 60) + (minutes % 60);
  const times = Array.from({ length: 80 }, (_, i) => clock((i * 389 + 5) % 1440));
  const read = (name: string, cells: readonly (number | string)[]) =>
    inferType({ name, texts: cells.map(String), counts: cells.map(() => 1) });

  test('are told by their last digits, and written as they were', () => {
    for (const cells of [times, [...times, 2400], times.map((value) => `${value}.0`), [...times, '?']]) {
      const { type, values } = read('x', cells);
      expect(type).toEqual({ type: 'time', format: 'Hmm' });
      expect(cellText(type, values[0]!)).toBe('5');
      expect(cellText(type, values[1]!)).toBe('634');
    }
    const late = read('x', [...times, 2400]);
    expect(cellText(late.type, late.values.at(-1)!)).toBe('2400');
    expect(read('x', times).notes.map(({ message }) => message)).toEqual([
      'column "x": 5 was read as a time of day, Hmm',
    ]);
    const padded = read(
      'x',
      times.map((value) => String(value).padStart(4, '0')),
    );
    expect(padded.type).toEqual({ type: 'time', format: 'HHmm' });
    expect(cellText(padded.type, padded.values[0]!)).toBe('0005');
    // half hours are enough of a day, and fewer where the name says so
    expect(
      read(
        'x',
        Array.from({ length: 48 }, (_, i) => clock(30 * i)),
      ).type.type,
    ).toBe('time');
    expect(read('dep_time', times.slice(0, 30)).type.type).toBe('time');
    expect(read('count', times.slice(0, 30)).type.type).toBe('integer');
  });

  test('of files, and back', async () => {
    const rows = times.map((value, i) => (i % 9 === 4 ? 'NA' : String(value)));
    const file = folder.file(
      'flights.csv',
      `dep_time,d\n${rows.map((row, i) => `${row},${i}.5`).join('\n')}\n`,
    );
    const table = await readBoth(file);
    expect(table.type('dep_time')).toEqual({ type: 'time', format: 'Hmm' });
    expect(table.column('dep_time')[1]).toBe(6 * 3600 + 34 * 60);
    for (const name of ['again.csv', 'again.json', 'again.parquet']) {
      const target = path.join(path.dirname(file), name);
      await writeTable(table, target);
      const again = await readTable(target);
      expect(again.column('dep_time')).toEqual(table.column('dep_time'));
    }
    expect(readFileSync(path.join(path.dirname(file), 'again.json'), 'utf8')).toContain('"dep_time":634,');
    expect((await readTable(file, { types: { dep_time: 'time' } })).type('dep_time')).toEqual(
      table.type('dep_time'),
    );
    const asked = await readTable(file, { types: { dep_time: 'integer' } });
    expect(asked.column('dep_time')[1]).toBe(634);
  });

  test.each<[name: string, values: number[]]>([
    ['prices of fifties', Array.from({ length: 47 }, (_, i) => 50 * i)],
    ['prices of hundreds', Array.from({ length: 24 }, (_, i) => 100 * i)],
    ['start', Array.from({ length: 59 }, (_, i) => 1900 + i)],
    ['rooms', Array.from({ length: 200 }, (_, i) => 100 * (1 + (i % 20)) + Math.floor(i / 20))],
    [
      'rooms of long floors',
      Array.from({ length: 400 }, (_, i) => 101 + 100 * Math.floor(i / 50) + (i % 50)),
    ],
    ['weeks of years', Array.from({ length: 530 }, (_, i) => 1401 + 100 * Math.floor(i / 53) + (i % 53))],
    ['minutes', Array.from({ length: 60 }, (_, i) => i)],
    ['counts', Array.from({ length: 300 }, (_, i) => (i * 7) % 1000)],
    ['later', [...times, 2401]],
    ['sizes', [...times, 1275]],
  ])('%s are numbers', (name, values) => {
    expect(read(name, values).type).toEqual({ type: 'integer' });
  });
});

describe('numbers beyond a limit of detection', () => {
  const measured = Array.from({ length: 40 }, (_, i) => String((i + 5) / 10));
  const read = (texts: readonly string[], count = 10) =>
    inferType({ name: 'lead', texts, counts: texts.map((text) => (/^[\d.]/.test(text) ? 1 : count)) });

  test('stand next to it, and are written as they were', () => {
    const { type, values, notes } = read([...measured, '<0.5', '> 100', '?']);
    const [below, above] = [
      { limit: 0.5, text: '<0.5' },
      { limit: 100, text: '> 100' },
    ];
    expect(type).toEqual({ type: 'number', decimals: 1, censored: { below, above } });
    expect(Array.from(values.slice(-3))).toEqual([0.4, 100.1, NaN]);
    expect([0.4, 0.1, 0.5, 100, 100.1].map((value) => cellText(type, value))).toEqual([
      '<0.5',
      '<0.5',
      '0.5',
      '100',
      '> 100',
    ]);
    expect(notes.map(({ message }) => message)).toEqual([
      'column "lead": 10 cells between numbers ("?") were taken for missing',
      'column "lead": 20 cells "<0.5" and "> 100" stand next to the limit, beyond all numbers',
    ]);
    const counts = read([...Array.from({ length: 20 }, (_, i) => String(5 + i)), '<5']);
    expect(counts.type).toEqual({ type: 'integer', censored: { below: { limit: 5, text: '<5' } } });
    expect(counts.values.at(-1)).toBe(4);
    expect(read([...measured, '<LOD']).values.at(-1)).toBe(0);
  });

  test.each([
    ['percentages', (i: number) => `${5 + i}.5%`, '<5%', 4.9],
    ['money', (i: number) => `$${5 + i}.50`, '< $5.00', 4.9],
    ['decimal commas', (i: number) => `${i},75`, '<0,5', 0.49],
    ['units', (i: number) => `${i + 1}.25 mg/l`, '<0.5', 0.49],
    ['thousands', (i: number) => String(500 + i), '>1,000', 1001],
    ['thousands with commas', (i: number) => `${1 + i},500`, '>100,000', 100_001],
  ])('of %s stand next to it', (_, cellOf, limit, value) => {
    const numbers = Array.from({ length: 40 }, (_, i) => cellOf(i));
    const { type, values } = read([...numbers, limit]);
    expect(values.at(-1)).toBe(value);
    expect(Array.from(values, (one) => cellText(type, one))).toEqual([...numbers, limit]);
  });

  test.each<[string, texts: string[], limit: number, ends: string[]]>([
    ['beyond some numbers', ['<1'], 0.1, ['<1']],
    ['of several limits', ['<0.2', '<0.5', '<1', '<LOQ'], 0.2, ['<LOQ', '<1', '<0.5', '<0.2']],
    ['of a finer limit', ['<0.25', '<0.5'], 0.25, ['<0.5', '<0.25']],
    ['words', ['n.d.', 'trace'], 0.2, ['trace', 'n.d.']],
    ['words with a limit', ['ND (0.5)', 'BDL'], 0.5, ['ND (0.5)', 'BDL']],
  ])('%s: all come back, the nearest to the numbers first', (_, texts, limit, [text, ...further]) => {
    const { type, values } = read([...measured, ...texts]);
    const below = { limit, text, ...(further.length > 0 && { further }) };
    expect(type).toEqual({ type: 'number', decimals: 1, censored: { below } });
    expect(values.slice(-texts.length).every((value) => value < limit && value < 0.5)).toBe(true);
    const round = roundedTo(type)!;
    expect(Array.from(values, (value) => cellText(type, round(value)))).toEqual([...measured, ...texts]);
    // of what is drawn between, too
    expect(cellText(type, round(values.at(-1)! + 0.0004))).toBe(texts.at(-1));
    expect(cellText(type, -100)).toBe(further.at(-1) ?? text);
  });

  test('above, and where numbers have signs', () => {
    const counts = Array.from({ length: 20 }, (_, i) => String(5 * i));
    const { type, values } = read([...counts, 'TNTC', '>50', '>200', '<5']);
    expect(type).toEqual({
      type: 'integer',
      censored: {
        below: { limit: 0, text: '<5' },
        above: { limit: 200, text: '>50', further: ['>200', 'TNTC'] },
      },
    });
    expect(Array.from(values.slice(-4))).toEqual([203, 201, 202, -1]);
    const signed = Array.from({ length: 20 }, (_, i) => String(i / 10 - 0.75));
    expect(read([...signed, '<-0.5', '<LOD']).type).toMatchObject({
      censored: { below: { limit: -1, text: '<-0.5', further: ['<LOD'] } },
    });
    expect(read([...signed, 'ND'], 1).type).not.toHaveProperty('censored');
  });

  test('most cells may be beyond, a few others are missing', () => {
    expect(read([...measured, '<0.5'], 1000).type).toHaveProperty('censored');
    const { values, notes } = read([...measured, '<0.5', 'see note'], 2);
    expect(values.at(-1)).toBeNaN();
    expect(notes.map(({ message }) => message)).toEqual([
      'column "lead": 2 cells between numbers ("see note") were taken for missing',
      'column "lead": 2 cells "<0.5" stand next to the limit, beyond all numbers',
    ]);
    expect(read([...measured, 'ND']).notes.map(({ message }) => message)).toEqual([
      'column "lead": 10 cells "ND" stand beyond all numbers; null: ["ND"] makes them missing',
    ]);
  });

  test('what may mean that nothing is known is missing between whole numbers', () => {
    const ages = Array.from({ length: 40 }, (_, i) => String(20 + i));
    expect(read([...ages, 'n.d.'], 2).type).toEqual({ type: 'integer' });
    expect(read([...ages, 'n.d.', '<20'], 2).type).toHaveProperty('censored');
  });

  test('of several limits, of samples and of rows with some of them', async () => {
    const limits = ['<0.5', '<1', '<2'];
    const rows = Array.from({ length: 600 }, (_, i) => (i * 37) % 600);
    const lead = rows.map((k, i) => {
      const value = (k / 100) ** 2 / 9 + 0.02;
      return value < Number(limits[i % 3]!.slice(1)) ? limits[i % 3]! : value.toFixed(2);
    });
    const file = folder.file(
      'limits.csv',
      `lead,other\n${rows.map((k, i) => `${lead[i]},${(k + ((i * 13) % 90)) / 8}`).join('\n')}\n`,
    );
    const table = await readBoth(file);
    expect(lead.every((text, i) => table.text('lead', i) === text)).toBe(true);
    const joint = await fitJoint(table, { copula: { kind: 'gaussian' } });
    const sample = await joint.sample(4000);
    const shareOf = (cells: readonly (string | null)[], text: string) =>
      cells.filter((cell) => cell === text).length / cells.length;
    const texts = Array.from({ length: 4000 }, (_, i) => sample.text('lead', i));
    for (const text of limits)
      expect(Math.abs(shareOf(texts, text) - shareOf(lead, text))).toBeLessThan(0.03);
    for (const name of ['again.csv', 'again.json']) {
      const target = path.join(path.dirname(file), name);
      await writeTable(sample, target);
      expect((await readTable(target)).type('lead')).toMatchObject({
        censored: (table.type('lead') as { censored?: unknown }).censored,
      });
    }
    // rows that have one of the limits alone are those of the same cells
    const some = rows.flatMap((_, i) => (/^<(?:1|2)$/.test(lead[i]!) ? [] : [i]));
    const few = folder.file(
      'some.csv',
      `lead,other\n${some.map((i) => `${lead[i]},${table.text('other', i)}`).join('\n')}\n`,
    );
    expect(await joint.logPdf(await readTable(few))).toEqual(
      await joint.logPdf(table.take(Uint32Array.from(some))),
    );
    const holes = table.take(Uint32Array.from({ length: 50 }, (_, i) => i));
    const emptied = new Table(
      holes.names,
      holes.columns.map((values) => values.map((value, i) => (i === 3 ? NaN : value))),
      holes.types,
    );
    const { tables } = await joint.impute(emptied);
    expect(
      Array.from({ length: 50 }, (_, i) => tables[0]!.text('lead', i)).filter((_, i) => i !== 3),
    ).toEqual(lead.slice(0, 50).filter((_, i) => i !== 3));
  });

  test('of files, and back, and of samples', async () => {
    const rows = Array.from({ length: 300 }, (_, i) => (i * 37) % 300);
    const lead = rows.map((k) => (k < 60 ? '<0.5' : String(Math.round((k * k) / 60) / 100)));
    const file = folder.file(
      'lead.csv',
      `lead,other\n${rows.map((k, i) => `${lead[i]},${(k + ((i * 13) % 90)) / 8}`).join('\n')}\n`,
    );
    const table = await readBoth(file);
    expect(table.column('lead').every((value, i) => table.text('lead', i) === lead[i] && value >= 0.49)).toBe(
      true,
    );
    for (const name of ['again.csv', 'again.json']) {
      const target = path.join(path.dirname(file), name);
      await writeTable(table, target);
      const again = await readTable(target);
      expect(again.type('lead')).toEqual(table.type('lead'));
      expect(again.column('lead')).toEqual(table.column('lead'));
    }
    const joint = await fitJoint(table, { copula: { kind: 'gaussian' } });
    const sample = await joint.sample(2000);
    expect(sample.type('lead')).toEqual(table.type('lead'));
    const texts = Array.from({ length: 2000 }, (_, i) => sample.text('lead', i));
    expect(Math.abs(texts.filter((text) => text === '<0.5').length / 2000 - 0.2)).toBeLessThan(0.05);
    expect(texts.every((text) => text === '<0.5' || Number(text) >= 0.5)).toBe(true);
    // few rows do not tell that these are limits
    const few = table.take(Uint32Array.from([0, 1, 2, 9]));
    const cells = folder.file(
      'few.csv',
      `lead,other\n${[0, 1, 2, 9].map((i, k) => `${lead[i]},${few.column('other')[k]}`).join('\n')}\n`,
    );
    const read = await readTable(cells);
    expect(read.type('lead').type).toBe('category');
    expect(await joint.logPdf(read)).toEqual(await joint.logPdf(few));
  });
});
