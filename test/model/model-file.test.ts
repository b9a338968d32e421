import { readFileSync } from 'node:fs';

import fc from 'fast-check';

import { PseudoObservations } from '../../lib/data/pseudo-observations';
import { Table } from '../../lib/data/table';
import { type ModelDocument, readModelFile, writeModelFile } from '../../lib/model/model-file';
import { writeSafetensors } from '../../lib/model/safetensors';
import { HOSTILE_NAMES, TemporaryFolder, sklarError } from '../data/support';

const folder = new TemporaryFolder();
let files = 0;

const document: ModelDocument = {
  formatVersion: 1,
  kind: 'cdc',
  config: { layers: [64, 64], activation: 'silu', noise: { T: 3 } },
  columns: HOSTILE_NAMES,
  margins: null,
  training: { rows: 100, seed: '18446744073709551615', loss: [0.5, 0.25] },
  libraryVersion: '0.1.0',
};
const tensors = new Map([['weight', { shape: [2, 2], data: Float32Array.of(1, -2, 0.1, 1e-30) }]]);

/** A file with this text under `sklar`, written with a right checksum. */
async function withDocument(text: string): Promise<string> {
  const file = folder.file(`${files++}.safetensors`);
  await writeSafetensors(file, tensors, { sklar: text });
  return file;
}

describe('model files', () => {
  test('keep the document and the tensors', async () => {
    const file = folder.file('model.safetensors');
    await writeModelFile(file, { document, tensors });
    const back = await readModelFile(file);
    expect(back.document).toEqual(document);
    expect(back.tensors.get('weight')).toEqual({ dtype: 'F32', ...tensors.get('weight') });
  });

  test('keep any JSON as config', async () => {
    const file = folder.file('any.safetensors');
    await fc.assert(
      fc.asyncProperty(
        fc.dictionary(fc.string(), fc.jsonValue(), { noNullPrototype: true }),
        async (config) => {
          const text = JSON.stringify(config);
          if (text.includes('__proto__')) return;
          await writeModelFile(file, { document: { ...document, config }, tensors });
          expect((await readModelFile(file)).document?.config).toEqual(JSON.parse(text));
        },
      ),
      { numRuns: 50 },
    );
  });

  test('keep pseudo-observations', async () => {
    const table = Table.fromColumns({ x: [3, 1, 1, 2, 9], y: Int32Array.of(5, 4, 1, 2, 3) });
    const pseudo = await PseudoObservations.fit(table, { seed: 3 });
    const parts = pseudo.toTensors();
    const file = folder.file('margins.safetensors');
    await writeModelFile(file, {
      document: { ...document, margins: parts.meta },
      tensors: new Map(
        Object.entries(parts.tensors).map(([name, data]) => [
          `margins.${name}`,
          { shape: [data.length], data },
        ]),
      ),
    });
    const back = await readModelFile(file);
    const restored = Object.fromEntries(
      [...back.tensors].map(([name, { data }]) => [name.replace('margins.', ''), data as Float64Array]),
    );
    const margins = PseudoObservations.fromTensors(back.document?.margins, restored);
    expect(await margins.transform(table)).toEqual(await pseudo.transform(table));
  });

  test('plain weights have no document', async () => {
    const file = folder.file('weights.safetensors');
    await writeSafetensors(file, tensors, { format: 'pt' });
    const back = await readModelFile(file);
    expect(back.document).toBeNull();
    expect(back.tensors.size).toBe(1);
  });

  test('tell of newer versions', async () => {
    const file = await withDocument(
      JSON.stringify({ formatVersion: 2, libraryVersion: '9.1.0', shape: 'unknown' }),
    );
    const error = await sklarError(() => readModelFile(file), 'ERR_SKLAR_FORMAT');
    expect(error.message).toContain(
      'expected a model file of format version 1, got version 2 written by sklar "9.1.0"; update sklar to read it',
    );
  });

  test('may hold more than this version knows', async () => {
    const file = await withDocument(JSON.stringify({ ...document, later: 1 }));
    expect((await readModelFile(file)).document).toMatchObject(document);
  });

  test.each<[string, string, string]>([
    ['no JSON', '{"formatVersion": 1', 'expected a JSON document in the metadata'],
    ['a repeated key', '{"kind": "cdc", "kind": "flow"}', 'the key "kind" occurs twice'],
    [
      'a key into the prototype',
      JSON.stringify(document).replace('"noise"', '"__proto__"'),
      '"__proto__" is not allowed',
    ],
    ['null', 'null', 'expected a model document, got one with document:'],
    ['an array', '[]', 'got one with document:'],
    ['no version', '{"kind": "cdc"}', 'formatVersion:'],
    ['version 0', JSON.stringify({ ...document, formatVersion: 0 }), 'formatVersion:'],
    ['version "1"', JSON.stringify({ ...document, formatVersion: '1' }), 'formatVersion:'],
    ['no kind', JSON.stringify({ ...document, kind: undefined }), 'kind:'],
    ['an empty kind', JSON.stringify({ ...document, kind: '' }), 'kind:'],
    ['an array as config', JSON.stringify({ ...document, config: [] }), 'config:'],
    ['columns that are not texts', JSON.stringify({ ...document, columns: ['a', 1] }), 'columns.1:'],
    ['no margins', JSON.stringify({ ...document, margins: undefined }), 'margins:'],
    ['text as training record', JSON.stringify({ ...document, training: 'x' }), 'training:'],
  ])('with %s as document are refused', async (_, text, message) => {
    const file = await withDocument(text);
    expect((await sklarError(() => readModelFile(file), 'ERR_SKLAR_FORMAT')).message).toContain(message);
  });

  test.each<[string, unknown]>([
    ['NaN', NaN],
    ['an infinity', [1, -Infinity]],
    ['a bigint', { seed: 1n }],
    ['an array of numbers', { loss: Float64Array.of(1) }],
    ['a function', () => 1],
    ['a key into the prototype', JSON.parse('{"__proto__": 1}')],
  ])('%s cannot be stored', async (_, value) => {
    const file = folder.file('refused.safetensors', 'before');
    await sklarError(
      () => writeModelFile(file, { document: { ...document, training: { value } }, tensors }),
      'ERR_SKLAR_VALUE',
    );
    expect(readFileSync(file, 'utf8')).toBe('before');
  });

  test('a document that could not be read back is not written', async () => {
    const file = folder.file('unreadable.safetensors');
    await sklarError(
      () => writeModelFile(file, { document: { ...document, kind: 3 as any }, tensors }),
      'ERR_SKLAR_FORMAT',
    );
    expect(folder.list()).not.toContain('unreadable.safetensors');
  });
});

