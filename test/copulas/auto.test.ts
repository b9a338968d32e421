import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';

import {
  type CandidateProgress,
  EnsembleCopula,
  type FitCandidate,
  type FitJointOptions,
  FamilyCopula,
  GaussianCopula,
  type Matrix,
  PseudoObservations,
  Table,
  type TrainProgress,
  fitBest,
  fitCopula,
  fitEnsemble,
  fitJoint,
  loadModel,
  matrix,
  splitRows,
  toRows,
} from '../../lib';
import { fitWithin } from '../../lib/copulas/fitting/auto';
import { stackedScores, stackingWeights } from '../../lib/copulas/fitting/stacking';

const double = { dtype: 'float64' } as const;
const gumbel = () => new FamilyCopula('gumbel', { theta: 2 }).sample(2400, { seed: 5, ...double });
const small = { hidden: 16, depth: 1, steps: 40, batch: 64, validateEvery: 20 };
const candidates: readonly FitCandidate[] = [
  { kind: 'independence' },
  { kind: 'gaussian' },
  { kind: 'gumbel' },
  { kind: 'cdc', ...small },
];

/** Row i of one, then row i of the other, ... */
const take = (u: Matrix, rows: Iterable<number>) => {
  const all = toRows(u);
  return Array.from(rows, (row) => all[row]!);
};

test('by the rows that training keeps apart: the chosen one scores them best, and says by how much', async () => {
  const u = await gumbel();
  const seen: CandidateProgress[] = [];
  const copula = await fitCopula(u, {
    kind: 'auto',
    candidates,
    seed: 3,
    onCandidate: (progress) => seen.push(progress),
  });
  expect(copula).toBeInstanceOf(FamilyCopula);
  expect(copula.kind).toBe('gumbel');
  const { by, rows, folds, errors, candidates: tried } = copula.selection!;
  expect({ by, rows, folds, errors }).toEqual({ by: 'validation', rows: 240, folds: 1, errors: 'rows' });
  expect(tried.map(({ outcome }) => outcome)).toEqual(['judged', 'judged', 'chosen', 'judged', 'judged']);
  expect(tried[4]!.candidate).toMatchObject({ kind: 'ensemble' });
  expect(tried[0]!.meanLogPdf).toBeCloseTo(0, 12);
  expect(tried[3]!.candidate).toEqual({ kind: 'cdc', ...small });
  expect(seen.map(({ candidate, candidatesDone }) => [candidate.kind, candidatesDone])).toEqual([
    ['independence', 0],
    ['gaussian', 1],
    ['gumbel', 2],
    ['cdc', 3],
    ['gumbel', 4],
  ]);

  // what is judged is learned from the others, what comes out from all
  const { train, holdout } = splitRows(2400, 0.1, 3);
  const judged = await fitCopula(take(u, train), { kind: 'gaussian' });
  const scores = await judged.logPdf(take(u, holdout));
  expect(tried[1]!.meanLogPdf).toBeCloseTo(scores.reduce((a, b) => a + b) / 240, 10);
  const all = await fitCopula(u, { kind: 'gumbel' });
  expect((copula as FamilyCopula).parameters).toEqual(all.parameters);

  // a network is the model that fitCopula makes, and is not trained twice
  const cdc = await fitCopula(u, { kind: 'auto', candidates: candidates.slice(3), seed: 3 });
  const alone = await fitCopula(u, { kind: 'cdc', ...small, seed: 3 });
  expect(cdc.selection!.candidates).toHaveLength(1);
  expect(await cdc.logPdf(take(u, [0, 1, 2]))).toEqual(await alone.logPdf(take(u, [0, 1, 2])));
});

test('a tie goes to the simpler', async () => {
  const u = await new GaussianCopula(Float64Array.of(1, 0.6, 0.6, 1), 2).sample(2000, double);
  const order: readonly FitCandidate[] = [
    { kind: 'independence' },
    { kind: 'gaussian' },
    { kind: 'student' },
  ];
  const simple = await fitCopula(u, { kind: 'auto', candidates: order });
  expect(simple.kind).toBe('gaussian');
  const other = await fitCopula(u, { kind: 'auto', candidates: [order[2]!, order[1]!] });
  expect(other.kind).toBe('student');
  for (const { selection } of [simple, other]) {
    const chosen = selection!.candidates.find(({ outcome }) => outcome === 'chosen')!;
    expect(chosen.behind!.mean).toBeLessThanOrEqual(chosen.behind!.standardError!);
  }
});

