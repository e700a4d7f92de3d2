/** Messages for who asks for them one by one: `for await (const message of subscription)`, and once. */
import { failure } from './frames.js';
import { Subscription, subscribe } from './subscription.js';

const QUEUED = 1024; // messages that wait for one that iterates, before it is paused

/**
 * Every message, one by one; leaving the loop closes the subscription. Who reads slowly is paused, and goes on from
 * history. A refusal is thrown.
 * @this {any}
 * @returns {AsyncGenerator<Message, void>}
 */
async function* iterate() {
  /** @type {Message[]} */
  const queue = [];
  const { _deliver, _say } = this;
  let wake = () => {};
  this._deliver = (/** @type {Message} */ message) => {
    _deliver(message);
    if (queue.push(message) >= QUEUED) this._hold('reader', true);
    wake();
  };
  this._say = (/** @type {Status} */ status) => {
    _say(status);
    wake();
  };
  try {
    for (;;) {
      for (let message; (message = queue.shift()); ) yield message;
      this._hold('reader', false);
      if (this.status.error) throw failure(this.status.error);
      if (this.state === 'closed') return;
      await new Promise((resolve) => (wake = () => resolve(undefined)));
    }
  } finally {
    this.close();
  }
}
Object.defineProperty(Subscription.prototype, Symbol.asyncIterator, { value: iterate });

/**
 * The next message of the topics.
 * @param {string | string[]} topics
 * @param {Options} [options]
 * @returns {Promise<Message>}
 */
export async function once(topics, options) {
  for await (const message of subscribe(topics, undefined, options)) return message;
  throw new DOMException('closed before a message came', 'AbortError');
}
