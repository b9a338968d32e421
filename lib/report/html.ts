/** HTML that is safe by construction: whatever is put into `markup` is escaped, unless it is HTML already. */
import { type TextTable, escapeText } from './charts/text';

export class Html {
  constructor(readonly text: string) {}
}

export type Content = string | number | Html | null | readonly Content[];

function textOf(content: Content): string {
  if (content === null) return '';
  if (content instanceof Html) return content.text;
  if (typeof content === 'string') return escapeText(content);
  if (typeof content === 'number') return String(content);
  return content.map(textOf).join('');
}

/** The template with its values escaped; lists are joined, null is nothing. */
export function markup(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return new Html(parts.map((part, k) => (k === 0 ? '' : textOf(values[k - 1]!)) + part).join(''));
}

/** A name, which may be written in any direction. */
export function nameOf(name: string): Html {
  return markup`<bdi>${name.trim() === '' ? '(no name)' : name}</bdi>`;
}

/** Data for programs, in an element that browsers neither run nor show. */
export function jsonElement(id: string, value: unknown): Html {
  const json = JSON.stringify(value).replaceAll('<', '\\u003c');
  return new Html(`<script type="application/json" id="${id}">${json}</script>`);
}

/** Numbers with the signs of print; a value stays on one line with its error and its unit. */
export function typeset(text: string): string {
  return text
    .replace(/(?<=\d) \+- (?=\d)/g, '\u00a0\u00b1\u00a0')
    .replace(/(?<=\d) (?=%|nats\b)/g, '\u00a0')
    .replace(/(?<=^|[ (])-(?=\d+(?:\.\d+)?(?:e[+-]\d+)?(?=$|[ \u00a0,;)]))/g, '\u2212');
}

/** A table with a head, which scrolls in a box of its own where it is too wide; a line with fewer cells goes across. */
export function table(label: string, { cells, words }: TextTable): Html {
  const [head, ...lines] = cells;
  const side = (k: number) => new Html(words.includes(k) ? ' class="word"' : '');
  const cellOf = (text: string, k: number, line: readonly string[]): Html => {
    if (k === 0) return markup`<th scope="row"${side(k)}>${typeset(text)}</th>`;
    const across = line.length < head!.length && k === line.length - 1;
    if (across) return markup`<td class="word" colspan="${head!.length - k}">${text}</td>`;
    return markup`<td${side(k)}>${typeset(text)}</td>`;
  };
  return markup`<div class="scroll" role="region" aria-label="${label}" tabindex="0"><table>
<thead><tr>${head!.map((text, k) => markup`<th scope="col"${side(k)}>${text}</th>`)}</tr></thead>
<tbody>${lines.map((line) => markup`<tr>${line.map((text, k) => cellOf(text, k, line))}</tr>\n`)}</tbody>
</table></div>`;
}

/** Names and values, one pair a line. */
export function pairs(values: Iterable<readonly [string, Content]>): Html {
  const lines = Array.from(values, ([name, value]) => markup`<div><dt>${name}</dt><dd>${value}</dd></div>\n`);
  return markup`<dl class="pairs">${lines}</dl>`;
}

/** A picture that shrinks with the page. */
export function picture(svg: string): Html {
  return markup`<div class="picture">${new Html(svg)}</div>`;
}

/** A picture that scrolls, in a box of its own, before it becomes illegible: below nine tenths of its size. */
export function widePicture(svg: string, label: string): Html {
  const least = Math.round(0.9 * Number(/ width="([\d.]+)"/.exec(svg)![1]));
  return markup`<div class="scroll wide" style="--width:${least}px" role="region" aria-label="${label}" tabindex="0">${new Html(svg)}</div>`;
}
