import type { MaybeRefOrGetter, ShallowRef } from 'vue';
import type { Message, Options, Status } from 'zcast';

/** Subscribes from when the component is mounted until its scope ends. */
export function useZcast(
  topics: MaybeRefOrGetter<string | string[] | null | undefined>,
  handler?: (message: Message) => void,
  options?: Options,
): { status: Readonly<ShallowRef<Status>> };
