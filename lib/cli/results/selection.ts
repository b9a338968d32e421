import type { Selection } from '../../copulas/selection';
import { textLines } from '../../report/charts/text';
import { selectionWords } from '../../report/selection-table';

export function selectionLines(selection: Selection): string[] {
  const { title, table, tie, failed } = selectionWords(selection);
  return [
    title,
    ...textLines(table),
    ...[tie, ...failed].flatMap((text) => (text === null ? [] : [`  ${text}`])),
  ];
}