describe('damaged model files', () => {
  let whole: Buffer;

  beforeAll(async () => {
    const file = folder.file('whole.safetensors');
    await writeModelFile(file, { document: { ...document, columns: ['a', 'b'] }, tensors });
    whole = readFileSync(file);
  });

  test.each([0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff])(
    'with any byte changed by %p are refused',
    async (mask) => {
      for (let i = 0; i < whole.length; i++) {
        const damaged = Buffer.from(whole);
        damaged[i]! ^= mask;
        await sklarError(
          () => readModelFile(folder.file('damaged.safetensors', damaged)),
          'ERR_SKLAR_FORMAT',
        );
      }
    },
  );

  test('cut at any place are refused', async () => {
    for (let length = 0; length < whole.length; length++) {
      const cut = folder.file('cut.safetensors', whole.subarray(0, length));
      await sklarError(() => readModelFile(cut), 'ERR_SKLAR_FORMAT');
    }
  });

  test('without their checksum are refused', async () => {
    const text = whole.toString('latin1').replace('sklar.sha256', 'other.sha256');
    const file = folder.file('unchecked.safetensors', Buffer.from(text, 'latin1'));
    const error = await sklarError(() => readModelFile(file), 'ERR_SKLAR_FORMAT');
    expect(error.message).toContain('expected a checksum in a model file, got none');
  });
});
