/** Classical densities as graphs: sums of positive terms, by their logarithms. */
import { type FamilyKind } from '../copulas/classical/families';
import { SklarError } from '../errors';
import { callNative } from '../native';
import { normalCdf } from '../normal';
import type { Graph, Value } from './graph';
import { type Rows } from './rows';

/** A level and what is above it, 1 - u, each to its own last digit: rotated families exchange the two. */
interface Level {
  u: Value;
  above: Value;
}
const turn = ({ u, above }: Level): Level => ({ u: above, above: u });
const logLevel = (graph: Graph, { u, above }: Level): Value =>
  graph.where(graph.less(u, 0.5), graph.log(u), graph.log1p(graph.neg(above)));

/** A positive quantity of every row, with its logarithm. */
interface Positive {
  value: Value;
  log: Value;
}

function logAddExp(graph: Graph, a: Value, b: Value): Value {
  const top = graph.max(a, b);
  return graph.sum(top, graph.log1p(graph.exp(graph.sub(graph.min(a, b), top))));
}
const fromLog = (graph: Graph, log: Value): Positive => ({ value: graph.exp(log), log });
const fromValue = (graph: Graph, value: Value): Positive => ({ value, log: graph.log(value) });

/** A function of x in [from, to] by its values and slopes on a grid of that step, by cubics; beyond the ends as at them. */
function table(
  graph: Graph,
  x: Value,
  from: number,
  step: number,
  values: Float64Array,
  slopes: Float64Array,
): Value {
  const last = values.length - 1;
  const cut = graph.min(graph.max(graph.div(graph.sub(x, from), step), 0), last);
  const cell = graph.min(graph.op('Floor', [cut]), last - 1);
  const t = graph.sub(cut, cell);
  const at = graph.op('Cast', [cell], { to: 7 }); // int64
  const after = graph.op('Add', [at, graph.integers([1], [])]);
  const heights = graph.constant(values, [values.length]);
  const ascents = graph.constant(
    slopes.map((slope) => slope * step),
    [slopes.length],
  );
  const s = graph.sub(1, t);
  const squares = { t: graph.mul(t, t), s: graph.mul(s, s) };
  return graph.sum(
    graph.mul(squares.s, graph.sum(graph.mul(t, 2), 1), graph.gather(heights, at)),
    graph.mul(squares.t, graph.sum(graph.mul(s, 2), 1), graph.gather(heights, after)),
    graph.mul(squares.s, t, graph.gather(ascents, at)),
    graph.neg(graph.mul(squares.t, s, graph.gather(ascents, after))),
  );
}

const STEP = 1 / 128;
const HALF_LOG_TWO_PI = 0.5 * Math.log(2 * Math.PI);

/** log Phi from a table, far below by its asymptotic series. */
function logNormalCdf(graph: Graph, x: Value): Value {
  const least = -20;
  const grid = Float64Array.from({ length: (9 - least) / STEP + 1 }, (_, i) => least + i * STEP);
  const cdf = normalCdf(grid);
  const slopes = grid.map((z, i) => Math.exp(-0.5 * z * z - HALF_LOG_TWO_PI) / cdf[i]!);
  const far = graph.min(x, least);
  const square = graph.mul(far, far);
  const series = graph.log(graph.polynomial(graph.div(1, square), [105, -15, 3, -1, 1]));
  const below = graph.sub(
    graph.sum(series, -HALF_LOG_TWO_PI),
    graph.sum(graph.mul(square, 0.5), graph.log(graph.neg(far))),
  );
  return graph.where(graph.less(x, least), below, table(graph, x, least, STEP, cdf.map(Math.log), slopes));
}

/** Generators phi, psi its inverse: the logarithms that a density is made of. */
interface Generator {
  phi(u: Level): Positive;
  logPhiSlope(u: Level): Value;
  /** log |psi'| and log psi'' */
  slopes(s: Positive): { first: Value; second: Value };
}

