// Writes docs/solvers.md and docs/figures/solvers-*.svg from bench/results/solvers.json: node scripts/solvers-page.mjs
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { figures } from './solver-study/figures.mjs';
import { budgets, lookUp } from './solver-study/look-up.mjs';
import { ScriptError, root, runMain } from './tools.mjs';

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function number(x) {
  const size = Math.abs(x);
  if (size === 0 || (size >= 100 && size < 1000)) return x.toFixed(0);
  if (size >= 0.01 && size < 100) return x.toPrecision(2);
  return x.toExponential(1).replace('e+', 'e');
}

/** For each budget the entry with the most evaluations within it and above the budget before. */
const entriesOf = (evaluations) =>
  budgets.map((budget) => evaluations.findIndex((count) => count <= budget && count > budget / 2));

/** Cells of a solver, one a budget; where the evaluations are fewer than the budget they stand in brackets. */
const cells = ({ evaluations }, render) =>
  entriesOf(evaluations).map((k, j) => {
    if (k < 0) return '';
    return render(k) + (evaluations[k] === budgets[j] ? '' : ` (${evaluations[k]})`);
  });

const heads = budgets.map(String);

const fixed = ({ noisy, adaptive }) => !noisy && !adaptive;

function mapTable({ solvers }) {
  return table(
    ['solver', ...heads],
    solvers.filter(fixed).map((own) => [own.label, ...cells(own, (k) => number(own.rmse[k]))]),
  );
}

function klTable({ solvers, published }) {
  const exact = solvers.filter(fixed).map((own) => [own.label, ...cells(own, (k) => number(own.kl[k]))]);
  const noisy = solvers
    .filter((own) => own.noisy)
    .map((own) => [
      own.label,
      ...cells(own, (k) => `${number(own.kl[k])} ± ${number(own.standardError[k])}`),
    ]);
  const row = (label, key) => [
    label,
    ...budgets.map((budget) => number(published[key][published.evaluations.indexOf(budget)])),
  ];
  return table(
    ['solver', ...heads],
    [...exact, ...noisy, row('published, noisy', 'noisy'), row('published, mean only', 'meanOnly')],
  );
}

function meanTable({ solvers }, index, labels) {
  return table(
    ['solver', ...heads],
    solvers
      .filter((own) => own.noisy || labels.includes(own.label))
      .map((own) => {
        const { error, standardError } = own.moments[index];
        return [own.label, ...cells(own, (k) => `${number(error[k])} ± ${number(standardError[k])}`)];
      }),
  );
}

function adaptiveTable(results) {
  const tolerances = results[0].solvers.find((own) => own.adaptive).rtol;
  return table(
    ['copula', 'solver, clock', ...tolerances.map((rtol) => rtol.toExponential())],
    results.flatMap(({ title, solvers }) =>
      solvers
        .filter((own) => own.adaptive)
        .map(({ label, rmse, evaluations, mostEvaluations }, i) => [
          i === 0 ? title : '',
          label,
          ...rmse.map((x, k) => `${number(x)} (${Math.round(evaluations[k])}, ${mostEvaluations[k]})`),
        ]),
    ),
  );
}

