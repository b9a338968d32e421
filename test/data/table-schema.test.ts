/** Which columns a model has, and how the others are made again. */
import { Table, TableSchema, fitJoint, readTable } from '../../lib';
import { ownOrder } from '../../lib/data/schema/category-order';
import { idOf, ruleOfTexts } from '../../lib/data/schema/ids';
import { Generator } from '../../lib/data/random';
import { TemporaryFolder } from './support';

const folder = new TemporaryFolder();

const ROWS = 400;
const generator = new Generator(7);
const draw = () => generator.next() / 2 ** 32;
const pick = <T>(items: readonly T[]) => items[Math.floor(draw() * items.length)]!;
const each = <T>(make: (i: number) => T) => Array.from({ length: ROWS }, (_, i) => make(i));
const cents = (value: number) => Math.round(value * 100) / 100;

const net = each(() => cents(10 + 500 * draw()));
const tax = each(() => cents(40 * draw()));
const city = each(() => pick(['Bonn', 'Kiel', 'Lyon', 'Nice', 'Graz']));
const table = Table.fromColumns({
  order: each((i) => `A-${String(1000 + i).padStart(6, '0')}`),
  net,
  gross: net.map((value) => cents(1.19 * value)),
  tax,
  total: net.map((value, i) => cents(value + tax[i]!)),
  copy: net,
  city,
  country: city.map((name) => ({ Bonn: 'DE', Kiel: 'DE', Lyon: 'FR', Nice: 'FR', Graz: 'AT' })[name]!),
  currency: each(() => 'EUR'),
  nothing: each(() => null),
  rows: Int32Array.from({ length: ROWS }, (_, i) => i + 1),
});
const schema = TableSchema.infer(table);
const cells = (of: Table, name: string) => each((i) => of.text(name, i));

test('roles of columns', () => {
  expect(Object.fromEntries(schema.columns.map(({ name, role }) => [name, role]))).toEqual({
    order: 'id',
    net: 'modelled',
    gross: 'derived',
    tax: 'modelled',
    total: 'derived',
    copy: 'derived',
    city: 'modelled',
    country: 'derived',
    currency: 'constant',
    nothing: 'constant',
    rows: 'id',
  });
  expect(schema.notes.map(({ message }) => message)).toEqual([
    'column "order": names rows; it is not modelled, and made anew',
    'column "gross": = 1.19 x "net"; it is computed again, not modelled',
    'column "total": = "net" + "tax"; it is computed again, not modelled',
    'column "copy": a copy of "net"; it is computed again, not modelled',
    'column "country": determined by "city"; it is computed again, not modelled',
    'column "currency": all cells are the same; it is set aside and put back',
    'column "nothing": no cell holds anything; it is set aside and put back',
    'column "rows": names rows (all differ, and rise from row to row); it is not modelled, and made anew',
  ]);
});

test('what is computed again is as it was, cell by cell', () => {
  const restored = schema.restore(schema.modelled(table));
  expect(restored.names).toEqual(table.names);
  for (const name of table.names.filter((name) => name !== 'order'))
    expect(cells(restored, name)).toEqual(cells(table, name));
  expect(restored.text('order', 5)).toBe('A-001005');
  const again = TableSchema.fromJSON(JSON.parse(JSON.stringify(schema)));
  expect(cells(again.restore(again.modelled(table)), 'country')).toEqual(cells(table, 'country'));
  expect(TableSchema.infer(restored).columns.map(({ role }) => role)).toEqual(
    schema.columns.map(({ role }) => role),
  );
});

test('functions of columns that come later, of equally fine ones the number stays', () => {
  const places = Table.fromColumns({
    country: city.map((name) => ({ Bonn: 'DE', Kiel: 'DE', Lyon: 'FR', Nice: 'FR', Graz: 'AT' })[name]!),
    city,
    code: Int32Array.from(city, (name) => ['Bonn', 'Kiel', 'Lyon', 'Nice', 'Graz'].indexOf(name)),
  });
  const own = TableSchema.infer(places);
  expect(own.modelledNames).toEqual(['code']);
  const restored = own.restore(own.modelled(places));
  for (const name of places.names) expect(cells(restored, name)).toEqual(cells(places, name));
});

test('products of columns, rounded, whichever comes first', () => {
  const pieces = each(() => Math.floor(6 * draw()));
  const price = each(() => cents(1 + 80 * draw()));
  const height = each(() => Math.round(150 + 50 * draw()));
  const weight = each(() => Math.round(10 * (45 + 60 * draw())) / 10);
  const bought = Table.fromColumns({
    amount: pieces.map((count, i) => cents(count * price[i]!)),
    pieces,
    price,
    height,
    weight,
    bmi: height.map((size, i) => Math.round(10 * (weight[i]! / (size / 100) ** 2)) / 10),
  });
  const own = TableSchema.infer(bought);
  expect(own.modelledNames).toEqual(['pieces', 'price', 'height', 'weight']);
  expect(own.notes.map(({ message }) => message)).toEqual([
    'column "amount": = "pieces" x "price"; it is computed again, not modelled',
    'column "bmi": = 10000 x "weight" / "height"^2; it is computed again, not modelled',
  ]);
  const restored = own.restore(own.modelled(bought));
  restored.column('amount').forEach((value, i) => expect(value).toBe(bought.column('amount')[i]));
  // halves are rounded either way
  restored
    .column('bmi')
    .forEach((value, i) => expect(Math.abs(value - bought.column('bmi')[i]!)).toBeLessThan(0.1001));
  const again = TableSchema.fromJSON(JSON.parse(JSON.stringify(own)));
  expect(again.toJSON()).toEqual(own.toJSON());
});

test('dates close behind others are modelled by how far', () => {
  const day = each(() => 19_000 + Math.floor(700 * draw()));
  const sent = day.map((value) => value + Math.floor(4 * draw()));
  const there = sent.map((value) => (draw() < 0.1 ? NaN : value + 1 + Math.floor(9 * draw())));
  const date = { type: 'date', format: 'YYYY-MM-DD' } as const;
  const columns = [day, sent, there, each(() => 19_000 + Math.floor(700 * draw()))];
  const orders = new Table(
    ['ordered', 'sent', 'there', 'born'],
    columns.map((values) => Float64Array.from(values)),
    [date, date, date, date],
  );
  const own = TableSchema.infer(orders);
  expect(own.modelledNames).toEqual(['ordered', 'born', 'sent - ordered', 'there - sent']);
  expect(own.neededNames).toEqual(orders.names);
  expect(own.notes.map(({ message }) => message)).toEqual([
    'column "sent": close behind "ordered": how far is modelled, and it is computed again',
    'column "there": close behind "sent": how far is modelled, and it is computed again',
  ]);
  const modelled = own.modelled(orders);
  expect(modelled.column('sent - ordered')[3]).toBe(sent[3]! - day[3]!);
  // what is modelled comes as it is, and a model's file has it all
  const again = TableSchema.fromJSON(JSON.parse(JSON.stringify(own)));
  const restored = again.restore(again.modelled(modelled), { complete: true });
  for (const name of ['ordered', 'sent', 'there', 'born']) {
    expect(cells(restored, name)).toEqual(cells(orders, name));
  }
  // cells are missing as often as in the data
  const some = own.restore(modelled.take(each((i) => i).filter((i) => !Number.isNaN(there[i]!))));
  const missing = some.column('there').filter(Number.isNaN).length / some.rows;
  expect(Math.abs(missing - 0.1)).toBeLessThan(0.06);
});

test('dates with whose periods others come back are modelled by their place in them', () => {
  const rows = 1500;
  const days = Array.from({ length: rows }, (_, i) => i);
  const warmth = days.map((day) => Math.round(100 * (Math.cos((2 * Math.PI * day) / 365.25) + draw())) / 100);
  const date = { type: 'date', format: 'YYYY-MM-DD' } as const;
  const weather = new Table(
    ['day', 'warmth', 'dice'],
    [
      Float64Array.from(days, (day) => 18_000 + day),
      Float64Array.from(warmth),
      Float64Array.from(days, draw),
    ],
    [date, { type: 'number', decimals: 2 }, { type: 'number' }],
  );
  const own = TableSchema.infer(weather);
  expect(own.modelledNames).toEqual(['warmth', 'dice', 'day, year', 'day, in a year']);
  expect(own.notes[0]!.message).toMatch(/^column "day": others come back with its periods/);
  const again = TableSchema.fromJSON(JSON.parse(JSON.stringify(own)));
  const restored = again.restore(again.modelled(own.modelled(weather)));
  expect(restored.column('day')).toEqual(weather.column('day'));
  expect(TableSchema.infer(weather.exclude(['warmth'])).modelledNames).toEqual(['day', 'dice']);

  // hours of a shop: the weekday and the hour are functions of the time
  const hours = days.map((i) => 1_700_000_000 - (1_700_000_000 % 3600) + 3600 * i);
  const hour = hours.map((time) => (time / 3600) % 24);
  const weekday = hours.map((time) => Math.floor(time / 86_400) % 7);
  const shop = new Table(
    ['time', 'hour', 'weekday', 'visits'],
    [
      hours,
      hour,
      weekday,
      hour.map((at, i) => Math.round(Math.abs(at - 3) * (weekday[i]! < 5 ? 9 : 4) + 9 * draw())),
    ].map((values) => Float64Array.from(values)),
    [
      { type: 'timestamp', format: 'YYYY-MM-DD HH:mm:ss' },
      { type: 'integer' },
      { type: 'integer' },
      { type: 'integer' },
    ],
  );
  const ofShop = TableSchema.infer(shop);
  expect(ofShop.modelledNames).toEqual(['visits', 'time, week', 'time, day', 'time, in a day']);
  const open = ofShop.restore(ofShop.modelled(shop));
  for (const name of shop.names) expect(open.column(name)).toEqual(shop.column(name));
});

