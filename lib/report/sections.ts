/** The sections of a report: what they say, and what to look for. */
import type { MeasuredMargins } from '../copulas/judgement/certificate';
import { certificateWords } from './certificate-table';
import { comparisonWords } from './comparison-table';
import { type Content, Html, markup, nameOf, pairs, picture, table, typeset, widePicture } from './html';
import type { Selection } from '../copulas/selection';
import type { ReportNumbers, ReportSection } from './numbers';
import { selectionWords } from './selection-table';
import { densityWords } from './verdict';
import type { Pictures } from './pictures';
import {
  countTypes,
  formatCount,
  formatDuration,
  impossibleLines,
  noteTexts,
  plainValues,
  shareText,
} from './charts/text';
import { toDigits } from '../notes';

export interface Section {
  readonly id: string;
  readonly title: string;
  readonly body: Html;
}

/** Values listed of a training record or of options; the page's numbers have all. */
const MOST_VALUES = { narrow: 16, wide: 60 };
const MOST_UNIFORM = 60;

const figure = (drawn: Content, caption: Content, card = true) =>
  markup`<figure${new Html(card ? ' class="card"' : '')}>${drawn}<figcaption>${caption}</figcaption></figure>`;

const key = (what: 'data' | 'model', text: string) =>
  markup`<strong style="color:var(--${what})">${text}</strong>`;

/** The reason stands where the section would. */
function absentBecause(name: ReportSection, numbers: ReportNumbers): Html {
  return markup`<p class="absent">Not shown: ${numbers.absent[name] ?? 'there is nothing to show'}.</p>`;
}

const badge = (good: boolean, text: string) =>
  markup`<span class="badge ${good ? 'good' : 'bad'}">${text}</span>`;

/** Modelled columns but those that say where cells are missing. */
const drawable = ({ columns }: ReportNumbers) => columns.filter(({ missing }) => missing !== null).length;

/** Says that a section shows a part of the columns. */
const partOf = (shown: number, numbers: ReportNumbers) => {
  const all = drawable(numbers);
  return shown < all ? ` Shown are ${shown} of ${all} columns; the option columns chooses others.` : '';
};

function valueText(value: string | number | boolean): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string' || Number.isInteger(value)) return String(value);
  return String(toDigits(value, 5));
}

