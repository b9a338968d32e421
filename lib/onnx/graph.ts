/** Building graphs of ONNX operators, in doubles. */
import type { Attribute, GraphMessage, NodeMessage, TensorMessage, ValueMessage } from './protobuf';

/** A tensor of a graph. */
export interface Value {
  readonly name: string;
}
/** A tensor, or a number that stands for one of no dimension. */
export type Operand = Value | number;

/** A graph that grows, or the body of one of its loops, which sees the tensors around it. */
export class Graph {
  readonly #nodes: NodeMessage[] = [];
  readonly #inputs: ValueMessage[] = [];
  /** What all of a model share. */
  readonly #shared: { names: number; tensors: TensorMessage[]; numbers: Map<number, Value> };

  constructor(around?: Graph) {
    this.#shared = around ? around.#shared : { names: 0, tensors: [], numbers: new Map() };
  }

  #name(): string {
    return `v${this.#shared.names++}`;
  }

  input(name: string | null, type: ValueMessage['type'], shape: ValueMessage['shape']): Value {
    const value = { name: name ?? this.#name() };
    this.#inputs.push({ ...value, type, shape });
    return value;
  }

  constant(data: ArrayLike<number>, shape: readonly number[]): Value {
    const name = this.#name();
    this.#shared.tensors.push({ name, shape, data: Float64Array.from(data) });
    return { name };
  }
  integers(values: readonly number[], shape: readonly number[] = [values.length]): Value {
    const name = this.#name();
    this.#shared.tensors.push({ name, shape, data: BigInt64Array.from(values, BigInt) });
    return { name };
  }
  #operand(operand: Operand): string {
    if (typeof operand !== 'number') return operand.name;
    const known = this.#shared.numbers.get(operand);
    if (known) return known.name;
    const value = this.constant([operand], []);
    this.#shared.numbers.set(operand, value);
    return value.name;
  }

  op(op: string, inputs: readonly Operand[], attributes: Record<string, Attribute> = {}): Value {
    return this.#node(op, inputs, attributes, 1)[0]!;
  }
  #node(
    op: string,
    inputs: readonly Operand[],
    attributes: Record<string, Attribute>,
    count: number,
  ): Value[] {
    const outputs = Array.from({ length: count }, () => this.#name());
    this.#nodes.push({ op, inputs: inputs.map((operand) => this.#operand(operand)), outputs, attributes });
    return outputs.map((name) => ({ name }));
  }

  sum(first: Operand, ...rest: Operand[]): Value {
    return rest.reduce((total, next) => this.op('Add', [total, next]), first) as Value;
  }
  sub = (a: Operand, b: Operand): Value => this.op('Sub', [a, b]);
  mul(first: Operand, ...rest: Operand[]): Value {
    return rest.reduce((total, next) => this.op('Mul', [total, next]), first) as Value;
  }
  div = (a: Operand, b: Operand): Value => this.op('Div', [a, b]);
  neg = (a: Value): Value => this.op('Neg', [a]);
  abs = (a: Value): Value => this.op('Abs', [a]);
  sign = (a: Value): Value => this.op('Sign', [a]);
  exp = (a: Value): Value => this.op('Exp', [a]);
  log = (a: Value): Value => this.op('Log', [a]);
  sqrt = (a: Value): Value => this.op('Sqrt', [a]);
  sin = (a: Value): Value => this.op('Sin', [a]);
  cos = (a: Value): Value => this.op('Cos', [a]);
  /** Written out: onnxruntime would make x Sigmoid(x) one operation, which it has in float only. */
  sigmoid = (a: Value): Value => this.div(1, this.sum(this.exp(this.neg(a)), 1));
  relu = (a: Value): Value => this.op('Relu', [a]);
  pow = (a: Value, power: number): Value => this.op('Pow', [a, power]);
  min = (a: Operand, b: Operand): Value => this.op('Min', [a, b]);
  max = (a: Operand, b: Operand): Value => this.op('Max', [a, b]);
  less = (a: Operand, b: Operand): Value => this.op('Less', [a, b]);
  equal = (a: Operand, b: Operand): Value => this.op('Equal', [a, b]);
  where = (condition: Value, a: Operand, b: Operand): Value => this.op('Where', [condition, a, b]);
  matmul = (a: Value, b: Value): Value => this.op('MatMul', [a, b]);
  gather = (from: Value, index: Value, axis = 0): Value => this.op('Gather', [from, index], { axis });
  concat = (parts: readonly Value[], axis: number): Value => this.op('Concat', parts, { axis });
  transpose = (a: Value, perm: readonly number[]): Value => this.op('Transpose', [a], { perm });
  reshape = (a: Value, shape: readonly number[]): Value => this.op('Reshape', [a, this.integers(shape)]);
  /** Over one axis, which goes. */
  total = (a: Value, axis: number): Value =>
    this.op('ReduceSum', [a, this.integers([axis])], { keepdims: 0 });
  logSumExp = (a: Value, axis: number): Value =>
    this.op('ReduceLogSumExp', [a], { axes: [axis], keepdims: 0 });
  /** Column j of rows x columns, as rows. */
  column = (a: Value, j: number): Value => this.gather(a, this.integers([j], []), 1);
  /** (c_0 x + c_1) x + ... */
  polynomial(x: Value, coefficients: readonly number[]): Value {
    return coefficients
      .slice(1)
      .reduce<Operand>((sum, c) => this.sum(this.mul(sum, x), c), coefficients[0]!) as Value;
  }

  /** log(1 + x), to rounding (Kahan). */
  log1p(x: Value): Value {
    const y = this.sum(x, 1);
    const scaled = this.mul(this.log(y), this.div(x, this.sub(y, 1)));
    return this.where(this.equal(y, 1), x, scaled);
  }
  /** e^x - 1, to rounding (Kahan). */
  expm1(x: Value): Value {
    const y = this.exp(x);
    const less = this.sub(y, 1);
    const scaled = this.mul(less, this.div(x, this.log(y)));
    return this.where(this.equal(y, 1), x, this.where(this.less(this.abs(less), 0.9), scaled, less));
  }

  /** Repeats a body; it gets the number of the round and the states, and gives the next ones. */
  loop(
    rounds: number,
    states: readonly { value: Value; shape: ValueMessage['shape'] }[],
    body: (graph: Graph, round: Value, states: readonly Value[]) => readonly Value[],
  ): Value[] {
    const inner = new Graph(this);
    const round = inner.input(null, 'int64', []);
    const goesOn = inner.input(null, 'bool', []);
    const begun = states.map(({ shape }) => inner.input(null, 'float64', shape));
    const ended = body(inner, round, begun);
    const outputs: ValueMessage[] = [
      { ...inner.op('Identity', [goesOn]), type: 'bool', shape: [] },
      ...ended.map((value, i) => ({ ...value, type: 'float64' as const, shape: states[i]!.shape })),
    ];
    const graph = inner.#message('body', outputs, []);
    const inputs = [this.integers([rounds], []), { name: '' }, ...states.map(({ value }) => value)];
    return this.#node('Loop', inputs, { body: graph }, states.length);
  }

  #message(name: string, outputs: ValueMessage[], initializers: TensorMessage[]): GraphMessage {
    return { name, nodes: this.#nodes, initializers, inputs: this.#inputs, outputs };
  }

  /** The whole, with its outputs under names of their own. */
  finish(
    name: string,
    outputs: readonly { value: Value; name: string; shape: ValueMessage['shape'] }[],
  ): GraphMessage {
    for (const { value, name: to } of outputs) {
      this.#nodes.push({ op: 'Identity', inputs: [value.name], outputs: [to], attributes: {} });
    }
    return this.#message(
      name,
      outputs.map((output) => ({ name: output.name, type: 'float64', shape: output.shape })),
      this.#shared.tensors,
    );
  }
}