const exponential = (graph: Graph): Generator => ({
  phi: (u) => fromValue(graph, graph.neg(logLevel(graph, u))),
  logPhiSlope: (u) => graph.neg(logLevel(graph, u)),
  slopes: (s) => ({ first: graph.neg(s.value), second: graph.neg(s.value) }),
});

const clayton = (graph: Graph, theta: number): Generator => ({
  phi: (u) => fromValue(graph, graph.expm1(graph.mul(logLevel(graph, u), -theta))),
  logPhiSlope: (u) => graph.sum(graph.mul(logLevel(graph, u), -theta - 1), Math.log(theta)),
  slopes: ({ value }) => {
    const log = graph.log1p(value);
    return {
      first: graph.sum(graph.mul(log, -1 / theta - 1), -Math.log(theta)),
      second: graph.sum(graph.mul(log, -1 / theta - 2), Math.log1p(theta) - 2 * Math.log(theta)),
    };
  },
});

const gumbel = (graph: Graph, theta: number): Generator => {
  const minusLog = (u: Level) => graph.neg(logLevel(graph, u));
  return {
    phi: (u) => fromLog(graph, graph.mul(graph.log(minusLog(u)), theta)),
    logPhiSlope: (u) => {
      const x = minusLog(u);
      return graph.sum(graph.mul(graph.log(x), theta - 1), x, Math.log(theta));
    },
    slopes: ({ log }) => {
      const root = graph.mul(log, 1 / theta);
      const power = graph.exp(root);
      const first = graph.sum(graph.sub(graph.sub(root, log), power), -Math.log(theta));
      const bend = graph.sum(graph.mul(power, 1 / theta), 1 - 1 / theta);
      return { first, second: graph.sum(first, graph.sub(graph.log(bend), log)) };
    },
  };
};

/** Beside one e to this power is nothing. */
const LOG_TINY = -40;

/** Of BB8; delta = 1: Joe's. */
const bb8 = (graph: Graph, theta: number, delta: number): Generator => {
  const floor = (1 - delta) ** theta;
  const logEta = Math.log1p(-floor);
  const logBase = ({ u, above }: Level) =>
    graph.where(
      graph.less(u, 0.5),
      graph.log1p(graph.mul(u, -delta)),
      graph.log(graph.sum(graph.mul(above, delta), 1 - delta)),
    );
  const phi = (u: Level) => {
    const power = graph.mul(logBase(u), theta);
    // minus the logarithm of A = (1 - e^power) / eta, of which 1 - A = (e^power - floor) / eta
    let kept = graph.sub(graph.exp(power), floor);
    if (floor > 0) {
      const rise = graph.mul(graph.log1p(graph.mul(u.above, delta / (1 - delta))), theta);
      kept = graph.where(graph.less(rise, 1), graph.mul(graph.expm1(graph.min(rise, 1)), floor), kept);
    }
    const rest = graph.div(kept, 1 - floor);
    const share = graph.sub(graph.log(graph.neg(graph.expm1(power))), logEta);
    return graph.where(graph.less(rest, 0.5), graph.neg(graph.log1p(graph.neg(rest))), graph.neg(share));
  };
  // of delta = 1: far below the smallest number s = 1 - e^-s = e^power is told by its logarithm
  const orLog = (log: Value, usual: Value) =>
    floor > 0 ? usual : graph.where(graph.less(log, LOG_TINY), log, usual);
  return {
    phi: (u) => {
      const value = phi(u);
      return { value, log: orLog(graph.mul(logBase(u), theta), graph.log(value)) };
    },
    logPhiSlope: (u) => graph.sum(graph.mul(logBase(u), theta - 1), phi(u), Math.log(theta * delta) - logEta),
    slopes: ({ value, log }) => {
      const [logW, lost] = [graph.sum(graph.neg(value), logEta), graph.expm1(graph.neg(value))];
      const remainder = orLog(log, graph.log(graph.sum(graph.mul(lost, floor - 1), floor)));
      const first = graph.sum(logW, graph.mul(remainder, 1 / theta - 1), -Math.log(theta * delta));
      // 1 - W / theta, W = eta e^-s
      const bend = graph.log(
        graph.sub(graph.mul(graph.exp(graph.neg(value)), 1 - (1 - floor) / theta), lost),
      );
      return { first, second: graph.sub(graph.sum(first, bend), remainder) };
    },
  };
};

