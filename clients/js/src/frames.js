/**
 * What is said: the types, the texts of zcast.v1, addresses, positions and refusals. No connection is made here, but by
 * `askWhy`, which asks once why there is none.
 */

/**
 * @typedef {object} Message
 * @property {string} id     the broker's position: where to resume after it
 * @property {string} [eventId]  the publisher's own id, where it gave one; another message may have the same
 * @property {string} [traceparent]  the trace that it belongs to, where its publisher said so
 * @property {string} topic
 * @property {string} event  the publisher's event type, else "message"
 * @property {string | Uint8Array} data  text, or bytes where the payload isn't UTF-8
 *
 * @typedef {{match: string} | {template: string} | {pattern: string}} Selector  Topics by the form of their names.
 *
 * @typedef {object} Continuity  How the stream stands after a resume, said before the messages that follow.
 * @property {'continued' | 'gap'} status  nothing was missed, or something is gone from history
 * @property {string} since     the id that was resumed from
 * @property {string} [from]    with a gap: where the replay begins
 * @property {string} [topic]   with a gap in a running stream: its topic
 * @property {string[]} [topics]  where it concerns some of the topics only: these
 * @property {number} [replayed]  messages that follow from history; left out where several subscriptions have resumed together, and it
 *   isn't known how many are this one's
 *
 * @typedef {'connecting' | 'open' | 'stale' | 'waiting' | 'paused' | 'idle' | 'refused' | 'closed'} State
 *
 * @typedef {object} Refusal  What the server, or who stands before it, doesn't do.
 * @property {number} [status]  as of HTTP: 400, 401, 403, 404, 429, …
 * @property {string} [code]    one word for programs
 * @property {string} message   one sentence
 *
 * @typedef {object} Status
 * @property {State} state
 * @property {'sse' | 'ws'} transport   the one in use
 * @property {'leader' | 'follower'} [role]  with `share`
 * @property {number} attempt           failures in a row
 * @property {number} [delay]           when waiting: milliseconds, where known
 * @property {string} [id]              complete up to here
 * @property {Refusal} [error]          when refused: why
 *
 * @typedef {'auto' | 'sse' | 'ws'} Transport
 *
 * @typedef {object} Options
 * @property {Transport} [transport]  auto (default): SSE (WebSocket where the page came by HTTP/1.1), and the other one where that says nothing
 * @property {string} [base] what relative addresses are relative to (default: the page's)
 * @property {string} [sse]  address of the event stream (default /events)
 * @property {string} [ws]   address of the WebSocket (default /ws)
 * @property {string} [since]      resume after this id, or "earliest" for all of history (default: from now on)
 * @property {boolean} [share]     one connection for all tabs (default false; needs Web Locks, which browsers offer on
 *                                 https and localhost only: elsewhere each tab has its own)
 * @property {boolean} [credentials]  send cookies to another origin's event stream
 * @property {number} [silence]    ms without message or heartbeat after which a connection is dead (default 45000)
 * @property {number} [patience]   ms that a new connection has to say something (default 10000)
 * @property {number} [backoff]    ms: reconnects wait a random time up to backoff * 2^failures (default 1000)
 * @property {number} [maxBackoff] ms: and never longer than this (default 30000)
 * @property {string | (() => string | Promise<string>)} [token]  who asks; a function is asked before the first connection, before
 *                                 the token ends, and after the server has refused it
 * @property {boolean} [pauseWhenHidden]  no connection while nobody sees the page
 * @property {AbortSignal} [signal]  closes the subscription
 * @property {(verdict: Continuity) => void} [onContinuity]
 * @property {(status: Status) => void} [onState]
 * @property {(error: Refusal) => void} [onError]  what was refused, or said wrongly
 *
 * @typedef {object} Listeners
 * @property {(message: Message) => void} message
 * @property {(verdict: Continuity) => void} verdict
 * @property {(status: Status) => void} state
 * @property {(error: Refusal) => void} error
 *
 * @typedef {Required<Omit<Options, 'onContinuity' | 'onState' | 'onError' | 'signal'>>} Settings
 *
 * @typedef {object} Sink  What a line to the server tells, whether it is of this page or another tab's.
 * @property {(topics: string[], at: string, verdict?: Continuity, how?: 'anew' | 'quiet') => void} cover  From here on the messages
 *   of these topics come. `at`: complete up to here, but for what the verdict says. `anew`: what came before may not have come here;
 *   `quiet`: it was a change of topics that made it resume
 * @property {(verdict: Continuity, at: string) => void} gap  in the running stream
 * @property {(message: Message) => void} message
 * @property {(id: string) => void} position  complete up to this id
 * @property {(status: Status) => void} state
 * @property {(error: Refusal, topics?: string[]) => void} error  `topics`: those that it is about, else all
 * @property {(topics: string[], refusal: Refusal) => void} refused  for good: these don't come, and are asked for no more
 *
 * @typedef {object} Source  A line, or another tab's.
 * @property {(groups: string[][]) => void} want  the topics that are to come; those of one group are refused together
 * @property {(transport: Transport) => void} use
 * @property {() => void} stop
 *
 * @typedef {object} Frame  What comes: messages; continuity, heartbeat, stale, end, subscribed, reconnect, error, as the server says
 *   them; and that a connection is open, or has come to its end.
 * @property {string} kind
 * @property {string} [id]
 * @property {any} [said]
 */