test('cells that are never above others', () => {
  const low = each(() => Math.round(100 * draw()));
  const ordered = Table.fromColumns({
    high: low.map((value) => value + Math.floor(50 * draw())),
    low,
    // never above either, as chance has it of cells so far apart
    far: each(() => 200 + draw()),
  });
  const own = TableSchema.infer(ordered);
  expect(own.rules).toEqual([{ lower: 'low', upper: 'high' }]);
  expect(own.notes.at(-1)!.message).toBe('in all rows, and so in those drawn: "low" is at most "high"');
  expect(TableSchema.fromJSON(JSON.parse(JSON.stringify(own))).rules).toEqual(own.rules);
});

test('steps of a number, and functions of functions', () => {
  const height = each(() => (150 + Math.floor(50 * draw())) / 100);
  const weight = each(() => (500 + Math.floor(700 * draw())) / 10);
  const bmi = height.map((h, i) => Math.round((10 * weight[i]!) / h ** 2) / 10);
  const classOf = (x: number) => (x < 18.5 ? 'under' : x < 25 ? 'normal' : x < 30 ? 'over' : 'obese');
  const price = { tea: 2.5, jam: 4.25, oil: 9.5 };
  const article = each(() => pick(['tea', 'jam', 'oil'] as const));
  const pieces = each(() => 1 + Math.floor(9 * draw()));
  const amount = article.map((name, i) => cents(price[name] * pieces[i]!));
  const vat = amount.map((value) => cents(0.19 * value));
  const people = Table.fromColumns({
    height,
    weight,
    bmi,
    class: bmi.map(classOf),
    alarm: weight.map((w) => w < 55 || w >= 110),
    article,
    price: article.map((name) => price[name]),
    pieces,
    amount,
    vat,
  });
  const own = TableSchema.infer(people);
  expect(own.modelledNames).toEqual(['height', 'weight', 'article', 'pieces']);
  const why = own.notes.map(({ message }) => message).join('\n');
  for (const text of [
    '"class": determined by "bmi", steps at 18.5, 25 and 30',
    '"alarm": determined by "weight", steps at 55 and 110',
    '"amount": = "pieces" x "price"',
  ])
    expect(why).toContain(text);
  const again = TableSchema.fromJSON(JSON.parse(JSON.stringify(own)));
  const made = again.restore(again.modelled(people), { complete: true });
  for (const name of people.names) expect(cells(made, name)).toEqual(cells(people, name));
  // below, between and above the values of the data
  const modelled = again.modelled(people);
  const other = (value: number) =>
    again.restore(
      new Table(
        modelled.names,
        modelled.columns.map((column, j) =>
          modelled.names[j] === 'weight' ? column.map(() => value) : column,
        ),
        modelled.types,
      ),
    );
  expect([20, 60, 300].map((value) => other(value).text('alarm', 0))).toEqual(['true', 'false', 'true']);
  const json = JSON.parse(JSON.stringify(own)) as { columns: { name: string; formula?: { of: object[] } }[] };
  json.columns.find(({ name }) => name === 'bmi')!.formula!.of = [{ name: 'class', power: 1 }];
  expect(() => TableSchema.fromJSON(json)).toThrow('follow from modelled ones');
  // chance makes no steps
  expect(
    TableSchema.infer(Table.fromColumns({ x: each(draw), y: each(() => draw() < 0.5) })).modelledNames,
  ).toEqual(['x', 'y']);
});

test('columns of which one has its usual value in every row', () => {
  const kinds = each(() => Math.floor(3 * draw()));
  const amounts = Table.fromColumns({
    gain: kinds.map((kind) => (kind === 1 ? 1 + Math.floor(900 * draw()) : 0)),
    loss: kinds.map((kind) => (kind === 2 ? 1 + Math.floor(900 * draw()) : 0)),
    other: each(() => (draw() < 0.3 ? 1 + Math.floor(900 * draw()) : 0)),
  });
  const own = TableSchema.infer(amounts);
  const cell = (name: string) => ({ name, value: 0 });
  expect(own.rules).toEqual([{ either: [cell('gain'), cell('loss')] }]);
  expect(own.notes.at(-1)!.message).toBe('in all rows, and so in those drawn: "gain" is 0 or "loss" is 0');
  expect(TableSchema.fromJSON(JSON.parse(JSON.stringify(own))).rules).toEqual(own.rules);
  const rows = Table.fromColumns({ gain: [1, 0, 1], loss: [0, 2, 2], other: [0, 0, 0] });
  expect(own.breakingRows(rows)).toEqual([2]);
});

test('chance makes no formulas', () => {
  const wide = Table.fromColumns(
    Object.fromEntries(
      Array.from({ length: 12 }, (_, j) => [`c${j}`, Array.from({ length: 14 }, () => draw())]),
    ),
  );
  expect(TableSchema.infer(wide).modelledNames).toHaveLength(12);
  const dice = Table.fromColumns({
    a: each(() => Math.floor(6 * draw())),
    b: each(() => Math.floor(2 * draw())),
  });
  expect(TableSchema.infer(dice).modelledNames).toHaveLength(2);
});

test('years that count up are data, row numbers are not', () => {
  const years = Table.fromColumns({
    year: Int32Array.from({ length: 60 }, (_, i) => 1960 + i),
    flow: each(() => draw()).slice(0, 60),
  });
  expect(TableSchema.infer(years).modelledNames).toEqual(['year', 'flow']);
});

test('cells are missing together, as often as in the data', () => {
  const holes = Table.fromColumns({
    a: each((i) => (i % 4 === 0 ? null : draw())),
    b: each((i) => (i % 4 === 0 ? null : draw())),
    c: each(() => draw()),
  });
  const own = TableSchema.infer(holes);
  expect(own.missing).toEqual([
    { columns: [], share: 0.75 },
    { columns: [0, 1], share: 0.25 },
  ]);
  const full = Table.fromColumns({ a: each(() => draw()), b: each(() => draw()), c: each(() => draw()) });
  const restored = own.restore(full, { seed: 3 });
  const missing = each((i) => (restored.text('a', i) === null ? 1 : 0));
  expect(each((i) => (restored.text('b', i) === null ? 1 : 0))).toEqual(missing);
  expect(missing.reduce<number>((sum, one) => sum + one, 0)).toBeGreaterThan(70);
  expect(missing.reduce<number>((sum, one) => sum + one, 0)).toBeLessThan(130);
  expect(cells(own.restore(full, { complete: true }), 'a')).not.toContain(null);
});

test('labels of other tables are found by name', () => {
  const other = Table.fromColumns({ net: [1, 2], tax: [3, 4], city: ['Nice', 'Oslo'] });
  const seen = schema.modelled(other);
  expect(seen.text('city', 0)).toBe('Nice');
  expect(seen.text('city', 1)).toBe('Oslo');
  expect(seen.column('city')[0]).toBe(schema.modelled(table).column('city')[city.indexOf('Nice')]);
  expect(seen.column('city')[1]).toBe(5);
  expect(() => schema.modelled(other.exclude(['tax']))).toThrow('got none called "tax"');
  const words = Table.fromColumns({ net: ['x', 'y'], tax: [3, 4], city: ['Nice', 'Bonn'] });
  expect(() => schema.modelled(words)).toThrow(
    'expected cells of type number in column "net", as the model has, got category ("x" in row 1)',
  );
});

test('orders that labels have by themselves', () => {
  const order = (labels: string[]) => ownOrder(labels)?.map((k) => labels[k]);
  expect(order(['high', 'low', 'medium'])).toEqual(['low', 'medium', 'high']);
  expect(order(['65+', '18-24', '<18', '25-64'])).toEqual(['<18', '18-24', '25-64', '65+']);
  expect(order(['Tue', 'Mon', 'Sun'])).toEqual(['Mon', 'Tue', 'Sun']);
  expect(order(['grade 10', 'n/a', 'grade 9'])).toEqual(['grade 9', 'grade 10', 'n/a']);
  expect(order(['red', 'blue'])).toBeUndefined();
  expect(order(['I10', 'E11.9', 'J06.9'])).toBeUndefined();
});

