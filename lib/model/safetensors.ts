/**
 * The safetensors format (https://huggingface.co/docs/safetensors): the length of the header as 64 bits little-endian,
 * the header as JSON, and the tensors one after another without gaps.
 *
 * Files written here carry a SHA-256 of everything that matters in them, in the metadata under `sklar.sha256`; a file
 * that has one is verified when it is read, and files from elsewhere need not have one. Reading runs no code and
 * trusts nothing that the file says about itself.
 */
import { type Hash, createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { types } from 'node:util';

import { AtomicFile, expectPath, expectReadable, fileError } from '../data/formats/files';
import { SklarError, describe } from '../errors';
import { canonicalJson, expectCleanKeys } from './json';

export type TensorData =
  Float32Array | Float64Array | BigInt64Array | BigUint64Array | Int32Array | Uint8Array;

export type Dtype = 'F32' | 'F64' | 'I64' | 'U64' | 'I32' | 'U8';

/** `data` has as many elements as the product of `shape`, in row-major order; an empty shape is one number. */
export interface Tensor {
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

export interface Safetensors {
  /** The metadata of the file, without the checksum. */
  readonly metadata: Readonly<Record<string, string>>;
  /** In the order in which the file stores them. */
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** Whether the file had a checksum (which then was right). */
  readonly verified: boolean;
}

const CHECKSUM = 'sklar.sha256';
const METADATA = '__metadata__';
const LONGEST_HEADER = 100_000_000;
/** Bytes read or written in one call; Node allows no more than 2 GiB. */
const PIECE = 1 << 28;

const ARRAYS: Readonly<Record<Dtype, { new (buffer: ArrayBuffer): TensorData; BYTES_PER_ELEMENT: number }>> =
  {
    F64: Float64Array,
    I64: BigInt64Array,
    U64: BigUint64Array,
    F32: Float32Array,
    I32: Int32Array,
    U8: Uint8Array,
  };

/** Where a tensor lies: `begin` and `end` count bytes from the end of the header. */
interface Entry {
  readonly name: string;
  readonly dtype: Dtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

/** Starts the checksum: the metadata and the table of tensors in a canonical form; the data follow. */
function startChecksum(metadata: Readonly<Record<string, string>>, entries: readonly Entry[]): Hash {
  const table = [...entries].sort((a, b) => (a.name < b.name ? -1 : 1));
  return createHash('sha256').update(`${canonicalJson({ metadata, tensors: table })}\n`);
}

function formatError(what: string, file: string, cause?: unknown): SklarError {
  return new SklarError(
    'ERR_SKLAR_FORMAT',
    `${what} (${describe(file)})`,
    cause === undefined ? {} : { cause },
  );
}

/** A value from a header for a message: JSON, cut short. */
function printed(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing';
  return text.length <= 80 ? text : `${text.slice(0, 77)}...`;
}

/** The number of elements of a shape; NaN when it is not a shape or the product is not exact. */
function elementCount(shape: unknown): number {
  if (!Array.isArray(shape)) return NaN;
  let count = 1;
  for (const size of shape as unknown[]) {
    if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) return NaN;
    count *= size;
    if (!Number.isSafeInteger(count)) return NaN;
  }
  return count;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Checks what the header says of one tensor. */
function parseEntry(name: string, value: unknown, file: string): Entry {
  const tensor = `tensor ${describe(name)}`;
  if (!isRecord(value)) throw formatError(`expected an object for ${tensor}, got ${describe(value)}`, file);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== 'string' || !Object.hasOwn(ARRAYS, dtype)) {
    const known = Object.keys(ARRAYS).join(', ');
    throw formatError(`expected one of ${known} as dtype of ${tensor}, got ${describe(dtype)}`, file);
  }
  const count = elementCount(shape);
  if (Number.isNaN(count)) throw formatError(`expected a shape of ${tensor}, got ${printed(shape)}`, file);
  const [begin, end] = Array.isArray(offsets) && offsets.length === 2 ? (offsets as unknown[]) : [];
  if (
    typeof begin !== 'number' ||
    typeof end !== 'number' ||
    !Number.isSafeInteger(begin) ||
    !Number.isSafeInteger(end) ||
    begin < 0 ||
    end < begin
  ) {
    throw formatError(`expected two ascending offsets of ${tensor}, got ${printed(offsets)}`, file);
  }
  const bytes = count * ARRAYS[dtype as Dtype].BYTES_PER_ELEMENT;
  if (end - begin !== bytes) {
    throw formatError(
      `expected ${bytes} bytes for ${tensor} (${dtype}, shape ${printed(shape)}), got ${end - begin}`,
      file,
    );
  }
  return { name, dtype: dtype as Dtype, shape: shape as number[], begin, end };
}

/** The metadata and the tensors of a header, the latter in the order of their data. */
function parseHeader(
  bytes: Buffer,
  dataBytes: number,
  file: string,
): { metadata: Record<string, string>; entries: Entry[] } {
  let header: unknown;
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    header = JSON.parse(text);
    expectCleanKeys(text);
  } catch (cause) {
    throw formatError(`expected a JSON header, got ${describe(cause)}`, file, cause);
  }
  if (!isRecord(header)) throw formatError(`expected an object as header, got ${describe(header)}`, file);

  const { [METADATA]: given = {}, ...rest } = header;
  if (!isRecord(given)) throw formatError(`expected an object as metadata, got ${describe(given)}`, file);
  const metadata: Record<string, string> = {};
  for (const [key, value] of Object.entries(given)) {
    if (typeof value !== 'string') {
      throw formatError(`expected text for metadata ${describe(key)}, got ${describe(value)}`, file);
    }
    metadata[key] = value;
  }

  const entries = Object.entries(rest).map(([name, value]) => parseEntry(name, value, file));
  entries.sort((a, b) => a.begin - b.begin || a.end - b.end);
  let position = 0;
  for (const { name, begin, end } of entries) {
    if (begin !== position) {
      const fault = begin < position ? 'overlaps the one before' : 'leaves a gap';
      throw formatError(
        `expected tensor ${describe(name)} at offset ${position}, got ${begin}: it ${fault}`,
        file,
      );
    }
    position = end;
  }
  if (position !== dataBytes) {
    throw formatError(`expected ${position} bytes of tensors, got ${dataBytes}`, file);
  }
  return { metadata, entries };
}

async function readFully(
  handle: FileHandle,
  bytes: Uint8Array,
  position: number,
  file: string,
): Promise<void> {
  for (let done = 0; done < bytes.length;) {
    const { bytesRead } = await handle.read(
      bytes,
      done,
      Math.min(PIECE, bytes.length - done),
      position + done,
    );
    if (bytesRead === 0) throw formatError('expected more bytes, got the end of the file', file);
    done += bytesRead;
  }
}

function allocate(bytes: number, file: string): ArrayBuffer {
  try {
    return new ArrayBuffer(bytes);
  } catch (cause) {
    throw new SklarError('ERR_SKLAR_MEMORY', `cannot allocate ${bytes} bytes to read ${describe(file)}`, {
      cause,
    });
  }
}

/**
 * Reads a whole safetensors file.
 *
 * @throws SklarError ERR_SKLAR_FILE when it cannot be read, ERR_SKLAR_FORMAT when it is damaged or not such a file
 *   (the message says what is wrong), ERR_SKLAR_MEMORY
 */
export async function readSafetensors(file: string): Promise<Safetensors> {
  await expectReadable(expectPath(file));
  let handle: FileHandle | undefined;
  try {
    handle = await open(file, 'r');
    // The size is taken from the open file, in case it was replaced in between.
    const { size } = await handle.stat();
    if (size < 8) throw formatError(`expected at least 8 bytes, got ${size}`, file);
    const lengthBytes = Buffer.alloc(8);
    await readFully(handle, lengthBytes, 0, file);
    const length = lengthBytes.readBigUInt64LE();
    if (length > BigInt(LONGEST_HEADER) || length > BigInt(size - 8)) {
      const most = Math.min(LONGEST_HEADER, size - 8);
      throw formatError(
        `expected a model file, whose header is of at most ${most} bytes here, got one of ${length}`,
        file,
      );
    }
    const headerBytes = Buffer.alloc(Number(length));
    await readFully(handle, headerBytes, 8, file);
    const dataStart = 8 + headerBytes.length;
    const { metadata, entries } = parseHeader(headerBytes, size - dataStart, file);

    const { [CHECKSUM]: expected, ...rest } = metadata;
    const checksum = expected === undefined ? undefined : startChecksum(rest, entries);
    const tensors = new Map<string, Tensor>();
    for (const { name, dtype, shape, begin, end } of entries) {
      const buffer = allocate(end - begin, file);
      const bytes = new Uint8Array(buffer);
      await readFully(handle, bytes, dataStart + begin, file);
      checksum?.update(bytes);
      tensors.set(name, { dtype, shape, data: new ARRAYS[dtype](buffer) });
    }
    if (checksum && checksum.digest('hex') !== expected) {
      throw formatError(
        'expected the checksum in the file to fit its content, got another: it is damaged',
        file,
      );
    }
    return { metadata: rest, tensors, verified: checksum !== undefined };
  } catch (cause) {
    throw fileError(cause, 'read', file);
  } finally {
    await handle?.close();
  }
}

function dtypeOf(data: unknown, name: string): Dtype {
  // By the tag and not by instanceof, because arrays may come from another realm.
  const tag = types.isTypedArray(data) ? data[Symbol.toStringTag] : '';
  const found = (Object.keys(ARRAYS) as Dtype[]).find((dtype) => ARRAYS[dtype].name === tag);
  if (found !== undefined) return found;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    `expected one of ${Object.values(ARRAYS)
      .map((array) => array.name)
      .join(', ')} for tensor ${describe(name)}, got ${describe(data)}`,
  );
}

