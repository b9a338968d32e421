/**
 * A writer of Parquet files of numbers. Format: https://parquet.apache.org/docs/file-format/ (metadata in the compact
 * protocol of Thrift). The file has one flat schema of required DOUBLE and INT64 columns, and one plain page a column
 * and row group. Doubles are stored as they are, because samples hardly compress; integers are packed with gzip.
 * Writing it here rather than through DuckDB keeps the names of columns exact (DuckDB cannot have an empty one, or two
 * that differ in case only) and needs the memory of one row group for any number of rows.
 */
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

import type { AtomicFile } from './files';
import type { ColumnKind } from '../table';

const pack = promisify(gzip) as (data: Uint8Array, options: { level: number }) => Promise<Buffer>;

const MAGIC = Buffer.from('PAR1');
const ROW_GROUP_BYTES = 1 << 26;

// Types of fields in the compact protocol.
const I32 = 5;
const I64 = 6;
const BINARY = 8;
const LIST = 9;
const STRUCT = 12;

// Enumerations of parquet.thrift.
const TYPE = { integer: 2, float: 5 } as const; // INT64, DOUBLE
const REQUIRED = 0;
const PLAIN = 0;
const RLE = 3;
const DATA_PAGE = 0;
const CODEC = { integer: 2, float: 0 } as const; // GZIP, UNCOMPRESSED

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

/** Writes rows to an open file; call `end` after the last row. The file itself is committed by the caller. */
export class ParquetWriter {
  readonly #file: AtomicFile;
  readonly #names: readonly string[];
  readonly #kinds: readonly ColumnKind[];
  readonly #buffers: readonly Float64Array[];
  readonly #capacity: number;
  readonly #rowGroups: Buffer[] = [];
  #buffered = 0;
  #rows = 0;
  #offset = 0;

  constructor(file: AtomicFile, names: readonly string[], kinds: readonly ColumnKind[]) {
    this.#file = file;
    this.#names = names;
    this.#kinds = kinds;
    this.#capacity = Math.min(1 << 20, Math.max(1024, Math.floor(ROW_GROUP_BYTES / (8 * names.length))));
    this.#buffers = names.map(() => new Float64Array(this.#capacity));
  }

  /** Appends `rows` rows; `value(i, j)` is the value in row i and column j. */
  async append(rows: number, value: (row: number, column: number) => number): Promise<void> {
    for (let begin = 0; begin < rows;) {
      const count = Math.min(rows - begin, this.#capacity - this.#buffered);
      this.#buffers.forEach((buffer, j) => {
        for (let i = 0; i < count; i++) buffer[this.#buffered + i] = value(begin + i, j);
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
      ...this.#names.map((name, j) =>
        struct(i32(1, TYPE[this.#kinds[j]!]), i32(3, REQUIRED), binary(4, name)),
      ),
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
      const kind = this.#kinds[j]!;
      const values = buffer.subarray(0, rows);
      const plain = kind === 'integer' ? int64(values) : new Uint8Array(values.buffer, 0, 8 * rows);
      const stored = kind === 'integer' ? await pack(plain, { level: 1 }) : plain;
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
        i32(1, TYPE[kind]),
        children(2, I32, [integer(PLAIN)]),
        children(3, BINARY, [text(this.#names[j]!)]),
        i32(4, CODEC[kind]),
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
