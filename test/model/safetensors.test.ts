import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { runInNewContext } from 'node:vm';

import fc from 'fast-check';

import {
  type Safetensors,
  type Tensor,
  type TensorData,
  readSafetensors,
  writeSafetensors,
} from '../../lib/model/safetensors';
import { HOSTILE_NAMES, TemporaryFolder, sklarError } from '../data/support';

const folder = new TemporaryFolder();
let files = 0;

/** A file put together by hand: header (an object, or text or bytes as they are) and data. */
function assemble(header: unknown, data: Uint8Array = new Uint8Array(), length?: bigint): Buffer {
  const bytes =
    header instanceof Uint8Array
      ? Buffer.from(header)
      : Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const start = Buffer.alloc(8);
  start.writeBigUInt64LE(length ?? BigInt(bytes.length));
  return Buffer.concat([start, bytes, data]);
}

function read(content: Uint8Array): Promise<Safetensors> {
  return readSafetensors(folder.file(`${files++}.safetensors`, content));
}

type NewTensor = Omit<Tensor, 'dtype'>;

const tensors = new Map<string, NewTensor>([
  ['bytes', { shape: [3], data: Uint8Array.of(1, 2, 255) }],
  ['backbone.input_proj.weight', { shape: [2, 3], data: Float32Array.of(0.1, -2, 3e38, 4, 5, -0) }],
  ['seed', { shape: [], data: BigUint64Array.of(2n ** 64n - 1n) }],
  ['steps', { shape: [2, 1], data: BigInt64Array.of(-1n, 2n ** 62n) }],
  ['margins', { shape: [2], data: Float64Array.of(Math.PI, NaN) }],
  ['counts', { shape: [2], data: Int32Array.of(-(2 ** 31), 7) }],
  ['nothing', { shape: [0, 5], data: new Float32Array(0) }],
]);
const metadata = { format: 'pt', note: 'größe "\n\u0000' };

function expectEqual(got: Safetensors, expected: ReadonlyMap<string, NewTensor>): void {
  expect(new Set(got.tensors.keys())).toEqual(new Set(expected.keys()));
  for (const [name, { shape, data }] of expected)
    expect(got.tensors.get(name)).toMatchObject({ shape, data });
}

describe('round trip', () => {
  test('of all dtypes, with metadata', async () => {
    const file = folder.file('all.safetensors');
    await writeSafetensors(file, tensors, metadata);
    const back = await readSafetensors(file);
    expectEqual(back, tensors);
    expect(back.metadata).toEqual(metadata);
    expect(back.verified).toBe(true);
    expect([...back.tensors].map(([name, { dtype }]) => `${name} ${dtype}`)).toEqual([
      'margins F64', 'seed U64', 'steps I64', 'backbone.input_proj.weight F32', 'counts I32', 'nothing F32', 'bytes U8',
    ]); // prettier-ignore
  });

  test('the same content gives the same bytes, aligned to 8', async () => {
    await writeSafetensors(folder.file('one.safetensors'), tensors, metadata);
    await writeSafetensors(folder.file('two.safetensors'), new Map([...tensors].reverse()), metadata);
    const one = readFileSync(folder.file('one.safetensors'));
    expect(readFileSync(folder.file('two.safetensors')).equals(one)).toBe(true);
    const header = Number(one.readBigUInt64LE());
    expect(header % 8).toBe(0);
    const entries = JSON.parse(one.subarray(8, 8 + header).toString()) as Record<string, any>;
    expect(entries.margins.data_offsets).toEqual([0, 16]);
    expect(entries.seed.data_offsets[0] % 8).toBe(0);
    expect(one.readDoubleLE(8 + header)).toBe(Math.PI);
  });

  test('of any names and shapes', async () => {
    const anyTensors = fc.array(
      fc.tuple(
        fc.string({ unit: 'grapheme' }).filter((name) => name !== '__proto__' && name !== '__metadata__'),
        fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 3 }),
        fc.constantFrom(Float32Array, Float64Array, Int32Array, Uint8Array),
      ),
    );
    const anyMetadata = fc.dictionary(fc.string(), fc.string(), { noNullPrototype: true });
    await fc.assert(
      fc.asyncProperty(anyTensors, anyMetadata, async (list, metadata) => {
        if (Object.hasOwn(metadata, '__proto__')) return;
        const tensors = new Map(
          list.map(([name, shape, type]): [string, NewTensor] => {
            const count = shape.reduce((product, size) => product * size, 1);
            return [name, { shape, data: new type(Array.from({ length: count }, (_, i) => i)) }];
          }),
        );
        const file = folder.file('any.safetensors');
        await writeSafetensors(file, tensors, metadata);
        const back = await readSafetensors(file);
        expectEqual(back, tensors);
        expect(back.metadata).toEqual(metadata);
      }),
      { numRuns: 60 },
    );
  });

  test('of hostile names', async () => {
    const names = [...HOSTILE_NAMES, '10', '9', 'hasOwnProperty'].filter((name) => name !== '__proto__');
    const hostile = new Map(names.map((name, i) => [name, { shape: [1], data: Float32Array.of(i) }]));
    const file = folder.file('hostile.safetensors');
    await writeSafetensors(file, hostile, Object.fromEntries(names.map((name) => [name, name])));
    const back = await readSafetensors(file);
    expectEqual(back, hostile);
    expect(back.metadata).toEqual(Object.fromEntries(names.map((name) => [name, name])));
  });

  test('of views into larger buffers and arrays of another realm', async () => {
    const file = folder.file('views.safetensors');
    const view = new Float32Array([0, 1, 2, 3]).subarray(1, 3);
    const foreign = runInNewContext('Float64Array.of(4, 5)') as Float64Array;
    await writeSafetensors(file, new Map([['view', { shape: [2], data: view }], ['foreign', { shape: [2], data: foreign }]])); // prettier-ignore
    const { tensors } = await readSafetensors(file);
    expect([...tensors.get('view')!.data]).toEqual([1, 2]);
    expect([...tensors.get('foreign')!.data]).toEqual([4, 5]);
  });
});

