import { styles, terminate } from './terminate';

test.each(styles)('a worker that is terminated leaves the process alone: %s', (style) => terminate(style, 5));
