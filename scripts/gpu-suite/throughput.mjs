// The stages that time, each beside the peers.
import process from 'node:process';
import { gaussianRows, randomModel, relativeError } from './context.mjs';
import { openPeers, race } from './race.mjs';

const DIM = 10;
const LEVELS = 10;
const BATCH = 1024;
const ROWS = 20_000;
const LAYERS = 6;
/** Networks up to this width have training kernels of their own. */
const NARROW = 128;

async function withPeers(context, work) {
  const peer = await openPeers(context);
  try {
    await work(peer);
  } finally {
    peer?.stop();
  }
}

const stopwatch = async (work) => {
  const started = performance.now();
  await work();
  return performance.now() - started;
};

const spec = (context, hidden, depth, rest = {}) => ({
  ...{ dim: DIM, hidden, depth, levels: LEVELS, batch: context.size(BATCH, 64) },
  ...{
    rows: context.size(ROWS, 500),
    seed: 1,
    arithmetic: context.options.device === 'cpu' ? 'bf16' : 'fp16',
  },
  ...rest,
});

/** Enough steps that what comes before the first one does not matter. */
function shortFit(context, work) {
  const steps = context.size(Math.max(300, Math.min(5000, Math.round(2e9 / work))), 5);
  return { batch: context.size(BATCH, 64), steps, validation: 0, warmup: 0, anneal: 0 };
}

/** Milliseconds a step of a fit. */
async function stepTime(context, rows, options, work) {
  const model = await context.sklar.fitCopula(rows, { ...shortFit(context, work), ...options });
  return model.info().training.stepMilliseconds;
}

/** The same work with networks layer by layer, where the device would take them whole. */
async function layerByLayer(work) {
  process.env.SKLAR_CUDA_FUSED = '0';
  try {
    return await work();
  } finally {
    delete process.env.SKLAR_CUDA_FUSED;
  }
}

const cdcOptions = { kind: 'cdc', levels: LEVELS, guided: true, shrinkage: 1e-5 };
const shapes = [
  [64, 2],
  [256, 3],
  [512, 6],
];

export async function cdcTrain(context) {
  const rows = await gaussianRows(context.sklar, context.size(ROWS, 500), DIM, 1);
  const against = async (peer, [hidden, depth]) => {
    const layered = {};
    const time = (precision) =>
      stepTime(
        context,
        rows,
        { ...cdcOptions, hidden, depth, ...context.on(precision) },
        hidden * hidden * depth,
      );
    await race(context, peer, {
      name: 'cdc-train',
      spec: spec(context, hidden, depth),
      about: { model: `${hidden}x${depth}` },
      extra: (precision) => ({ 'layer by layer ms': layered[precision] ?? null }),
      async ours(precision) {
        if (hidden <= NARROW) layered[precision] = await layerByLayer(() => time(precision));
        return await time(precision);
      },
    });
  };
  // without peers: their compilation takes long, and 64 x 2 has them
  for (const shape of context.cases([[64, 6]], [], [])) await against(null, shape);
  await withPeers(context, async (peer) => {
    for (const shape of context.cases(shapes, [[16, 2]], [shapes[2], shapes[0]])) await against(peer, shape);
  });
}

export async function reflectionTrain(context) {
  const rows = await gaussianRows(context.sklar, context.size(ROWS, 500), DIM, 1);
  await withPeers(context, async (peer) => {
    for (const hidden of context.cases([64, 512], [16], [512])) {
      const network = { kind: 'reflection', network: 'published', weighting: 'published', tMax: 1.5 };
      const call = { ...network, hidden, depth: LAYERS };
      await race(context, peer, {
        name: 'reflection-train',
        spec: spec(context, hidden, LAYERS),
        about: { model: `${hidden}x${LAYERS}` },
        ours: (precision) =>
          stepTime(context, rows, { ...call, ...context.on(precision) }, hidden * hidden * LAYERS),
      });
    }
  });
}

