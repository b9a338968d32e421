/** Networks and learned densities as graphs. */
import { SklarError } from '../errors';
import type { ModelContent } from '../copulas/copula';
import type { VelocityDefinition } from '../native';
import { type Process } from '../processes';
import type { Graph, Value } from './graph';
import { type Rows } from './rows';

interface Linear {
  /** outputs x inputs */
  weight: Float64Array;
  bias: Float64Array;
  outputs: number;
  inputs: number;
}
interface Residual {
  input: Linear;
  blocks: [Linear, Linear][];
  head: Linear;
  /** Inside a block ReLU, else SiLU. */
  relu: boolean;
}

/** A network in states and times, without its guide. */
export type VelocityConfig = Omit<VelocityDefinition, 'cholesky' | 'potential'>;

function linearOf({ tensors }: ModelContent, name: string): Linear {
  const { data, shape } = tensors.get(`${name}.weight`)!;
  const bias = Float64Array.from(tensors.get(`${name}.bias`)!.data);
  return { weight: Float64Array.from(data), bias, outputs: shape[0]!, inputs: shape[1]! };
}

function residualOf(
  content: ModelContent,
  prefix: string,
  depth: number,
  head: string,
  relu: boolean,
): Residual {
  return {
    input: linearOf(content, `${prefix}backbone.input_proj`),
    blocks: Array.from({ length: depth }, (_, k) => {
      const block = `${prefix}backbone.resblocks.${k}.net.`;
      return [linearOf(content, `${block}0`), linearOf(content, `${block}2`)];
    }),
    head: linearOf(content, prefix + head),
    relu,
  };
}

/** Columns from..to of the weights, as inputs x outputs. */
function columnsOf(graph: Graph, { weight, outputs, inputs }: Linear, from: number, to: number): Value {
  const data = new Float64Array((to - from) * outputs);
  for (let j = from; j < to; j++) {
    for (let i = 0; i < outputs; i++) data[(j - from) * outputs + i] = weight[i * inputs + j]!;
  }
  return graph.constant(data, [to - from, outputs]);
}

/** Values, and with them derivatives along directions: directions x rows x columns; null: not asked for. */
interface Dual {
  value: Value;
  slope: Value | null;
}

/** What stays the same at every time. */
class Layers {
  readonly blocks: { weights: [Value, Value]; biases: [Value, Value] }[];
  readonly head: Value;
  readonly headBias: Value;
  /** dim x 1 x hidden: the head's rows. */
  readonly headRows: Value;

  constructor(
    graph: Graph,
    readonly network: Residual,
  ) {
    const weightOf = (linear: Linear) => columnsOf(graph, linear, 0, linear.inputs);
    const biasOf = ({ bias }: Linear) => graph.constant(bias, [bias.length]);
    this.blocks = network.blocks.map(([inner, outer]) => ({
      weights: [weightOf(inner), weightOf(outer)],
      biases: [biasOf(inner), biasOf(outer)],
    }));
    this.head = weightOf(network.head);
    this.headBias = biasOf(network.head);
    this.headRows = graph.constant(network.head.weight, [network.head.outputs, 1, network.head.inputs]);
  }

  /** From the input projection to what the head reads. */
  run(graph: Graph, { value, slope }: Dual): Dual {
    for (const { weights, biases } of this.blocks) {
      const a = graph.sum(graph.matmul(value, weights[0]), biases[0]);
      const inner = this.network.relu ? relu(graph, a, slope !== null) : silu(graph, a, slope !== null);
      const z = graph.sum(value, graph.matmul(inner.value, weights[1]), biases[1]);
      const outer = silu(graph, z, slope !== null);
      value = outer.value;
      if (slope === null) continue;
      const p = graph.mul(graph.matmul(slope, weights[0]), inner.slope!);
      slope = graph.mul(graph.sum(slope, graph.matmul(p, weights[1])), outer.slope!);
    }
    return { value, slope };
  }
  output(graph: Graph, top: Value): Value {
    return graph.sum(graph.matmul(top, this.head), this.headBias);
  }
}

/** x s(x), s the logistic function; its derivative is s (1 + x (1 - s)). */
function silu(graph: Graph, x: Value, slope: boolean): Dual {
  const s = graph.sigmoid(x);
  const value = graph.mul(x, s);
  return { value, slope: slope ? graph.mul(s, graph.sum(graph.mul(x, graph.sub(1, s)), 1)) : null };
}
function relu(graph: Graph, x: Value, slope: boolean): Dual {
  return { value: graph.relu(x), slope: slope ? graph.where(graph.less(0, x), 1, 0) : null };
}

interface CdcConfig {
  network: { inputDim: number; depth: number; outputDim: number; activation: string };
}

