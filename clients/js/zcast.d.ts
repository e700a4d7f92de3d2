/** The types of the core; what things mean is in doc/browser.md. */

export interface Message {
  /** The position: where to resume after this message. */
  id: string;
  /** The publisher's own id, where it gave one. */
  eventId?: string;
  topic: string;
  /** The trace that it belongs to (W3C Trace Context), where its publisher said so. */
  traceparent?: string;
  /** The publisher's event type, else `message`. */
  event: string;
  /** Text, or bytes where the payload isn't UTF-8. */
  data: string | Uint8Array;
}

/** Topics by the form of their names: an MQTT filter, a URI template, a URL pattern. */
export type Selector = { match: string } | { template: string } | { pattern: string };

/** How the stream stands after a resume, said before the messages that follow. */
export interface Continuity {
  status: 'continued' | 'gap';
  since: string;
  from?: string;
  topic?: string;
  topics?: string[];
  /** Left out where several subscriptions resumed together, and it isn't known how many are this one's. */
  replayed?: number;
}

export type State = 'connecting' | 'open' | 'stale' | 'waiting' | 'paused' | 'idle' | 'refused' | 'closed';
export type Transport = 'auto' | 'sse' | 'ws';

export interface Refusal {
  status?: number;
  code?: string;
  message: string;
}

export interface Status {
  state: State;
  transport: 'sse' | 'ws';
  role?: 'leader' | 'follower';
  /** Failures in a row. */
  attempt: number;
  /** When waiting: milliseconds, where known. */
  delay?: number;
  /** Complete up to here. */
  id?: string;
  error?: Refusal;
}

export type Token = string | (() => string | Promise<string>);

export interface Options {
  transport?: Transport | null;
  base?: string | null;
  sse?: string | null;
  ws?: string | null;
  since?: string | null;
  share?: boolean | null;
  credentials?: boolean | null;
  silence?: number | null;
  patience?: number | null;
  backoff?: number | null;
  maxBackoff?: number | null;
  token?: Token | null;
  pauseWhenHidden?: boolean | null;
  signal?: AbortSignal;
  onContinuity?: (verdict: Continuity) => void;
  onState?: (status: Status) => void;
  onError?: (error: Refusal) => void;
}

export interface Subscription {
  readonly status: Status;
  readonly state: State;
  readonly transport: 'sse' | 'ws';
  readonly topics: (string | Selector)[];
  readonly lastId: string;
  use(transport: Transport): void;
  add(...topics: (string | Selector)[]): void;
  add(...topics: [string, ...string[], { since?: string }]): void;
  remove(...topics: (string | Selector)[]): void;
  pause(): void;
  resume(): void;
  close(): void;
}

export function subscribe(topics: string | Selector | (string | Selector)[], handler?: ((message: Message) => void) | null, options?: Options): Subscription;

export function backoffDelay(failures: number, limits: { backoff: number; maxBackoff: number }, random?: () => number): number;