/** K(a, b), by which a copula is psi(K(phi(u), phi(v))), and its slopes; mixed: log of -K_ab, null: it is 0. */
interface Joined {
  value: Positive;
  logA: Value | number;
  logB: Value | number;
  mixed: Value | null;
}
type Join = (graph: Graph, a: Positive, b: Positive) => Joined;

const sum: Join = (graph, a, b) => ({
  value: { value: graph.sum(a.value, b.value), log: logAddExp(graph, a.log, b.log) },
  logA: 0,
  logB: 0,
  mixed: null,
});

/** log(e^(delta a) + e^(delta b) - 1) / delta */
const exponentiated =
  (delta: number): Join =>
  (graph, a, b) => {
    const [x, y] = [graph.mul(a.value, delta), graph.mul(b.value, delta)];
    const top = graph.max(x, y);
    const inner = graph.sub(
      graph.sum(1, graph.exp(graph.sub(graph.min(x, y), top))),
      graph.exp(graph.neg(top)),
    );
    const few = (t: Value) => graph.expm1(graph.min(t, 1));
    const t = graph.where(
      graph.less(top, 1),
      graph.log1p(graph.sum(few(x), few(y))),
      graph.sum(top, graph.log(inner)),
    );
    const [logA, logB] = [graph.sub(x, t), graph.sub(y, t)];
    const value = graph.div(t, delta);
    const tiny = graph.less(graph.max(a.log, b.log), LOG_TINY - Math.log(delta));
    return {
      value: { value, log: graph.where(tiny, logAddExp(graph, a.log, b.log), graph.log(value)) },
      logA,
      logB,
      mixed: graph.sum(logA, logB, Math.log(delta)),
    };
  };

/** (a^delta + b^delta)^(1/delta) */
const powers =
  (delta: number): Join =>
  (graph, a, b) => {
    const log = graph.div(logAddExp(graph, graph.mul(a.log, delta), graph.mul(b.log, delta)), delta);
    const [logA, logB] = [a, b].map((own) => graph.mul(graph.sub(own.log, log), delta - 1)) as [Value, Value];
    const mixed = delta > 1 ? graph.sub(graph.sum(logA, logB, Math.log(delta - 1)), log) : null;
    return { value: fromLog(graph, log), logA, logB, mixed };
  };

/** a + b - (a^-delta + b^-delta)^(-1/delta) */
const galambos =
  (delta: number): Join =>
  (graph, a, b) => {
    const odds = graph.mul(graph.sub(a.log, b.log), delta); // of b^-delta to a^-delta
    const zero = graph.mul(odds, 0);
    const [ofA, ofB] = [logAddExp(graph, zero, odds), logAddExp(graph, zero, graph.neg(odds))];
    const logG = graph.sub(a.log, graph.div(ofA, delta));
    const slope = (of: Value, ratio: Value) =>
      graph.where(
        graph.less(ratio, LOG_TINY),
        graph.sum(ratio, Math.log1p(1 / delta)),
        graph.log(graph.neg(graph.expm1(graph.mul(of, -1 - 1 / delta)))),
      );
    return {
      value: fromValue(graph, graph.sub(graph.sum(a.value, b.value), graph.exp(logG))),
      logA: slope(ofA, odds),
      logB: slope(ofB, graph.neg(odds)),
      mixed: graph.sum(
        graph.mul(logG, 1 + 2 * delta),
        graph.mul(graph.sum(a.log, b.log), -delta - 1),
        Math.log1p(delta),
      ),
    };
  };