/** Logits of a CDC, of rows of the network's coordinates. */
export function cdcLogits(graph: Graph, content: ModelContent, y: Value): Value {
  const { network } = content.config as unknown as CdcConfig;
  const relu = network.activation === 'published';
  const residual = residualOf(content, '', network.depth, 'classifier_head', relu);
  const layers = new Layers(graph, residual);
  const { input } = residual;
  const bias = graph.constant(input.bias, [input.outputs]);
  const h = graph.sum(graph.matmul(y, columnsOf(graph, input, 0, input.inputs)), bias);
  return layers.output(graph, layers.run(graph, { value: h, slope: null }).value);
}

/** log c of a CDC without its normaliser: its logits at data and reference, times the guide's Gaussian copula. */
export function cdcLogPdf(graph: Graph, content: ModelContent, rows: Rows): Value {
  const { network } = content.config as unknown as CdcConfig;
  const logits = cdcLogits(graph, content, rows.y());
  const ratio = graph.sub(graph.column(logits, 0), graph.column(logits, network.outputDim - 1));
  return rows.guided ? graph.sum(ratio, rows.guideLogPdf()) : ratio;
}

/** Noise below which a potential does not tell times apart. */
const POTENTIAL_FLOOR = 0.3;

/** Features of a time, as in native/heads/velocity.h. */
function timeFeatures(process: Process, time: number, potential: boolean): number[] {
  const noise = process === 'ou' ? Math.sin(time) : time;
  const level = Math.log(potential ? Math.hypot(noise, POTENTIAL_FLOOR) : noise + 1e-3) / 3.5;
  const own = {
    ou: [Math.sin(time), Math.cos(time)],
    reflection: [2 * time, Math.exp(-Math.PI * Math.PI * time * time)],
    jacobi: [time, Math.exp(-4 * time * time)],
  }[process];
  const waves = [1, 2, 3, 4].flatMap((k) => [
    Math.sin(0.5 * Math.PI * k * level),
    Math.cos(0.5 * Math.PI * k * level),
  ]);
  return [...own, level + 1, ...waves];
}

/** What the network's output is multiplied by, beside the face: it vanishes where the exact field does. */
function velocityScale(process: Process, time: number): number {
  const noise = process === 'ou' ? Math.sin(time) : time;
  const alpha = process === 'ou' ? (time >= Math.PI / 2 ? 0 : Math.cos(time)) : 1;
  return (noise * alpha) / Math.sqrt(noise * noise + 0.02 * 0.02);
}

/** What a time adds to the first layer of each member, and the field's scale there. */
interface Moment {
  biases: readonly Value[];
  scale: Value;
}

/** A velocity head, or a potential's. */
class VelocityNetwork {
  readonly #members: { layers: Layers; input: Value; slopes: Value; first: Linear }[];
  /** How many of the network's inputs belong to the state. */
  readonly #states: number;