test('categories get the order in which dependence is monotone', () => {
  const effect = { d: 3, a: 1, c: 2, b: 0 };
  const letters = each(() => pick(['a', 'b', 'c', 'd'] as const));
  const ordered = TableSchema.infer(
    Table.fromColumns({
      letters,
      x: letters.map((letter) => effect[letter] + 1.5 * draw()),
      y: each(() => draw()),
    }),
  );
  const { type } = ordered.columns[0]!;
  expect([
    ['b', 'a', 'c', 'd'],
    ['d', 'c', 'a', 'b'],
  ]).toContainEqual(type.type === 'category' && type.labels);
});

test('new names look like those of the data', () => {
  expect(ruleOfTexts(['A-01', 'A-02', 'A-10'])).toMatchObject({
    rule: 'counted',
    prefix: 'A-',
    width: 2,
    first: 1,
  });
  const uuid = ruleOfTexts(['123e4567-e89b-42d3-a456-426614174000', '123e4567-e89b-42d3-a456-426614174001']);
  expect(idOf(uuid, 3, 1, 0)).toMatch(/^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/);
  const names = ruleOfTexts(['Ann Lee', 'Bob Ray']);
  expect(idOf(names, 0, 1, 0)).toMatch(/^[A-Z][a-z]{2} [A-Z][a-z]{2}$/);
  const hashes = ruleOfTexts(['0a1b2c3d4e5f60718293', 'ffeeddccbbaa99887766']);
  expect(idOf(hashes, 0, 1, 0)).toMatch(/^[\da-f]{20}$/);
  const invoices = ruleOfTexts(['INV-2022-00001', 'INV-2023-00002']);
  expect(idOf(invoices, 0, 1, 0)).toMatch(/^INV-\d{4}-\d{5}$/);
  const spread = ruleOfTexts(['7', '1000', '55', '430']);
  expect(new Set(Array.from({ length: 500 }, (_, i) => idOf(spread, i, 1, 0))).size).toBe(500);
});

test('a damaged schema is refused', () => {
  const json = schema.toJSON();
  for (const bad of [null, {}, { ...json, columns: [] }, { ...json, missing: [{ columns: [99], share: 1 }] }])
    expect(() => TableSchema.fromJSON(bad)).toThrow(expect.objectContaining({ code: 'ERR_SKLAR_FORMAT' }));
});

test('sums that others are looked up by, of columns that are missing where they are, beside columns with few cells', () => {
  const gone = each((i) => i % 9 === 4);
  const marks = [0, 1, 2].map(() => each((i) => (gone[i] ? null : Math.floor(21 * draw()))));
  const total = gone.map((is, i) => (is ? null : marks.reduce((sum, mark) => sum + mark[i]!, 0)));
  const school = Table.fromColumns({
    rare: each((i) => (i % 40 === 1 ? draw() : null)),
    cancelled: gone.map(Number),
    first: marks[0]!,
    second: marks[1]!,
    third: marks[2]!,
    total,
    passed: total.map((sum) => (sum === null ? null : sum >= 30 ? 'yes' : 'no')),
  });
  const own = TableSchema.infer(school);
  const why = own.notes.map(({ message }) => message).join('\n');
  expect(why).toContain('"total": = "first" + "second" + "third"');
  expect(why).toContain('"passed": determined by "total", steps at 30');
  const restored = own.restore(own.modelled(school));
  for (const name of ['total', 'passed']) expect(cells(restored, name)).toEqual(cells(school, name));
});

test('products of amounts with signs, quotients of which the finest is computed, and signs', () => {
  const rates = { EUR: 1, USD: 0.92, GBP: 1.16 };
  const currency = each(() => pick(['EUR', 'USD', 'GBP'] as const));
  const amount = each(() => cents(200 * draw() - 150));
  const balance = amount.map((value) => (value < 0 ? value - 20 : value + 30));
  const price = each(() => 1000 * Math.round(100 + 900 * draw()));
  const area = each(() => Math.round(30 + 150 * draw()));
  const sold = Table.fromColumns({
    currency,
    rate: currency.map((name) => rates[name]),
    amount,
    euros: amount.map((value, i) => cents(value * rates[currency[i]!])),
    // with a gap between
    direction: balance.map((value) => (value < 0 ? 'D' : 'C')),
    balance,
    area,
    price,
    each: price.map((value, i) => Math.round(value / area[i]!)),
  });
  const own = TableSchema.infer(sold);
  const why = own.notes.map(({ message }) => message).join('\n');
  expect(why).toContain('"euros": = "amount" x "rate"');
  expect(why).toContain('"each": = "price" / "area"');
  expect(why).toContain('"direction": determined by "amount", steps at 0');
});

test('where cells are missing is computed where another column, which may be missing itself, says so', () => {
  const state = each((i) => (i % 25 === 7 ? 'lost' : i % 3 === 0 ? 'open' : 'paid'));
  const claims = each((i) => (i % 4 === 1 ? 0 : 1 + (i % 3)));
  const status = state.map((one, i) => (claims[i] === 0 ? null : one));
  const score = each(() => Math.floor(100 * draw()));
  const policies = Table.fromColumns({
    claims,
    status,
    amount: claims.map((count) => (count === 0 ? null : 500 * draw())),
    paid: status.map((one) => (one === 'paid' ? 300 * draw() : null)),
    reason: status.map((one) => (one === 'lost' ? 10 * draw() : null)),
    score,
    second: score.map((value) => (value < 20 ? 100 * draw() : null)),
  });
  const own = TableSchema.infer(policies);
  expect(own.indicatorNames).toEqual([]);
  expect(own.indicators.map(({ columns, formula }) => [columns, formula?.of[0]!.name])).toEqual([
    [['status', 'amount'], 'claims'],
    [['paid'], 'status'],
    [['reason'], 'status'],
    [['second'], 'score'],
  ]);
  const json: unknown = JSON.parse(JSON.stringify(own));
  const again = TableSchema.fromJSON(json);
  const restored = again.restore(again.modelled(policies));
  for (const name of policies.names) {
    expect(cells(restored, name).map((cell) => cell === null)).toEqual(
      cells(policies, name).map((cell) => cell === null),
    );
  }
  expect(again.restore(again.modelled(policies), { complete: true }).names).toEqual(policies.names);
  // indicators that depend on each other
  const circle = JSON.parse(JSON.stringify(own)) as { indicators: { formula: { of: object[] } }[] };
  circle.indicators[0]!.formula.of = [{ name: 'paid' }];
  expect(() => TableSchema.fromJSON(circle)).toThrow('follow from modelled ones');
  // of two that say the same of cells which another column does not determine
  const gone = each(() => draw() < 0.3);
  const pair = Table.fromColumns({
    flag: each(draw),
    code: gone.map((is) => (is ? null : draw())),
    cause: gone.map((is) => (is ? draw() : null)),
  });
  const both = TableSchema.infer(pair);
  const kept = TableSchema.fromJSON(JSON.parse(JSON.stringify(both)));
  const drawn = kept.restore(kept.modelled(pair));
  expect(cells(drawn, 'cause').map((cell) => cell === null)).toEqual(gone.map((is) => !is));
  // chance says nothing
  const random = Table.fromColumns({
    x: each(() => (draw() < 0.01 ? null : 1)),
    y: each(() => pick(['a', 'b', 'c'])),
  });
  expect(TableSchema.infer(random).indicators).toEqual([]);
});

test('of dates and how far they are apart the later is computed, dates that are never before others are modelled by how far', () => {
  const start = each(() => 19_000 + Math.floor(700 * draw()));
  const end = start.map((value) => value + pick([29, 90, 364]));
  const ordered = each(() => 19_000 + Math.floor(700 * draw()));
  const days = each(() => Math.floor(9 * draw()));
  const booked = each(() => Math.floor((19_000 + 700 * draw()) * 86_400));
  const booking = booked.map((value) => Math.floor(value / 86_400));
  const [date, timestamp] = [
    { type: 'date', format: 'YYYY-MM-DD' },
    { type: 'timestamp', format: 'YYYY-MM-DD HH:mm:ss' },
  ] as const;
  const columns = [
    [start, date],
    [end, date],
    [ordered, date],
    [ordered.map((value, i) => value + days[i]!), date],
    [days, { type: 'integer' }],
    [booked, timestamp],
    [booking, date],
    [booking.map((value) => value + Math.floor(3 * draw())), date],
    // by a part of timestamps that do not recur
    [booked.map((value) => Math.floor((value % 86_400) / 3600)), { type: 'integer' }],
  ] as const;
  const names = ['start', 'end', 'ordered', 'delivered', 'days', 'booked', 'day', 'value date', 'hour'];
  const dates = new Table(
    names,
    columns.map(([values]) => Float64Array.from(values)),
    columns.map(([, type]) => type),
  );
  const own = TableSchema.infer(dates);
  // hours depend on the place in a week, which their days are in
  expect(own.modelledNames.filter((name) => name !== 'booked, week')).toEqual([
    'start',
    'ordered',
    'days',
    'end - start',
    'value date - booked',
    'booked, day',
    'booked, in a day',
  ]);
  const again = TableSchema.fromJSON(JSON.parse(JSON.stringify(own)));
  const restored = again.restore(again.modelled(dates));
  for (const name of names) expect(cells(restored, name)).toEqual(cells(dates, name));
});