const huslerReiss =
  (lambda: number): Join =>
  (graph, a, b) => {
    const bend = graph.mul(graph.sub(a.log, b.log), lambda / 2);
    const p = graph.sum(bend, 1 / lambda);
    const [logA, logB] = [logNormalCdf(graph, p), logNormalCdf(graph, graph.sub(1 / lambda, bend))];
    return {
      value: fromLog(graph, logAddExp(graph, graph.sum(a.log, logA), graph.sum(b.log, logB))),
      logA,
      logB,
      mixed: graph.sum(graph.sub(graph.mul(p, p, -0.5), b.log), Math.log(lambda / 2) - HALF_LOG_TWO_PI),
    };
  };

const tawn =
  (psi1: number, psi2: number, theta: number): Join =>
  (graph, a, b) => {
    const [x, y] = [graph.sum(a.log, Math.log(psi1)), graph.sum(b.log, Math.log(psi2))];
    const log = graph.div(logAddExp(graph, graph.mul(x, theta), graph.mul(y, theta)), theta);
    const [ofA, ofB] = [x, y].map((own) => graph.mul(graph.sub(own, log), theta - 1)) as [Value, Value];
    const slope = (of: Value, psi: number) => graph.log(graph.sum(graph.mul(graph.exp(of), psi), 1 - psi));
    return {
      value: fromValue(
        graph,
        graph.sum(graph.mul(a.value, 1 - psi1), graph.mul(b.value, 1 - psi2), graph.exp(log)),
      ),
      logA: slope(ofA, psi1),
      logB: slope(ofB, psi2),
      mixed: theta > 1 ? graph.sub(graph.sum(ofA, ofB, Math.log((theta - 1) * psi1 * psi2)), log) : null,
    };
  };

/** psi'' K_a K_b - psi' K_ab, over the slopes of phi. */
function archimax(graph: Graph, generator: Generator, join: Join, u: Level, v: Level): Value {
  const { value, logA, logB, mixed } = join(graph, generator.phi(u), generator.phi(v));
  const { first, second } = generator.slopes(value);
  const bent = graph.sum(second, logA, logB);
  const density = mixed ? logAddExp(graph, bent, graph.sum(first, mixed)) : bent;
  return graph.sum(density, generator.logPhiSlope(u), generator.logPhiSlope(v));
}

type Parameters = Readonly<Record<string, number>>;

/** Densities of two columns. */
const pairs: Readonly<
  Record<Exclude<FamilyKind, 'independence'>, (graph: Graph, p: Parameters, u: Level, v: Level) => Value>
