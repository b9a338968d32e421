/** Fits that start from a model. */
import {
  type Copula,
  type FlowCopula,
  type TrainEvent,
  fitCopula,
  fitEnsemble,
  fitJoint,
  loadModel,
} from '../../lib';
import { Table } from '../../lib/data/table';
import { TemporaryFolder } from '../data/support';
import { crossed } from '../helpers/data';

const folder = new TemporaryFolder();
const u = crossed(600, 0.9, 1);
const more = crossed(600, 0.9, 2);
const size = { hidden: 16, depth: 1, batch: 64 };
const fit = { ...size, steps: 150, validateEvery: 50 };
/** Steps that change nothing. */
const still = { steps: 1, learningRate: 1e-30, warmup: 0, weightDecay: 0, emaDecay: 0 };
const kinds = [
  { kind: 'cdc' },
  { kind: 'cdc', guided: false, levels: 5, referenceTime: 2 },
  { kind: 'flow', members: 2 },
  { kind: 'flow', process: 'jacobi', cosines: 3, members: 1 },
  { kind: 'reflection', cosines: 4 },
  { kind: 'reflection', network: 'published', depth: 3 },
] as const;

const density = (copula: Copula) =>
  copula.logPdf(crossed(40, 0.9, 5), {
    method: copula.capabilities.logPdf[0]!,
    ...(copula.capabilities.logPdf[0] === 'ode' && { solver: 'rk4', steps: 8 }),
  });
const looks = async (options: object, rows = u) => {
  const events: TrainEvent[] = [];
  const copula = await fitCopula(rows, {
    ...options,
    onEvent: (event: TrainEvent) => events.push(event),
  });
  return {
    copula: copula as Copula,
    looks: events.flatMap((event) => (event.event === 'validation' ? [event] : [])),
  };
};

test.each(kinds)(
  '%o: the first look is at the model, which steps that change nothing leave',
  async (given) => {
    const { copula: model, looks: before } = await looks({ ...fit, ...given });
    const file = folder.file('model.safetensors');
    await model.save(file);
    using loaded = await loadModel(file);
    const { copula, looks: after } = await looks({ kind: given.kind, batch: 64, ...still, from: loaded });
    expect(after[0]).toMatchObject({ step: 0, best: true });
    expect(after[0]!.loss).toBe(before.find(({ best, step }) => best && step === bestStep(model))!.loss);
    expect(await density(copula)).toEqual(await density(model));
    const { kind, ...architecture } = given;
    expect(copula.info()).toMatchObject({
      kind,
      config: { options: architecture },
    });
    expect(copula.info().training).toMatchObject({ startedFrom: { steps: 150, seed: '1', rows: 540 } });
  },
);

const bestStep = (copula: Copula) => (copula.info().training as { bestStep: number }).bestStep;

test('training goes on: other rows start at the loss of the model and end below it', async () => {
  const { copula: model } = await looks({ ...fit, steps: 400 });
  const cold = await looks({ ...fit }, more);
  const warm = await looks({ batch: 64, steps: 150, validateEvery: 50, from: model }, more);
  expect(warm.looks[0]!.loss).toBeLessThan(cold.looks[0]!.loss);
  expect(Math.min(...warm.looks.map(({ loss }) => loss))).toBeLessThanOrEqual(warm.looks[0]!.loss);
  // the guide that the network belongs to
  expect((warm.copula as never as { guide: Float64Array }).guide).toEqual(
    (model as never as { guide: Float64Array }).guide,
  );
});

test('where no step betters the model it is kept, also by the ending', async () => {
  const { copula: model } = await looks({ ...fit, steps: 400 });
  const { copula, looks: seen } = await looks({
    ...{ batch: 64, steps: 60, learningRate: 0.5, warmup: 0, emaDecay: 0 },
    ...{ validateEvery: 5, patience: 2, anneal: 10, from: model },
  });
  expect(seen[0]).toMatchObject({ step: 0, best: true });
  expect(bestStep(copula)).toBe(0);
  expect(await density(copula)).toEqual(await density(model));
  expect(copula.info().training).toMatchObject({ stoppedEarly: true, steps: 20 });
});