  constructor(
    graph: Graph,
    readonly config: VelocityConfig,
    content: ModelContent,
    readonly potential = false,
  ) {
    const { dim, frequencies, members, depth } = config;
    const states = dim * Math.max(1, frequencies);
    const relu = config.activation === 'published';
    this.#states = states;
    this.#members = Array.from({ length: members }, (_, k) => {
      const prefix = members > 1 ? `members.${k}.` : '';
      const residual = residualOf(
        content,
        prefix,
        depth,
        potential ? 'potential_head' : 'velocity_head',
        relu,
      );
      const { weight, outputs: hidden, inputs } = residual.input;
      // of each coordinate j the weights of what the network reads of it: dim x lift x hidden
      const lift = states / dim;
      const slopes = new Float64Array(states * hidden);
      for (let j = 0; j < dim; j++) {
        for (let f = 0; f < lift; f++) {
          for (let i = 0; i < hidden; i++) {
            slopes[(j * lift + f) * hidden + i] = weight[i * inputs + f * dim + j]!;
          }
        }
      }
      return {
        layers: new Layers(graph, residual),
        input: columnsOf(graph, residual.input, 0, states),
        slopes: graph.constant(slopes, [dim, lift, hidden]),
        first: residual.input,
      };
    });
  }

  /** Of times that are known, by their number. */
  moments(graph: Graph, times: readonly number[]): (graph: Graph, number: Value) => Moment {
    const { process } = this.config;
    const features = times.map((time) => timeFeatures(process, time, this.potential));
    const biases = this.#members.map(({ first: { weight, bias, outputs, inputs } }) => {
      const all = features.flatMap((of) =>
        Array.from(bias, (own, i) =>
          of.reduce((sum, feature, f) => sum + feature * weight[i * inputs + this.#states + f]!, own),
        ),
      );
      return graph.constant(all, [times.length, outputs]);
    });
    const scales = graph.constant(
      times.map((time) => (this.potential ? Math.cos(time) ** 2 : velocityScale(process, time))),
      [times.length],
    );
    return (inner, number) => ({
      biases: biases.map((all) => inner.gather(all, number)),
      scale: inner.gather(scales, number),
    });
  }

  /** Of a time that the graph is given. */
  moment(graph: Graph, time: Value): Moment {
    const { process } = this.config;
    const noise = process === 'ou' ? graph.sin(time) : time;
    const level = graph.div(graph.log(graph.sum(noise, 1e-3)), 3.5);
    const own = {
      ou: () => [graph.sin(time), graph.cos(time)],
      reflection: () => [graph.mul(time, 2), graph.exp(graph.mul(time, time, -Math.PI * Math.PI))],
      jacobi: () => [time, graph.exp(graph.mul(time, time, -4))],
    }[process]();
    const waves = [1, 2, 3, 4].flatMap((k) => {
      const phase = graph.mul(level, 0.5 * Math.PI * k);
      return [graph.sin(phase), graph.cos(phase)];
    });
    const features = graph.concat(
      [...own, graph.sum(level, 1), ...waves].map((feature) => graph.reshape(feature, [1])),
      0,
    );
    const size = graph.sqrt(graph.sum(graph.mul(noise, noise), 0.02 * 0.02));
    const alpha = process === 'ou' ? [graph.cos(time)] : [];
    return {
      biases: this.#members.map(({ first }) =>
        graph.sum(
          graph.matmul(features, columnsOf(graph, first, this.#states, first.inputs)),
          graph.constant(first.bias, [first.outputs]),
        ),
      ),
      scale: graph.div(graph.mul(noise, ...alpha), size),
    };
  }

  /** F = log c_t over the guide of a potential, of each row. */
  potentialAt(graph: Graph, y: Value, moment: Moment): Value {
    const outputs = this.#members.map(({ layers, input }, k) => {
      const h = graph.sum(graph.matmul(y, input), moment.biases[k]!);
      return layers.output(graph, layers.run(graph, { value: h, slope: null }).value);
    });
    const mean = graph.div(graph.sum(outputs[0]!, ...outputs.slice(1)), outputs.length);
    return graph.mul(graph.column(mean, 0), moment.scale);
  }

  /** The field, and its divergence where it is asked for. */
  at(
    graph: Graph,
    y: Value,
    moment: Moment,
    divergence: boolean,
  ): { field: Value; divergence: Value | null } {
    const { process, frequencies, members } = this.config;
    const pi = (k: number) => graph.mul(y, Math.PI * k);
    const waves = Array.from({ length: frequencies }, (_, k) => k + 1);
    const state =
      frequencies > 0
        ? graph.concat(
            waves.map((k) => graph.cos(pi(k))),
            1,
          )
        : y;
    // derivatives of what is read of each coordinate: dim x rows x lift
    const lifted =
      divergence && frequencies > 0
        ? graph.concat(
            waves.map((k) =>
              graph.op('Unsqueeze', [
                graph.transpose(graph.mul(graph.sin(pi(k)), -Math.PI * k), [1, 0]),
                graph.integers([2]),
              ]),
            ),
            2,
          )
        : null;
    let output: Value | null = null;
    let diagonal: Value | null = null; // dim x rows
    for (const [k, { layers, input, slopes }] of this.#members.entries()) {
      const h = graph.sum(graph.matmul(state, input), moment.biases[k]!);
      const slope = divergence ? (lifted ? graph.matmul(lifted, slopes) : slopes) : null;
      const top = layers.run(graph, { value: h, slope });
      const own = layers.output(graph, top.value);
      output = output ? graph.sum(output, own) : own;
      if (!top.slope) continue;
      const along = graph.total(graph.mul(top.slope, layers.headRows), 2);
      diagonal = diagonal ? graph.sum(diagonal, along) : along;
    }
    const scale = graph.div(moment.scale, members);
    const face = {
      ou: () => null,
      reflection: () => ({ value: graph.sin(pi(1)), slope: graph.mul(graph.cos(pi(1)), Math.PI) }),
      jacobi: () => ({
        value: graph.mul(y, graph.sub(1, y), 4),
        slope: graph.sub(4, graph.mul(y, 8)),
      }),
    }[process]();
    const field = graph.mul(output!, scale, ...(face ? [face.value] : []));
    if (!diagonal) return { field, divergence: null };
    const perRow = graph.transpose(diagonal, [1, 0]);
    const all = face ? graph.sum(graph.mul(perRow, face.value), graph.mul(output!, face.slope)) : perRow;
    return { field, divergence: graph.mul(graph.total(all, 1), scale) };
  }
}

