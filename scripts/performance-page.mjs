// Writes docs/performance.md from bench/results/*.json: node scripts/performance-page.mjs
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { gpuSection } from './gpu-suite/page.mjs';
import { root, runMain } from './tools.mjs';

const read = (name) => {
  const file = path.join(root, 'bench', 'results', `${name}.json`);
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
};

const provenance = ({ command, date, commit, modified, machine, versions }) =>
  `\`${command}\`, ${date.slice(0, 10)}, commit ${commit.slice(0, 10)}${modified ? ' with changes' : ''}; ${machine.cpu}, ` +
  `${machine.cores} cores, ${machine.instructionSet} kernels, Node ${versions.node}`;

const table = (head, rows) =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n');

function training(record) {
  const { peer, results } = record;
  return `## One training step of a CDC

Guided, d = 10, batch 1024, 10 levels; milliseconds a step, medians of paired rounds in the same run. \`autograd\` is the model as
a PyTorch user writes it; \`four-pass\` is our tape-free algorithm written in torch operations, the strongest PyTorch we could
make. Ratios are medians over the rounds of theirs / ours.

${table(
  ['shape', 'inner activation', 'sklar', 'PyTorch autograd', 'ratio', 'PyTorch four-pass', 'ratio'],
  results.map(({ hidden, depth, activation, milliseconds: ms, ratio }) => [
    `${hidden} x ${depth}`,
    activation,
    ms.ours.toFixed(2),
    ms.autograd.toFixed(1),
    `**${ratio.autograd.toFixed(1)}**`,
    ms.fourPass.toFixed(1),
    `**${ratio.fourPass.toFixed(1)}**`,
  ]),
)}

${provenance(record)}. PyTorch ${peer.torch}, OpenBLAS core type ${peer.openblasCore}, ${peer.threads} threads. Neighbours share the
machine: trust the ratios more than the times.
`;
}

function quality(record) {
  const score = ({ holdout: h }) =>
    h.normalised
      ? [`**${h.meanLogPdf.toFixed(3)}** +- ${h.standardError.toFixed(3)}`, '0 (flow)']
      : [
          `**${h.normalisedMeanLogPdf.toFixed(3)}** +- ${h.standardError.toFixed(3)}`,
          `${h.logNormaliser.toFixed(3)} +- ${h.logNormaliserStandardError.toFixed(3)}`,
        ];
  return `## Held-out log-likelihood and samples

Default options. Mean log copula density of held-out rows (20 %), nats a row, **normalised**: for a CDC the mean of its values
minus the estimate of log Z (\`CdcCopula.normaliser\`), for the others by the instantaneous change of variables. Beside it a
Gaussian copula fitted to the same training rows. Samples of 20,000 rows by the default solvers without and with noise:
evaluations of the network for a row, seconds, largest Kolmogorov-Smirnov distance of a column to uniform, range of the columns'
variances on the Gaussian scale (target 1), energy distance of 2,000 rows to as many held-out ones on the Gaussian scale, beside
that of as many training rows (the floor).

${table(
  [
    'data',
    'kind',
    'normalised mean',
    'log Z',
    'Gaussian',
    'best / run steps',
    'fit, s',
    'sampler',
    'evaluations',
    'seconds',
    'largest KS',
    'variances',
    'energy distance',
    'floor',
  ],
  record.results.flatMap((result) =>
    result.samples.map(({ noise, evaluations, seconds, largestKs, variances, energy }, i) => [
      ...(i === 0
        ? [
            `${result.data}, d = ${result.dim}`,
            result.kind,
            ...score(result),
            result.holdout.gaussianMeanLogPdf.toFixed(3),
            `${result.bestStep} / ${result.steps}`,
            result.seconds.toFixed(0),
          ]
        : ['', '', '', '', '', '', '']),
      noise ? 'SDE' : 'ODE',
      evaluations.toFixed(0),
      seconds.toFixed(1),
      largestKs.toFixed(4),
      `${variances[0].toFixed(3)} to ${variances[1].toFixed(3)}`,
      energy.toFixed(4),
      result.energyFloor.toFixed(4),
    ]),
  ),
)}

${provenance(record)}. The data are not part of the repository: \`SKLAR_DATA\` names a folder with \`magic04.csv\` (MAGIC gamma
telescope) and \`dry_bean.csv\` (Dry Bean), both from the UCI Machine Learning Repository (CC BY 4.0), with a header line.
Dry Bean is nearly singular, several columns being functions of others: every density is huge there, and only differences on
the same rows mean something.
${record.note ? `\n${record.note}\n` : ''}`;
}