describe('files from elsewhere', () => {
  test('load without checksum, padding or order of the header', async () => {
    const data = Buffer.from(new Uint8Array([7, 0, 0, 128, 63, 0, 0, 0, 64]));
    const back = await read(
      assemble(
        {
          weight: { dtype: 'F32', shape: [2], data_offsets: [1, 9] },
          flag: { dtype: 'U8', shape: [], data_offsets: [0, 1] },
        },
        data,
      ),
    );
    expect(back.verified).toBe(false);
    expect(back.metadata).toEqual({});
    expect(back.tensors.get('weight')).toEqual({ dtype: 'F32', shape: [2], data: Float32Array.of(1, 2) });
    expect([...back.tensors.keys()]).toEqual(['flag', 'weight']);
  });

  test('may be empty', async () => {
    expect((await read(assemble({}))).tensors.size).toBe(0);
    expect((await read(assemble({ __metadata__: { a: 'b' } }))).metadata).toEqual({ a: 'b' });
    expect((await read(assemble('{}     '))).tensors.size).toBe(0);
  });
});

describe('damaged files', () => {
  const file = folder.file('whole.safetensors');
  let whole: Buffer;
  let content: Safetensors;

  beforeAll(async () => {
    await writeSafetensors(file, tensors, metadata);
    whole = readFileSync(file);
    content = await readSafetensors(file);
  });

  /** A damaged file must be refused, or give what the whole file gave. */
  async function expectRefusedOrSame(damaged: Uint8Array, what: string): Promise<boolean> {
    const got = await read(damaged).catch((error: unknown) => error as Error & { code?: string });
    if ('tensors' in got) {
      // Without its checksum a file is as good as one from elsewhere; readModelFile insists on it.
      const { tensors } = got;
      expect({ what, tensors }).toEqual({ what, tensors: content.tensors });
      // The checksum, under whatever name it has now.
      const rest = Object.entries(got.metadata).filter(([, value]) => !/^[0-9a-f]{64}$/.test(value));
      expect({ what, metadata: Object.fromEntries(rest) }).toEqual({ what, metadata: content.metadata });
      return false;
    }
    expect({ what, code: got.code }).toEqual({ what, code: 'ERR_SKLAR_FORMAT' });
    return true;
  }

  test('cut at any place', async () => {
    for (let length = 0; length < whole.length; length++) {
      expect(await expectRefusedOrSame(whole.subarray(0, length), `cut to ${length}`)).toBe(true);
    }
  });

  test('longer by any byte', async () => {
    for (const extra of [0, 0x20, 0x7d, 0xff]) {
      const longer = Buffer.concat([whole, Buffer.of(extra)]);
      expect(await expectRefusedOrSame(longer, `longer by ${extra}`)).toBe(true);
    }
  });

  test.each([0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff])(
    'any byte changed by %p',
    async (mask) => {
      let refused = 0;
      for (let i = 0; i < whole.length; i++) {
        const damaged = Buffer.from(whole);
        damaged[i]! ^= mask;
        if (await expectRefusedOrSame(damaged, `byte ${i} changed by ${mask}`)) refused++;
      }
      // Only the 12 bytes of the name of the checksum can be changed without being noticed here.
      expect(refused).toBeGreaterThanOrEqual(whole.length - 12);
    },
  );

  test('any two neighbouring bytes exchanged, any byte removed or doubled', async () => {
    for (let i = 0; i + 1 < whole.length; i++) {
      const swapped = Buffer.from(whole);
      swapped[i] = whole[i + 1]!;
      swapped[i + 1] = whole[i]!;
      await expectRefusedOrSame(swapped, `bytes ${i} and ${i + 1} exchanged`);
      await expectRefusedOrSame(
        Buffer.concat([whole.subarray(0, i), whole.subarray(i + 1)]),
        `byte ${i} removed`,
      );
      await expectRefusedOrSame(
        Buffer.concat([whole.subarray(0, i), whole.subarray(i)]),
        `byte ${i} doubled`,
      );
    }
  });

  test('data of other files', async () => {
    const noise = fc.uint8Array({ maxLength: 200 });
    await fc.assert(
      fc.asyncProperty(noise, async (bytes) => {
        await sklarError(() => read(bytes), 'ERR_SKLAR_FORMAT');
      }),
    );
  });
});