function byteView(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/**
 * Writes a safetensors file with a checksum. The dtype of a tensor follows from its array. Tensors are stored with wide
 * elements first, by name among equals, so that each is aligned to its elements; the same content gives the same bytes.
 * The file appears when it is complete; a failure leaves what was there before.
 *
 * @throws SklarError ERR_SKLAR_VALUE and ERR_SKLAR_SHAPE for wrong arguments, ERR_SKLAR_FILE when writing fails
 */
export async function writeSafetensors(
  file: string,
  tensors: ReadonlyMap<string, Omit<Tensor, 'dtype'>>,
  metadata: Readonly<Record<string, string>> = {},
): Promise<void> {
  for (const [key, value] of Object.entries(metadata)) {
    if (key === '__proto__' || key === CHECKSUM || typeof value !== 'string') {
      throw new SklarError(
        'ERR_SKLAR_VALUE',
        `expected texts for metadata, under names other than __proto__ and ${CHECKSUM}, ` +
          `got ${describe(value)} for ${describe(key)}`,
      );
    }
  }
  const sorted = [...tensors].map(([name, { shape, data }]) => {
    const dtype = dtypeOf(data, name);
    if (name === '__proto__' || name === METADATA) {
      throw new SklarError('ERR_SKLAR_VALUE', `expected another name for a tensor, got ${describe(name)}`);
    }
    if (elementCount(shape) !== data.length) {
      throw new SklarError(
        'ERR_SKLAR_SHAPE',
        `expected a shape of ${data.length} elements for tensor ${describe(name)}, got ${printed(shape)}`,
      );
    }
    return { name, dtype, shape, data };
  });
  sorted.sort(
    (a, b) =>
      b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT || (a.name < b.name ? -1 : Number(a.name > b.name)),
  );
  let position = 0;
  const entries = sorted.map(({ name, dtype, shape, data }): Entry => {
    const begin = position;
    position += data.byteLength;
    return { name, dtype, shape: [...shape], begin, end: position };
  });

  const checksum = startChecksum(metadata, entries);
  for (const { data } of sorted) {
    const bytes = byteView(data);
    for (let done = 0; done < bytes.length; done += PIECE)
      checksum.update(bytes.subarray(done, done + PIECE));
  }
  const header: Record<string, unknown> = { [METADATA]: { ...metadata, [CHECKSUM]: checksum.digest('hex') } };
  for (const { name, dtype, shape, begin, end } of entries) {
    header[name] = { dtype, shape, data_offsets: [begin, end] };
  }
  let text = Buffer.from(JSON.stringify(header));
  const padding = (8 - (text.length % 8)) % 8;
  text = Buffer.concat([text, Buffer.alloc(padding, ' ')]);
  if (text.length > LONGEST_HEADER) {
    throw new SklarError(
      'ERR_SKLAR_VALUE',
      `expected names and metadata of at most ${LONGEST_HEADER} bytes, got ${text.length}`,
    );
  }
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));

  const output = await AtomicFile.open(file);
  await output.write(Buffer.concat([length, text]));
  for (const { data } of sorted) await output.write(byteView(data));
  await output.commit();
}
