/** The page of a report: its frame, what it says first, and where it goes on. */
import { Html, jsonElement, markup, typeset } from './html';
import type { ReportNumbers } from './numbers';
import type { Pictures } from './pictures';
import { sectionsOf } from './sections';
import { style } from './style';
import { baselineNames, verdictOf } from './verdict';
import { formatCount, impossibleWords } from './charts/text';

interface Tile {
  readonly name: string;
  readonly value: string;
  readonly note: string;
}

const signed = (value: number, digits: number) => value.toFixed(digits).replace('-', '\u2212');

/** The numbers to look at first. */
function tilesOf({ columns, rows, density, certificate, comparison }: ReportNumbers): Tile[] {
  const tiles: Tile[] = [];
  const withError = ({ standardError }: { standardError: number | null }, what: string) =>
    typeset(`${standardError === null ? '' : `+- ${standardError.toFixed(3)} `}${what}`).replace(
      /^\+- /,
      '\u00b1\u00a0',
    );
  if (density) {
    const { model, normalised } = density;
    tiles.push({
      name: 'Mean log density',
      value: Number.isFinite(model.mean) ? signed(model.mean, 3) : 'none',
      note: `${withError(model, `nats of the copula, ${normalised ? 'normalised' : 'unnormalised'}`)}${model.impossible ? `; without ${impossibleWords(model.impossible)}` : ''}`,
    });
    for (const { kind, difference } of density.baselines) {
      if (!difference || !Number.isFinite(difference.mean) || (kind === 'independence' && normalised))
        continue;
      tiles.push({
        name: kind === 'independence' ? 'Over independence' : `Over ${baselineNames[kind]}`,
        value: signed(difference.mean, 3),
        note: withError(difference, 'nats a row'),
      });
    }
  }
  const auc = comparison?.metrics.auc;
  if (auc) {
    tiles.push({
      name: 'AUC of a classifier',
      value: auc.sample.value.toFixed(3),
      note: `floor ${auc.floor.value.toFixed(3)}; at 0.5 it cannot tell samples from data`,
    });
  }
  if (certificate) {
    const { routesAgree, marginsUniform } = certificate.verdict;
    const { uniform, criticalValue } = certificate.margins;
    const size = routesAgree?.largestDifference ?? null;
    tiles.push({
      name: 'Certificate',
      value:
        certificate.verdict.failed.length === 0 && marginsUniform && routesAgree?.within !== false
          ? 'sound'
          : 'not sound',
      note:
        uniform.failure === null
          ? `margins within ${uniform.worst.distance.toFixed(4)} of uniform, limit ${criticalValue.toFixed(4)}${size === null ? '' : `; routes within ${size.toFixed(3)} nats`}`
          : 'sampling failed',
    });
  }
  const modelled = columns.filter(({ role }) => role === 'modelled').length;
  tiles.push({
    name: 'Columns',
    value: formatCount(modelled),
    note: `modelled${modelled < columns.length ? ` of ${formatCount(columns.length)}` : ''}; ${formatCount(rows.used)} rows of data`,
  });
  return tiles;
}

/** `cdc copula of 5 columns`, `ensemble of 3 flow copulas of 5 columns` */
function titleOf({ kind, dim, config }: ReportNumbers['model']): string {
  const { member, models } = (config ?? {}) as { member?: unknown; models?: unknown };
  const what =
    typeof member === 'string' && typeof models === 'number'
      ? `Ensemble of ${models} ${member === 'cdc' ? 'CDC' : member} copulas`
      : /^(?:cdc|fgm|bb\d)$/.test(kind)
        ? `${kind.toUpperCase()} copula`
        : `${kind[0]!.toUpperCase()}${kind.slice(1)} copula`;
  return `${what} of ${dim} columns`;
}

export function pageOf(numbers: ReportNumbers, pictures: Pictures, title?: string): string {
  const heading = title ?? titleOf(numbers.model);
  const { rows, seed, libraryVersion } = numbers;
  const sections = sectionsOf(numbers, pictures);
  const used =
    rows.used < rows.data
      ? `${formatCount(rows.used)} of ${formatCount(rows.data)} rows of data`
      : `${formatCount(rows.used)} rows of data`;
  const tiles = tilesOf(numbers).map(
    ({ name, value, note }) =>
      markup`<div><dt>${name}</dt><dd><span class="value">${value}</span><span class="note">${note}</span></dd></div>\n`,
  );
  const verdict = verdictOf(numbers).map(
    ({ good, badge, text }) =>
      markup`<li><span class="badge${good === null ? '' : good ? ' good' : ' bad'}">${badge}</span><span>${typeset(text)}</span></li>\n`,
  );
  const policy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:";
  return markup`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="generator" content="sklar ${libraryVersion}">
<link rel="icon" href="data:,">
<title>${heading}</title>
<style>${new Html(style)}</style>
</head>
<body>
<header>
<h1>${heading}</h1>
<p class="lead">Beside ${used}: one sample of ${formatCount(rows.sample)} rows, seed ${seed}.</p>
<ul class="verdict">
${verdict}</ul>
<dl class="tiles">
${tiles}</dl>
<nav aria-label="Sections"><ul>
${sections.map(({ id, title: name }) => markup`<li><a href="#${id}">${name}</a></li>\n`)}</ul></nav>
</header>
<main>
${sections.map(
  ({ id, title: name, body }) => markup`<section id="${id}" aria-labelledby="${id}-title">
<h2 id="${id}-title">${name}</h2>
${body}
</section>
`,
)}</main>
<footer><p>Made by sklar ${libraryVersion}. The numbers behind this page are JSON in its element <code>numbers</code>.</p></footer>
${jsonElement('numbers', numbers)}
</body>
</html>
`.text;
}
