/** What `sklar score --certificate` computes and prints. */
import type { Command } from 'commander';

import type { Certificate, CertificateOptions, MarginUniformity } from '../copulas/certificate';
import type { Copula, RowsInput, RunOptions } from '../copulas/copula';
import { SklarError, describe } from '../errors';
import type { Io } from './context';
import { formatLogNormaliser } from './normaliser';
import { startProgress } from './progress';
import { formatMean } from './statistics';
import { integer, number, seed } from './values';

/** What can be said about a certificate on the command line. */
export type CertificateFlags = Pick<CertificateOptions, 'routeRows' | 'sampleRows' | 'tolerance' | 'seed'> & {
  certificate?: boolean;
};

const flagNames = {
  routeRows: '--route-rows',
  sampleRows: '--sample-rows',
  tolerance: '--tolerance',
  seed: '--seed',
} as const;

export function defineCertificate(command: Command): void {
  command
    .option(
      '--certificate',
      'compare the routes to the log density on these rows, and check log Z and margins',
    )
    .option(
      `${flagNames.routeRows} <n>`,
      'of the certificate: compare the routes on at most so many rows (default: 1000)',
      integer(flagNames.routeRows, { min: 2, max: 2 ** 24 }),
    )
    .option(
      `${flagNames.sampleRows} <n>`,
      'of the certificate: rows of each of its two samples (default: 20000)',
      integer(flagNames.sampleRows, { min: 100, max: 2 ** 31 }),
    )
    .option(
      `${flagNames.tolerance} <nats>`,
      'of the certificate: routes agree within so much, or three standard errors (default: 0.01)',
      number(flagNames.tolerance, { min: 0 }),
    )
    .option(`${flagNames.seed} <n>`, 'of the samples of the certificate (default: 1)', seed(flagNames.seed));
}

/**
 * The options that were given.
 *
 * @throws SklarError ERR_SKLAR_VALUE for one without a certificate
 */
export function certificateOptions(flags: CertificateFlags): CertificateOptions {
  const keys = Object.keys(flagNames) as (keyof typeof flagNames)[];
  const given = keys.filter((key) => flags[key] !== undefined);
  if (given[0] && !flags.certificate) {
    throw new SklarError('ERR_SKLAR_VALUE', `${flagNames[given[0]]} needs --certificate`);
  }
  return Object.fromEntries(given.map((key) => [key, flags[key]]));
}

export async function certify(
  copula: Copula,
  rows: RowsInput,
  options: CertificateOptions,
  io: Io,
  run: RunOptions,
  verbose: boolean | undefined,
): Promise<Certificate> {
  const bar = startProgress(io, 'certificate', 1, verbose);
  try {
    return await copula.certificate(rows, {
      ...options,
      ...run,
      onProgress: ({ stage, fraction }) => bar.update(fraction, stage),
    });
  } finally {
    bar.stop();
  }
}

const answer = (yes: boolean) => (yes ? 'yes' : 'no');

function normaliserLine(certificate: Certificate): string {
  const { logNormaliser, logNormaliserStandardError, normalisedBy, verdict } = certificate;
  if (verdict.failed.includes('normaliser')) return 'log Z could not be estimated';
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

function marginLine(
  what: string,
  { worst, within, failure }: MarginUniformity,
  certificate: Certificate,
): string {
  if (failure !== null) return `${what}: failed: ${failure}`;
  const { criticalValue, level } = certificate.margins;
  return (
    `${what} ${describe(worst.column)}: distance from uniform ${worst.distance.toFixed(4)}, within ` +
    `${criticalValue.toFixed(4)} (level ${level}): ${answer(within)}; variance ${worst.variance.toFixed(4)} of 1`
  );
}

/** The same for people. */
export function certificateLines(certificate: Certificate): string[] {
  const { routes, verdict, margins } = certificate;
  const first = routes.find(({ failure }) => failure === null);
  const compares = routes.some(({ difference }) => difference !== null);
  const cells = [
    ['route', 'mean log density', compares ? `minus ${first!.method}` : '', 'nfe', 'seconds'],
    ...routes.map((route) =>
      route.failure === null
        ? [
            route.method,
            formatMean(route),
            route.difference ? formatMean(route.difference) : '',
            String(Math.round(route.nfe)),
            route.seconds.toFixed(2),
          ]
        : [route.method, `failed: ${route.failure}`],
    ),
  ];
  const table = cells.filter((line) => line.length > 2);
  const widths = cells[0]!.map((_, k) =>
    Math.max(...(k === 0 ? cells : table).map((line) => line[k]!.length)),
  );
  const agree = verdict.routesAgree;
  return [
    `certificate of a ${certificate.kind} copula of ${certificate.dim} columns, nats, ` +
      `${certificate.routeRows} of ${certificate.rows} rows`,
    `  ${normaliserLine(certificate)}`,
    ...cells.map((line) =>
      `  ${line
        .map((text, k) =>
          k === 0 || line.length === 2 ? text.padEnd(widths[k]!) : text.padStart(widths[k]!),
        )
        .join('  ')}`.trimEnd(),
    ),
    ...(agree
      ? [
          `  ${agree.largestDifference === null ? 'nothing to compare' : `largest difference ${agree.largestDifference.toFixed(4)} (${agree.method})`}; ` +
            `all within max(3 standard errors, ${agree.tolerance}): ${answer(agree.within)}`,
        ]
      : []),
    `  margins of ${margins.rows} sampled rows`,
    `  ${marginLine('worst column', margins.uniform, certificate)}`,
    `  ${marginLine('worst column of the raw sample', margins.raw, certificate)}`,
    ...(verdict.failed.length > 0 ? [`  failed: ${verdict.failed.join(', ')}`] : []),
  ];
}