test('rules of steps of a number hold in rows that are drawn', () => {
  const kind = each(() => pick(['card', 'salary', 'transfer']));
  const amount = kind.map((one) => {
    const size = cents(1 + 200 * draw());
    return one === 'card' ? -size : one === 'salary' ? size : pick([-size, size]);
  });
  const booked = Table.fromColumns({ kind, amount, side: amount.map((value) => (value < 0 ? 'D' : 'C')) });
  const own = TableSchema.infer(booked);
  expect(own.modelledNames).toEqual(['kind', 'amount']);
  expect(own.notes.at(-1)!.message).toContain('"side" is D where "kind" is card');
  const again = TableSchema.fromJSON(JSON.parse(JSON.stringify(own)));
  const modelled = again.modelled(booked);
  expect(again.breakingRows(modelled)).toEqual([]);
  const turned = new Table(
    modelled.names,
    [modelled.column('kind'), modelled.column('amount').map((value) => -value)],
    modelled.types,
  );
  const broken = each((i) => i).filter((i) => kind[i] !== 'transfer');
  expect(again.breakingRows(turned)).toEqual(broken);
  expect(again.worstRule(turned.take(broken)).columns).toContain('side');
});

test('ages and months of service are steps of a date', () => {
  const born = each(() => Math.floor(-12_000 + 18_000 * draw()));
  const hired = each(() => Math.floor(13_000 + 6_900 * draw()));
  const date = { type: 'date', format: 'YYYY-MM-DD' } as const;
  const integer = { type: 'integer' } as const;
  const columns = {
    born,
    age: born.map((day) => Math.floor((20_000 - day) / 365.2425)),
    hired,
    months: hired.map((day) => Math.floor((20_000 - day) / 30.436875)),
    days: hired.map((day) => 20_000 - day),
  };
  const staff = new Table(
    Object.keys(columns),
    Object.values(columns).map((values) => Float64Array.from(values)),
    [date, integer, date, integer, integer],
  );
  const own = TableSchema.infer(staff);
  expect(own.modelledNames).toEqual(['born', 'hired']);
  const [age, months, days] = own.notes.map(({ message }) => message.split(';')[0]);
  expect(age).toMatch(/^column "age": determined by "born", steps at 19\d\d-\d\d-\d\d, /);
  expect(months).toMatch(/^column "months": determined by "hired", steps at 20\d\d-\d\d-\d\d, /);
  expect(days).toBe('column "days": = days from "hired" to 2024-10-04');
  const restored = own.restore(own.modelled(staff));
  for (const name of ['age', 'months']) expect(restored.column(name)).toEqual(staff.column(name));
});

test('what a discount leaves and a tax adds', () => {
  const pieces = each(() => 1 + Math.floor(6 * draw()));
  const price = each(() => cents(5 + 80 * draw()));
  const discount = each(() => pick([0, 0, 0, 0, 0.05, 0.1, 0.15, 0.3]));
  const percent = each(() => pick([0, 0, 0, 5, 12.5, 50]));
  const vat = each(() => pick([7, 19, 25]));
  const hours = each(() => Math.round(100 * draw()));
  const sold = Table.fromColumns({
    net: pieces.map((count, i) => cents(count * price[i]! * (1 - discount[i]!))),
    pieces,
    price,
    discount,
    hours,
    percent,
    earned: hours.map((count, i) => cents(40 * count * (1 - percent[i]! / 100))),
    vat,
    shipped: price.map((value, i) => cents(value * (1 + vat[i]! / 100))),
  });
  const own = TableSchema.infer(sold);
  expect(own.notes.map(({ message }) => message.split(';')[0])).toEqual([
    'column "net": = "pieces" x "price" x (1 - "discount")',
    'column "earned": = 40 x "hours" x (1 - "percent" / 100)',
    'column "shipped": = "price" x (1 + "vat" / 100)',
  ]);
  const restored = own.restore(own.modelled(sold));
  for (const name of ['net', 'earned', 'shipped']) {
    restored
      .column(name)
      .forEach((value, i) => expect(Math.abs(value - sold.column(name)[i]!)).toBeLessThan(0.01001));
  }
  expect(TableSchema.fromJSON(JSON.parse(JSON.stringify(own))).toJSON()).toEqual(own.toJSON());
});

test('thresholds from which on a column has a value', () => {
  const net = each(() => cents(2 + 70 * draw() ** 2));
  const tax = each(() => cents(5 * draw()));
  const age = each(() => Math.floor(10 + 50 * draw()));
  const shop = Table.fromColumns({
    net,
    tax,
    total: net.map((value, i) => cents(value + tax[i]!)),
    shipping: net.map((value, i) => (value + tax[i]! >= 40 ? 0 : pick([4.9, 9.9]))),
    age,
    status: age.map((years) => (years < 18 ? 'minor' : pick(['single', 'married', 'minor']))),
    // more frequent by degrees
    reads: age.map((years) => (1 / (1 + Math.exp((years - 30) / 3)) > draw() ? 'comics' : 'novels')),
  });
  const own = TableSchema.infer(shop);
  expect(own.rules).toEqual([
    {
      beyond: { name: 'age', below: 18 },
      then: { name: 'status', value: expect.any(Number) as number },
      alone: false,
    },
    {
      beyond: { name: 'total', atLeast: 40 },
      then: { name: 'shipping', value: 0 },
      alone: true,
    },
  ]);
  const why = own.notes.map(({ message }) => message).join('\n');
  expect(why).toMatch(
    /"status" is minor where "age" is below 18; "shipping" is 0 where "total" is at least 40, and nowhere else/,
  );
  const modelled = own.modelled(shop);
  expect(own.breakingRows(modelled)).toEqual([]);
  const free = own
    .modelled(shop)
    .column('shipping')
    .map(() => 0);
  const columns = modelled.names.map((name) => (name === 'shipping' ? free : modelled.column(name)));
  const turned = new Table(modelled.names, columns, modelled.types);
  const below = own.breakingRows(turned);
  expect(below.length).toBe(Array.from(shop.column('shipping')).filter((value) => value > 0).length);
  const paid = new Table(
    modelled.names,
    modelled.names.map((name) => (name === 'shipping' ? free.map(() => 4.9) : modelled.column(name))),
    modelled.types,
  );
  const broken = own.breakingRows(paid);
  expect(broken.length).toBe(ROWS - below.length);
  expect(own.breakingRows(own.obeying(paid, broken))).toEqual([]);
  expect(TableSchema.fromJSON(JSON.parse(JSON.stringify(own))).toJSON()).toEqual(own.toJSON());
});

test('whole numbers that name rows', () => {
  const other = each(() => Math.floor(6 * draw()));
  const shuffled = each((i) => i)
    .map((i) => [draw(), i] as const)
    .sort(([a], [b]) => a - b)
    .map(([, i]) => i);
  let at = 7000;
  const gaps = each(() => (at += 1 + Math.floor(5 * draw())));
  let km = 45_000;
  const rising = each(() => (km += 5 + Math.floor(90 * draw())));
  const integers = (columns: Record<string, readonly number[]>, asked?: true) =>
    new Table(
      Object.keys(columns),
      Object.values(columns).map((values) => Float64Array.from(values)),
      Object.keys(columns).map((_, j) => ({ type: 'integer', ...(asked && j === 0 && { asked }) })),
    );
  const whyOf = (name: string, values: readonly number[], beside = other) => {
    const { columns } = TableSchema.infer(integers({ [name]: values, beside }));
    return columns[0]!.role === 'id' ? columns[0]!.why : columns[0]!.role;
  };
  const named = 'all differ, as the name says';
  const rises = 'all differ, and rise from row to row';
  const close = 'all differ, as close together as they are';
  expect(whyOf('order_no', gaps)).toBe(named);
  expect(whyOf('invoiceNumber', shuffled)).toBe(named);
  expect(whyOf('Rechnungsnr', gaps)).toBe(named);
  expect(
    whyOf(
      'order_no',
      gaps.map((value, i) => (i % 7 === 0 ? NaN : value)),
    ),
  ).toBe(named);
  expect(whyOf('ticket', gaps)).toBe(rises);
  expect(whyOf('serial', shuffled)).toBe(close);
  expect(whyOf('konto', shuffled)).toBe(`${close}, and no other column depends on them`);
  expect(
    whyOf(
      'a',
      each((i) => i),
    ),
  ).toBe(`${rises}, and no other column depends on them`);

  // data: what is measured, what others depend on, and what chance has differ
  const columns: [string, number[]][] = [
    ['odometer', rising],
    ['stand', rising],
    ['week_no', each((i) => i + 1)],
    ['rank', each((i) => i + 1)],
    ['t', each((i) => i)],
    ['num_orders', rising],
    ['ticket', each(() => Math.floor(1e7 * draw()))],
    ['jahr', each((i) => 1801 + i).slice(0, 200)],
    ['order_no', other],
  ];
  for (const [name, values] of columns) {
    expect([name, whyOf(name, values, other.slice(0, values.length))]).toEqual([name, 'modelled']);
  }
  const trend = each((i) => Math.floor(i / 30 + 6 * draw()));
  expect(
    whyOf(
      'a',
      each((i) => i),
      trend,
    ),
  ).toBe('modelled');
  expect(TableSchema.infer(integers({ order_no: gaps, other }, true)).modelledNames).toEqual([
    'order_no',
    'other',
  ]);

  // new ones are of the same pattern: multiples of ten, as many digits
  const tens = integers({ order_no: each((i) => 20_010 + 30 * i), other });
  const own = TableSchema.infer(tens);
  const again = TableSchema.fromJSON(JSON.parse(JSON.stringify(own)));
  expect(again.toJSON()).toEqual(own.toJSON());
  expect(cells(again.restore(again.modelled(tens)), 'order_no')).toEqual(cells(tens, 'order_no'));
  const some = TableSchema.infer(integers({ order_no: gaps.map((value) => 10 * value), other }));
  const made = Array.from(some.restore(some.modelled(tens)).column('order_no'));
  expect(made.every((value, i) => value % 10 === 0 && (i === 0 || value > made[i - 1]!))).toBe(true);
});