export async function reflectionSample(context) {
  const { sklar } = context;
  const samples = context.size(30_000, 500);
  const steps = 49;
  await withPeers(context, async (peer) => {
    for (const hidden of context.cases([128, 512], [16], [512])) {
      const model = randomModel(
        sklar,
        'reflection-published',
        { hidden, depth: LAYERS, dim: DIM },
        Float32Array,
      );
      const call = { solver: 'euler', grid: 'time', steps, margins: 'raw' };
      await race(context, peer, {
        name: 'reflection-sample',
        spec: spec(context, hidden, LAYERS, { samples, steps }),
        about: { model: `${hidden}x${LAYERS}`, rows: samples, steps },
        ours: (precision) => stopwatch(() => model.sample(samples, { ...call, ...context.on(precision) })),
      });
    }
  });
}

export async function cdcSample(context) {
  const { sklar } = context;
  const cases = context.size(
    [
      [64, 6, 100_000],
      [512, 6, 1000],
      [512, 6, 100_000],
    ],
    [[16, 2, 500]],
  );
  await withPeers(context, async (peer) => {
    for (const [hidden, depth, samples] of cases) {
      const model = randomModel(sklar, 'cdc', { hidden, depth, dim: DIM }, Float32Array);
      await race(context, peer, {
        name: 'cdc-sample',
        spec: spec(context, hidden, depth, { samples }),
        about: { model: `${hidden}x${depth}`, rows: samples },
        ours: (precision) =>
          stopwatch(() =>
            model.sample(samples, { solver: 'ab2', margins: 'raw', seed: 1, ...context.on(precision) }),
          ),
      });
    }
  });
}

export async function density(context) {
  const { sklar } = context;
  const samples = context.size(1_000_000, 2000);
  const checked = context.size(4096, 100);
  const u = await gaussianRows(sklar, samples, DIM, 1);
  const some = { data: u.data.slice(0, checked * DIM), rows: checked, columns: DIM };
  await withPeers(context, async (peer) => {
    for (const [hidden, depth] of context.cases(
      [
        [64, 6],
        [512, 6],
      ],
      [[16, 2]],
      [[512, 6]],
    )) {
      const shape = { hidden, depth, dim: DIM };
      const exact = randomModel(sklar, 'cdc', shape, Float64Array);
      const wanted = await exact.logPdf(some, { device: 'cpu' });
      const model = randomModel(sklar, 'cdc', shape, Float32Array);
      const errors = {};
      await race(context, peer, {
        name: 'density',
        spec: spec(context, hidden, depth, { samples }),
        about: { model: `${hidden}x${depth}`, rows: samples },
        extra: (precision) => ({ error: errors[precision] }),
        async ours(precision) {
          let values;
          const time = await stopwatch(async () => {
            values = await model.logPdf(u, context.on(precision));
          });
          errors[precision] = relativeError(values.subarray(0, checked), wanted);
          return time;
        },
      });
    }
  });
}

/** Fits with different seeds, as papers report them: in one launch where the device has one, else at the same time. */
export async function ensemble(context) {
  const { sklar } = context;
  const models = context.size(8, 2);
  const rows = await gaussianRows(context.sklar, context.size(ROWS, 500), DIM, 1);
  await withPeers(context, async (peer) => {
    for (const [hidden, depth] of context.size(
      [
        [64, 2],
        [512, 6],
      ],
      [[16, 2]],
    )) {
      const call = (precision) => ({ ...cdcOptions, hidden, depth, ...context.on(precision) });
      const work = hidden * hidden * depth * models;
      const alone = (precision, seed) => stepTime(context, rows, { ...call(precision), seed }, work);
      const narrow = hidden <= NARROW;
      const beside = {};
      const ours = async (precision) => {
        if (narrow) {
          const seeds = Array.from({ length: models }, (_, i) => i + 1);
          const streams = await Promise.all(seeds.map((seed) => alone(precision, seed)));
          beside[precision] = {
            'streams ms': Math.max(...streams) / models,
            'one model ms': await alone(precision, 1),
          };
        }
        const { members } = await sklar.fitEnsemble(rows, {
          ...shortFit(context, work),
          ...call(precision),
          models,
        });
        return Math.max(...members.map((m) => m.info().training.stepMilliseconds)) / models;
      };
      await race(context, peer, {
        name: 'ensemble',
        spec: spec(context, hidden, depth, { models }),
        about: { model: `${hidden}x${depth}`, models },
        units: models,
        extra: (precision) => beside[precision] ?? { 'streams ms': null, 'one model ms': null },
        ours,
      });
    }
  });
}
