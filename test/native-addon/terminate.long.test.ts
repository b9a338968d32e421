import { styles, terminate } from './terminate';

test.each(styles)('300 workers that are terminated leave the process alone: %s', (style) =>
  terminate(style, 300),
);