test('rules of columns that are computed', () => {
  const pieces = each(() => 1 + Math.floor(6 * draw()));
  const price = each(() => cents(5 + 60 * draw() ** 2));
  const net = pieces.map((count, i) => cents(count * price[i]!));
  const gross = net.map((value) => cents(1.19 * value));
  const land = { Bonn: 'DE', Kiel: 'DE', Zug: 'CH', Bern: 'CH', Graz: 'AT' } as const;
  const town = each(() => pick(Object.keys(land) as (keyof typeof land)[]));
  const country = town.map((name) => land[name]);
  const shop = Table.fromColumns({
    refund: net.map((value) => (draw() < 0.5 ? 0 : cents(value * draw()))),
    pieces,
    price,
    net,
    gross,
    deposit: gross.map((value) => cents(value * draw())),
    town,
    country,
    customs: country.map((name) => (name === 'CH' ? cents(1 + draw()) : 0)),
  });
  const own = TableSchema.infer(shop);
  expect(own.modelledNames).toEqual(['refund', 'pieces', 'price', 'deposit', 'town', 'customs']);
  // what is at most the net is at most the gross, and prices of several pieces are no rule
  expect(own.rules.filter((rule) => 'lower' in rule)).toEqual([
    { lower: 'refund', upper: 'net' },
    { lower: 'deposit', upper: 'gross' },
  ]);
  const why = own.rules.map((rule) => JSON.stringify(rule)).join();
  expect(why).toContain('"where":{"name":"country"');
  const again = TableSchema.fromJSON(JSON.parse(JSON.stringify(own)));
  expect(again.toJSON()).toEqual(own.toJSON());
  const modelled = again.modelled(shop);
  expect(again.breakingRows(modelled)).toEqual([]);
  const having = (name: string, change: (value: number, i: number) => number) =>
    new Table(
      modelled.names,
      modelled.names.map((one) => (one === name ? modelled.column(one).map(change) : modelled.column(one))),
      modelled.types,
    );
  expect(again.breakingRows(having('refund', (value, i) => (i < 3 ? net[i]! + 1 : value)))).toEqual([
    0, 1, 2,
  ]);
  expect(again.breakingRows(having('price', (value, i) => (i === 5 ? value / 1000 : value)))).toEqual([5]);
});

test('sums and copies whose cells are missing in other rows than what they are of', async () => {
  const some = (values: readonly number[]) => values.map((value) => (draw() < 0.1 ? null : value));
  const net = each(() => cents(10 + 90 * draw() ** 3));
  const fee = each(() => cents(1 + 9 * draw()));
  const total = net.map((value, i) => cents(value + fee[i]!));
  const table = Table.fromColumns({
    net: some(net),
    fee: some(fee),
    total: some(total),
    again: some(net),
    gross: net.map((value) => cents(1.19 * value)),
  });
  for (const missing of ['impute', 'model'] as const) {
    const own = TableSchema.infer(table, { missing });
    expect(own.columns.map(({ role }) => role)).toEqual([
      'modelled',
      'modelled',
      'derived',
      'derived',
      'derived',
    ]);
    const again = TableSchema.fromJSON(JSON.parse(JSON.stringify(own)));
    expect(again.toJSON()).toEqual(own.toJSON());
    const joint = await fitJoint(table, { copula: { kind: 'gaussian' }, missing });
    const sample = await joint.sample(2000, { seed: 1 });
    const [a, b, sum, copy, gross] = table.names.map((name) => sample.column(name));
    for (const [values, share] of [
      [a, 0.1],
      [sum, 0.1],
      [copy, 0.1],
      [gross, 0],
    ] as const)
      expect(Math.abs(values!.filter(Number.isNaN).length / 2000 - share)).toBeLessThan(0.05);
    const isNear = (x: number, y: number) => Number.isNaN(x + y) || Math.abs(x - y) < 0.011;
    expect(a!.every((value, i) => isNear(value + b![i]!, sum![i]!) && isNear(value, copy![i]!))).toBe(true);
    expect(a!.every((value, i) => isNear(1.19 * value, gross![i]!))).toBe(true);
    expect(sum!.some((value, i) => !Number.isNaN(value) && Number.isNaN(a![i]))).toBe(true);
  }
  // equal where both are there, which is in few rows: no order that rows could keep
  const few = Table.fromColumns({
    x: net.map((value, i) => (i % 3 ? null : value)),
    y: net.map((value, i) => (i % 9 ? null : value)),
    fee,
  });
  const seldom = TableSchema.infer(few, { missing: 'impute' });
  expect(seldom.rules.filter((rule) => 'lower' in rule)).toEqual([]);
});

test('numbers and codes of places are no names', () => {
  const codes = Int32Array.from(each((i) => 10_000 + ((i * 7919) % 80_000)));
  const other = each(() => cents(draw()));
  for (const name of ['zip_code', 'postalCode', 'area code', 'house no', 'PLZ'])
    expect(TableSchema.infer(Table.fromColumns({ [name]: codes, other })).modelledNames).toEqual([
      name,
      'other',
    ]);
  expect(TableSchema.infer(Table.fromColumns({ order_no: codes, other })).modelledNames).toEqual(['other']);
});

test('columns that are often equal to another are modelled by what they are of it', async () => {
  const rows = Array.from({ length: 1200 }, () => {
    const list = cents(5 + 95 * draw() ** 2);
    const price = draw() < 0.7 ? list : cents(list * (1 - pick([0.1, 0.2, 0.5])));
    const raw = cents(10 * (draw() - 0.5));
    const bill = pick(['Oslo', 'Bergen', 'Paris', 'Lyon', 'Rome']);
    const zip = 10_000 + 7 * Math.floor(200 * draw());
    const invoice = cents(50 + 900 * draw() ** 2);
    const paid = draw();
    return {
      list,
      price,
      last: draw() < 0.9 ? price : cents(price * draw()),
      invoice,
      paid: paid < 0.1 ? 0 : paid < 0.8 ? invoice : cents(invoice * draw()),
      raw,
      adjusted: draw() < 0.6 ? raw : cents(raw + draw() - 0.5),
      bill,
      ship: draw() < 0.8 ? bill : pick(['Oslo', 'Bergen', 'Paris', 'Lyon', 'Kiel']),
      zip,
      'ship zip': draw() < 0.8 ? zip : 10_000 + 7 * Math.floor(200 * draw()),
    };
  });
  const names = Object.keys(rows[0]!) as (keyof (typeof rows)[number])[];
  const tableOf = (shareMissing: number) =>
    Table.fromColumns(
      Object.fromEntries(
        names.map((name) => [name, rows.map((row) => (draw() < shareMissing ? null : row[name]))]),
      ),
    );
  const whole = tableOf(0);
  const [own, holes] = [whole, tableOf(0.04)].map((data) => TableSchema.infer(data));
  for (const schema of [own!, holes!]) {
    expect(new Map(schema.differences.map(({ of, as }) => [of.join(), as]))).toEqual(
      new Map([
        ['price,list', 'share'],
        ['last,price', 'share'],
        ['paid,invoice', 'share'],
        ['adjusted,raw', undefined],
        ['ship,bill', 'same'],
        ['ship zip,zip', 'same'],
      ]),
    );
    const again = TableSchema.fromJSON(JSON.parse(JSON.stringify(schema)));
    expect(again.toJSON()).toEqual(schema.toJSON());
  }
  const back = own!.restore(own!.modelled(whole));
  for (const name of names)
    expect(rows.every((_, i) => back.text(name, i) === whole.text(name, i))).toBe(true);
  // prices that a discount of a tenth leaves are .9 of all lists
  const shares = own!.modelled(whole).column('price / list');
  expect(new Set(shares).size).toBeLessThan(8);
  const joint = await fitJoint(whole, { copula: { kind: 'gaussian' } });
  const sample = await joint.sample(2000, { seed: 2 });
  const shareEqual = (of: Table, [a, b]: readonly string[]) =>
    Array.from({ length: of.rows }, (_, i) => Number(of.text(a!, i) === of.text(b!, i))).reduce(
      (sum, one) => sum + one / of.rows,
      0,
    );
  for (const { of } of own!.differences)
    expect(Math.abs(shareEqual(sample, of) - shareEqual(whole, of))).toBeLessThan(0.06);
  const paid = sample.column('paid');
  expect(paid.every((value, i) => value <= sample.column('invoice')[i]!)).toBe(true);
  expect(Math.abs(paid.filter((value) => value === 0).length / 2000 - 0.1)).toBeLessThan(0.03);
  expect(TableSchema.infer(sample).columns.map(({ role }) => role)).toEqual(
    own!.columns.map(({ role }) => role),
  );
});