> = {
  clayton: (g, p, u, v) => archimax(g, exponential(g), exponentiated(p.theta!), u, v),
  gumbel: (g, p, u, v) => archimax(g, exponential(g), powers(p.theta!), u, v),
  joe: (g, p, u, v) => archimax(g, bb8(g, p.theta!, 1), sum, u, v),
  bb1: (g, p, u, v) => archimax(g, clayton(g, p.theta!), powers(p.delta!), u, v),
  bb2: (g, p, u, v) => archimax(g, clayton(g, p.theta!), exponentiated(p.delta!), u, v),
  bb3: (g, p, u, v) => archimax(g, gumbel(g, p.theta!), exponentiated(p.delta!), u, v),
  bb4: (g, p, u, v) => archimax(g, clayton(g, p.theta!), galambos(p.delta!), u, v),
  bb5: (g, p, u, v) => archimax(g, gumbel(g, p.theta!), galambos(p.delta!), u, v),
  bb6: (g, p, u, v) => archimax(g, bb8(g, p.theta!, 1), powers(p.delta!), u, v),
  bb7: (g, p, u, v) => archimax(g, bb8(g, p.theta!, 1), exponentiated(p.delta!), u, v),
  bb8: (g, p, u, v) => archimax(g, bb8(g, p.theta!, p.delta!), sum, u, v),
  galambos: (g, p, u, v) => archimax(g, exponential(g), galambos(p.theta!), u, v),
  'husler-reiss': (g, p, u, v) => archimax(g, exponential(g), huslerReiss(p.lambda!), u, v),
  tawn: (g, p, u, v) => archimax(g, exponential(g), tawn(p.psi1!, p.psi2!, p.theta!), u, v),
  frank: (g, { theta }, u, v) => {
    const all = Math.abs(theta!);
    if (all === 0) return g.mul(u.u, 0);
    // of theta < 0 the copula of (U, 1 - V) with -theta
    const w = theta! < 0 ? turn(v) : v;
    const lost = (x: Value) => g.neg(g.expm1(g.mul(x, -all)));
    // (1 - e^-t) - (1 - e^(-t u)) (1 - e^(-t w)) = e^(-t u) (1 - e^(-t (1 - u))) + e^(-t w) (1 - e^(-t u))
    const kept = (x: Value) => g.exp(g.mul(x, -all));
    const below = g.sum(g.mul(kept(u.u), lost(u.above)), g.mul(kept(w.u), lost(u.u)));
    return g.sub(
      g.sum(g.mul(g.sum(u.u, w.u), -all), Math.log(all) + Math.log(-Math.expm1(-all))),
      g.mul(g.log(below), 2),
    );
  },
  // with p = 1 - u, q = 1 - v, in sums of positive terms
  amh: (g, { theta }, u, v) => {
    const t = theta!;
    const [p, q] = [u.above, v.above];
    const top =
      t < 0
        ? g.sum(g.mul(g.sum(p, q), -2 * t), g.mul(g.sum(g.mul(p, q, t), 1), 1 + t))
        : g.sum(g.mul(g.sum(u.u, v.u), t * (1 - t)), g.mul(u.u, v.u, t * (1 + t)), (1 - t) ** 2);
    const base = t < 0 ? g.sum(g.mul(p, q, -t), 1) : g.sum(g.mul(g.sum(u.u, g.mul(v.u, p)), t), 1 - t);
    return g.sub(g.log(top), g.mul(g.log(base), 3));
  },
  // 1 + (1 - 2u) (1 - 2v) = 2 (u v + p q), of theta < 0 in (u, q)
  fgm: (g, { theta }, u, v) => {
    const w = theta! < 0 ? turn(v) : v;
    const all = Math.abs(theta!);
    const same = g.sum(g.mul(u.u, w.u), g.mul(u.above, w.above));
    return g.log(g.sum(g.mul(same, 2 * all), 1 - all));
  },
  // of theta < 1 the copula of (U, 1 - V) with 1 / theta
  plackett: (g, { theta }, u, v) => {
    const w = theta! < 1 ? turn(v) : v;
    const odds = Math.max(theta!, 1 / theta!);
    const e = odds - 1;
    const off = g.sum(g.mul(u.u, w.above), g.mul(w.u, u.above));
    const across = g.where(g.less(g.max(u.u, w.u), 0.5), g.sub(u.u, w.u), g.sub(w.above, u.above));
    const root = g.sum(g.mul(off, 2 * e), g.mul(across, across, e * e), 1);
    return g.sum(g.log1p(g.mul(off, e)), g.mul(g.log(root), -1.5), Math.log(odds));
  },
};

/**
 * Logarithms of the coefficients of Q_count, from the first power on: that of y^j in Q_(k+1) is stay(k, j) of that of Q_k and
 * rise(k, j) of the one below (native/classical/archimedean.cpp).
 */
