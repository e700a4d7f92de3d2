/** What `import … from 'zcast'` gives: all subscriptions of a page on one connection. */
export { backoffDelay } from './frames.js';
export { subscribe } from './subscription.js';