test('columns that chance, dependence or few levels make equal are modelled as they are', () => {
  const age = each(() => 20 + Math.floor(50 * draw()));
  const rain = each(() => (draw() < 0.6 ? 0 : cents(20 * draw())));
  const own = TableSchema.infer(
    Table.fromColumns({
      age,
      'age of spouse': age.map((value) => value + Math.floor(5 * draw()) - 2),
      rain,
      'rain there': rain.map((value) => (value === 0 || draw() < 0.2 ? 0 : cents(20 * draw()))),
      before: each(() => pick(['never', 'rarely', 'often'])),
      after: each(() => pick(['never', 'rarely', 'often'])),
    }),
  );
  expect(own.differences).toEqual([]);
});

test('linear functions that a number or another column cuts off', async () => {
  const rows = Array.from({ length: 1000 }, () => {
    const [hours, rate] = [cents(20 + 40 * draw()), cents(10 + 40 * draw())];
    const overtime = cents(Math.max(0, hours - 40));
    const claim = cents(100 + 5000 * draw() ** 3);
    const [limit, deductible] = [pick([1000, 2500, 5000]), pick([0, 100, 250])];
    const [a, b] = [cents(100 * draw()), cents(100 * draw())];
    return {
      ...{ hours, overtime, rate, pay: cents(overtime * rate), claim, limit, deductible },
      paid: cents(Math.min(limit, Math.max(0, claim - deductible))),
      ...{ a, b, lesser: Math.min(a, b), shown: Math.min(Math.max(a, 5), 90) },
    };
  });
  const names = Object.keys(rows[0]!) as (keyof (typeof rows)[number])[];
  for (const share of [0, 0.03]) {
    const data = Table.fromColumns(
      Object.fromEntries(names.map((name) => [name, rows.map((row) => (draw() < share ? null : row[name]))])),
    );
    const own = TableSchema.infer(data);
    const derived = own.columns.filter(({ role }) => role === 'derived').map(({ name }) => name);
    expect(derived).toEqual(['overtime', 'pay', 'paid', 'lesser', 'shown']);
    const notes = own.notes.map(({ message }) => message).join('\n');
    for (const said of [
      '"overtime": = "hours" - 40, at least 0;',
      '"paid": = "claim" - "deductible", at least 0, at most "limit";',
      '"lesser": = "b", at most "a";',
      '"shown": = "a", at least 5, at most 90;',
    ])
      expect(notes).toContain(said);
    expect(TableSchema.fromJSON(JSON.parse(JSON.stringify(own))).toJSON()).toEqual(own.toJSON());
    const joint = await fitJoint(data, { copula: { kind: 'gaussian' } });
    const isOff = (of: Table, i: number) => {
      const at = (name: (typeof names)[number]) => of.column(name)[i]!;
      return [
        at('overtime') - Math.max(0, at('hours') - 40),
        at('paid') - Math.min(at('limit'), Math.max(0, at('claim') - at('deductible'))),
        at('lesser') - Math.min(at('a'), at('b')),
      ].some((off) => Math.abs(off) > 0.0101);
    };
    const sample = await joint.sample(500);
    expect(Array.from({ length: 500 }, (_, i) => i).filter((i) => isOff(sample, i))).toEqual([]);
    if (share === 0) continue;
    const { tables } = await joint.impute(data);
    const made = tables[0]!;
    for (const [i, row] of rows.entries()) {
      const lost = ['limit', 'claim', 'deductible', 'hours', 'a', 'b'].filter((name) =>
        Number.isNaN(data.column(name)[i]),
      );
      if (lost.length === 1) expect([row, isOff(made, i)]).toEqual([row, false]);
    }
  }
});

test('times of day that follow others past midnight', async () => {
  const clock = (minutes: number) =>
    [Math.floor(minutes / 60) % 24, minutes % 60].map((part) => String(part).padStart(2, '0')).join(':');
  const rows = each(() => {
    const [departure, begin] = [Math.floor(1440 * draw()), Math.floor(1440 * draw())];
    const minutes = 45 + Math.floor(200 * draw() ** 2);
    return [
      ...[clock(departure), clock(departure + minutes), minutes],
      ...[clock(begin), clock(begin + 20 + Math.floor(70 * draw()))],
    ].join(',');
  });
  const file = folder.file('times.csv', `departure,arrival,minutes,begin,end\n${rows.join('\n')}\n`);
  const data = await readTable(file);
  const own = TableSchema.infer(data);
  const roles = own.columns.map(({ role }) => role);
  expect(roles).toEqual(['modelled', 'derived', 'modelled', 'modelled', 'derived']);
  expect(own.notes[0]!.message).toContain('"arrival": = "departure" + 60 x "minutes"');
  const restored = own.restore(own.modelled(data));
  for (const name of data.names) expect(cells(restored, name)).toEqual(cells(data, name));
  const joint = await fitJoint(data, { copula: { kind: 'gaussian' } });
  const sample = await joint.sample(400);
  const apart = each((i) => (sample.column('end')[i]! - sample.column('begin')[i]! + 86_400) % 86_400);
  expect(apart.every((seconds) => seconds >= 20 * 60 && seconds <= 90 * 60)).toBe(true);
  expect(TableSchema.infer(sample).columns.map(({ role }) => role)).toEqual(roles);
  const ofRow = (text: string) =>
    readTable(folder.file('row.csv', `departure,arrival,minutes,begin,end\n${text}\n`), {
      types: own.formats,
    });
  for (const text of [',00:40,90,10:00,10:30', '23:10,00:40,,10:00,10:30', '23:10,,90,10:00,10:30']) {
    const { tables } = await joint.impute(await ofRow(text));
    expect(tables[0]!.names.map((name) => tables[0]!.text(name, 0)).join()).toBe(
      '23:10,00:40,90,10:00,10:30',
    );
  }
});

test('whole numbers that are data in spite of their names', () => {
  const rows = 200;
  const generator = each((i) => i).slice(0, rows);
  const roleOf = (columns: Record<string, readonly number[]>) =>
    TableSchema.infer(
      new Table(
        Object.keys(columns),
        Object.values(columns).map((values) => Float64Array.from(values)),
        Object.keys(columns).map(() => ({ type: 'integer' })),
      ),
    ).columns.map(({ role }) => role);
  const other = generator.map(() => Math.floor(6 * draw()));
  const wide = generator.map((i) => 7919 * i + Math.floor(7000 * draw()));
  const roles = (name: string) => roleOf({ [name]: wide.toSorted((a, b) => (a % 97) - (b % 97)), other })[0];
  for (const name of [
    'lines_of_code',
    'errors per code',
    'HS_code',
    'icdCode',
    'country code',
    'amount_of_order',
  ])
    expect([name, roles(name)]).toEqual([name, 'modelled']);
  for (const name of ['customer_code', 'code of customer', 'barcode no', 'number_of_order_id', 'order_no'])
    expect([name, roles(name)]).toEqual([name, 'id']);

  // leading digits say what another column has
  const floor = generator.map((i) => 1 + Math.floor(i / 40));
  const room = floor.map((value, i) => 1000 * value + 25 * (i % 40));
  expect(roleOf({ room_no: room, floor, other })).toEqual(['modelled', 'derived', 'modelled']);
  expect(roleOf({ room_id: room, floor, other })).toEqual(['id', 'modelled', 'modelled']);
  const country = generator.map(() => Math.floor(4 * draw()));
  const order = country.map((value, i) => 10_000 * (value + 1) + i);
  expect(roleOf({ order_no: order, country, other })[0]).toBe('modelled');
  // years rise with numbers and change anywhere between them
  const year = generator.map((i) => 2020 + Math.floor((i + 13) / 70));
  expect(roleOf({ order_no: generator.map((i) => 10_000 + 7 * i), year, other })[0]).toBe('id');
});

