/**
 * A writer of Parquet files. Format: https://parquet.apache.org/docs/file-format/ (metadata in the compact
 * protocol of Thrift). The file has one flat schema of optional columns, and one plain page a column
 * and row group. Doubles are stored as they are, because samples hardly compress; all else is packed with gzip.
 * Writing it here rather than through DuckDB keeps the names of columns exact (DuckDB cannot have an empty one, or two
 * that differ in case only) and needs the memory of one row group for any number of rows.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

import type { AtomicFile } from './files';
import { calendarFormat } from '../columns/calendar';
import { type ColumnType, kindOf, labelsOf } from '../columns/column-type';

const pack = promisify(gzip) as (data: Uint8Array, options: { level: number }) => Promise<Buffer>;

const MAGIC = Buffer.from('PAR1');
const ROW_GROUP_BYTES = 1 << 26;
/** Readers hold the page of a column and row group in memory. */
const ROW_GROUP_ROWS = 1 << 17;

// Types of fields in the compact protocol.
const I32 = 5;
const I64 = 6;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

// Enumerations of parquet.thrift.
const BOOLEAN = 0;
const INT32 = 1;
const INT64 = 2;
const DOUBLE = 5;
const BYTE_ARRAY = 6;
const OPTIONAL = 1;
const PLAIN = 0;
const RLE = 3;
const DATA_PAGE = 0;
const UNCOMPRESSED = 0;
const GZIP = 2;
const UTF8 = 0; // converted types
const DATE = 6;

interface Field {
  readonly id: number;
  readonly type: number;
  readonly bytes: Buffer;
}

/** A variable-length integer, 7 bits a byte; `value` may exceed 32 bits. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  bytes.push(value);
  return Buffer.from(bytes);
}

/** Integers are stored in zigzag order: 0, -1, 1, -2, ... All of ours are at least 0. */
function integer(value: number): Buffer {
  return varint(2 * value);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([varint(bytes.length), bytes]);
}

function list(type: number, items: readonly Buffer[]): Buffer {
  const count = items.length;
  const header =
    count < 15 ? [Buffer.from([(count << 4) | type])] : [Buffer.from([0xf0 | type]), varint(count)];
  return Buffer.concat([...header, ...items]);
}

function struct(...fields: readonly Field[]): Buffer {
  const parts: Buffer[] = [];
  let previous = 0;
  for (const { id, type, bytes } of fields) {
    parts.push(Buffer.from([((id - previous) << 4) | type]), bytes);
    previous = id;
  }
  return Buffer.concat([...parts, Buffer.from([0])]);
}

const i32 = (id: number, value: number): Field => ({ id, type: I32, bytes: integer(value) });
const i64 = (id: number, value: number): Field => ({ id, type: I64, bytes: integer(value) });
const binary = (id: number, value: string): Field => ({ id, type: BINARY, bytes: text(value) });
const child = (id: number, bytes: Buffer): Field => ({ id, type: STRUCT, bytes });
const children = (id: number, type: number, items: readonly Buffer[]): Field => ({
  id,
  type: LIST,
  bytes: list(type, items),
});

/** The bytes of integers as INT64, little-endian. */
function int64(values: Float64Array): Uint8Array {
  const words = new Uint32Array(2 * values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    words[2 * i] = value; // modulo 2^32, as the conversion to an unsigned 32-bit integer is
    words[2 * i + 1] = Math.floor(value / 4294967296);
  }
  return new Uint8Array(words.buffer);
}

/** A boolean in a struct of the compact protocol: its type says what it is. */
const bool = (id: number, value: boolean): Field => ({ id, type: value ? 1 : 2, bytes: Buffer.alloc(0) });

/** How a column is stored: what the schema says of it, and its values, none of them missing, as bytes. */
interface Storage {
  readonly type: number;
  readonly annotation: readonly Field[];
  readonly codec: number;
  /** @param texts those that the values are positions of, where it is stored as text */
  readonly encode: (values: Float64Array, texts: readonly string[]) => Uint8Array;
}