/** @type {Settings} */
export const DEFAULTS = {
  transport: 'auto',
  base: '',
  sse: '/events',
  ws: '/ws',
  since: '',
  share: false,
  credentials: false,
  silence: 45000,
  patience: 10000,
  backoff: 1000,
  maxBackoff: 30000,
  token: '',
  pauseWhenHidden: false,
};
/**
 * What not every page needs: modules that bring such a thing put it in here.
 * @type {{share?: (settings: Settings, sink: Sink, groups: string[][], at: string, number: number) => Source,
 *   fetch?: (url: string, settings: Settings, heard: (frame: Frame) => void, token: string) => {close: () => void},
 *   token?: (ask: () => string | Promise<string>, renew: () => void) => {get: () => Promise<string>, refused: () => boolean, stop: () => void},
 *   once?: (subscription: any, on: Listeners, hold: (why: string, held: boolean) => void) => AsyncGenerator<Message, void>}}
 */
export const extras = {};
/** @type {Record<number, string>} */
export const CODES = { 400: 'topic', 401: 'token', 403: 'forbidden', 404: 'path', 405: 'method', 429: 'limit', 503: 'busy' };

/**
 * Full jitter: a thousand clients that lost the same server come back evenly spread.
 * @param {number} failures
 * @param {{backoff: number, maxBackoff: number}} limits
 */
export function backoffDelay(failures, { backoff, maxBackoff }, random = Math.random) {
  return Math.round(random() * Math.min(maxBackoff, backoff * 2 ** Math.min(failures, 30)));
}

/** Below 0 where the first position is the earlier one. @param {string} a @param {string} b */
export function order(a, b) {
  const [[ms, count], [otherMs, otherCount]] = [a, b].map((position) => position.split('-').map(Number));
  return ms - otherMs || count - otherCount;
}

/** Whether an id says where it is: not `earliest`, nor a publisher's own. @param {string} [id] */
export const isPosition = (id = '') => /^\d+-\d+$/.test(id);

/** @param {string} a @param {string} b */
export const isBefore = (a, b) => isPosition(a) && isPosition(b) && order(a, b) < 0;

/** The later of two positions, of which one may be missing. @param {string} a @param {string} b */
export const later = (a, b) => (isBefore(a, b) ? b : a || b);

/**
 * What lasts as long as the page.
 * @typedef {object} Page
 * @property {Set<string>} heldBack  transports that open and bring nothing here (a proxy holds them back)
 * @property {Set<any>} trunks
 * @property {Set<(why: string, held: boolean) => void>} holds  of its subscriptions
 */
/** @type {WeakMap<object, Page>} */
const PAGES = new WeakMap();

/** @returns {Page} */
export function page() {
  const key = globalThis.location ?? globalThis;
  if (!PAGES.has(key)) PAGES.set(key, { heldBack: new Set(), trunks: new Set(), holds: new Set() });
  return /** @type {Page} */ (PAGES.get(key));
}

/** @param {Settings} settings @returns {Status} */
export const beginning = (settings) => ({ state: 'connecting', transport: kindsOf(settings)[0], attempt: 0 });

/** What selects topics by the form of their names. */
export const SELECTORS = ['match', 'template', 'pattern'];

/** A selector is kept as a text that no topic can be. @param {string} kind @param {string} text */
export const selectorOf = (kind, text) => `\x01${kind} ${text}`;

/** Its kind, as in an address, and its text. @param {string} name @returns {[string, string]} */
export function partsOf(name) {
  const [, kind = 'topic', text = name] = /^\x01(\w+) ([^]*)/.exec(name) ?? [];
  return [kind, text];
}

/**
 * @param {'sse' | 'ws'} kind
 * @param {string[]} topics
 * @param {string} since
 * @param {Settings} settings
 */
