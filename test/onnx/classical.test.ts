/** Exported classical densities, run by onnxruntime, beside `logPdf`. */
import {
  type Copula,
  type FamilyKind,
  type Rotation,
  ClosedFormCopula,
  EmpiricalBetaCopula,
  FamilyCopula,
  GaussianCopula,
  StudentCopula,
  fitCopula,
} from '../../lib';
import { families, familyKinds, rotations } from '../../lib/copulas/classical/families';
import { toOnnx } from '../../lib/onnx/export';
import { uniforms } from '../helpers/data';
import { runOnnx, tensorOf, worstOf } from '../helpers/onnx';

/** Of each family parameters of weak, middling and strong dependence. */
const parameters: Record<FamilyKind, Record<string, number>[]> = {
  independence: [{}],
  clayton: [{ theta: 0.01 }, { theta: 2 }, { theta: 40 }],
  gumbel: [{ theta: 1 }, { theta: 2.5 }, { theta: 30 }],
  frank: [{ theta: 0 }, { theta: 0.01 }, { theta: 5 }, { theta: -5 }, { theta: 60 }, { theta: -60 }],
  joe: [{ theta: 1 }, { theta: 2 }, { theta: 30 }],
  amh: [{ theta: 0.7 }, { theta: -1 }, { theta: 0 }, { theta: 0.99 }],
  bb1: [
    { theta: 0.7, delta: 1.5 },
    { theta: 3, delta: 1 },
    { theta: 0.1, delta: 6 },
  ],
  bb2: [
    { theta: 0.7, delta: 0.5 },
    { theta: 0.1, delta: 3 },
  ],
  bb3: [
    { theta: 1.7, delta: 0.5 },
    { theta: 1, delta: 3 },
    { theta: 4, delta: 2 },
  ],
  bb4: [
    { theta: 0.7, delta: 0.5 },
    { theta: 2, delta: 3 },
  ],
  bb5: [
    { theta: 1.7, delta: 0.5 },
    { theta: 1, delta: 3 },
  ],
  bb6: [
    { theta: 1.7, delta: 1.5 },
    { theta: 1, delta: 4 },
    { theta: 5, delta: 1 },
  ],
  bb7: [
    { theta: 1.7, delta: 0.5 },
    { theta: 1, delta: 3 },
    { theta: 6, delta: 4 },
  ],
  bb8: [
    { theta: 3, delta: 0.6 },
    { theta: 2, delta: 1 },
    { theta: 1, delta: 0.5 },
    { theta: 8, delta: 0.9 },
  ],
  galambos: [{ theta: 0.1 }, { theta: 1.3 }, { theta: 12 }],
  'husler-reiss': [{ lambda: 0.2 }, { lambda: 1.4 }, { lambda: 10 }],
  tawn: [
    { psi1: 0.4, psi2: 0.8, theta: 2.2 },
    { psi1: 1, psi2: 1, theta: 3 },
    { psi1: 0.3, psi2: 0.6, theta: 1 },
  ],
  fgm: [{ theta: 0.8 }, { theta: -1 }],
  plackett: [{ theta: 4 }, { theta: 0.2 }, { theta: 300 }, { theta: 1 }],
};

const next = uniforms(3);
/** Levels of the middle and, of every second, next to an end. */
const level = () => {
  const u = next();
  const near = Math.max(1e-14, u ** 12);
  return next() < 0.5 ? u : next() < 0.5 ? near : 1 - near;
};
const rowsOf = (dim: number, rows = 200) =>
  Array.from({ length: rows }, () => Array.from({ length: dim }, level));

/** Errors of exported densities, each at rows of its own, that are above `bound`. */
async function failures(copulas: readonly Copula[], bound: number, make = rowsOf): Promise<object[]> {
  const cases = copulas.map((copula) => ({ copula, rows: make(copula.dim) }));
  const jobs = [];
  for (const { copula, rows } of cases) {
    const { file } = await toOnnx(copula);
    jobs.push({ model: file, inputs: { u: tensorOf(rows) } });
  }
  const found: object[] = [];
  for (const [i, outputs] of (await runOnnx(jobs)).entries()) {
    const { copula, rows } = cases[i]!;
    const expected = await copula.logPdf(rows);
    const got = outputs.log_pdf!.data;
    expect(outputs.log_pdf!.shape).toEqual([rows.length]);
    const { error, row } = worstOf(got, expected);
    if (error < bound) continue;
    const { kind, config } = copula.info();
    found.push({ kind, config, error, row: rows[row], got: got[row], expected: expected[row] });
  }
  return found;
}

