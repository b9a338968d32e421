// What the package computes for scripts/precision/compare.py: a line of JSON for every line of JSON.
import path from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';
import { root } from '../tools.mjs';

const built = (file) => import(pathToFileURL(path.join(root, 'dist', file)));
const { FamilyCopula, GaussianCopula, StudentCopula, parameterOfTau } = await built('index.mjs');
const { default: inner } = await built('copulas/classical/families.js');
const { families } = inner;

const elliptical = {
  gaussian: [{ name: 'rho', box: [-0.9999, 0.9999], scale: 'linear' }],
  student: [
    { name: 'rho', box: [-0.9999, 0.9999], scale: 'linear' },
    { name: 'degrees', box: [1, 300], scale: { log: 0 } },
  ],
};

function rules() {
  const own = Object.entries(families).map(([kind, { parameters, rotates }]) => [
    kind,
    { parameters, rotates },
  ]);
  const others = Object.entries(elliptical).map(([kind, parameters]) => [
    kind,
    { parameters, rotates: false },
  ]);
  return Object.fromEntries([...own, ...others]);
}

function copulaOf(kind, parameters, rotation) {
  const correlation = Float64Array.of(1, parameters[0], parameters[0], 1);
  if (kind === 'gaussian') return new GaussianCopula(correlation, 2);
  if (kind === 'student') return new StudentCopula(correlation, 2, parameters[1]);
  const named = families[kind].parameters.map(({ name }, i) => [name, parameters[i]]);
  return new FamilyCopula(kind, Object.fromEntries(named), { rotation });
}

/** JSON has no infinities and no NaN. */
const plain = (values) => Array.from(values, (value) => (Number.isFinite(value) ? value : String(value)));

async function answer(question) {
  if (question.rules) return rules();
  const { kind, parameters, rotation, points, scale } = question;
  const copula = copulaOf(kind, parameters, rotation);
  const tau = copula.tau();
  const out = { tau };
  for (const name of ['logPdf', 'hfunc1', 'hfunc2', 'hinv1', 'hinv2']) {
    out[name] = plain(await copula[name](points, { scale }));
  }
  if (scale === 'copula') out.cdf = plain(await copula.cdf(points));
  if (parameters.length === 1 && kind !== 'gaussian') {
    const own = rotation === 90 || rotation === 270 ? -tau : tau;
    out.parameter = parameterOfTau(kind, own);
  }
  return out;
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