const MICROS = struct(child(2, struct()));
const logical = (id: number, utc: boolean) =>
  child(10, struct(child(id, struct(bool(1, utc), { id: 2, type: STRUCT, bytes: MICROS }))));

function storageOf(type: ColumnType): Storage {
  if (hasTexts(type))
    return { type: BYTE_ARRAY, annotation: [i32(6, UTF8)], codec: GZIP, encode: byteArrays };
  const micros = (values: Float64Array) => int64(values.map((value) => Math.round(value * 1e6)));
  switch (type.type) {
    case 'boolean':
      return { type: BOOLEAN, annotation: [], codec: GZIP, encode: packBits };
    case 'date':
      return {
        type: INT32,
        annotation: [i32(6, DATE)],
        codec: GZIP,
        encode: (values) => new Uint8Array(Int32Array.from(values).buffer),
      };
    case 'time':
      return { type: INT64, annotation: [logical(7, false)], codec: GZIP, encode: micros };
    case 'timestamp': {
      const utc = /Z/.test(calendarFormat(type.format)!.format.replace(/^.*ss/, ''));
      return { type: INT64, annotation: [logical(8, utc)], codec: GZIP, encode: micros };
    }
    default:
      return kindOf(type) === 'integer'
        ? { type: INT64, annotation: [], codec: GZIP, encode: int64 }
        : {
            type: DOUBLE,
            annotation: [],
            codec: UNCOMPRESSED,
            encode: (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
          };
  }
}

const hasTexts = (type: ColumnType) =>
  labelsOf(type) !== null && (type.type !== 'boolean' || type.labels !== undefined);

function byteArrays(values: Float64Array, texts: readonly string[]): Uint8Array {
  const bytes = texts.map((each) => {
    const length = Buffer.alloc(4);
    const content = Buffer.from(each);
    length.writeUInt32LE(content.length);
    return Buffer.concat([length, content]);
  });
  return Buffer.concat(Array.from(values, (value) => bytes[value]!));
}

/** A bit for each value, the first the lowest. */
function packBits(values: Float64Array): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((value, i) => {
    if (value !== 0) bytes[i >> 3]! |= 1 << (i & 7);
  });
  return bytes;
}

function positionIn(texts: Map<string, number>, wanted: string): number {
  let position = texts.get(wanted);
  if (position === undefined) texts.set(wanted, (position = texts.size));
  return position;
}

/** Which cells are there: a run where all are, else a bit each (the hybrid of runs and bits, after its length). */
function definitionLevels(present: Float64Array, missing: number): Buffer {
  const rows = present.length;
  const levels =
    missing === 0
      ? Buffer.concat([varint(2 * rows), Buffer.from([1])])
      : Buffer.concat([varint(2 * Math.ceil(rows / 8) + 1), packBits(present)]);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(levels.length);
  return Buffer.concat([length, levels]);
}

/** Writes rows to an open file; call `end` after the last row. The file itself is committed by the caller. */
export class ParquetWriter {
  readonly #file: AtomicFile;
  readonly #names: readonly string[];
  readonly #storage: readonly Storage[];
  readonly #buffers: readonly Float64Array[];
  /** Of columns that are stored as text the texts of the buffered rows, each once. */
  readonly #texts: readonly (Map<string, number> | null)[];
  readonly #capacity: number;
  readonly #rowGroups: Buffer[] = [];
  #buffered = 0;
  #rows = 0;
  #offset = 0;

