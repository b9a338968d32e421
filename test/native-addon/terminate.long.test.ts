import { styles, terminate } from './terminate';

// SKLAR_CYCLES=300 for a release: minutes
const cycles = Number(process.env.SKLAR_CYCLES ?? 25);

test.each(styles)('workers that are terminated again and again leave the process alone: %s', (style) =>
  terminate(style, cycles),
);
