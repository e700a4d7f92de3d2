/** The core: what `import … from 'zcast'` gives. */
export { backoffDelay } from './frames.js';
export { Subscription, subscribe } from './subscription.js';