test('every family of two columns, in every rotation', async () => {
  const copulas = familyKinds.flatMap((kind) =>
    (families[kind].rotates ? rotations : [0 as Rotation]).flatMap((rotation) =>
      parameters[kind].map((own) => new FamilyCopula(kind, own, { rotation })),
    ),
  );
  expect(await failures(copulas, 1e-7)).toEqual([]);
});

test('strong dependence, whose generators and slopes are below the smallest number', async () => {
  const strong: [FamilyKind, Record<string, number>][] = [
    ['joe', { theta: 70 }],
    ['joe', { theta: 1000 }],
    ['bb6', { theta: 60, delta: 2 }],
    ['bb7', { theta: 80, delta: 3 }],
    ['bb7', { theta: 80, delta: 0.01 }],
    ['galambos', { theta: 30 }],
    ['galambos', { theta: 300 }],
    ['bb4', { theta: 5, delta: 5 }],
    ['bb5', { theta: 2, delta: 20 }],
  ];
  const near = (dim: number) =>
    rowsOf(dim, 100).flatMap((row) => [row, row.map((u) => row[0]! + (u - row[0]!) / 100)]);
  const copulas = strong.flatMap(([kind, own]) =>
    rotations.map((rotation) => new FamilyCopula(kind, own, { rotation })),
  );
  const many = [0 as const, 180 as const].map(
    (rotation) => new FamilyCopula('joe', { theta: 70 }, { dim: 4, rotation }),
  );
  expect(await failures([...copulas, ...many], 1e-7, near)).toEqual([]);
});

test('exchangeable families of more columns', async () => {
  const copulas = familyKinds
    .filter((kind) => families[kind].manyColumns)
    .flatMap((kind) =>
      [3, 8].flatMap((dim) =>
        parameters[kind]
          .filter(({ theta }) => theta === undefined || theta > 0)
          .flatMap((own) =>
            (kind === 'independence' ? [0 as const] : [0 as const, 180 as const]).map(
              (rotation) => new FamilyCopula(kind, own, { dim, rotation }),
            ),
          ),
      ),
    );
  expect(await failures(copulas, 1e-7)).toEqual([]);
});

test('gaussian, student, empirical-beta and kernel copulas', async () => {
  const r = Float64Array.of(1, 0.6, -0.3, 0.6, 1, 0.2, -0.3, 0.2, 1);
  const copulas = [
    new GaussianCopula(r, 3),
    new GaussianCopula(Float64Array.of(1, -0.999, -0.999, 1), 2),
    ...[1, 4.5, 30, 1e5].map((degrees) => new StudentCopula(r, 3, degrees)),
    await fitCopula(
      Array.from({ length: 120 }, () => [next(), next(), next()]),
      { kind: 'empirical-beta' },
    ),
    new EmpiricalBetaCopula(Float64Array.of(1, 2, 2, 1, 3, 3), 2),
    ...(await Promise.all(
      [30, 2000].map(async (rows) =>
        fitCopula(await new FamilyCopula('clayton', { theta: 3 }).sample(rows, { seed: 2 }), {
          kind: 'kernel',
        }),
      ),
    )),
  ];
  expect(await failures(copulas, 1e-7)).toEqual([]);
});

test('elliptical copulas far out, where squares of quantiles overflow', async () => {
  const least = () => [1e-30, 1e-200, 1e-280][Math.floor(3 * next())]! * (1 + next());
  const rows = (dim: number) =>
    Array.from({ length: 100 }, () => Array.from({ length: dim }, () => (next() < 0.7 ? least() : next())));
  const r = Float64Array.of(1, 0.6, 0.6, 1);
  const copulas = [
    new GaussianCopula(r, 2),
    ...[1, 1.5, 4.5, 30].map((degrees) => new StudentCopula(r, 2, degrees)),
  ];
  expect(await failures(copulas, 1e-7, rows)).toEqual([]);
});

test('kinds that have no such formula say why', async () => {
  await expect(toOnnx(ClosedFormCopula.fgm({ dim: 2, theta: 1 }))).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: expect.stringMatching(/^the density of a closed-form copula cannot be exported to ONNX: /),
  });
  const gaussian = new GaussianCopula(Float64Array.of(1, 0.5, 0.5, 1), 2);
  await expect(toOnnx(gaussian, { what: 'network' })).rejects.toMatchObject({
    code: 'ERR_SKLAR_VALUE',
    message: 'the network of a gaussian copula cannot be exported to ONNX: it has none',
  });
  await expect(toOnnx('model' as never)).rejects.toMatchObject({ code: 'ERR_SKLAR_VALUE' });
});
