import { writeFileSync } from 'node:fs';

import { Table, TableReader, writeTable } from '../../lib';
import { TemporaryFolder, readBoth, sklarError, writeParquet } from './support';

const folder = new TemporaryFolder();
const rows = 5000;
const at = Array.from({ length: rows }, (_, i) => i);
const table = Table.fromColumns({
  number: at.map((i) => (i % 7 === 0 ? null : Math.sin(i))),
  money: at.map((i) => (i * 7) / 100),
  whole: at.map((i) => (i * i) % 1013),
  flag: at.map((i) => i % 3 === 0),
  soil: at.map((i) => ['sand', 'clay', 'loam', null][i % 4]),
  day: at.map((i) => new Date(86_400_000 * (i % 700))),
  code: at.map((i) => `0${1000 + (i % 50)}`),
});

test.each(['csv', 'csv.gz', 'tsv', 'json', 'ndjson', 'parquet'])(
  'a table of 5,000 rows and seven types comes in batches as it does at once: %s',
  async (ending) => {
    const file = folder.file(`all.${ending}`);
    if (ending === 'csv.gz') {
      const { gzipSync } = await import('node:zlib');
      const { readFileSync } = await import('node:fs');
      const plain = folder.file('plain.csv');
      await writeTable(table, plain);
      writeFileSync(file, gzipSync(readFileSync(plain)));
    } else if (ending === 'tsv') {
      writeFileSync(file, `a\tb\n${at.map((i) => `${i / 2}\tx${i % 3}`).join('\n')}\n`);
    } else await writeTable(table, file);
    expect((await readBoth(file)).rows).toBe(rows);
  },
);

test('texts far down, integers that doubles do not hold, numbers that are labels', async () => {
  const late = folder.file('late.csv', `a,b\n${at.map((i) => `${i},${i / 4}`).join('\n')}\n?,sand\n`);
  await readBoth(late);
  const large = folder.file('large.csv', `a,b\n${at.map((i) => `900719925474099${i},1`).join('\n')}\n`);
  expect((await readBoth(large)).type('a').type).toBe('id');
  const labels = folder.file('labels.csv', `a,b\n${at.map((i) => `${i % 5},1.5`).join('\n')}\n`);
  await readBoth(labels, { types: { a: 'category' } });
  const parquet = await writeParquet(
    folder.file('typed.parquet'),
    `SELECT i % 5 AS a, i::DOUBLE / 3 AS b, CAST('2020-01-01' AS DATE) + i::INTEGER AS c, CASE WHEN i = 9 THEN 'infinity'::DOUBLE ELSE i / 2 END AS d
     FROM range(3000) t(i)`,
  );
  await readBoth(parquet, { types: { a: 'category' } });
  await readBoth(parquet, { types: { a: 'id', b: 'integer' }, exclude: ['b'] }).catch(() => undefined);
  const mixed = folder.file(
    'mixed.ndjson',
    `${at.map((i) => (i < 2000 ? `{"a":${i}.50}` : `{"a":"x${i % 4}","b":1}`)).join('\n')}\n`,
  );
  await readBoth(mixed);
  await readBoth(folder.file('days.csv', `d,x\n20240131,1\n20240201,2\n20240202,3\n`));
});

test('more than a thousand columns: one query has them all', async () => {
  const names = Array.from({ length: 1100 }, (_, j) => `c${j}`);
  const wide = new Table(
    names,
    names.map((_, j) => Float64Array.of(j, j % 3 === 0 ? NaN : 0.5 * j, j + 1)),
  );
  for (const ending of ['csv', 'parquet']) {
    const file = folder.file(`wide.${ending}`);
    await writeTable(wide, file);
    expect((await readBoth(file)).columns).toEqual(wide.columns);
  }
});

describe('a reader', () => {
  const write = () => folder.file('small.csv', 'a,b\n1,2\n3,4\n5,x\n');

  test('goes through the rows as often as it is asked to, one turn at a time', async () => {
    using reader = await TableReader.open(write());
    for (let turn = 0; turn < 2; turn++) {
      const sizes = [];
      for await (const batch of reader.batches({ rows: 2 })) sizes.push(batch.rows);
      expect(sizes).toEqual([2, 1]);
    }
    const first = reader.batches({ rows: 1 });
    await first.next();
    const error = await sklarError(() => reader.batches().next(), 'ERR_SKLAR_VALUE');
    expect(error.message).toContain('one turn through the rows');
    await first.return();
    expect((await reader.batches().next()).done).toBe(false);
  });

  test('sees that the file has changed', async () => {
    const file = write();
    using reader = await TableReader.open(file);
    writeFileSync(file, 'a,b\n1,2\n3,4\n5,6789\n');
    const error = await sklarError(() => reader.batches().next(), 'ERR_SKLAR_FILE');
    expect(error.message).toContain('it has changed while it was read');
  });

  test('refuses wrong arguments, stops when it is told to, and is of no use once it is closed', async () => {
    await sklarError(() => TableReader.open(1 as never), 'ERR_SKLAR_VALUE');
    await sklarError(() => TableReader.open('a.csv', { rows: 1 } as never), 'ERR_SKLAR_VALUE');
    const controller = new AbortController();
    const reader = await TableReader.open(write(), { signal: controller.signal });
    await sklarError(() => reader.batches({ rows: 0 }).next(), 'ERR_SKLAR_VALUE');
    await sklarError(() => reader.batches(5 as never).next(), 'ERR_SKLAR_VALUE');
    const turn = reader.batches({ rows: 1 });
    await turn.next();
    controller.abort(new Error('enough'));
    await expect(turn.next()).rejects.toThrow('enough');
    reader.close();
    await sklarError(() => reader.batches().next(), 'ERR_SKLAR_DISPOSED');
  });
});

test.each(['csv', 'parquet', 'json'])(
  'a reader of %s may be closed at any moment of a turn',
  async (ending) => {
    const file = folder.file(`closed.${ending}`);
    const length = 30_000;
    await writeTable(
      Table.fromColumns({
        a: Array.from({ length }, (_, i) => Math.sin(i)),
        b: Array.from({ length }, (_, i) => `t${i % 99}`),
      }),
      file,
    );
    for (let k = 0; k < 12; k++) {
      const reader = await TableReader.open(file);
      const turn = (async () => {
        for await (const batch of reader.batches({ rows: 100 })) expect(batch.rows).toBe(100);
      })();
      const closed = sklarError(() => turn, 'ERR_SKLAR_DISPOSED');
      const until = performance.now() + 2 * k;
      while (performance.now() < until) await new Promise(setImmediate);
      reader.close();
      reader.close();
      await closed;
    }
  },
);
