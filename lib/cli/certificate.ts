/** What `sklar score --certificate` computes and prints. */
import type { Certificate, MarginUniformity } from '../copulas/certificate';
import type { Copula, RowsInput, RunOptions } from '../copulas/copula';
import { describe } from '../errors';
import type { Io } from './context';
import { formatLogNormaliser } from './normaliser';
import { startProgress } from './progress';
import { formatMean } from './statistics';

export async function certify(
  copula: Copula,
  rows: RowsInput,
  io: Io,
  run: RunOptions,
  verbose: boolean | undefined,
): Promise<Certificate> {
  const bar = startProgress(io, 'certificate', 1, verbose);
  try {
    return await copula.certificate(rows, {
      ...run,
      onProgress: ({ stage, fraction }) => bar.update(fraction, stage),
    });
  } finally {
    bar.stop();
  }
}

const answer = (yes: boolean) => (yes ? 'yes' : 'no');

function normaliserLine({ logNormaliser, logNormaliserStandardError, normalisedBy }: Certificate): string {
  switch (normalisedBy) {
    case 'normaliser':
      return `${formatLogNormaliser({ logZ: logNormaliser!, standardError: logNormaliserStandardError! })}, subtracted`;
    case 'exact':
      return 'log Z 0: the density is a formula';
    case 'flow':
      return "log Z 0: the density is a flow's";
    case null:
      return 'no density: the network only samples';
  }
}

function marginLine(what: string, { worst, within }: MarginUniformity, certificate: Certificate): string {
  const { criticalValue, level } = certificate.margins;
  return (
    `${what} ${describe(worst.column)}: distance from uniform ${worst.distance.toFixed(4)}, within ` +
    `${criticalValue.toFixed(4)} (level ${level}): ${answer(within)}; variance ${worst.variance.toFixed(4)} of 1`
  );
}

/** The same for people. */
export function certificateLines(certificate: Certificate): string[] {
  const { routes, verdict, margins } = certificate;
  const cells = [
    ['route', 'mean log density', routes.length > 1 ? `minus ${routes[0]!.method}` : '', 'nfe', 'seconds'],
    ...routes.map((route) => [
      route.method,
      formatMean(route),
      route.difference ? formatMean(route.difference) : '',
      String(Math.round(route.nfe)),
      route.seconds.toFixed(2),
    ]),
  ];
  const widths = cells[0]!.map((_, k) => Math.max(...cells.map((line) => line[k]!.length)));
  const agree = verdict.routesAgree;
  return [
    `certificate of a ${certificate.kind} copula of ${certificate.dim} columns, nats, ` +
      `${certificate.routeRows} of ${certificate.rows} rows`,
    `  ${normaliserLine(certificate)}`,
    ...cells.map((line) =>
      `  ${line
        .map((text, k) => (k === 0 ? text.padEnd(widths[k]!) : text.padStart(widths[k]!)))
        .join('  ')}`.trimEnd(),
    ),
    ...(agree
      ? [
          `  largest difference ${agree.largestDifference.toFixed(4)} (${agree.method}); all within max(3 standard ` +
            `errors, ${agree.tolerance}): ${answer(agree.within)}`,
        ]
      : []),
    `  margins of ${margins.rows} sampled rows`,
    `  ${marginLine('worst column', margins.uniform, certificate)}`,
    `  ${marginLine('worst column of the raw sample', margins.raw, certificate)}`,
  ];
}
