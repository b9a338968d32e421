/** ONNX files: the few messages of onnx.proto that a graph needs, in the wire format of Protocol Buffers. */

/** What an attribute of a node can be. */
export type Attribute = number | readonly number[] | GraphMessage;

export interface NodeMessage {
  op: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, Attribute>>;
}
export interface TensorMessage {
  name: string;
  shape: readonly number[];
  data: Float64Array | BigInt64Array;
}
/** A size is a number or has a name. */
export interface ValueMessage {
  name: string;
  type: 'float64' | 'int64' | 'bool';
  shape: readonly (number | string)[];
}
export interface GraphMessage {
  name: string;
  nodes: readonly NodeMessage[];
  initializers: readonly TensorMessage[];
  inputs: readonly ValueMessage[];
  outputs: readonly ValueMessage[];
}

/** TensorProto.DataType */
const DATA_TYPES = { float64: 11, int64: 7, bool: 9 } as const;
/** AttributeProto.AttributeType */
const ATTRIBUTE_TYPES = { integer: 2, graph: 5, integers: 7 } as const;
/** The newest both onnx and runtimes of 2022 and later know. */
const IR_VERSION = 8;
const OPSET = 17;

/** Fields of a message, in pieces. */
class Message {
  readonly pieces: Uint8Array[] = [];
  bytes = 0;

  #append(piece: Uint8Array): void {
    this.pieces.push(piece);
    this.bytes += piece.length;
  }
  #varint(value: bigint): void {
    const out: number[] = [];
    let rest = BigInt.asUintN(64, value);
    do {
      out.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
      rest >>= 7n;
    } while (rest > 0n);
    this.#append(Uint8Array.from(out));
  }
  /** Wire type 0. */
  integer(field: number, value: number | bigint): this {
    this.#varint(BigInt(field) << 3n);
    this.#varint(BigInt(value));
    return this;
  }
  /** Wire type 2: texts, bytes, messages. */
  part(field: number, value: string | Uint8Array | Message): this {
    const content = typeof value === 'string' ? new TextEncoder().encode(value) : value;
    this.#varint((BigInt(field) << 3n) | 2n);
    this.#varint(BigInt(content instanceof Message ? content.bytes : content.length));
    if (content instanceof Message) content.pieces.forEach((piece) => this.#append(piece));
    else this.#append(content);
    return this;
  }
  parts<T>(field: number, values: readonly T[], toPart: (value: T) => string | Message): this {
    for (const value of values) this.part(field, toPart(value));
    return this;
  }
  toBytes(): Uint8Array {
    const all = new Uint8Array(this.bytes);
    let at = 0;
    for (const piece of this.pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    return all;
  }
}

function attributeMessage([name, value]: [string, Attribute]): Message {
  const message = new Message().part(1, name);
  if (typeof value === 'number') return message.integer(3, value).integer(20, ATTRIBUTE_TYPES.integer);
  if ('nodes' in value) return message.part(6, graphMessage(value)).integer(20, ATTRIBUTE_TYPES.graph);
  for (const each of value) message.integer(8, each);
  return message.integer(20, ATTRIBUTE_TYPES.integers);
}

function nodeMessage({ op, inputs, outputs, attributes }: NodeMessage): Message {
  return new Message()
    .parts(1, inputs, (name) => name)
    .parts(2, outputs, (name) => name)
    .part(4, op)
    .parts(5, Object.entries(attributes), attributeMessage);
}

function tensorMessage({ name, shape, data }: TensorMessage): Message {
  const message = new Message();
  for (const size of shape) message.integer(1, size);
  const type = data instanceof Float64Array ? DATA_TYPES.float64 : DATA_TYPES.int64;
  // raw data are little-endian, as all machines are that the addon is built for
  return message
    .integer(2, type)
    .part(8, name)
    .part(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function valueMessage({ name, type, shape }: ValueMessage): Message {
  const sizes = new Message().parts(1, shape, (size) =>
    typeof size === 'number' ? new Message().integer(1, size) : new Message().part(2, size),
  );
  const tensor = new Message().integer(1, DATA_TYPES[type]).part(2, sizes);
  return new Message().part(1, name).part(2, new Message().part(1, tensor));
}

function graphMessage({ name, nodes, initializers, inputs, outputs }: GraphMessage): Message {
  return new Message()
    .parts(1, nodes, nodeMessage)
    .part(2, name)
    .parts(5, initializers, tensorMessage)
    .parts(11, inputs, valueMessage)
    .parts(12, outputs, valueMessage);
}

/** The bytes of a file that holds a graph, with texts about it by name. */
export function onnxFile(
  graph: GraphMessage,
  producerVersion: string,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  return new Message()
    .integer(1, IR_VERSION)
    .part(2, 'sklar')
    .part(3, producerVersion)
    .part(7, graphMessage(graph))
    .part(8, new Message().part(1, '').integer(2, OPSET))
    .parts(14, Object.entries(metadata), ([key, value]) => new Message().part(1, key).part(2, value))
    .toBytes();
}