function page(record) {
  const { target, at } = lookUp(record);
  const ou = record.results.filter(({ process }) => process === 'ou');
  const headline = ou.map(({ name, title }) => {
    const ab2 = at(name, 'ab2, w', 16);
    const ddim = at(name, 'ddim', 128);
    if (!(ab2 < ddim)) throw new ScriptError(`ab2 at 16 evaluations does not beat ddim at 128 on ${name}`);
    return [title, number(ab2), number(at(name, 'ddim', 16)), number(ddim), (ddim / ab2).toFixed(1)];
  });
  const { command, date, commit, modified, machine, versions, rows, draws, gaussianDraws } = record;
  const published = (name, steps) => {
    const { evaluations, noisy } = target(name).published;
    return noisy[evaluations.indexOf(steps)].toPrecision(3);
  };
  const own = ['ab2, w', 'ddim', 'dpmpp-2m'];
  const functions = (name) => target(name).functions.map(({ formula }) => `\`${formula}\``);
  const means = (name, labels) =>
    functions(name)
      .map((formula, index) => {
        const { exact } = target(name).functions[index];
        return `Error of E ${formula} (exact: ${Number(exact.toPrecision(5))}):\n\n${meanTable(target(name), index, labels)}`;
      })
      .join('\n\n');
  return `# Which solver, how many steps

Made by \`node scripts/solvers-page.mjs\` from \`bench/results/solvers.json\`, the record of \`npm run bench -- solvers\`. Accuracy
alone is compared, on copulas whose fields are exact: a learned field adds its own error, which no solver takes away.

**\`ab2\`, the default, is nearer to the exact map with 16 evaluations of the field than \`ddim\` with 128**, on every copula of
the Ornstein-Uhlenbeck process here. Root mean square error of the map from noise to sample, Gaussian scale:

${table(['copula', '`ab2`, 16', '`ddim`, 16', '`ddim`, 128', '`ddim`, 128 / `ab2`, 16'], headline)}

\`npx jest test/copulas/solver-study.test.ts\` holds this, on fewer rows.

## What to take from it

${advice(record)}

## How it was measured

- Deterministic solvers: ${rows.toLocaleString('en-US')} independent starts, the same for all, are carried to data. The error is the root mean
  square, over rows and columns, of the difference from where \`tsit5\` with tolerances of 1e-10 takes the same starts, on the
  Gaussian scale (copula scale for the reflection process). \`dopri5\` with the same tolerances agrees with it to
  ${Math.max(...record.results.map(({ referenceError }) => referenceError)).toExponential(0)} or better. Fields are evaluated in float64.
- Gaussian copulas: every solver on a fixed grid is linear there. Its matrix comes exactly from the images of unit vectors. For
  a stochastic solver the covariance of its noise is added, estimated from ${gaussianDraws.toLocaleString('en-US')} rows that start at 0, pooled over the columns (both
  matrices are functions of the correlation matrix, so each is two numbers). KL(true || sampled) then follows in closed form;
  ± is the standard error from those rows, and the bias of second order is taken off, which can leave a value below 0.
- Stochastic solvers elsewhere: means of two test functions over ${draws.toLocaleString('en-US')} draws, less their exact values, ± standard error.
  The first function is about dependence, the second about margins. The deterministic solvers beside them were compared with
  the reference row by row, so their standard errors are far smaller. All draws are of one seed: neighbouring figures share
  some of their noise.
- Columns are budgets of evaluations. A method takes as many whole steps as fit; where that is less than the budget, the
  evaluations stand in brackets. The evaluation that leaves pure noise counts, for stochastic solvers too. Grids are uniform in
  the clock named, or the default of the solver (\`ddim\` theta, \`dpmpp-2m\` log(alpha / sigma), exponential-em w, \`sra1\`,
  \`shark\` and \`euler-maruyama\` time). The grid of the DPM-Solvers starts where sigma / alpha = 20, not at pure noise, which
  leaves an error that no number of steps takes away. In the figures, KL below two standard errors is left out.

## The map from noise to sample

![Error of the map against evaluations, mixture and FGM](figures/solvers-map.svg)

${target('mixture').title}:

${mapTable(target('mixture'))}

${target('fgm').title}; pairwise independent, a kink of the field in w at pure noise:

${mapTable(target('fgm'))}

Steps chosen for each row: error of the map (mean evaluations, most of a row) by \`rtol\` = \`atol\`:

${adaptiveTable(record.results)}

## Gaussian copulas

![KL divergence against evaluations, two Gaussian copulas](figures/solvers-gaussian.svg)

KL(true || sampled) in nats, ${target('gaussian-2').title}:

${klTable(target('gaussian-2'))}

${target('gaussian-10').title}:

${klTable(target('gaussian-10'))}

\`published\` is the sampler of the published code of the CDC with the exact field, on its own grid of one level more than
evaluations up to t = 3, by its recursion of variances (mathematics.md, A.8), without its clipping at 6. A classifier has no
field at its reference level, so its first step is noise alone. At its ten levels, nine evaluations, the noisy mode has
${published('gaussian-2', 9)} and ${published('gaussian-10', 9)} nats (0.083 and 0.144 in mathematics.md, with the exact field at the reference level too). The mode
without noise contracts towards a point, the more the finer the grid.

## Stochastic solvers

![Error of the mean of a test function against evaluations, mixture and FGM](figures/solvers-noise.svg)

${target('mixture').title}. ${means('mixture', own)}

${target('fgm').title}. ${means('fgm', own)}

## The reflection process

![Errors on the reflection process against evaluations](figures/solvers-reflection.svg)

${target('cosine').title}; from T = 1.5, grids \`quadratic\` (the default, dense near data) and uniform in time. Error of the map on the
copula scale:

${mapTable(target('cosine'))}

${means('cosine', ['heun, quadratic', 'ab2, quadratic'])}

---

\`${command}\`, ${date.slice(0, 10)}, commit ${commit.slice(0, 10)}${modified ? ' with changes' : ''}; ${machine.cpu}, ${machine.cores} cores, ${machine.instructionSet} kernels, Node ${versions.node}.
`;
}