function polynomialLogs(
  count: number,
  first: number,
  stay: (k: number, j: number) => number,
  rise: (k: number, j: number) => number,
): number[] {
  let logs = [Math.log(first)];
  for (let k = 1; k < count; k++) {
    logs = Array.from({ length: k + 1 }, (_, i) => {
      const parts = [
        i < k ? Math.log(stay(k, i + 1)) + logs[i]! : -Infinity,
        i > 0 ? Math.log(rise(k, i + 1)) + logs[i - 1]! : -Infinity,
      ];
      const top = Math.max(...parts);
      return top === -Infinity
        ? top
        : top + Math.log(parts.reduce((total, part) => total + Math.exp(part - top), 0));
    });
  }
  return logs;
}

/** log Q(y) of each row. */
function logPolynomial(graph: Graph, logs: readonly number[], logY: Value): Value {
  const terms = logs.flatMap((log, i) => (log === -Infinity ? [] : [graph.sum(graph.mul(logY, i + 1), log)]));
  return terms.reduce((total, term) => logAddExp(graph, total, term));
}

const logistic = (count: number, alpha: number) =>
  polynomialLogs(
    count,
    1,
    (_, j) => j,
    (_, j) => j - 1 - alpha,
  );

/** Exchangeable copulas of more than two columns: |psi^(d)| and the slopes of phi; u: rows x dim. */
function exchangeable(graph: Graph, kind: FamilyKind, theta: number, level: Level, dim: number): Value {
  const g = graph;
  const { u, above: q } = level;
  const logU = logLevel(g, level);
  const forgotten = (s: Value) => g.neg(g.expm1(g.neg(s)));
  switch (kind) {
    case 'clayton': {
      const powers = g.mul(logU, -theta);
      const top = g.op('ReduceMax', [powers], { axes: [1], keepdims: 1 });
      const flat = g.total(top, 1);
      const all = g.sub(g.total(g.exp(g.sub(powers, top)), 1), g.mul(g.exp(g.neg(flat)), dim - 1));
      const rising = Array.from({ length: dim }, (_, k) => Math.log(1 / theta + k)).reduce(
        (a, b) => a + b,
        0,
      );
      const slopes = g.sum(g.mul(g.total(logU, 1), -theta - 1), dim * Math.log(theta) + rising);
      return g.sub(slopes, g.mul(g.sum(flat, g.log(all)), 1 / theta + dim));
    }
    case 'gumbel': {
      const x = g.neg(logU);
      const logS = g.logSumExp(g.mul(g.log(x), theta), 1);
      const logs = polynomialLogs(
        dim,
        1 / theta,
        (k, j) => k - j / theta,
        () => 1 / theta,
      );
      const root = g.mul(logS, 1 / theta);
      const derivative = g.sub(g.sub(logPolynomial(g, logs, root), g.exp(root)), g.mul(logS, dim));
      const slopes = g.total(g.sum(g.mul(g.log(x), theta - 1), x), 1);
      return g.sum(derivative, slopes, dim * Math.log(theta));
    }
    case 'joe': {
      const generator = bb8(g, theta, 1);
      const phi = generator.phi(level);
      const s = g.total(phi.value, 1);
      const logS = g.logSumExp(phi.log, 1);
      const gone = g.where(g.less(logS, LOG_TINY), logS, g.log(forgotten(s)));
      const derivative = logPolynomial(g, logistic(dim, 1 / theta), g.neg(g.sum(s, gone)));
      return g.sum(
        derivative,
        g.mul(gone, 1 / theta),
        g.total(generator.logPhiSlope(level), 1),
        -Math.log(theta),
      );
    }
    case 'frank': {
      const lost = (x: Value) => g.neg(g.expm1(g.mul(x, -theta)));
      const odds = g.div(g.mul(lost(q), g.exp(g.mul(u, -theta))), lost(u));
      const s = g.total(g.log1p(odds), 1);
      const logW = g.sum(g.neg(s), Math.log(-Math.expm1(-theta)));
      const remainder = g.log(g.sum(forgotten(s), g.exp(g.sum(g.neg(s), -theta))));
      const slopes = g.total(g.sum(g.neg(g.mul(u, theta)), g.neg(g.log(lost(u))), Math.log(theta)), 1);
      return g.sum(logPolynomial(g, logistic(dim, 0), g.sub(logW, remainder)), slopes, -Math.log(theta));
    }
    case 'amh': {
      const s = g.total(g.log1p(g.mul(g.div(q, u), 1 - theta)), 1);
      const remainder = g.log(g.sum(g.mul(forgotten(s), theta), 1 - theta));
      const derivative = logPolynomial(
        g,
        logistic(dim + 1, 0),
        g.sum(g.neg(g.sum(s, remainder)), Math.log(theta)),
      );
      const own = g.sum(g.neg(g.sum(logU, g.log(g.sum(g.mul(u, theta), 1 - theta)))), Math.log1p(-theta));
      return g.sum(derivative, g.total(own, 1), Math.log1p(-theta) - Math.log(theta));
    }
    default:
      throw new SklarError('ERR_SKLAR_INTERNAL', `expected a family of more columns in ONNX, got ${kind}`);
  }
}