function margins(record) {
  const { peer, results, shared } = record;
  const { rows, columns, threads, rounds, types, stages, totalSeconds, peakBytes } = results;
  const what = {
    read: 'read from Parquet (`readTable`)',
    fit: '`Margins.fit`, `auto`',
    transform: '`margins.transform`',
    inverse: '`margins.inverse`',
    ranks: '`PseudoObservations.fit`',
  };
  const theirs = {
    sort: '`np.sort`',
    rank: '`scipy.stats.rankdata`',
    interpolate: '`np.interp` of 65,536 knots',
    invert: '`np.interp` the other way',
  };
  const gibibytes = (bytes) => `${(bytes / 2 ** 30).toFixed(2)} GiB`;
  return `## Margins of a wide table

${rows.toLocaleString('en-US')} rows x ${columns} columns (normal, lognormal, counts, zero-inflated and Cauchy in turn; \`auto\` makes
${Object.entries(types)
  .map(([type, count]) => `${count} \`${type}\``)
  .join(
    ', ',
  )} of them), ${threads} threads; seconds, medians of ${rounds} paired rounds in the same run. Beside each stage what numpy
and scipy have that is nearest to it, on one thread, column by column: \`np.sort\` is a part of what \`Margins.fit\` does, \`np.interp\` does
nothing about tails, ties and atoms. Processor seconds are summed over threads. The event loop is held by copies and checks on the
main thread; what the system lets wait counts as held, too.

${table(
  [
    'stage',
    'seconds',
    'of processors',
    'event loop held, ms',
    'peer',
    'seconds',
    'of processors',
    'ratio of seconds',
  ],
  Object.entries(stages).map(([stage, { stalledSeconds, peer: name, ratio, ...times }]) => [
    what[stage],
    times.seconds.toFixed(2),
    times.processorSeconds.toFixed(2),
    (1000 * stalledSeconds).toFixed(0),
    ...(name
      ? [
          theirs[name],
          times.peerSeconds.toFixed(2),
          times.peerProcessorSeconds.toFixed(2),
          `**${ratio.toFixed(1)}**`,
        ]
      : ['', '', '', '']),
  ]),
)}

Read, fitted and transformed in **${totalSeconds.toFixed(1)} s**; peak resident memory of all stages **${gibibytes(peakBytes)}** (peer, without
reading: ${gibibytes(peer.peakBytes)}).

${provenance(record)}. numpy ${peer.numpy}, scipy ${peer.scipy}.${
    shared
      ? ' Others used the machine meanwhile, which lengthens the seconds of the clock: trust processor seconds and ratios more.'
      : ''
  }
`;
}

await runMain(() => {
  const parts = [];
  for (const [name, render] of [
    ['cdc-train', training],
    ['quality', quality],
    ['margins', margins],
  ]) {
    const record = read(name);
    if (record) parts.push(render(record));
  }
  const page = `# Performance

Made by \`node scripts/performance-page.mjs\` from \`bench/results/*.json\`; every figure names the command that made it.

${parts.join('\n')}
## Vector widths

The AVX-512 kernels are the same source as the AVX2 ones at another vector width; that geometry is tested with narrower registers
(\`test/native/kernels_test.cpp\`). On an emulated processor with AVX-512 (Bochs, model \`corei7_skylake_x\`) that test passes with
the kernels themselves. The figures above say which instruction set they were measured with; none is AVX-512 yet.

${gpuSection(read)}`;
  writeFileSync(path.join(root, 'docs', 'performance.md'), page);
  console.log('wrote docs/performance.md');
});