/** `bestStep` as `best step`. */
const wordsOf = (name: string) =>
  name.replace(/(?<=[a-z0-9])([A-Z])/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll('.', ': ');

function valuesCard(title: string, record: unknown, otherwise: string, wide = false): Html {
  // of estimates there are as many errors as parameters: they are in the numbers
  const all = [...plainValues(record)];
  const values = all.filter(([name]) => !name.startsWith('standardErrors.'));
  const shown = values
    .slice(0, wide ? MOST_VALUES.wide : MOST_VALUES.narrow)
    .map(([name, value]) => [wordsOf(name), typeset(valueText(value))] as const);
  const left = all.length - shown.length;
  const more =
    left > 0
      ? markup`<p class="soft after">and ${formatCount(left)} more in the numbers of this page</p>`
      : null;
  const body = values.length > 0 ? [pairs(shown), more] : markup`<p class="soft">${otherwise}</p>`;
  return markup`<div class="card${wide ? ' columns' : ''}"><h3>${title}</h3>${body}</div>`;
}

function modelSection({ model, run, libraryVersion, rows, seed }: ReportNumbers): Html {
  const { margins } = model;
  const facts: [string, Content][] = [
    ['kind', model.kind],
    ['density', model.normalised ? 'normalised' : 'unnormalised'],
    ['parameters', formatCount(model.parameters)],
    ['margins', `${countTypes(margins.types)}`],
    ['rows the margins know', formatCount(margins.rows)],
    ['ties', margins.ties],
    ['rows of the data', formatCount(rows.data)],
    ['rows of them used here', formatCount(rows.used)],
    ['rows sampled here, seed', `${formatCount(rows.sample)}, ${seed}`],
    ['computed on', `${run.device}, ${run.deviceName}`],
    ['sklar', libraryVersion],
  ];
  return markup`<p class="lead">What was fitted, how, and to what.</p>
<div class="grid">
<div class="card"><h3>Model</h3>${pairs(facts)}</div>
${valuesCard('Training', model.training, 'The file holds no record of a training.')}
</div>
<div class="grid">${valuesCard('Network and options', model.config, 'This kind has none.', true)}</div>`;
}

/** What was decided for the user; nothing, where nothing was. */
function notesSection({ model, impossible, rows }: ReportNumbers): Section[] {
  if (model.notes.length === 0 && !impossible) return [];
  const beyond = impossible ? impossibleLines(impossible, rows.data) : [];
  const ofRows = beyond.map((text, k) =>
    k === 0 ? markup`<p>${typeset(`${text}:`)}</p>\n` : markup`<p class="soft">${typeset(text.trim())}</p>\n`,
  );
  const body = markup`<p class="lead">What was decided when the model was fitted, and what else to know about it.</p>
<ul>
${noteTexts(model.notes).map((text) => markup`<li>${typeset(text)}</li>\n`)}</ul>
${ofRows}`;
  return [{ id: 'notes', title: 'Notes', body }];
}

function uniformity(margins: MeasuredMargins): Html {
  const columns = margins.columns.slice(0, MOST_UNIFORM);
  return table('uniformity of the margins', {
    words: [0],
    cells: [
      ['column', 'distance from uniform', 'variance, 1 is right'],
      ...columns.map(({ column, distance, variance }) => [column, distance.toFixed(4), variance.toFixed(4)]),
    ],
  });
}

function certificateSection(numbers: ReportNumbers): Html {
  const { certificate } = numbers;
  if (!certificate) return absentBecause('certificate', numbers);
  const words = certificateWords(certificate);
  const { verdict, margins } = certificate;
  const check = (good: boolean, text: string) =>
    markup`<li>${badge(good, good ? 'within limits' : 'outside')} ${typeset(text)}</li>`;
  const [uniform, raw] = words.margins.lines;
  return markup`<p class="lead">What can be checked without knowing the truth: whether the routes to the log density agree on
${formatCount(certificate.routeRows)} rows, what the density integrates to, and whether sampled margins are uniform.${
    numbers.model.margins.recurring
      ? ' Routes are compared at one level drawn in the block of each recurring value, in rows without missing cells: these means are not the log density above, which averages over blocks.'
      : ''
  }</p>
<p>${typeset(words.normaliser)}.</p>
${table('routes to the log density', words.routes)}
<ul class="checks">
${words.agreement === null || !verdict.routesAgree ? null : check(verdict.routesAgree.within, words.agreement)}
${check(verdict.marginsUniform, `${words.margins.title}, ${uniform}`)}
${check(verdict.rawMarginsUniform, `${words.margins.title}, ${raw}`)}
${words.failed === null ? null : check(false, words.failed)}
</ul>
${
  margins.uniform.failure === null
    ? markup`<details><summary>Every column of the sample</summary>${uniformity(margins.uniform)}</details>`
    : null
}`;
}

function comparisonSection(numbers: ReportNumbers): Html {
  const { comparison } = numbers;
  if (!comparison) return absentBecause('comparison', numbers);
  const words = comparisonWords(comparison);
  return markup`<p class="lead">How far the sample is from the data, beside the floor: what other rows of the data get. A value
well above its floor is a fault of the sample; one at the floor is as good as data.</p>
${table('two-sample metrics', words.metrics)}
<p class="soft after">${words.rows}; ${words.floor}.${
    comparison.rows.data < numbers.rows.used || comparison.rows.sample < numbers.rows.sample
      ? ' Rows with a missing cell are left out, of data and sample.'
      : ''
  }</p>`;
}

function selectionPart(selection: Selection): Html {
  const words = selectionWords(selection);
  const after = [words.tie, ...words.failed].filter((text) => text !== null);
  return markup`<p>How the kind was chosen: ${words.title}.</p>
${table('kinds that were tried', words.table)}
${after.map((text) => markup`<p class="soft after">${typeset(text)}</p>\n`)}`;
}

function densitySection(numbers: ReportNumbers): Html {
  const { density } = numbers;
  if (!density) return absentBecause('density', numbers);
  const said = densityWords(density, numbers.model.kind);
  const recurring = numbers.model.margins.recurring
    ? ' A value that recurs stands for a block of levels, over which the density is averaged, and a missing cell for all levels.'
    : '';
  return markup`<p class="lead">How likely the model finds these rows, which say most where it has not seen them: of the copula alone, so that
independent columns have 0. It is the number that <code>sklar score</code> prints of these rows, and <code>sklar fit</code> of those it held
out.${recurring}</p>
${table('mean log densities', said.table)}
<p class="soft after">${typeset(said.head)}. ${said.baselines}; differences are row by row.</p>
${said.failed.map((text) => markup`<p class="absent">${typeset(text)}</p>\n`)}${
    numbers.model.selection ? selectionPart(numbers.model.selection) : null
  }`;
}

/** How the cells of columns are called. */
const HOLDS: Readonly<Record<string, string>> = {
  number: 'numbers',
  integer: 'whole numbers',
  boolean: 'yes or no',
  category: 'labels',
  date: 'dates',
  time: 'times of day',
  timestamp: 'dates with times',
  id: 'names of rows',
};

const isMissing = ({ missing }: ReportNumbers['columns'][number]) =>
  missing !== null && (missing.data > 0 || missing.model > 0);

function columnsSection({ columns }: ReportNumbers): Html {
  const aside = columns.filter(({ role }) => role !== 'modelled');
  const holes = columns.some(isMissing);
  return markup`<p class="lead">What each column of the table is to the model.${
    aside.length > 0
      ? markup` Not modelled, and so not drawn below: ${aside.map(({ name }, k) => [k > 0 ? ', ' : '', nameOf(name)])}.`
      : ''
  }</p>
${table('columns', {
  words: [0, 1, 2, 3],
  cells: [
    ['column', 'holds', 'role', 'margin', ...(holes ? ['missing: data', 'sample'] : [])],
    ...columns.map((column) => [
      `\u2068${column.name}\u2069`,
      HOLDS[column.holds] ?? column.holds,
      column.how === '' ? column.role : `${column.role}: ${column.how}`,
      column.margin ?? '',
      ...(holes
        ? isMissing(column)
          ? [shareText(column.missing!.data), shareText(column.missing!.model)]
          : ['', '']
        : []),
    ]),
  ],
})}`;
}

function marginsSection(numbers: ReportNumbers, { margins }: Pictures): Html {
  if (!numbers.margins) return absentBecause('margins', numbers);
  const cards = numbers.margins.map(({ column, type, missing, axis }, k) => {
    const { density, quantiles } = margins[k]!;
    const facts = [
      ...(missing.data > 0 || missing.model > 0
        ? [`missing: ${shareText(missing.data)} of the data, ${shareText(missing.model)} of the sample`]
        : []),
      ...(axis.scale === 'asinh'
        ? ['heavy tails: the axis is linear near the median and logarithmic far from it']
        : []),
    ];
    return markup`<div class="card${quantiles === null ? '' : ' across'}"><h3>${nameOf(column)} <span class="soft">${type}</span></h3>
${facts.length > 0 ? markup`<p class="soft">${typeset(facts.join('; '))}</p>\n` : null}<div class="two">${picture(density)}${quantiles === null ? null : picture(quantiles)}</div></div>`;
  });
  return markup`<p class="lead">Each column by itself, in shares of all rows: the ${key('data', 'data')} beside the
${key('model', 'sample')}, and the quantiles of the data over those of the model\u2019s margin.${partOf(numbers.margins.length, numbers)}</p>
<p>Look for bars that leave the line, and for points that leave the grey band: 95 of 100 data sets of as many rows drawn from the model stay
inside it everywhere.</p>
<div class="grid dense" style="--least:300px">${cards}</div>`;
}

function pairsSection(numbers: ReportNumbers, { pairs: drawn }: Pictures): Html {
  if (!numbers.pairs) return absentBecause('pairs', numbers);
  const { pairs: named, points } = numbers.pairs;
  const cards = named.map(([a, b], k) => {
    const heading = markup`<h3>${nameOf(a)} <span class="soft">and</span> ${nameOf(b)}</h3>`;
    return markup`<div class="card">${heading}<div class="two">${picture(drawn[k]!.data)}${picture(drawn[k]!.samples)}</div></div>`;
  });
  return markup`<p class="lead">The pairs of columns with the strongest dependence in the data: ${key('data', 'data')} beside
${key('model', 'samples')}, on the same axes.</p>
<p>Points are at most ${formatCount(points)} rows, the same number of both: look for clouds that are too round, too wide, or lack corners, gaps
and edges. Boxes hold the middle half of the rows with a label, with their median; lines go from 5 to 95 of 100. Of two columns of labels each
cell is a share of the rows with the label below it; labels of fewer than 5 rows stay empty.</p>
<div class="stack">${cards}</div>`;
}

/** The pairs whose tau differs most, as a table. */
function tauTable({ columns, data, model }: NonNullable<ReportNumbers['kendall']>): Html {
  const rows = columns
    .flatMap((name, i) =>
      columns.slice(i + 1).map((other, k) => {
        const [of, against] = [data[i]![i + 1 + k]!, model[i]![i + 1 + k]!];
        if (of === null || against === null) return [];
        // each isolated, since names may be written in any direction
        return [{ name: `\u2068${name}\u2069, \u2068${other}\u2069`, of, against, difference: against - of }];
      }),
    )
    .flat()
    .sort((a, b) => Math.abs(b.difference) - Math.abs(a.difference))
    .slice(0, 5);
  return table('the pairs that differ most', {
    words: [0],
    cells: [
      ['pairs that differ most', 'data', 'model', 'difference'],
      ...rows.map(({ name, of, against, difference }) => [
        name,
        of.toFixed(3),
        against.toFixed(3),
        difference.toFixed(3),
      ]),
    ],
  });
}

const heatMap = (svg: string, of: string) => widePicture(svg, `Kendall\u2019s tau, ${of}`);

function kendallSection(numbers: ReportNumbers, { kendall }: Pictures): Html {
  if (!numbers.kendall || !kendall) return absentBecause('kendall', numbers);
  const { columns } = numbers.kendall;
  const part =
    columns.length < drawable(numbers)
      ? ` Shown are ${columns.length} of ${drawable(numbers)} columns: those drawn above, and those of the pairs that differ most.`
      : '';
  return markup`<p class="lead">Kendall\u2019s tau of every pair: how much more often two rows are in the same order in both columns
than in opposite order, from \u22121 to 1, whatever the margins are, in the rows that have both cells; labels are in the model\u2019s order.${part}</p>
<div class="grid" style="--least:440px">
${figure([markup`<h3>Data</h3>`, heatMap(kendall.data, 'data')], 'Green: the columns rise together; purple: one falls as the other rises.')}
${figure([markup`<h3>Model</h3>`, heatMap(kendall.model, 'model')], 'Look for the same pattern as in the data.')}
${figure(
  [markup`<h3>Model minus data</h3>`, heatMap(kendall.difference, 'differences')],
  'Look for cells of full colour: these pairs differ most.',
)}
</div>
<div class="narrow after">${tauTable(numbers.kendall)}</div>`;
}

function tailsSection(numbers: ReportNumbers, { tails }: Pictures): Html {
  if (!numbers.tails) return absentBecause('tails', numbers);
  const cards = numbers.tails.map(({ columns: [a, b] }, k) => {
    const heading = markup`<h3>${nameOf(a)} <span class="soft">and</span> ${nameOf(b)}</h3>`;
    return markup`<div class="card">${heading}${picture(tails[k]!)}</div>`;
  });
  const count = numbers.kendall?.columns.length ?? drawable(numbers);
  const among = count < drawable(numbers) ? `, among the ${count} columns of the section before` : '';
  return markup`<p class="lead">How often two columns are extreme together: the share of rows with both below their quantile q among
those with one of them below it (left), and with both above it (right).</p>
<p>The pairs of numbers or dates with the strongest dependence in the data${among}. Bands are two standard errors to each side: look for bands that part, and
for a ${key('model', 'model')} that falls to independence (dashed) at the ends where the ${key('data', 'data')} do not.</p>
<div class="grid" style="--least:300px">${cards}</div>`;
}

function lossesSection(numbers: ReportNumbers, { losses }: Pictures): Html {
  if (!numbers.losses || losses === null) return absentBecause('losses', numbers);
  const count = numbers.losses.length;
  const networks = count > 1 ? ` ${count} networks, a pair of lines each.` : '';
  return markup`<p class="lead">The loss on the rows that were learned from, and on those kept apart to choose the step.${networks}</p>
${figure(
  picture(losses),
  'Look for a validation loss that has come to rest: still falling, more steps would help; rising, the network learns rows by heart.',
)}`;
}

function timingsSection({ timings, model }: ReportNumbers): Html {
  const training = plainValues(model.training).get('seconds');
  const total = timings.reduce((sum, { seconds }) => sum + seconds, 0);
  return markup`<p class="lead">What this page took${typeof training === 'number' ? `, and what the training took: ${formatDuration(training)}` : ''}.</p>
<div class="narrow">${table('timings', {
    words: [0],
    cells: [
      ['stage', 'seconds'],
      ...timings.map(({ stage, seconds }) => [stage, seconds.toFixed(2)]),
      ['together', total.toFixed(2)],
    ],
  })}</div>`;
}

export function sectionsOf(numbers: ReportNumbers, pictures: Pictures): Section[] {
  return [
    { id: 'density', title: 'Log density', body: densitySection(numbers) },
    { id: 'comparison', title: 'Samples against data', body: comparisonSection(numbers) },
    { id: 'columns', title: 'Columns', body: columnsSection(numbers) },
    { id: 'margins', title: 'Margins', body: marginsSection(numbers, pictures) },
    { id: 'pairs', title: 'Pairs', body: pairsSection(numbers, pictures) },
    { id: 'kendall', title: 'Dependence', body: kendallSection(numbers, pictures) },
    { id: 'tails', title: 'Tails', body: tailsSection(numbers, pictures) },
    { id: 'certificate', title: 'Certificate', body: certificateSection(numbers) },
    { id: 'losses', title: 'Training', body: lossesSection(numbers, pictures) },
    ...notesSection(numbers),
    { id: 'model', title: 'Model', body: modelSection(numbers) },
    { id: 'timings', title: 'Timings', body: timingsSection(numbers) },
  ];
}
