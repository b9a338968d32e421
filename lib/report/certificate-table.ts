/** A certificate in words, for the command line and for pages. */
import { withArticle } from '../notes';
import type { Certificate, MarginUniformity } from '../copulas/judgement/certificate';
import { describe } from '../errors';
import { type TextTable, formatLogNormaliser, formatMean } from './charts/text';

export interface CertificateWords {
  readonly title: string;
  readonly normaliser: string;
  readonly routes: TextTable;
  /** Whether the routes agree; null for a model with one route. */
  readonly agreement: string | null;
  readonly margins: { readonly title: string; readonly lines: readonly string[] };
  /** What left the finite numbers; null: nothing. */
  readonly failed: string | null;
}

const answer = (yes: boolean) => (yes ? 'yes' : 'no');

function normaliserWords(certificate: Certificate): string {
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

function marginWords(
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

/** Which of two densities to believe. */
function favouredWords(favoured: Certificate['verdict']['favoured']): string {
  if (!favoured) return '';
  const { method, ahead } = favoured;
  return (
    `; the rows favour ${method} by ${ahead.mean.toFixed(3)} +- ${ahead.standardError.toFixed(3)}: where the model was not fitted to them, ` +
    `believe its scores${method === 'ode' ? ' (method ode), which are those of what is sampled' : '; what is sampled has the density of ode'}`
  );
}

export function certificateWords(certificate: Certificate): CertificateWords {
  const { routes, verdict, margins } = certificate;
  const first = routes.find(({ failure }) => failure === null);
  const compares = routes.some(({ difference }) => difference !== null);
  const agree = verdict.routesAgree;
  return {
    title:
      `certificate of ${withArticle(certificate.kind)} copula of ${certificate.dim} columns, nats, ` +
      `${certificate.routeRows} of ${certificate.rows} rows`,
    normaliser: normaliserWords(certificate),
    routes: {
      words: [0],
      cells: [
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
      ],
    },
    agreement:
      agree &&
      `${agree.largestDifference === null ? 'nothing to compare' : `largest difference ${agree.largestDifference.toFixed(4)} (${agree.method})`}; ` +
        `all within max(3 standard errors, ${agree.tolerance}): ${answer(agree.within)}${favouredWords(verdict.favoured)}`,
    margins: {
      title: `margins of ${margins.rows} sampled rows`,
      lines: [
        marginWords('worst column', margins.uniform, certificate),
        marginWords('worst column of the raw sample', margins.raw, certificate),
      ],
    },
    failed: verdict.failed.length > 0 ? `failed: ${verdict.failed.join(', ')}` : null,
  };
}