describe('hostile files', () => {
  const tensor = (change: object = {}): object => ({
    dtype: 'F32',
    shape: [1],
    data_offsets: [0, 4],
    ...change,
  });
  const four = new Uint8Array(4);
  const eight = new Uint8Array(8);

  test.each<[string, Buffer, string]>([
    ['no bytes', Buffer.alloc(0), 'expected at least 8 bytes, got 0'],
    ['seven bytes', Buffer.alloc(7), 'expected at least 8 bytes, got 7'],
    [
      'a header longer than the file',
      assemble('{}', four, 1000n),
      'expected a model file, whose header is of at most 6 bytes here, got one of 1000',
    ],
    ['a header of 2^64 - 1 bytes', assemble('{}', four, 2n ** 64n - 1n), 'got one of 18446744073709551615'],
    ['a header of 2^63 bytes', assemble('{}', four, 2n ** 63n), 'whose header is of at most'],
    ['an empty header', assemble(''), 'expected a JSON header'],
    [
      'a header that is not UTF-8',
      assemble(Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x7d])),
      'expected a JSON header',
    ],
    ['a header with a byte order mark', assemble('\ufeff{}'), 'expected a JSON header'],
    ['a header that is not JSON', assemble("{'a': 1}"), 'expected a JSON header'],
    ['a header with something after it', assemble('{} x'), 'expected a JSON header'],
    ['a header of deep arrays', assemble('['.repeat(1e6)), 'expected a JSON header'],
    ['a header of deep objects', assemble('{"a":'.repeat(1e5) + '1' + '}'.repeat(1e5)), 'expected'],
    ['an array as header', assemble([]), 'expected an object as header, got an array of length 0'],
    ['null as header', assemble(null), 'expected an object as header, got null'],
    ['a number as header', assemble(1), 'expected an object as header, got 1'],
    [
      'a repeated tensor',
      assemble(`{"a":${JSON.stringify(tensor())},"a":${JSON.stringify(tensor())}}`, four),
      'the key "a" occurs twice',
    ],
    [
      'a repeated property',
      assemble('{"a":{"dtype":"U8","dtype":"F32","shape":[1],"data_offsets":[0,4]}}', four),
      'the key "dtype" occurs twice',
    ],
    ['repeated metadata', assemble('{"__metadata__":{"a":"1","a":"2"}}'), 'the key "a" occurs twice'],
    [
      'a tensor named __proto__',
      assemble(`{"__proto__":${JSON.stringify(tensor())}}`, four),
      'the key "__proto__" is not allowed',
    ],
    [
      'metadata named __proto__',
      assemble('{"__metadata__":{"__proto__":"x"}}'),
      'the key "__proto__" is not allowed',
    ],
    [
      'a property named __proto__',
      assemble('{"a":{"__proto__":{"dtype":"F32"}}}'),
      'the key "__proto__" is not allowed',
    ],
    ['metadata that are text', assemble({ __metadata__: 'x' }), 'expected an object as metadata, got "x"'],
    ['metadata that are null', assemble({ __metadata__: null }), 'expected an object as metadata, got null'],
    [
      'metadata that are an array',
      assemble({ __metadata__: ['x'] }),
      'expected an object as metadata, got an array',
    ],
    [
      'metadata that hold an object',
      assemble({ __metadata__: { a: {} } }),
      'expected text for metadata "a", got an object',
    ],
    ['a tensor that is a number', assemble({ a: 1 }), 'expected an object for tensor "a", got 1'],
    [
      'a tensor without dtype',
      assemble({ a: tensor({ dtype: undefined }) }, four),
      'as dtype of tensor "a", got undefined',
    ],
    [
      'an unknown dtype',
      assemble({ a: tensor({ dtype: 'BF16' }) }, four),
      'expected one of F64, I64, U64, F32, I32, U8 as dtype of tensor "a", got "BF16"',
    ],
    [
      'a dtype of the prototype',
      assemble({ a: tensor({ dtype: 'constructor' }) }, four),
      'as dtype of tensor "a"',
    ],
    [
      'no shape',
      assemble({ a: tensor({ shape: undefined }) }, four),
      'expected a shape of tensor "a", got nothing',
    ],
    [
      'a negative shape',
      assemble({ a: tensor({ shape: [-1] }) }, four),
      'expected a shape of tensor "a", got [-1]',
    ],
    [
      'a fractional shape',
      assemble({ a: tensor({ shape: [0.5] }) }, four),
      'expected a shape of tensor "a", got [0.5]',
    ],
    [
      'a shape of text',
      assemble({ a: tensor({ shape: ['1'] }) }, four),
      'expected a shape of tensor "a", got ["1"]',
    ],
    [
      'a shape whose product overflows',
      assemble({ a: tensor({ shape: [2 ** 32, 2 ** 32, 2 ** 32] }) }, four),
      'expected a shape of tensor "a"',
    ],
    [
      'a shape whose product wraps to 1',
      assemble({ a: tensor({ shape: [2 ** 33, 2 ** 31 + 1] }) }, four),
      'expected a shape of tensor "a"',
    ],
    [
      'a shape that is too large',
      assemble({ a: tensor({ shape: [2] }) }, four),
      'expected 8 bytes for tensor "a" (F32, shape [2]), got 4',
    ],
    ['a shape that is too small', assemble({ a: tensor({ shape: [] }) }, eight), 'got 8'],
    ['a very long shape', assemble({ a: tensor({ shape: Array(1e5).fill(-1) }) }, four), '...'],
    [
      'no offsets',
      assemble({ a: tensor({ data_offsets: undefined }) }, four),
      'expected two ascending offsets of tensor "a", got nothing',
    ],
    [
      'three offsets',
      assemble({ a: tensor({ data_offsets: [0, 4, 4] }) }, four),
      'expected two ascending offsets',
    ],
    [
      'descending offsets',
      assemble({ a: tensor({ data_offsets: [4, 0] }) }, four),
      'expected two ascending offsets',
    ],
    [
      'negative offsets',
      assemble({ a: tensor({ data_offsets: [-4, 0] }) }, four),
      'expected two ascending offsets',
    ],
    [
      'fractional offsets',
      assemble({ a: tensor({ data_offsets: [0.5, 4.5] }) }, four),
      'expected two ascending offsets',
    ],
    [
      'offsets beyond the file',
      assemble({ a: tensor({ data_offsets: [4, 8] }) }, four),
      'at offset 0, got 4: it leaves a gap',
    ],
    [
      'offsets far beyond the file',
      assemble({ a: tensor({ shape: [2 ** 40], data_offsets: [0, 2 ** 42] }) }, four),
      'bytes of tensors, got 4',
    ],
    [
      'overlapping tensors',
      assemble({ a: tensor(), b: tensor({ data_offsets: [2, 6] }) }, eight),
      'at offset 4, got 2: it overlaps',
    ],
    [
      'two tensors at one place',
      assemble({ a: tensor(), b: tensor() }, four),
      'expected tensor "b" at offset 4, got 0: it overlaps',
    ],
    [
      'a gap between tensors',
      assemble({ a: tensor(), b: tensor({ data_offsets: [5, 9] }) }, Buffer.alloc(9)),
      'it leaves a gap',
    ],
    [
      'bytes after the tensors',
      assemble({ a: tensor() }, Buffer.alloc(5)),
      'expected 4 bytes of tensors, got 5',
    ],
    ['bytes without tensors', assemble({}, four), 'expected 0 bytes of tensors, got 4'],
    [
      'a wrong checksum',
      assemble({ __metadata__: { 'sklar.sha256': '0'.repeat(64) }, a: tensor() }, four),
      'expected the checksum in the file to fit',
    ],
    [
      'an empty checksum',
      assemble({ __metadata__: { 'sklar.sha256': '' }, a: tensor() }, four),
      'expected the checksum in the file to fit',
    ],
  ])('%s: refused, and the message is short', async (_, content, message) => {
    const error = await sklarError(() => read(content), 'ERR_SKLAR_FORMAT');
    expect(error.message).toContain(message);
    expect(error.message.length).toBeLessThan(500);
    expect(({} as any).dtype).toBeUndefined();
  });
});

