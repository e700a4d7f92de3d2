import type { Message, Options, Status } from 'zcast';

/** Subscribes while the component is mounted, and gives the status: `connecting` at first and on the server. */
export function useZcast(topics: string | string[] | null | undefined, handler?: (message: Message) => void, options?: Options): Status;
