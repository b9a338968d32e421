// A plugin of typedoc: what is exported is in the category of its folder.
import { Comment, CommentTag, Converter, ReflectionKind } from 'typedoc';

/** The first folder that a file is in decides; the order is that of the pages. */
const CATEGORIES = [
  ['lib/data/', 'Tables and ranks'],
  ['lib/margins/', 'Margins'],
  ['lib/joint/', 'Joint distributions'],
  ['lib/copulas/fitting/', 'Fitting and loading copulas'],
  ['lib/copulas/inputs/options', 'Fitting and loading copulas'],
  ['lib/copulas/training/', 'Fitting and loading copulas'],
  ['lib/copulas/classical/', 'Classical copulas'],
  ['lib/copulas/kinds/', 'Learned copulas'],
  ['lib/copulas/judgement/', 'Judging models and samples'],
  ['lib/copulas/fields/smc', 'Normalisers and conditional samples'],
  ['lib/copulas/fields/normaliser', 'Normalisers and conditional samples'],
  ['lib/copulas/fields/', 'Solvers'],
  ['lib/copulas/', 'Copulas'],
  ['lib/onnx/', 'Copulas'],
  ['lib/metrics/dependence.ts', 'Dependence measures'],
  ['lib/metrics/', 'Judging models and samples'],
  ['lib/report/', 'Reports and pictures'],
];
const OTHERS = 'Basics';

export function load(app) {
  const order = [...new Set(CATEGORIES.map(([, category]) => category)), OTHERS];
  app.on('bootstrapEnd', () => app.options.setValue('categoryOrder', order));
  app.converter.on(Converter.EVENT_RESOLVE_BEGIN, (context) => {
    for (const reflection of context.project.children ?? []) {
      const file = context.project.getSymbolIdFromReflection(reflection)?.packagePath ?? '';
      const [, category] = CATEGORIES.find(([start]) => file.startsWith(start)) ?? [null, OTHERS];
      const documented = reflection.kindOf(ReflectionKind.Function) ? reflection.signatures : [reflection];
      for (const one of documented) {
        one.comment ??= new Comment();
        one.comment.blockTags.push(new CommentTag('@category', [{ kind: 'text', text: category }]));
      }
    }
  });
}
