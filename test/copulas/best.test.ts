import { FamilyCopula, StudentCopula, fitBest, toRows } from '../../lib';

const double = { dtype: 'float64' } as const;

test('the family that the rows come from wins, and the ranking says by how much', async () => {
  const u = await new FamilyCopula('clayton', { theta: 2 }, { rotation: 90 }).sample(1500, {
    seed: 3,
    ...double,
  });
  const seen: number[] = [];
  const { copula, ranking } = await fitBest(u, {
    folds: 3,
    onProgress: ({ fits, fitsDone }) => seen.push(fitsDone / fits),
    candidates: [
      { kind: 'gaussian' },
      { kind: 'clayton', rotation: 90 },
      { kind: 'clayton', rotation: 270 },
      { kind: 'gumbel', rotation: 90 },
      { kind: 'amh', method: 'tau' }, // does not reach this tau
    ],
  });
  expect(copula).toBeInstanceOf(FamilyCopula);
  expect(ranking[0]!.candidate).toEqual({ kind: 'clayton', rotation: 90 });
  expect(copula.info()).toMatchObject({
    kind: 'clayton',
    config: { rotation: 90 },
    training: { rows: 1500 },
  });
  expect(ranking[0]!.behind).toEqual({ mean: 0, standardError: 0 });
  const means = ranking.slice(0, 4).map(({ meanLogPdf }) => meanLogPdf!);
  expect(means).toEqual([...means].sort((a, b) => b - a));
  ranking.slice(1, 4).forEach(({ behind, meanLogPdf }) => {
    expect(behind!.mean).toBeCloseTo(means[0]! - meanLogPdf!, 10);
    expect(behind!.mean).toBeGreaterThan(3 * behind!.standardError);
  });
  expect(ranking[4]).toMatchObject({ meanLogPdf: null, behind: null, error: expect.stringContaining('amh') });
  expect(seen.at(-1)).toBe(1);
  expect(seen).toEqual([...seen].sort((a, b) => a - b));
});

test('where no family fits, the kernel copula wins; ranks are scored by rows left out, too', async () => {
  const parts = [0.9, -0.9].map((rho) => new StudentCopula(Float64Array.of(1, rho, rho, 1), 2, 50));
  const both = await Promise.all(parts.map((part, k) => part.sample(300, { seed: 4 + k, ...double })));
  const { copula, ranking } = await fitBest(both.flatMap(toRows), {
    folds: 3,
    candidates: [{ kind: 'student' }, { kind: 'kernel' }, { kind: 'empirical-beta' }, { kind: 'plackett' }],
  });
  expect(copula.kind).toBe('kernel');
  expect(ranking.map(({ candidate }) => candidate.kind).slice(0, 2)).toEqual(['kernel', 'student']);
  ranking.forEach(({ meanLogPdf }) => expect(Number.isFinite(meanLogPdf)).toBe(true));
});

test('by itself it looks at what suits the number of columns', async () => {
  const r = Float64Array.of(1, 0.6, 0.5, 0.6, 1, 0.4, 0.5, 0.4, 1);
  const u = await new StudentCopula(r, 3, 3).sample(400, { seed: 2, ...double });
  const { copula, ranking } = await fitBest(u, { folds: 2 });
  expect(copula.kind).toBe('student');
  expect(ranking).toHaveLength(10);
  const again = await fitBest(u, { folds: 2, candidates: [{ kind: 'student' }] });
  expect(again.ranking[0]!.meanLogPdf).toBe(ranking[0]!.meanLogPdf);
  const other = await fitBest(u, { folds: 2, seed: 2, candidates: [{ kind: 'student' }] });
  expect(other.ranking[0]!.meanLogPdf).not.toBe(ranking[0]!.meanLogPdf);
  const pairs = await new FamilyCopula('frank', { theta: -6 }).sample(120, { seed: 2, ...double });
  const two = await fitBest(pairs, { folds: 2 });
  expect(two.ranking.map(({ candidate }) => ('rotation' in candidate ? candidate.rotation : 0))).toContain(
    270,
  );
  expect(two.ranking).toHaveLength(21);
  expect(two.ranking.at(-1)!.candidate.kind).toBe('independence');
});

test('bad options name the culprit, and aborting ends it', async () => {
  const u = await new FamilyCopula('frank', { theta: 3 }).sample(60, { seed: 2, ...double });
  await expect(fitBest(u, { folds: 1 })).rejects.toThrow('folds');
  await expect(fitBest(u, { candidates: [] })).rejects.toThrow('candidate');
  await expect(
    fitBest(u, { candidates: [{ kind: 'clayton', rotation: 90, method: 'tau' }] }),
  ).rejects.toThrow(/every candidate failed, clayton: .*tau/);
  const controller = new AbortController();
  const aborted = fitBest(u, {
    signal: controller.signal,
    onProgress: () => controller.abort(new Error('enough')),
  });
  await expect(aborted).rejects.toThrow('enough');
});