test('sums that count missing cells as 0, factors that are fractions, and counts of which some are lost', async () => {
  const rows = Array.from({ length: 1500 }, () => {
    const [gross, isOpen] = [cents(20 + 900 * draw() ** 2), draw() < 0.2];
    const paid = draw() < 0.8 ? gross : cents(gross * 0.98);
    const [amount, sent] = [cents(200 * (draw() - 0.4)), 1 + Math.floor(60 * draw())];
    return {
      ...{ gross, paid: isOpen ? null : paid, open: cents(isOpen ? gross : gross - paid) },
      ...{ debit: amount < 0 ? -amount : null, credit: amount < 0 ? null : amount, amount },
      vat: cents((gross * 0.19) / 1.19),
      ...{ sent, received: sent - (draw() < 0.8 ? 0 : Math.min(sent, Math.floor(4 * draw()))) },
    };
  });
  const names = Object.keys(rows[0]!) as (keyof (typeof rows)[number])[];
  const data = Table.fromColumns(
    Object.fromEntries(names.map((name) => [name, rows.map((row) => row[name])])),
  );
  const own = TableSchema.infer(data);
  const notes = own.notes.map(({ message }) => message).join('\n');
  expect(notes).toContain('"amount": = -"debit" + "credit", missing cells as 0;');
  expect(notes).toContain('"open": = "gross" - "paid", missing cells as 0;');
  expect(notes).toContain(`"vat": = ${19 / 119} x "gross"`);
  expect(own.differences.find(({ of }) => of[0] === 'received')).not.toHaveProperty('as');
  expect(TableSchema.fromJSON(JSON.parse(JSON.stringify(own))).toJSON()).toEqual(own.toJSON());
  const joint = await fitJoint(data, { copula: { kind: 'gaussian' } });
  const sample = await joint.sample(1000);
  const at = (name: (typeof names)[number], i: number) => sample.column(name)[i]!;
  const zero = (value: number) => (Number.isNaN(value) ? 0 : value);
  let opened = 0;
  for (let i = 0; i < 1000; i++) {
    expect(at('amount', i)).toBeCloseTo(zero(at('credit', i)) - zero(at('debit', i)), 6);
    expect(at('open', i)).toBeCloseTo(at('gross', i) - zero(at('paid', i)), 6);
    expect(at('sent', i) - at('received', i)).toBeLessThan(4);
    opened += Number(Number.isNaN(at('paid', i)));
  }
  expect(Math.abs(opened / 1000 - 0.2)).toBeLessThan(0.06);
});

test('what a column is of another that is missing with it breaks no rule, and a known one says what the other is', async () => {
  const days = each(() => Math.floor(300 * draw()));
  const gone = each(() => draw() < 0.2);
  const day = (count: number) => new Date(Date.UTC(2023, 0, 1 + count)).toISOString().slice(0, 10);
  const rows = days.map((count, i) => {
    const later = count + (draw() < 0.6 ? 0 : 1 + Math.floor(8 * draw()));
    return `${day(count)},${gone[i] ? '' : day(later)},${gone[i] ? 'cancelled' : 'shipped'}`;
  });
  const file = folder.file('shipped.csv', `ordered,shipped,status\n${rows.join('\n')}\n`);
  const data = await readTable(file);
  const joint = await fitJoint(data, { copula: { kind: 'gaussian' } });
  const sample = await joint.sample(1000);
  const cancelled = Array.from({ length: 1000 }, (_, i) => sample.text('status', i)).filter(
    (text) => text === 'cancelled',
  );
  expect(Math.abs(cancelled.length / 1000 - 0.2)).toBeLessThan(0.07);
  const some = await readTable(
    folder.file('some.csv', 'ordered,shipped,status\n,2023-05-20,shipped\n,2023-09-01,shipped\n'),
    {
      types: joint.schema.formats,
    },
  );
  const { tables } = await joint.impute(some);
  for (const i of [0, 1]) {
    const apart = tables[0]!.column('shipped')[i]! - tables[0]!.column('ordered')[i]!;
    expect(apart >= 0 && apart < 9).toBe(true);
  }
  // of a computed column a share is known, too
  const discount = tax.map((value) => cents(value / 5));
  const due = net.map((value, i) => cents(value - discount[i]!));
  const bills = Table.fromColumns({
    ...{ amount: net, discount, due },
    paid: due.map((value, i) => (i % 5 ? value : cents(value * draw()))),
  });
  const billed = await fitJoint(bills, { copula: { kind: 'gaussian' } });
  expect(billed.schema.neededNames).toContain('due');
  expect((await billed.logPdf(bills.select(billed.schema.neededNames))).every(Number.isFinite)).toBe(true);
});

test('shares of prices on a grid leave them on it', () => {
  const asking = each(() => 1000 * Math.floor(100 + 400 * draw()));
  const shelf = each(() => Math.floor(5 + 40 * draw()) + 0.99);
  const data = Table.fromColumns({
    asking,
    sold: asking.map((value) =>
      draw() < 0.6 ? value : 1000 * Math.round((value * (0.9 + 0.1 * draw())) / 1000),
    ),
    shelf,
    paid: shelf.map((value) => (draw() < 0.6 ? value : draw() < 0.2 ? 0 : Math.ceil(value * draw()) - 0.01)),
  });
  const own = TableSchema.infer(data);
  expect(own.differences.map(({ of, grid }) => [of[0], grid?.step])).toEqual([
    ['sold', 1000],
    ['paid', 1],
  ]);
  const shares = own.modelled(data);
  for (const name of ['sold', 'paid']) expect(cells(own.restore(shares), name)).toEqual(cells(data, name));
  const others = new Table(
    shares.names,
    shares.columns.map((values, j) =>
      shares.names[j]!.includes('/') ? values.map((value) => value * 0.97) : values,
    ),
    shares.types,
  );
  const moved = own.restore(others);
  expect(moved.column('sold').every((value) => value % 1000 === 0)).toBe(true);
  expect(moved.column('paid').every((value) => value === 0 || Math.round(100 * value) % 100 === 99)).toBe(
    true,
  );
  expect(TableSchema.fromJSON(JSON.parse(JSON.stringify(own))).toJSON()).toEqual(own.toJSON());
});

test('parts of dates, ages between two of them, and what nights cost', async () => {
  const day = (value: number) => new Date(86_400_000 * value);
  const admitted = each(() => Math.floor(19_000 + 700 * draw()));
  const nights = each(() => Math.floor(8 * draw() ** 2));
  const born = admitted.map((value) => Math.floor(value - 365.25 * (18 + 60 * draw())));
  const rate = each(() => pick([120, 180, 250, 400]));
  const made = each((i) => new Date(1000 * Math.floor(1.6e9 + 5e7 * draw() + i)));
  const price = each(() => cents(20 + 500 * draw()));
  const cost = price.map((value) => cents(value * (0.4 + 0.4 * draw())));
  const subtotal = each((i) => cents((1 + (i % 7)) * price[i]!));
  const discount = subtotal.map((value) => cents(pick([0, 0, 5, 10]) * 0.01 * value));
  const shipping = each(() => pick([0, 4.95]));
  const total = each((i) => cents(subtotal[i]! - discount[i]! + shipping[i]!));
  const yearsTo = (i: number) => {
    const [from, to] = [day(born[i]!), day(admitted[i]!)];
    const before = to.getUTCMonth() * 100 + to.getUTCDate() < from.getUTCMonth() * 100 + from.getUTCDate();
    return to.getUTCFullYear() - from.getUTCFullYear() - Number(before);
  };
  const data = Table.fromColumns({
    admitted: admitted.map(day),
    discharged: admitted.map((value, i) => day(value + nights[i]!)),
    born: born.map(day),
    age: Int32Array.from(born, (_, i) => yearsTo(i)),
    rate: Int32Array.from(rate),
    bill: Int32Array.from(rate, (value, i) => value * Math.max(1, nights[i]!)),
    month: Int32Array.from(admitted, (value) => day(value).getUTCMonth() + 1),
    weekday: admitted.map((value) => ['Su', 'Mo', 'Tu', 'We', 'Th', 'Fr', 'Sa'][day(value).getUTCDay()]!),
    quarter: admitted.map((value) => `Q${Math.floor(day(value).getUTCMonth() / 3) + 1}`),
    ends: admitted.map((value) => {
      const date = day(value);
      return new Date(Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + 1, 0));
    }),
    made,
    hour: Int32Array.from(made, (value) => value.getUTCHours()),
    price,
    cost,
    margin: price.map((value, i) => cents(value - cost[i]!)),
    percent: price.map((value, i) => Math.round((1000 * cents(value - cost[i]!)) / value) / 10),
    fee: price.map((value) => Math.max(5, cents(0.015 * value))),
    subtotal,
    discount,
    shipping,
    total,
    vat: total.map((value) => cents((value * 19) / 119)),
  });
  const own = TableSchema.infer(data);
  const kinds = own.columns.flatMap((one) =>
    one.role === 'derived' ? [[one.name, one.formula.formula]] : [],
  );
  expect(Object.fromEntries(kinds)).toMatchObject({
    age: 'years',
    bill: 'product',
    month: 'calendar',
    weekday: 'calendar',
    quarter: 'calendar',
    ends: 'calendar',
    hour: 'calendar',
    margin: 'linear',
    percent: 'product',
    total: 'linear',
    vat: 'linear',
  });
  for (const name of ['age', 'bill', 'weekday', 'ends', 'percent', 'vat', 'hour'])
    expect(cells(own.restore(own.modelled(data)), name)).toEqual(cells(data, name));
  expect(TableSchema.fromJSON(JSON.parse(JSON.stringify(own))).toJSON()).toEqual(own.toJSON());
  const joint = await fitJoint(data, { copula: { kind: 'gaussian' } });
  const sample = await joint.sample(300);
  const of = (name: string) => sample.column(name);
  const months = of('admitted').map((value) => day(value).getUTCMonth() + 1);
  expect(of('month')).toEqual(months);
  for (const [i, month] of months.entries())
    expect(sample.text('quarter', i)).toBe(`Q${Math.ceil(month / 3)}`);
  const paid = of('discharged').map((value, i) => Math.max(1, value - of('admitted')[i]!) * of('rate')[i]!);
  expect(of('bill')).toEqual(paid);
  expect(of('ends').every((value) => day(value + 1).getUTCDate() === 1)).toBe(true);
});

