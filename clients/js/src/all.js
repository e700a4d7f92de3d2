/** Everything, as in zcast.js. */
import './share.js';
import './stream.js';
import './token.js';

export * from './index.js';
export { once } from './iterate.js';
export { publish } from './publish.js';
