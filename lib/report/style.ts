/** How a report looks, on light and dark screens, wide and narrow ones, and on paper. */
import { DATA, INK, MODEL, NEGATIVE, PAPER, POSITIVE, PRINT } from './charts/vega';

/** The pictures' colours and the page's names for them. */
const painted = {
  [DATA]: 'data',
  [MODEL]: 'model',
  [POSITIVE]: 'positive',
  [NEGATIVE]: 'negative',
  [INK]: 'soft',
  [PAPER]: 'cell',
  [PRINT]: 'ink',
};

const paint = Object.entries(painted)
  .map(
    ([colour, name]) =>
      `svg [fill="${colour}"]{fill:var(--${name})}svg [stroke="${colour}"]{stroke:var(--${name})}`,
  )
  .join('\n');

export const style = `
:root {
  color-scheme: light dark;
  --page: #fbfbfa; --card: #ffffff; --cell: #f3f4f6; --ink: #1b2027; --soft: #59626d; --line: #e3e6ea;
  --data: #2273b5; --model: #b5530a; --positive: #2e9e5b; --negative: #9a5fc9;
  --shade: rgb(30 40 50 / 0.16); --good: #17683a; --goodground: #e2f3e9; --bad: #9a3412; --badground: #fdeadd;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #14171b; --card: #1a1e23; --cell: #22272e; --ink: #e7eaee; --soft: #a3acb7; --line: #2d333b;
    --data: #62abe6; --model: #f19a4e; --positive: #35a765; --negative: #a574d3;
    --shade: rgb(0 0 0 / 0.6); --good: #86dba8; --goodground: #173526; --bad: #fbb48a; --badground: #43260f;
  }
}
*, *::before, *::after { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.6 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif;
  overflow-wrap: break-word;
}
main, header, footer { max-width: 1120px; margin: 0 auto; padding: 0 clamp(16px, 4vw, 40px); }
header { padding-top: clamp(32px, 6vw, 72px); }
h1 { font-size: clamp(1.7rem, 1.2rem + 2vw, 2.5rem); line-height: 1.2; letter-spacing: -0.015em; margin: 0 0 8px; text-wrap: balance; }
h2 { font-size: 1.4rem; line-height: 1.3; letter-spacing: -0.01em; margin: 0 0 6px; }
h3 { font-size: 1rem; line-height: 1.4; margin: 0 0 12px; }
p { margin: 0 0 14px; max-width: 72ch; }
a { color: inherit; text-decoration-color: var(--soft); text-underline-offset: 3px; }
a:focus-visible, .scroll:focus-visible, summary:focus-visible { outline: 2px solid var(--data); outline-offset: 3px; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; font-size: 0.9em; }
.lead { color: var(--soft); font-size: 1.08rem; }
.soft, .lead, figcaption { color: var(--soft); }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: 6px 20px; margin: 22px 0 0; padding: 14px 0; border-block: 1px solid var(--line); font-size: 0.94rem; }
nav a { text-decoration: none; }
nav a:hover { text-decoration: underline; }
section { margin: 64px 0 0; scroll-margin-top: 16px; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 150px), 1fr)); gap: 14px; margin: 32px 0 0; }
.tiles div, .card { background: var(--card); border: 1px solid var(--line); border-radius: 12px; padding: 18px 20px; min-width: 0; }
.tiles dt { color: var(--soft); font-size: 0.88rem; }
.tiles dd { margin: 2px 0 0; }
.tiles .value { display: block; font-size: 1.45rem; line-height: 1.35; font-weight: 600; letter-spacing: -0.01em; font-variant-numeric: tabular-nums; }
.tiles .note { color: var(--soft); font-size: 0.88rem; }
.grid { display: grid; gap: 20px; margin-top: 22px; grid-template-columns: repeat(auto-fit, minmax(min(100%, var(--least, 320px)), 1fr)); }
.stack { margin-top: 22px; display: grid; gap: 20px; }
.pairs { margin: 0; font-size: 0.94rem; }
.pairs div { display: flex; gap: 16px; justify-content: space-between; padding: 5px 0; border-bottom: 1px solid var(--line); }
.pairs div:last-child { border-bottom: 0; }
.pairs dt { color: var(--soft); min-width: 0; }
.pairs dd { margin: 0; text-align: right; font-variant-numeric: tabular-nums; flex: none; max-width: 70%; }
.card > :last-child, figcaption:last-child { margin-bottom: 0; }
.columns .pairs { columns: 3 240px; column-gap: 40px; }
.columns .pairs div { break-inside: avoid; border-bottom: 1px solid var(--line); }
.narrow { max-width: 720px; }
.after { margin-top: 22px; }
/* shadows where there is more to scroll to */
.scroll {
  --ground: var(--page); overflow-x: auto; max-width: 100%;
  background:
    linear-gradient(to right, var(--ground) 40%, transparent) left / 40px 100%,
    linear-gradient(to left, var(--ground) 40%, transparent) right / 40px 100%,
    linear-gradient(to right, var(--shade), transparent) left / 14px 100%,
    linear-gradient(to left, var(--shade), transparent) right / 14px 100%;
  background-repeat: no-repeat; background-attachment: local, local, scroll, scroll;
}
.card .scroll { --ground: var(--card); }
summary { cursor: pointer; }
details { margin-top: 14px; }
details > .scroll { margin-top: 10px; max-width: 720px; }
table { border-collapse: collapse; width: 100%; font-size: 0.94rem; font-variant-numeric: tabular-nums; overflow-wrap: normal; }
th, td { padding: 7px 14px 7px 0; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th:last-child, td:last-child { padding-right: 0; }
tbody tr:last-child > * { border-bottom: 0; }
thead th { color: var(--soft); font-weight: 500; font-size: 0.88rem; }
tbody th { font-weight: 500; white-space: normal; min-width: 15ch; }
th.word, td.word { text-align: left; }
td.word { min-width: 13ch; max-width: 44ch; white-space: normal; }
figure { margin: 0; min-width: 0; }
figcaption { font-size: 0.94rem; margin-top: 10px; max-width: 72ch; }
.picture { margin: 0 0 6px; }
svg { display: block; max-width: 100%; height: auto; margin: 0 auto; }
.picture svg { width: 100%; max-width: 460px; }
.wide svg { min-width: var(--width); width: 100%; max-width: 460px; }
.dense { grid-auto-flow: dense; align-items: start; }
.across { grid-column: 1 / -1; }
.verdict { list-style: none; margin: 26px 0 0; padding: 0; display: grid; gap: 10px; max-width: 86ch; }
.verdict li { display: grid; grid-template-columns: 9.5em 1fr; gap: 4px 14px; align-items: baseline; }
.verdict .badge { justify-self: start; }
.number { white-space: nowrap; }
.two { display: grid; gap: 16px; grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr)); }
.badge { display: inline-block; padding: 1px 10px; border-radius: 999px; font-size: 0.88rem; font-weight: 600; white-space: nowrap; background: var(--cell); }
.good { color: var(--good); background: var(--goodground); }
.bad { color: var(--bad); background: var(--badground); }
.absent { color: var(--soft); border: 1px dashed var(--line); border-radius: 12px; padding: 14px 20px; max-width: none; }
.checks { list-style: none; margin: 14px 0 0; padding: 0; }
.checks li { padding: 6px 0; max-width: 80ch; }
footer { color: var(--soft); font-size: 0.9rem; padding-top: 32px; padding-bottom: 56px; }
footer p { border-top: 1px solid var(--line); padding-top: 20px; max-width: none; margin-top: 40px; }
${paint}
@media (max-width: 640px) {
  section { margin-top: 48px; }
  .tiles div, .card { padding: 14px 12px; }
  .verdict li { grid-template-columns: 1fr; }
}
@media print { body { background: #fff; } nav { display: none; } .card, figure { break-inside: avoid; } section { margin-top: 32px; } }
`;