export function streamAddress(kind, topics, since, settings) {
  const here = globalThis.document?.baseURI ?? globalThis.location?.href;
  const url = new URL(settings[kind], settings.base ? new URL(settings.base, here) : here);
  if (kind === 'ws') url.protocol = url.protocol.replace('http', 'ws');
  for (const topic of topics) url.searchParams.append(...partsOf(topic));
  if (kind === 'sse') url.searchParams.set('format', 'zcast.v1');
  if (since) url.searchParams.set('last-event-id', since);
  return url.href;
}

/** The transports, the one to try first before the other. @param {Settings} settings @returns {('sse' | 'ws')[]} */
export function kindsOf(settings) {
  const { EventSource, WebSocket } = globalThis;
  if (settings.transport !== 'auto') return [settings.transport];
  if (!extras.fetch && (settings.token || !EventSource)) return ['ws'];
  if (!WebSocket && !EventSource) return ['sse']; // Node 20
  const { heldBack } = page();
  const first = isScarce(settings) ? 'ws' : 'sse';
  return (first === 'ws') === heldBack.has(settings[first]) ? ['sse', 'ws'] : ['ws', 'sse'];
}

/**
 * Whether an event stream is one of the six connections that a browser has to this host, by HTTP/1.1: as it always is without
 * TLS. A page that came from the cache doesn't say how.
 * @param {Settings} settings
 */
function isScarce(settings) {
  /** @type {any} */
  const [entry] = globalThis.performance?.getEntriesByType?.('navigation') ?? [];
  const { location } = globalThis;
  const isOld = location?.protocol === 'http:' || /^http\/1/.test(entry?.nextHopProtocol);
  return isOld && new URL(streamAddress('sse', [], '', settings)).origin === location?.origin;
}

/** @param {string} text a zcast.v1 object @returns {Frame} */
export function parseFrame(text) {
  try {
    return readFrame(JSON.parse(text));
  } catch {
    return { kind: 'error', id: '', said: { code: 'frame', message: `not a zcast.v1 frame: ${text.slice(0, 100)}` } };
  }
}

/** @param {any} frame @returns {Frame} */
export function readFrame({ type, base64, ...said }) {
  const { id = '', topic, event = 'message' } = said;
  if (type) return { kind: type, id, said };
  if (topic === '') return { kind: event.slice(6), id, said: JSON.parse(said.data) }; // zcast.continuity, zcast.stale
  if (base64 !== undefined) said.data = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return { kind: 'message', id, said: { ...said, id, event } };
}

/** Whether coming back may help. @param {Refusal} refusal */
export const isFinal = ({ status = 0 }) => status >= 400 && status < 500 && ![408, 425, 429].includes(status);

/** @param {number} status @param {string} message @param {string} [code] @returns {Refusal} */
export const refusalOf = (status, message, code = CODES[status] ?? 'http') => ({ status, code, message });

/** What a request says beside its address. @param {string} accept @param {Settings} settings @param {string} token @returns {RequestInit} */
export const fetchOptions = (accept, { credentials }, token) => ({
  headers: { accept, ...(token && { authorization: `Bearer ${token}` }) },
  credentials: credentials ? 'include' : 'same-origin',
  cache: 'no-store',
});

/** Why an answer is none that was asked for. @param {Response} response @param {string} wanted  sse or ws */
export async function readRefusal(response, wanted) {
  const { status, headers } = response;
  const type = headers.get('content-type') ?? '';
  if (status < 400) return type.includes('event-stream') ? undefined : refusalOf(status, `no ${wanted} is there`, 'type');
  const text = await response.text();
  const said = type.includes('json') ? JSON.parse(text) : { message: type.includes('plain') && text.trim() };
  return refusalOf(status, said.message || `status ${status}`, said.code);
}

/** @param {Refusal} refusal */
export const failure = ({ message, ...about }) => Object.assign(new Error(message), about);

/** A browser doesn't say why a connection wasn't opened: asks. @param {string} kind @param {string} url @param {Settings} settings @param {string} token */
export async function askWhy(kind, url, settings, token) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), settings.patience);
  const options = { ...fetchOptions('application/json', settings, token), signal: abort.signal };
  const refusal = await fetch(url.replace(/^ws/, 'http'), options)
    .then((response) => (kind === 'ws' && response.status === 426 ? undefined : readRefusal(response, kind))) // 426: a WebSocket is there
    .catch(() => undefined); // the network, or a page of another site, which isn't told
  clearTimeout(timer);
  abort.abort();
  return refusal;
}