/** A claim of the page that the record must bear out. */
function claim(holds, what) {
  if (!holds)
    throw new ScriptError(`the record no longer shows that ${what}: rewrite the advice of docs/solvers.md`);
}

function advice(record) {
  const { target, solver, at } = lookUp(record);
  const both = (label, evaluations, key, names) =>
    names.map((name) => number(at(name, label, evaluations, key))).join(' and ');
  const maps = ['mixture', 'fgm'];
  const gaussians = ['gaussian-2', 'gaussian-10'];
  const all = [...gaussians, ...maps];
  const better = (one, count, other, otherCount, names, key = 'rmse') =>
    names.every((name) => at(name, one, count, key) < at(name, other, otherCount, key));

  claim(better('dopri5, theta', 12, 'ab2, w', 16, all), 'two steps of dopri5 beat ab2 with 16 evaluations');
  claim(
    maps.every((name) =>
      target(name)
        .solvers.filter(fixed)
        .every(
          (own) => !own.evaluations.includes(4) || at(name, 'euler, theta', 4) <= at(name, own.label, 4),
        ),
    ),
    'euler in theta is best with 4 evaluations',
  );
  claim(better('ab2, w', 16, 'ab2, theta', 16, [...gaussians, 'fgm']), 'clock w suits ab2 best');
  const first = all.map((name) => Math.min(...solver(name, 'tsit5, theta', true).evaluations));
  const stuck = solver('fgm', 'tsit5, w', true).rmse.at(-1);
  const free = solver('fgm', 'tsit5, theta', true).rmse.at(-1);
  claim(stuck > 20 * free, 'the clock w stalls adaptive steps on fgm');
  const sde = 'exponential-em';
  claim(better(sde, 16, `${sde}-one-step`, 16, gaussians, 'kl'), 'two-step exponential EM is better');
  claim(
    better(sde, 16, 'euler-maruyama', 128, gaussians, 'kl'),
    'exponential EM at 16 beats euler-maruyama at 128',
  );
  claim(
    ['sra1', 'shark'].every((label) => gaussians.every((name) => at(name, label, 7, 'kl') > 1)),
    'sra1 and shark fail with few steps',
  );
  const noisy = target('mixture').solvers.filter((own) => own.noisy);
  claim(
    noisy.every((own) =>
      gaussians.every((name) => {
        const k = entriesOf(own.evaluations)[2];
        return at(name, 'ab2, w', 16, 'kl') < solver(name, own.label).kl[k];
      }),
    ),
    'no stochastic solver is as near as ab2 with 16 evaluations',
  );
  claim(
    ['sra1', 'shark'].every((label) =>
      gaussians.every((name) => at(name, sde, 128, 'kl') < at(name, label, 127, 'kl')),
    ),
    'exponential EM is better than sra1 and shark in law',
  );
  claim(
    noisy.every((own) =>
      gaussians.every((name) => {
        const k = entriesOf(own.evaluations)[1];
        return at(name, 'dpmpp-2m-sde', 8, 'kl') <= solver(name, own.label).kl[k];
      }),
    ),
    'dpmpp-2m-sde is the best stochastic solver with 8 evaluations',
  );
  const published = gaussians.map((name) => {
    const { evaluations, noisy } = target(name).published;
    return noisy[evaluations.indexOf(128)];
  });
  claim(
    gaussians.every((name, i) => at(name, 'ab2, w', 16, 'kl') < published[i]),
    'ab2 at 16 beats the published sampler at 128',
  );
  claim(
    at('cosine', 'heun, quadratic', 16) < at('cosine', 'heun, uniform', 64),
    'the quadratic grid is worth four uniform ones',
  );
  return `- **\`ab2\` in w** needs one evaluation a step and no levels but those of the model. With 16 evaluations its Gaussian copulas are
  ${both('ab2, w', 16, 'kl', gaussians)} nats from the true ones (d = 2 and 10), where the published noisy sampler is with 128 at
  ${published.map(number).join(' and ')}. At 16 the clock theta is close on the mixture and worse elsewhere.
- **Where the field is as smooth as here, high order wins early**: two steps of \`dopri5\` in theta (12 evaluations) are nearer than
  \`ab2\` with 16 on each of these copulas, ${both('dopri5, theta', 12, 'rmse', maps)} against ${both('ab2, w', 16, 'rmse', maps)} on the mixture and the
  FGM; with 30 they have ${both('dopri5, theta', 30, 'rmse', maps)}. The field of a cdc is interpolated linearly between its levels and
  has no such derivatives; that of a flow copula has.
- With 4 evaluations \`euler\` in theta is nearest on the mixture and the FGM: ${both('euler, theta', 4, 'rmse', maps)}.
- **Adaptive steps** cost at least ${Math.floor(Math.min(...first))} evaluations at any tolerance: the first trial step is a twentieth of the way. Set \`rtol\`
  1e-4 or smaller, or take a fixed grid. Keep their clock theta: on the FGM the field has a kink in w at pure noise that no
  error estimate sees, and the error stays at ${number(stuck)} where theta reaches ${number(free)}.
- **Stochastic**: \`exponential-em\`, the default of that kind, has ${both(sde, 16, 'kl', gaussians)} nats at 16 evaluations, its one-step form
  ${both(`${sde}-one-step`, 16, 'kl', gaussians)}, \`euler-maruyama\` at 128 still ${both('euler-maruyama', 128, 'kl', gaussians)}. With an exact field noise buys
  nothing: no stochastic solver here is as near at 16 evaluations as \`ab2\`. With 8, \`dpmpp-2m-sde\` is nearest of
  them: ${both('dpmpp-2m-sde', 8, 'kl', gaussians)}.
  \`sra1\` and \`shark\` (strong order 3/2, explicit) are for paths, and need steps short against the smallest eigenvalue of
  the correlations: with 7 evaluations they are ${['sra1', 'shark'].map((label) => both(label, 7, 'kl', gaussians)).join(', and ')} nats off.
- \`ddim\` and \`dpmpp-2m\` do not keep independent columns as they are, so few steps cost variance (second test function below).
- **Reflection process**: the quadratic grid, the default, is worth four times the evaluations of the uniform one to \`heun\`:
  ${number(at('cosine', 'heun, quadratic', 16))} at 16 against ${number(at('cosine', 'heun, uniform', 64))} at 64.
- **A learned field** has steep and smooth places of its own: \`grid: 'data'\` moves the nodes of the ODE solvers to them
  ([performance.md](performance.md#grids-by-data)).`;
}

await runMain(async () => {
  const record = JSON.parse(readFileSync(path.join(root, 'bench', 'results', 'solvers.json'), 'utf8'));
  const folder = path.join(root, 'docs', 'figures');
  mkdirSync(folder, { recursive: true });
  await figures(record, folder);
  writeFileSync(path.join(root, 'docs', 'solvers.md'), page(record));
  console.log('wrote docs/solvers.md and docs/figures/solvers-*.svg');
});
