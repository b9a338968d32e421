/** The stages in the order of a full run; seconds: the most that one may take. */
export const stages = {
  facts: {
    about: 'the machine, the driver, the versions',
    seconds: 30,
    load: () => import('./facts.mjs'),
  },
  native: {
    about: 'native tests of the CUDA backend',
    seconds: 400,
    load: () => import('./native.mjs'),
  },
  correctness: {
    about: 'the device against float64 and against the CPU with the same seed',
    seconds: 420,
    load: () => import('./correctness.mjs'),
  },
  determinism: {
    about: 'the same bits twice, and for any batching',
    seconds: 120,
    load: () => import('./determinism.mjs'),
  },
  training: {
    about:
      'short fits with the same seed beside the CPU: mean relative difference of the first ten losses (early), of the mean of ' +
      'the last quarter (late), mean log density of held-out rows (score)',
    seconds: 240,
    load: () => import('./training.mjs'),
  },
  'cdc-train': {
    about: 'one training step of a CDC',
    seconds: 580,
    load: () => import('./throughput.mjs').then((module) => ({ default: module.cdcTrain })),
  },
  'reflection-train': {
    about: 'one training step of a published reflection network',
    seconds: 400,
    load: () => import('./throughput.mjs').then((module) => ({ default: module.reflectionTrain })),
  },
  'reflection-sample': {
    about: 'samples of a published reflection network by folded Euler steps',
    seconds: 300,
    load: () => import('./throughput.mjs').then((module) => ({ default: module.reflectionSample })),
  },
  'cdc-sample': {
    about: 'samples of a CDC by Adams-Bashforth on its noise levels',
    seconds: 400,
    load: () => import('./throughput.mjs').then((module) => ({ default: module.cdcSample })),
  },
  density: {
    about: 'log densities of a CDC, from rows in host memory to values in host memory',
    seconds: 400,
    load: () => import('./throughput.mjs').then((module) => ({ default: module.density })),
  },
  'cpu-train': {
    about:
      'one training step of a CDC on two threads of the CPU beside PyTorch there, the model as a user writes it (autograd) and our ' +
      'tape-free algorithm in its operations (four-pass), in milliseconds',
    seconds: 300,
    load: () => import('./cpu-train.mjs'),
  },
  ensemble: {
    about:
      'several CDCs trained together (`fitEnsemble`), per step of one model; beside it, for networks whose steps are one operation, ' +
      'as many fits at the same time, each with a stream of its own (streams), and a fit alone (one model)',
    seconds: 400,
    load: () => import('./throughput.mjs').then((module) => ({ default: module.ensemble })),
  },
};

export const throughputStages = [
  'cdc-train',
  'reflection-train',
  'reflection-sample',
  'cdc-sample',
  'density',
  'ensemble',
];

/** The steps of a run within a given time that are no stages of a full one (within.mjs). */
const headlineStages = Object.fromEntries(
  Object.entries({
    truth: 'truth',
    ours: 'headline',
    peers: 'headline',
    profile: 'profile',
    sanitize: 'sanitize',
    compile: 'compile',
  }).map(([name, work]) => [
    name,
    { load: () => import('./headline.mjs').then((module) => ({ default: module[work] })) },
  ]),
);

export const findStage = (name) => stages[name] ?? headlineStages[name];
