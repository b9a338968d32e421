/** Rows of the copula scale in a graph, and what densities need of them. */
import type { Graph, Value } from './graph';

/** Of Wichura (1988), Applied Statistics 37, AS 241: numerators and denominators, highest powers first. */
const CENTRE = [
  [
    2509.0809287301227, 33430.57558358813, 67265.7709270087, 45921.95393154987, 13731.69376550946,
    1971.5909503065513, 133.14166789178438, 3.3871328727963665,
  ],
  [
    5226.495278852854, 28729.085735721943, 39307.89580009271, 21213.794301586597, 5394.196021424751,
    687.1870074920579, 42.31333070160091, 1,
  ],
] as const;
const MIDDLE = [
  [
    0.0007745450142783414, 0.022723844989269184, 0.2417807251774506, 1.2704582524523684, 3.6478483247632045,
    5.769497221460691, 4.630337846156546, 1.4234371107496835,
  ],
  [
    1.0507500716444169e-9, 0.0005475938084995345, 0.015198666563616457, 0.14810397642748008, 0.6897673349851,
    1.6763848301838038, 2.053191626637759, 1,
  ],
] as const;
const FAR = [
  [
    2.0103343992922881e-7, 0.000027115555687434876, 0.0012426609473880784, 0.026532189526576124,
    0.29656057182850487, 1.7848265399172913, 5.463784911164114, 6.657904643501103,
  ],
  [
    2.0442631033899397e-15, 1.421511758316446e-7, 0.000018463183175100548, 0.0007868691311456133,
    0.014875361290850615, 0.1369298809227358, 0.599832206555888, 1,
  ],
] as const;

/** Quantile of the standard normal. */
export function normalQuantile(graph: Graph, u: Value): Value {
  const ratio = (x: Value, [above, below]: readonly [readonly number[], readonly number[]]) =>
    graph.div(graph.polynomial(x, above), graph.polynomial(x, below));
  const q = graph.sub(u, 0.5);
  const centre = graph.mul(q, ratio(graph.sub(0.180625, graph.mul(q, q)), CENTRE));
  const tail = graph.where(graph.less(q, 0), u, graph.sub(1, u));
  const r = graph.sqrt(graph.neg(graph.log(tail)));
  const beyond = graph.where(graph.less(r, 5), ratio(graph.sub(r, 1.6), MIDDLE), ratio(graph.sub(r, 5), FAR));
  return graph.where(graph.less(graph.abs(q), 0.425), centre, graph.mul(graph.sign(q), beyond));
}

/** The rows that a density is asked of. */
export class Rows {
  #z: Value | null = null;
  #y: Value | null = null;
  readonly halfLogDeterminant: number;

  /** @param factor L of the guide, dim x dim; null: not guided */
  constructor(
    readonly graph: Graph,
    readonly u: Value,
    readonly dim: number,
    readonly factor: ArrayLike<number> | null,
  ) {
    this.halfLogDeterminant = factor
      ? Array.from({ length: dim }, (_, i) => Math.log(factor[i * dim + i]!)).reduce((a, b) => a + b, 0)
      : 0;
  }

  get guided(): boolean {
    return this.factor !== null;
  }
  /** On the Gaussian scale. */
  z(): Value {
    return (this.#z ??= normalQuantile(this.graph, this.u));
  }
  /** y = L^-1 z; without a guide z. */
  y(): Value {
    return (this.#y ??= this.whiten(this.z()));
  }
  /** L^-1 x of each row; without a guide x. */
  whiten(x: Value): Value {
    if (!this.factor) return x;
    const inverse = inverseTransposed(this.factor, this.dim);
    return this.graph.matmul(x, this.graph.constant(inverse, [this.dim, this.dim]));
  }
  /** |x|^2 of each row. */
  squares(x: Value): Value {
    return this.graph.total(this.graph.mul(x, x), 1);
  }
  /** The Gaussian copula of the guide. */
  guideLogPdf(): Value {
    const quadratic = this.graph.sub(this.squares(this.z()), this.squares(this.y()));
    return this.graph.sum(this.graph.mul(quadratic, 0.5), -this.halfLogDeterminant);
  }
}

/** The transpose of L^-1. */
export function inverseTransposed(l: ArrayLike<number>, dim: number): Float64Array {
  const out = new Float64Array(dim * dim);
  for (let column = 0; column < dim; column++) {
    for (let i = column; i < dim; i++) {
      let rest = i === column ? 1 : 0;
      for (let j = column; j < i; j++) rest -= l[i * dim + j]! * out[column * dim + j]!;
      out[column * dim + i] = rest / l[i * dim + i]!;
    }
  }
  return out;
}