test('few rows are judged in folds, where the hopeless are dropped; the model learns from all', async () => {
  const u = take(await gumbel(), Array(300).keys());
  const copula = await fitCopula(u, { kind: 'auto', candidates: [candidates[2]!, candidates[0]!] });
  const { by, rows, folds, candidates: tried } = copula.selection!;
  expect({ by, rows, folds }).toEqual({ by: 'folds', rows: 300, folds: 5 });
  expect(tried.map(({ outcome, rows: own }) => [outcome, own])).toEqual([
    ['chosen', 300],
    ['dropped', 60],
  ]);
  // other folds than those of fitBest, since networks are to be judged by one
  const { ranking } = await fitBest(u, { candidates: [candidates[2]!] });
  expect(Math.abs(tried[0]!.meanLogPdf! - ranking[0]!.meanLogPdf!)).toBeLessThan(0.02);
  expect((copula as FamilyCopula).parameters).toEqual((await fitCopula(u, { kind: 'gumbel' })).parameters);
  const trained = await fitCopula(u, { kind: 'auto', candidates: candidates.slice(3), split: 'blocks' });
  expect(trained.selection!).toMatchObject({ by: 'folds', errors: 'blocks' });
  expect(trained.info().training).toMatchObject({ rows: 240, validationRows: 60 });
  expect(trained.selection!.candidates[0]).toMatchObject({ rows: 60, outcome: 'chosen' });
});

test('weights, recurring values and missing cells count as in fits', async () => {
  const some = take(await gumbel(), Array(400).keys());
  const weights = some.map((_, i) => (i % 4 === 0 ? 0 : 1));
  const weighted = await fitCopula(some, { kind: 'auto', candidates: candidates.slice(0, 3), weights });
  const kept = some.filter((_, i) => i % 4 !== 0);
  const plain = await fitCopula(kept, { kind: 'auto', candidates: candidates.slice(0, 3) });
  const means = [weighted, plain].map(({ selection }) =>
    selection!.candidates.map(({ meanLogPdf }) => meanLogPdf),
  );
  expect(means[0]).toEqual(means[1]);

  const cells = some.map(([a, b], i) => [Math.floor(4 * a!), i % 10 === 0 ? NaN : b!]);
  const joint = await fitJoint(cells, { copula: { kind: 'auto', candidates: candidates.slice(0, 3) } });
  const { candidates: tried } = joint.copula.selection!;
  expect(tried.map(({ error }) => error)).toEqual([null, null, null]);
  expect(tried[0]!.meanLogPdf).toBeLessThan(tried[2]!.meanLogPdf!);
});

test('what fails is said, and where all fail that is the error', async () => {
  const u = take(await gumbel(), Array(60).keys()).map(([a, b], i) => [a!, b!, ((7 * i) % 60) / 60 + 0.001]);
  const copula = await fitCopula(u, { kind: 'auto', candidates: [{ kind: 'kernel' }, { kind: 'gaussian' }] });
  expect(copula.selection!.candidates[0]).toMatchObject({
    outcome: 'failed',
    meanLogPdf: null,
    behind: null,
    error: expect.stringContaining('2 columns'),
  });
  await expect(fitCopula(u, { kind: 'auto', candidates: [{ kind: 'kernel' }] })).rejects.toThrow(
    'every candidate failed, kernel: ',
  );
  await expect(fitCopula(u, { kind: 'auto', candidates, minutes: 1e-9 })).rejects.toThrow(
    'expected more minutes',
  );
});

test('networks take fewer steps where all of theirs would take too long', async () => {
  const copula = new GaussianCopula(Float64Array.of(1, 0, 0, 1), 2);
  const fitFor = (seconds: number, asked: (number | undefined)[]) =>
    fitWithin(
      seconds,
      { kind: 'cdc' },
      undefined,
      ({ signal, onProgress, steps }) => {
        asked.push(steps);
        onProgress?.({ step: 100, steps: steps ?? 3000, seconds: 1, secondsLeft: 29 } as TrainProgress);
        signal?.throwIfAborted();
        return Promise.resolve(copula);
      },
      undefined,
    );
  for (const [seconds, asked, candidate] of [
    [31, [undefined], { kind: 'cdc' }],
    [10, [undefined, 900], { kind: 'cdc', steps: 900 }],
  ] as const) {
    const seen: (number | undefined)[] = [];
    expect((await fitFor(seconds, seen)).candidate).toEqual(candidate);
    expect(seen).toEqual(asked);
  }
  await expect(fitFor(2, [])).rejects.toThrow('too long');
});

