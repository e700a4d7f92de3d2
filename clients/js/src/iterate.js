/** Messages for who asks for them one by one: `for await (const message of subscription)`, and once. */
import { extras, failure } from './frames.js';
import { subscribe } from './subscription.js';

const QUEUED = 1024; // messages that wait for one that iterates, before it is paused

/**
 * Every message, one by one; leaving the loop closes the subscription. Who reads slowly is paused, and goes on from
 * history. A refusal is thrown.
 */
extras.once = async function* (subscription, on, hold) {
  /** @type {Message[]} */
  const queue = [];
  const { message, state } = on;
  let wake = () => {};
  on.message = (given) => {
    message(given);
    if (queue.push(given) >= QUEUED) hold('reader', true);
    wake();
  };
  on.state = (status) => {
    state(status);
    wake();
  };
  try {
    for (;;) {
      for (let next; (next = queue.shift()); ) yield next;
      hold('reader', false);
      const { error, state: now } = subscription.status;
      if (error) throw failure(error);
      if (now === 'closed') return;
      await new Promise((resolve) => (wake = () => resolve(undefined)));
    }
  } finally {
    subscription.close();
  }
};

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
