/** The core of the package, for pages that have one subscription: each has a connection of its own. */
import { makeSubscription } from './base.js';
import { makeLone } from './lone.js';

export { backoffDelay } from './frames.js';

/**
 * Calls `handler` with every message of the topics from now on (or from `options.since` on).
 * @param {string | Selector | (string | Selector)[]} topics
 * @param {((message: Message) => void) | null} [handler]
 * @param {Options} [options]
 */
export function subscribe(topics, handler, options) {
  return makeSubscription(topics, handler, options, makeLone);
}