/** A family of `FamilyKind`. */
export function familyLogPdf(
  rows: Rows,
  kind: FamilyKind,
  { parameters, rotation }: { parameters: Parameters; rotation: number },
): Value {
  const { graph, u, dim } = rows;
  const alone = (parameters.theta ?? 0) === 1 && (kind === 'gumbel' || kind === 'joe');
  if (kind === 'independence' || alone) return graph.mul(graph.total(u, 1), 0);
  const level: Level = { u, above: graph.sub(1, u) };
  if (dim > 2) return exchangeable(graph, kind, parameters.theta!, rotation === 0 ? level : turn(level), dim);
  const [a, b] = [0, 1].map((j) => ({
    u: graph.column(level.u, j),
    above: graph.column(level.above, j),
  })) as [Level, Level];
  // c90(u, v) = c(v, 1 - u), c180(u, v) = c(1 - u, 1 - v), c270(u, v) = c(1 - v, u)
  const [first, second] = (
    { 0: [a, b], 90: [b, turn(a)], 180: [turn(a), turn(b)], 270: [turn(b), a] } as const
  )[rotation as 0 | 90 | 180 | 270];
  return pairs[kind](graph, parameters, first, second);
}

/** The Gaussian copula of the guide of `rows`. */
export const gaussianLogPdf = (rows: Rows): Value => rows.guideLogPdf();

/** Beyond this Gaussian score the quantile of a t is that there. */
const MOST_SCORE = 37;

/**
 * Student's t copula; `rows` have L of its correlation as their guide. Quantiles come from a table in the Gaussian score.
 *
 * @param atCentre the log density where all levels are 1/2
 */
export function studentLogPdf(rows: Rows, degrees: number, atCentre: number): Value {
  const { graph, dim } = rows;
  const margin = callNative((addon) =>
    addon.marginCreate({ kind: 'law', family: 'student-t', parameters: Float64Array.of(0, 1, degrees) }),
  );
  const scores = Float64Array.from({ length: MOST_SCORE / STEP + 1 }, (_, i) => i * STEP);
  const above = normalCdf(scores.map((z) => -z));
  const quantiles = callNative((addon) => addon.marginQuantileAbove(margin, above));
  const logs = callNative((addon) => addon.marginLogPdf(margin, quantiles));
  // asinh of the quantile, whose slope in the score stays moderate
  const slopes = scores.map((z, i) => {
    const logSlope = -0.5 * z * z - HALF_LOG_TWO_PI - logs[i]!;
    const q = quantiles[i]!;
    return Math.exp(logSlope - (q > 1e8 ? Math.log(q) : 0.5 * Math.log1p(q * q)));
  });
  const z = rows.z();
  const s = table(graph, graph.abs(z), 0, STEP, quantiles.map(Math.asinh), slopes);
  // quantiles over e^top, whose squares do not overflow
  const top = graph.op('ReduceMax', [s], { axes: [1], keepdims: 1 });
  const half = (from: Value) => graph.mul(graph.exp(graph.sub(from, top)), 0.5);
  const q = graph.mul(graph.sign(z), graph.sub(half(s), half(graph.neg(s))));
  const log1pOver = (logSquares: Value, zero: Value) =>
    logAddExp(graph, zero, graph.sum(logSquares, -Math.log(degrees)));
  const largest = graph.total(top, 1);
  const squares = rows.squares(rows.factor ? rows.whiten(q) : q);
  const logSquares = graph.sum(graph.log(squares), graph.mul(largest, 2));
  const joint = graph.mul(log1pOver(logSquares, graph.mul(largest, 0)), -(degrees + dim) / 2);
  const logOwn = graph.mul(graph.sum(s, graph.log(graph.neg(graph.expm1(graph.mul(s, -2)))), -Math.LN2), 2);
  const own = graph.mul(graph.total(log1pOver(logOwn, graph.mul(s, 0)), 1), (degrees + 1) / 2);
  return graph.sum(joint, own, atCentre);
}