/** log c of a potential without its normaliser: its output at data, times the guide's Gaussian copula. */
export function potentialLogPdf(graph: Graph, content: ModelContent, rows: Rows): Value {
  const { network } = content.config as unknown as { network: VelocityConfig };
  const potential = new VelocityNetwork(graph, network, content, true);
  const at = potential.moments(graph, [0])(graph, graph.integers([0], []));
  const own = potential.potentialAt(graph, rows.y(), at);
  return rows.guided ? graph.sum(own, rows.guideLogPdf()) : own;
}

/** @throws SklarError ERR_SKLAR_VALUE for the published network */
function expectDensity(config: VelocityConfig): void {
  if (!config.published) return;
  throw new SklarError(
    'ERR_SKLAR_VALUE',
    'the density of a published reflection network cannot be exported: it has none, since its velocity does not vanish on the faces of the cube',
  );
}

/**
 * log c of a flow: the instantaneous change of variables along its ordinary differential equation, from data to the
 * reference, by classical Runge-Kutta steps that grow with the time, since the field is finest near data.
 */
export function flowLogPdf(graph: Graph, content: ModelContent, rows: Rows, steps: number): Value {
  const { network, reference } = content.config as unknown as { network: VelocityConfig; reference: number };
  expectDensity(network);
  const { dim, process } = network;
  const node = (i: number) => reference * (i / steps) ** 2;
  const times = Array.from({ length: 2 * steps + 1 }, (_, i) =>
    i % 2 === 0 ? node(i / 2) : (node((i - 1) / 2) + node((i + 1) / 2)) / 2,
  );
  const velocity = new VelocityNetwork(graph, network, content);
  const moments = velocity.moments(graph, times);
  const lengths = graph.constant(
    Array.from({ length: steps }, (_, i) => node(i + 1) - node(i)),
    [steps],
  );
  const start = process === 'ou' ? rows.y() : rows.u;
  const nothing = graph.mul(graph.total(start, 1), 0);
  const [end, integral] = graph.loop(
    steps,
    [
      { value: start, shape: ['rows', dim] },
      { value: nothing, shape: ['rows'] },
    ],
    (body, round, [y, sum]) => {
      const h = body.gather(lengths, round);
      const first = body.op('Mul', [round, body.integers([2], [])]);
      const moment = (k: number) => moments(body, body.op('Add', [first, body.integers([k], [])]));
      const move = (along: Value, share: number) => body.sum(y!, body.mul(along, h, share));
      const k1 = velocity.at(body, y!, moment(0), true);
      const k2 = velocity.at(body, move(k1.field, 0.5), moment(1), true);
      const k3 = velocity.at(body, move(k2.field, 0.5), moment(1), true);
      const k4 = velocity.at(body, move(k3.field, 1), moment(2), true);
      const mean = (a: Value, b: Value, c: Value, d: Value) =>
        body.mul(body.sum(a, body.mul(body.sum(b, c), 2), d), h, 1 / 6);
      return [
        body.sum(y!, mean(k1.field, k2.field, k3.field, k4.field)),
        body.sum(sum!, mean(k1.divergence!, k2.divergence!, k3.divergence!, k4.divergence!)),
      ];
    },
  );
  if (process !== 'ou') return integral!;
  // log N(y_T) + integral is the density of y; that of z over independence follows
  const z = rows.squares(rows.z());
  return graph.sum(graph.mul(graph.sub(z, rows.squares(end!)), 0.5), integral!, -rows.halfLogDeterminant);
}

/** The field of a flow in the network's coordinates, at a time. */
export function velocityAtTime(
  graph: Graph,
  config: VelocityConfig,
  content: ModelContent,
  y: Value,
  time: Value,
): Value {
  if (config.published) {
    const state = graph.concat([y, graph.op('Expand', [time, rowsOf(graph, y)])], 1);
    const members = Array.from({ length: config.members }, (_, member) => {
      const prefix = config.members > 1 ? `members.${member}.` : '';
      let h = state;
      for (let k = 0; k <= config.depth; k++) {
        const linear = linearOf(content, `${prefix}model.${k === 0 ? 0 : 2 * k - 1}`);
        h = graph.sum(
          graph.matmul(h, columnsOf(graph, linear, 0, linear.inputs)),
          graph.constant(linear.bias, [linear.outputs]),
        );
        if (k > 0 && k < config.depth) h = silu(graph, h, false).value;
      }
      return h;
    });
    return graph.div(graph.sum(members[0]!, ...members.slice(1)), config.members);
  }
  const velocity = new VelocityNetwork(graph, config, content);
  return velocity.at(graph, y, velocity.moment(graph, time), false).field;
}

/** [rows, 1] */
function rowsOf(graph: Graph, y: Value): Value {
  const rows = graph.gather(graph.op('Shape', [y]), graph.integers([0]));
  return graph.concat([rows, graph.integers([1])], 0);
}