test('functions are looked for in some rows of many first', () => {
  const rows = 20_000;
  const many = <T>(make: (i: number) => T) => Array.from({ length: rows }, (_, i) => make(i));
  const amount = many(() => cents(10 + 500 * draw()));
  const pieces = many(() => Math.floor(1 + 9 * draw()));
  const rarely = many((i) => (i % 8 === 0 ? cents(amount[i]! / 4) : null));
  const off = amount.map((value, i) => (i === 7777 ? value : cents(1.19 * value)));
  const own = TableSchema.infer(
    Table.fromColumns({
      amount,
      pieces,
      all: amount.map((value, i) => cents(value * pieces[i]!)),
      rarely,
      off,
    }),
  );
  expect(own.columns.map(({ role }) => role)).toEqual([
    'modelled',
    'modelled',
    'derived',
    'derived',
    'modelled',
  ]);
});

test('names that are made of other names', () => {
  const words = ['anna', 'Ben', 'carl', 'Dora', 'emil'];
  const login = each((i) => `${pick(words)}${7 * i + 3}`);
  const data = Table.fromColumns({
    email: login.map((name) => `${name.toLowerCase()}@example.com`),
    login,
    id: Int32Array.from({ length: ROWS }, (_, i) => 90 + i),
    invoice: each((i) => `INV-${String(90 + i).padStart(6, '0')}/A`),
    token: each(() => draw().toString(36).slice(2, 10)),
    spent: each(() => cents(10 + 90 * draw())),
  });
  const own = TableSchema.infer(data);
  const rules = own.columns.map((one) => (one.role === 'id' ? one.ids.rule : one.role));
  expect(rules).toEqual(['of', 'shapes', 'counted', 'of', 'shapes', 'modelled']);
  const made = own.restore(own.modelled(data), { firstRow: 1000 });
  for (const [i, name] of cells(made, 'login').entries())
    expect(made.text('email', i)).toBe(`${name!.toLowerCase()}@example.com`);
  for (const [i, id] of cells(made, 'id').entries())
    expect(made.text('invoice', i)).toBe(`INV-${id!.padStart(6, '0')}/A`);
  expect(cells(made, 'login').some((name) => login.includes(name!))).toBe(false);
  const json = JSON.parse(JSON.stringify(own)) as { columns: { ids?: { name: string } }[] };
  expect(TableSchema.fromJSON(json).toJSON()).toEqual(own.toJSON());
  json.columns[0]!.ids!.name = 'invoice';
  expect(() => TableSchema.fromJSON(json)).toThrow('names');
});

test('differences of dates, flags of missing cells, units and looked-up sums', async () => {
  const day = (value: number) => new Date(86_400_000 * value);
  const due = each(() => Math.floor(19_000 + 500 * draw()));
  const open = each(() => draw() < 0.15);
  const late = each(() => Math.floor(40 * draw() ** 2) - 8);
  const opened = each(() => Math.floor(1.65e9 + 3e7 * draw()));
  const minutes = each(() => Math.floor(-30 * Math.log(draw() + 1e-9)));
  const tariff = each(() => pick(['A', 'B', 'C']));
  const charge = each(() => cents(20 + 100 * draw()));
  const standing = tariff.map((name) => ({ A: 8.5, B: 12.25, C: 15 })[name]!);
  const miles = each(() => Math.floor(5 + 180 * draw()));
  const pounds = each(() => Math.round(10 * (40 + 60 * draw())) / 10);
  const flag = each(() => Number(draw() < 0.2));
  const ends = each(() => Math.floor(12 * draw()) + 1);
  const monthEnd = ends.map((month) => Date.UTC(2024, month, 0) / 86_400_000);
  const status = each((i) => (open[i] ? 'Open' : late[i]! > 0 ? 'Late' : 'Paid'));
  const data = Table.fromColumns({
    due: due.map(day),
    paid: due.map((value, i) => (open[i] ? null : day(value + late[i]!))),
    days_late: late.map((value, i) => (open[i] ? null : Math.max(0, value))),
    status,
    opened: opened.map((value) => new Date(1000 * value)),
    responded: opened.map((value, i) => new Date(1000 * (value + 60 * minutes[i]!))),
    minutes: Int32Array.from(minutes),
    open_date: opened.map((value) => day(Math.floor(value / 86_400))),
    tariff,
    charge,
    standing,
    net: charge.map((value, i) => cents(value + standing[i]!)),
    miles: Int32Array.from(miles),
    km: miles.map((value) => Math.round(16.09344 * value) / 10),
    kg: pounds,
    lb: Int32Array.from(pounds, (value) => Math.round(value * 2.2046)),
    flag: Int32Array.from(flag),
    period: monthEnd.map(day),
    pay_day: monthEnd.map((value) => day(value - [0, 1, 2][Math.max(0, ((value + 3) % 7) - 4)]!)),
  });
  const own = TableSchema.infer(data);
  const formulas = new Map(own.columns.map((one) => [one.name, one.role === 'derived' ? one.formula : null]));
  for (const name of ['paid', 'days_late', 'responded', 'standing', 'net', 'km', 'lb'])
    expect([name, formulas.get(name)?.formula]).not.toContain(undefined);
  expect(formulas.get('km')).toMatchObject({ formula: 'linear', of: [{ name: 'miles' }], offset: 0 });
  expect(formulas.get('lb')).toMatchObject({ formula: 'linear', of: [{ name: 'kg' }], offset: 0 });
  expect(formulas.get('responded')).toEqual({
    formula: 'linear',
    of: [
      { name: 'opened', factor: 1 },
      { name: 'minutes', factor: 60 },
    ],
    offset: 0,
  });
  expect(JSON.stringify([...formulas.values()])).not.toContain('"least":1');
  expect(formulas.get('minutes')).toBeNull();
  const sample = await (await fitJoint(data, { copula: { kind: 'gaussian' } })).sample(500);
  let missing = 0;
  for (let i = 0; i < 500; i++) {
    const [paid, days, said] = ['paid', 'days_late', 'status'].map((name) => sample.text(name, i));
    expect([paid === null, days === null]).toEqual([said === 'Open', said === 'Open']);
    missing += Number(paid === null);
  }
  expect(Math.abs(missing / 500 - 0.15)).toBeLessThan(0.07);
});

test('a flag of missing cells is no constant', async () => {
  const gone = each(() => draw() < 0.05);
  const data = Table.fromColumns({
    delay: gone.map((is) => (is ? null : Math.floor(60 * draw() ** 2))),
    air: gone.map((is) => (is ? null : Math.floor(30 + 200 * draw()))),
    cancelled: Int32Array.from(gone, Number),
  });
  const sample = await (await fitJoint(data, { copula: { kind: 'gaussian' } })).sample(1000);
  const cancelled = [...sample.column('cancelled')];
  expect(Math.abs(cancelled.reduce((sum, one) => sum + one, 0) / 1000 - 0.05)).toBeLessThan(0.03);
  for (const [i, one] of cancelled.entries()) expect(sample.text('delay', i) === null).toBe(one === 1);
});
