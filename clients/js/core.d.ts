import type { Message, Options, Selector, Subscription } from 'zcast';

export * from 'zcast';

/** As that of `zcast`, with a connection of its own for each subscription. */
export function subscribe(topics: string | Selector | (string | Selector)[], handler?: ((message: Message) => void) | null, options?: Options): Subscription;