/** Ranks: rows x dim; a mean of products of beta densities. */
export function empiricalBetaLogPdf(rows: Rows, ranks: ArrayLike<number>): Value {
  const { graph, u, dim } = rows;
  const n = ranks.length / dim;
  const logFactorial = new Float64Array(n + 1);
  for (let k = 2; k <= n; k++) logFactorial[k] = logFactorial[k - 1]! + Math.log(k);
  const below = new Float64Array(dim * n);
  const above = new Float64Array(dim * n);
  const weights = new Float64Array(n);
  for (let i = 0; i < n; i++) {
    weights[i] = -Math.log(n);
    for (let j = 0; j < dim; j++) {
      const r = ranks[i * dim + j]!;
      below[j * n + i] = r - 1;
      above[j * n + i] = n - r;
      weights[i]! += logFactorial[n]! - logFactorial[r - 1]! - logFactorial[n - r]!;
    }
  }
  const terms = graph.sum(
    graph.matmul(graph.log(u), graph.constant(below, [dim, n])),
    graph.matmul(graph.log1p(graph.neg(u)), graph.constant(above, [dim, n])),
    graph.constant(weights, [n]),
  );
  return graph.logSumExp(terms, 1);
}

/**
 * Bilinear between the nodes of a table, constant beyond them (docs/mathematics.md, M.4): the sum of the densities at its nodes
 * times functions of u and of v that are 1 at a node, 0 at the others and linear between.
 */
export function kernelLogPdf(rows: Rows, nodes: Float64Array, density: ArrayLike<number>): Value {
  const { graph, u } = rows;
  const p = normalCdf(nodes);
  const last = p.length - 1;
  const constant = (f: (k: number) => number) =>
    graph.constant(
      Array.from(p, (_, k) => f(k)),
      [p.length],
    );
  // where a function leaves 0; of the outermost so far away that it stays 1
  const before = (k: number) => (k === 0 ? -1 : p[k - 1]!);
  const after = (k: number) => (k === last ? 2 : p[k + 1]!);
  const begin = constant(before);
  const rise = constant((k) => 1 / ((k === 0 ? 0 : p[k]!) - before(k)));
  const end = constant(after);
  const fall = constant((k) => 1 / (after(k) - (k === last ? 1 : p[k]!)));
  const shares = (j: number) => {
    const inner = graph.min(graph.max(graph.column(u, j), p[0]!), p[last]!);
    const column = graph.op('Unsqueeze', [inner, graph.integers([1])]);
    const rising = graph.mul(graph.sub(column, begin), rise);
    return graph.relu(graph.min(rising, graph.mul(graph.sub(end, column), fall)));
  };
  const along = graph.matmul(shares(0), graph.constant(density, [p.length, p.length]));
  return graph.log(graph.total(graph.mul(along, shares(1)), 1));
}
