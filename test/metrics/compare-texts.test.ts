/** Columns of texts: what their numbers are is a matter of their own list of labels. */
import { GaussianCopula, Table, compare, fitCopula, kendall } from '../../lib';

const words = Array.from({ length: 120 }, (_, i) => ['ash', 'elm', 'oak', 'yew'][(7 * i + (i % 11)) % 4]!);
const size = words.map((word, i) => word.charCodeAt(0) + (i % 5));
const data = Table.fromColumns({ size, words });
/** The same cells, their labels in another order. */
const turned = new Table(
  ['words', 'size'],
  [data.column('words').map((code) => 3 - code), data.column('size')],
  [{ type: 'category', labels: ['yew', 'oak', 'elm', 'ash'] }, data.type('size')],
);

test('labels are compared as texts, whatever their places', async () => {
  expect(turned.text('words', 7)).toBe(data.text('words', 7));
  const metrics = ['ks', 'kendall'] as const;
  const own = await compare(data, data, { metrics });
  expect(await compare(data, turned, { metrics })).toEqual(own);
  expect(await compare(data, data, { metrics, reference: turned })).toEqual(
    await compare(data, data, { metrics, reference: data }),
  );
  const named = Table.fromColumns({ size, words, row: words.map((_, i) => `R${i}`) });
  await expect(compare(named, named)).rejects.toThrow('got "row", which names rows: leave it out');
});

test('where rows of numbers are asked for, texts are refused by name', async () => {
  const text = 'got the texts of column "words" (category)';
  await expect(kendall(data)).rejects.toThrow(text);
  await expect(fitCopula(data, { kind: 'gaussian' })).rejects.toThrow(text);
  const copula = new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2);
  await expect(copula.logPdf(data)).rejects.toThrow(text);
  await expect(compare(data.toMatrix(), turned)).rejects.toThrow(text);
});