test('it is in the file of the model', async () => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'sklar-auto-'));
  try {
    const file = path.join(folder, 'model.safetensors');
    const u = take(await gumbel(), Array(200).keys());
    const copula = await fitCopula(u, { kind: 'auto', candidates: candidates.slice(0, 3) });
    await copula.save(file);
    const again = await loadModel(file);
    expect(again.selection).toEqual(copula.selection);
    expect(again.info().selection).toEqual(copula.selection);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test('options that are not its own are refused', async () => {
  const u = matrix(
    Float64Array.from({ length: 40 }, (_, i) => (((7 * i) % 40) + 0.5) / 40),
    20,
    2,
  );
  const refused: [object, string][] = [
    [{ steps: 5 }, '"steps"'],
    [{ checkpoint: 'a' }, 'checkpoint belongs to one kind'],
    [{ candidates: [] }, 'at least one candidate'],
    [{ candidates: [{ kind: 'auto' }] }, 'kind'],
    [{ candidates: [{ kind: 'cdc', rotation: 90 }] }, '"rotation"'],
    [{ minutes: 0 }, 'minutes'],
    [{ validation: 0 }, 'validation'],
    [{ split: 'odd' }, 'split'],
  ];
  for (const [options, message] of refused) {
    await expect(fitCopula(u, { kind: 'auto', ...options })).rejects.toThrow(message);
  }
  await expect(fitEnsemble(u, { models: 2, kind: 'auto' as never })).rejects.toThrow('auto');
  await expect(fitJoint(u, { copula: { kind: 'auto', minutes: -1 } })).rejects.toThrow('minutes');
});

test('of many columns with cells no family is tried', async () => {
  const u = take(
    await new GaussianCopula(Float64Array.of(1, 0.6, 0.3, 0.6, 1, 0.3, 0.3, 0.3, 1), 3).sample(90, double),
    Array(90).keys(),
  );
  const kindsOf = async (rows: number[][]) =>
    (await fitJoint(rows, { copula: { kind: 'auto' } })).copula.selection!.candidates.map(
      ({ candidate }) => candidate.kind,
    );
  expect(await kindsOf(u.map(([a, b, c]) => [Math.floor(4 * a!), b!, c!]))).toEqual([
    'independence',
    'gaussian',
    'student',
  ]);
  expect((await kindsOf(u.map((row) => Array.from(row)))).slice(3, 5)).toEqual(['frank', 'clayton']);
});

test('few rows, and weights where a candidate has no score', async () => {
  const rows = Array.from({ length: 40 }, (_, i) => [((7 * i) % 40) / 40, ((11 * i) % 40) / 40]);
  const eight = await fitJoint(rows.slice(0, 8), { copula: { kind: 'auto' } });
  expect(eight.copula.kind).toBe('gaussian');
  expect(eight.notes.map(({ message }) => message).join()).toContain(
    'too few rows to tell dependence from chance (8, of at least 9)',
  );
  const candidates = [{ kind: 'independence' }, { kind: 'gaussian' }] as const;
  const nine = await fitJoint(rows.slice(0, 9), { copula: { kind: 'auto', candidates } });
  expect(nine.copula.selection).toMatchObject({ by: 'folds', folds: 9, rows: 9 });
  const three = rows.map(([a, b], i) => [a!, b!, ((3 * i) % 40) / 40]);
  const weighted = await fitJoint(three, {
    weights: rows.map((_, i) => i % 3),
    copula: { kind: 'auto', candidates: [...candidates, { kind: 'bb1' }] },
  });
  expect(weighted.copula.selection!.candidates.map(({ outcome, rows: scored }) => [outcome, scored])).toEqual(
    [
      ['chosen', 26],
      ['judged', 26],
      ['failed', 0],
    ],
  );
});

test('what a candidate scores does not hang on those before it', async () => {
  const rows = take(await gumbel(), Array(80).keys()).map(([a, b]) => [Math.floor(4 * a!), b!]);
  const scoreAfter = async (before: readonly FitCandidate[]) => {
    const copula: FitJointOptions['copula'] = {
      kind: 'auto',
      candidates: [...before, { kind: 'cdc', ...small }],
    };
    const { selection } = (await fitJoint(rows, { copula })).copula;
    return selection!.candidates.findLast(({ candidate }) => candidate.kind === 'cdc')!.meanLogPdf;
  };
  expect(await scoreAfter([{ kind: 'cdc', ...small, seed: 5 }, { kind: 'gaussian' }])).toBe(
    await scoreAfter([]),
  );
});

test('of a network a mixture with a formula is made, by weights that the judged rows decide', async () => {
  // points near a circle
  const normal = await new GaussianCopula(Float64Array.of(1, 0, 0, 1), 2).sample(2400, {
    scale: 'gaussian',
    ...double,
  });
  const near = Float64Array.from(
    toRows(normal).flatMap(([x, y]) => {
      const angle = Math.atan2(y!, x!);
      const radius = 1 + 0.05 * (x! + y!);
      return [radius * Math.cos(angle), radius * Math.sin(angle)];
    }),
  );
  const u = (await PseudoObservations.fit(Table.fromMatrix(matrix(near, 2400, 2)))).transformTrain();
  const tried: readonly FitCandidate[] = [
    { kind: 'independence' },
    { kind: 'student' },
    { kind: 'flow', hidden: 32, depth: 2, members: 1, steps: 600, batch: 256, learningRate: 5e-3 },
  ];
  const copula = await fitCopula(u, { kind: 'auto', candidates: tried, names: ['a', 'b'] });
  expect(copula).toBeInstanceOf(EnsembleCopula);
  const { members, weights, names } = copula as EnsembleCopula;
  expect(names).toEqual(['a', 'b']);
  const formula = members.find(({ kind }) => kind !== 'flow')!;
  expect(members).toHaveLength(2);
  expect(weights.reduce((sum, weight) => sum + weight)).toBeCloseTo(1, 12);
  const { candidates: rows } = copula.selection!;
  expect(rows.map(({ outcome }) => outcome)).toEqual(['judged', 'judged', 'judged', 'chosen']);
  const mixture = rows[3]!;
  expect(mixture.candidate).toMatchObject({ kind: 'ensemble', members: members.map(({ kind }) => kind) });
  expect(mixture.meanLogPdf!).toBeGreaterThan(rows[1]!.meanLogPdf! + 0.1);

  // each row has a weight's share of the formula's density at least
  const far = [[1e-9, 1 - 1e-9]];
  const floor = Math.log(weights[members.indexOf(formula)]!) + (await formula.logPdf(far))[0]!;
  expect((await copula.logPdf(far))[0]!).toBeGreaterThanOrEqual(floor - 1e-9);
  const folder = await mkdtemp(path.join(os.tmpdir(), 'sklar-auto-'));
  const file = path.join(folder, 'mixture.safetensors');
  await copula.save(file);
  const back = await loadModel(file);
  await rm(folder, { recursive: true });
  expect(back.selection).toEqual(copula.selection);
  expect(await back.logPdf(far)).toEqual(await copula.logPdf(far));
  // a solver is of the network alone
  expect((await back.sample(100, { solver: 'heun', steps: 4 })).rows).toBe(100);

  const alone = await fitCopula(u, { kind: 'auto', candidates: tried, mixture: false });
  expect(alone.kind).toBe('flow');
  expect(alone.selection!.candidates).toHaveLength(3);
});

test('weights of a mixture: the best ones, and what rows say that did not decide them', () => {
  const rows = 300;
  const [a, b] = [0, 1].map((k) =>
    Float64Array.from({ length: rows }, (_, i) => ((i % 3 === 0) === (k === 0) ? 2 : -1)),
  );
  const weights = stackingWeights([a!, b!]);
  // maximum of log(w e^2 + (1 - w) e^-1) in a third of the rows and log((1 - w) e^2 + w e^-1) in the others
  const [e2, e1] = [Math.exp(2), Math.exp(-1)];
  const own = (w: number) => Math.log(w * e2 + (1 - w) * e1) + 2 * Math.log((1 - w) * e2 + w * e1);
  expect(weights[0]! + weights[1]!).toBeCloseTo(1, 12);
  for (const other of [weights[0]! - 0.02, weights[0]! + 0.02])
    expect(own(weights[0]!)).toBeGreaterThan(own(other));
  const stacked = stackedScores([a!, b!]);
  const mean = stacked.reduce((sum, value) => sum + value / rows, 0);
  expect(Math.abs(mean - own(weights[0]!) / 3)).toBeLessThan(0.02);
  // rows of weight 0 decide nothing
  const counts = Float64Array.from({ length: rows }, (_, i) => Number(i % 3 === 0));
  expect(stackingWeights([a!, b!], counts)[0]!).toBeGreaterThan(0.97);
});
