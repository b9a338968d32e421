/** What `sklar score --certificate` computes and prints, and its options, which `sklar report` has too. */
import type { Command } from 'commander';

import type { Certificate, CertificateOptions } from '../../copulas/judgement/certificate';
import type { Copula } from '../../copulas/copula';
import type { RowsInput } from '../../copulas/inputs/rows';
import type { RunOptions } from '../../copulas/inputs/run';
import { SklarError } from '../../errors';
import { certificateWords } from '../../report/certificate-table';
import { textLines } from '../../report/charts/text';
import type { Io } from '../terminal/context';
import { startProgress } from '../terminal/progress';
import { integer, number, seed } from '../terminal/values';

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

/** Adds --certificate and what says how it is made. */
export function defineCertificate(command: Command): void {
  command.option(
    '--certificate',
    'compare the routes to the log density on these rows, and check log Z and margins',
  );
  defineCertificateSizes(command).option(
    `${flagNames.seed} <n>`,
    'of the samples of the certificate (default: 1)',
    seed(flagNames.seed),
  );
}

/** Adds --route-rows, --sample-rows and --tolerance. */
export function defineCertificateSizes(command: Command): Command {
  return command
    .option(
      `${flagNames.routeRows} <n>`,
      'of the certificate: compare the routes on at most so many rows (default: 1000, beyond 100 columns fewer)',
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
    );
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
    return await copula.certify(rows, {
      ...options,
      ...run,
      onProgress: ({ stage, fraction }) => bar.update(fraction, stage),
    });
  } finally {
    bar.stop();
  }
}

/** The same for people. */
export function certificateLines(certificate: Certificate): string[] {
  const words = certificateWords(certificate);
  return [
    words.title,
    `  ${words.normaliser}`,
    ...textLines(words.routes),
    ...(words.agreement === null ? [] : [`  ${words.agreement}`]),
    `  ${words.margins.title}`,
    ...words.margins.lines.map((line) => `  ${line}`),
    ...(words.failed === null ? [] : [`  ${words.failed}`]),
  ];
}