describe('files', () => {
  test('that are missing or folders are refused', async () => {
    const missing = await sklarError(() => readSafetensors(folder.file('missing')), 'ERR_SKLAR_FILE');
    expect(missing.message).toContain('it does not exist');
    await sklarError(() => readSafetensors(folder.path), 'ERR_SKLAR_FILE');
    await sklarError(() => readSafetensors(''), 'ERR_SKLAR_VALUE');
    mkdirSync(folder.file('folder.safetensors'));
    await sklarError(() => writeSafetensors(folder.file('folder.safetensors'), tensors), 'ERR_SKLAR_FILE');
    await sklarError(() => writeSafetensors(folder.file('none/x.safetensors'), tensors), 'ERR_SKLAR_FILE');
  });

  test('any name will do', async () => {
    for (const name of ["a'b[*]?", 'größe \u{1f600}', 'n'.repeat(250)]) {
      await writeSafetensors(folder.file(name), tensors);
      expectEqual(await readSafetensors(folder.file(name)), tensors);
    }
  });

  test.each<[string, Map<string, NewTensor>, Record<string, string>, 'ERR_SKLAR_VALUE' | 'ERR_SKLAR_SHAPE']>([
    ['a wrong shape', new Map([['a', { shape: [2], data: new Float32Array(3) }]]), {}, 'ERR_SKLAR_SHAPE'],
    [
      'a negative shape',
      new Map([['a', { shape: [-1, -3], data: new Float32Array(3) }]]),
      {},
      'ERR_SKLAR_SHAPE',
    ],
    [
      'another array',
      new Map([['a', { shape: [3], data: new Uint16Array(3) as unknown as TensorData }]]),
      {},
      'ERR_SKLAR_VALUE',
    ],
    [
      'a plain array',
      new Map([['a', { shape: [3], data: [1, 2, 3] as unknown as TensorData }]]),
      {},
      'ERR_SKLAR_VALUE',
    ],
    [
      'the name __proto__',
      new Map([['__proto__', { shape: [0], data: new Float32Array(0) }]]),
      {},
      'ERR_SKLAR_VALUE',
    ],
    [
      'the name __metadata__',
      new Map([['__metadata__', { shape: [0], data: new Float32Array(0) }]]),
      {},
      'ERR_SKLAR_VALUE',
    ],
    ['metadata that are not text', new Map(), { a: 1 as any }, 'ERR_SKLAR_VALUE'],
    ['metadata in place of the checksum', new Map(), { 'sklar.sha256': 'x' }, 'ERR_SKLAR_VALUE'],
  ])('%s is not written, and what was there stays', async (_, tensors, metadata, code) => {
    const file = folder.file('kept.safetensors');
    writeFileSync(file, 'before');
    await sklarError(() => writeSafetensors(file, tensors, metadata), code);
    expect(readFileSync(file, 'utf8')).toBe('before');
    expect(readdirSync(folder.path).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });
});
