import type { Message, Options, Selector } from 'zcast';

declare module 'zcast' {
  interface Subscription {
    /** Every message; leaving the loop closes the subscription. */
    [Symbol.asyncIterator](): AsyncGenerator<Message, void>;
  }
}

/** The next message. */
export function once(topics: string | Selector | (string | Selector)[], options?: Options): Promise<Message>;