test('a fit that starts from a model goes on from its checkpoint, that of another model does not', async () => {
  const models = [await fitCopula(u, fit), await fitCopula(u, { ...fit, seed: 2 })];
  const checkpoint = folder.file('warm.checkpoint');
  const options = { batch: 64, steps: 60, from: models[0]! };
  const whole = await fitCopula(more, options);
  const controller = new AbortController();
  await expect(
    fitCopula(more, {
      ...options,
      checkpoint,
      signal: controller.signal,
      onEvent: ({ step }) => step > 20 && controller.abort(new Error('stop')),
    }),
  ).rejects.toThrow('stop');
  await expect(fitCopula(more, { ...options, from: models[1]!, checkpoint })).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringContaining('other rows, options, seed or version'),
  });
  await expect(fitCopula(more, { ...size, steps: 60, checkpoint })).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
  });
  expect(await density(await fitCopula(more, { ...options, checkpoint }))).toEqual(await density(whole));
});

test('an ensemble goes on member by member, or all from one model', async () => {
  const ensemble = await fitEnsemble(u, { ...fit, models: 2 });
  const further = await fitEnsemble(u, { batch: 64, ...still, models: 2, from: ensemble });
  for (const [k, member] of further.members.entries()) {
    expect(await density(member)).toEqual(await density(ensemble.members[k]!));
  }
  const [model] = ensemble.members;
  const others = await fitEnsemble(u, { batch: 64, ...still, models: 2, from: model });
  for (const member of others.members) expect(await density(member)).toEqual(await density(model!));
  await expect(fitEnsemble(u, { models: 3, from: ensemble })).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: 'expected an ensemble of 3 models to start from, got one of 2',
  });
  await expect(fitCopula(u, { from: ensemble })).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringContaining('got an ensemble of 2'),
  });
});

test('what does not fit is named', async () => {
  const { copula: model } = await looks({ ...fit, steps: 2 });
  const flow: FlowCopula = await fitCopula(u, { kind: 'flow', ...size, steps: 2 });
  const gaussian = await fitCopula(u, { kind: 'gaussian' });
  const wide = await fitCopula(threeColumns(), { ...size, steps: 2 });
  for (const [options, message] of [
    [{ from: model, hidden: 8 }, 'expected 16 for hidden, which the model to start from has, got 8'],
    [{ from: model, levels: 5 }, 'expected 10 for levels'],
    [{ from: model, guided: false }, 'expected true for guided'],
    [{ from: model, shrinkage: 0.5 }, 'shrinkage does not go with a guided model'],
    [{ from: flow }, 'expected a cdc copula to start from, got "flow"'],
    [{ from: gaussian }, 'expected a cdc copula to start from, got "gaussian", which no network learned'],
    [{ from: 'model.safetensors' }, 'expected a copula for from, got "model.safetensors"'],
    [{ kind: 'gaussian', from: gaussian }, 'from belongs to kinds that a network learns in steps'],
    [{ kind: 'flow', from: flow, process: 'jacobi' }, 'expected "ou" for process'],
  ] as const) {
    await expect(fitCopula(u, options as object)).rejects.toMatchObject({
      code: 'ERR_SKLAR_VALUE',
      message: expect.stringContaining(message),
    });
  }
  await expect(fitCopula(u, { from: wide })).rejects.toMatchObject({
    code: 'ERR_SKLAR_SHAPE',
    message: 'expected 2 columns of the model to start from, as the rows have, got 3',
  });
  const named = await fitCopula(u, { ...size, steps: 2, names: ['a', 'b'] });
  await expect(fitCopula(u, { from: named, names: ['a', 'c'] })).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message:
      'expected the columns of the model to start from, in its order, got "c" where it has "b" (column 2)',
  });
  model.dispose();
  await expect(fitCopula(u, { from: model })).rejects.toMatchObject({ code: 'ERR_SKLAR_DISPOSED' });
});

test('fitJoint learns the margins of the new rows', async () => {
  const shifted = (shift: number) =>
    new Table(
      ['a', 'b'],
      [0, 1].map((j) => Float64Array.from({ length: 600 }, (_, i) => shift + u.data[2 * i + j]!)),
    );
  const first = await fitJoint(shifted(0), { copula: { ...fit } });
  const second = await fitJoint(shifted(5), { copula: { ...size, ...still }, from: first.copula });
  expect((await second.sample(50)).column('a').every((value) => value > 4)).toBe(true);
  expect(await density(second.copula)).toEqual(await density(first.copula));
});

function threeColumns() {
  return Array.from({ length: 100 }, (_, i) => [7, 11, 13].map((k) => (((i * k) % 101) + 0.5) / 101));
}