  constructor(file: AtomicFile, names: readonly string[], types: readonly ColumnType[]) {
    this.#file = file;
    this.#names = names;
    this.#storage = types.map(storageOf);
    this.#capacity = Math.min(
      ROW_GROUP_ROWS,
      Math.max(1024, Math.floor(ROW_GROUP_BYTES / (8 * names.length))),
    );
    this.#buffers = names.map(() => new Float64Array(this.#capacity));
    this.#texts = types.map((type) => (hasTexts(type) ? new Map<string, number>() : null));
  }

  /** Appends `rows` rows; `value(i, j)` is the value in row i and column j, a position in the labels of its type. */
  async append(
    rows: number,
    value: (row: number, column: number) => number,
    types: readonly ColumnType[],
  ): Promise<void> {
    const labels = types.map(labelsOf);
    for (let begin = 0; begin < rows;) {
      const count = Math.min(rows - begin, this.#capacity - this.#buffered);
      this.#buffers.forEach((buffer, j) => {
        const texts = this.#texts[j];
        for (let i = 0; i < count; i++) {
          const cell = value(begin + i, j);
          buffer[this.#buffered + i] =
            texts && !Number.isNaN(cell) ? positionIn(texts, labels[j]![cell]!) : cell;
        }
      });
      begin += count;
      this.#buffered += count;
      if (this.#buffered === this.#capacity) await this.#flush();
    }
  }

  async end(): Promise<void> {
    if (this.#buffered > 0) await this.#flush();
    if (this.#offset === 0) await this.#write(MAGIC);
    const schema = [
      struct(binary(4, 'schema'), i32(5, this.#names.length)),
      ...this.#names.map((name, j) => {
        const { type, annotation } = this.#storage[j]!;
        return struct(i32(1, type), i32(3, OPTIONAL), binary(4, name), ...annotation);
      }),
    ];
    const footer = struct(
      i32(1, 1), // version
      children(2, STRUCT, schema),
      i64(3, this.#rows),
      children(4, STRUCT, this.#rowGroups),
      binary(6, 'sklar'),
    );
    const length = Buffer.alloc(4);
    length.writeUInt32LE(footer.length);
    await this.#write(Buffer.concat([footer, length, MAGIC]));
  }

  /** Writes the buffered rows as a row group. */
  async #flush(): Promise<void> {
    if (this.#offset === 0) await this.#write(MAGIC);
    const rows = this.#buffered;
    const chunks: Buffer[] = [];
    let groupBytes = 0;
    for (const [j, buffer] of this.#buffers.entries()) {
      const { type, codec, encode } = this.#storage[j]!;
      const cells = buffer.subarray(0, rows);
      const values = cells.filter((value) => !Number.isNaN(value));
      const present = cells.map((value) => Number(!Number.isNaN(value)));
      const plain = Buffer.concat([
        definitionLevels(present, rows - values.length),
        encode(values, [...(this.#texts[j]?.keys() ?? [])]),
      ]);
      this.#texts[j]?.clear();
      const stored = codec === GZIP ? await pack(plain, { level: 1 }) : plain;
      const header = struct(
        i32(1, DATA_PAGE),
        i32(2, plain.length),
        i32(3, stored.length),
        child(5, struct(i32(1, rows), i32(2, PLAIN), i32(3, RLE), i32(4, RLE))),
      );
      const start = this.#offset;
      await this.#write(header);
      await this.#write(stored);
      const metadata = struct(
        i32(1, type),
        children(2, I32, [integer(PLAIN), integer(RLE)]),
        children(3, BINARY, [text(this.#names[j]!)]),
        i32(4, codec),
        i64(5, rows),
        i64(6, header.length + plain.length),
        i64(7, header.length + stored.length),
        i64(9, start),
      );
      chunks.push(struct(i64(2, start), child(3, metadata)));
      groupBytes += header.length + plain.length;
    }
    this.#rowGroups.push(struct(children(1, STRUCT, chunks), i64(2, groupBytes), i64(3, rows)));
    this.#rows += rows;
    this.#buffered = 0;
  }

  async #write(bytes: Uint8Array): Promise<void> {
    await this.#file.write(bytes);
    this.#offset += bytes.length;
  }
}
