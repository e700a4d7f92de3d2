/**
 * zcast.js - events from zcast in a browser, over Server-Sent Events or WebSocket.
 *
 *     import { subscribe } from './zcast.js';
 *     const events = subscribe(['news', 'host/metrics'], (message) => console.log(message.topic, message.data));
 *     events.close();
 *
 * Whatever happens to the connection, the handler gets every message of its topics once and in order, or
 * `onContinuity` says what is missing. The page holds one id, that of the last thing it heard, and comes back
 * with it: on the same transport, on the other, or in another tab.
 *
 * A Line keeps one connection alive. A Share lets the tabs of a browser live on one Line: the tab that holds a Web
 * Lock runs it and passes on what it hears; when that tab goes, the lock goes to the next one, which goes on from the
 * last id. Rejected: a SharedWorker (it has no EventSource in some browsers, and is not there on Android).
 */

/**
 * @typedef {object} Message
 * @property {string} id     the broker's position: where to resume after it
 * @property {string} [eventId]  the publisher's own id, where it gave one; another message may have the same
 * @property {string} topic
 * @property {string} event  the publisher's event type, else "message"
 * @property {string | Uint8Array} data  text, or bytes where the payload isn't UTF-8
 *
 * @typedef {object} Continuity  How the stream stands after a resume, said before the messages that follow.
 * @property {'continued' | 'gap'} status  nothing was missed, or something is gone from history
 * @property {string} since     the id that was resumed from
 * @property {string} [from]    with a gap: where the replay begins
 * @property {string} [topic]   with a gap in a running stream: its topic
 * @property {number} replayed  messages that follow from history
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
 * @property {Transport} [transport]  auto (default): SSE, and WebSocket where that says nothing
 * @property {string} [base] what relative addresses are relative to (default: the page's)
 * @property {string} [sse]  address of the event stream (default /events)
 * @property {string} [ws]   address of the WebSocket (default /ws)
 * @property {string} [since]      resume after this id, or "earliest" for all of history (default: from now on)
 * @property {boolean} [share]     one connection for all tabs with the same topics (default false; needs Web Locks, which
 *                                 browsers offer on https and localhost only: elsewhere each tab has its own)
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
 * @typedef {Required<Omit<Options, 'onContinuity' | 'onState' | 'onError' | 'signal'>>} Settings
 *
 * @typedef {object} Sink  Where a Line or a Share puts what it hears.
 * @property {(message: Message) => void} message
 * @property {(verdict: Continuity) => void} verdict
 * @property {(status: Status) => void} state
 * @property {(error: Refusal) => void} error
 * @property {(id: string) => void} [position]  complete up to this id
 *
 * @typedef {{kind: 'message', id: string, message: Message}
 *   | {kind: 'verdict', id: string, verdict: Continuity}
 *   | {kind: 'heartbeat', id: string}
 *   | {kind: 'error', code?: string, message: string}
 *   | {kind: 'reconnect', after: number}
 *   | {kind: 'open'} | {kind: 'lost'} | {kind: 'stale', over: boolean} | {kind: 'end', refusal?: Refusal}} Frame
 */

/** @type {Settings} */
const DEFAULTS = {
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
const REMEMBERED = 1024;
const SHARED = 'zcast/2'; // what tabs say to each other; those that say something else have a name of their own
const ASK = 4000; // ms that a leader may be silent before it is asked
const ASKED = 3; // times, before it loses its place
const LONGEST = 2 ** 31 - 1; // ms of a timer
/** @type {Record<number, string>} */
const CODES = { 400: 'topic', 401: 'token', 403: 'forbidden', 404: 'path', 405: 'method', 429: 'limit', 503: 'busy' };

/**
 * Full jitter: a thousand clients that lost the same server come back evenly spread.
 * @param {number} failures
 * @param {{backoff: number, maxBackoff: number}} limits
 */
export function backoffDelay(failures, { backoff, maxBackoff }, random = Math.random) {
  return Math.round(random() * Math.min(maxBackoff, backoff * 2 ** Math.min(failures, 30)));
}

/** Below 0 where the first position is the earlier one. @param {string} a @param {string} b */
function order(a, b) {
  const [[ms, count], [otherMs, otherCount]] = [a, b].map((position) => position.split('-').map(Number));
  return ms - otherMs || count - otherCount;
}

/**
 * @param {'sse' | 'ws'} kind
 * @param {string[]} topics
 * @param {string} since
 * @param {Settings} settings
 */
export function streamAddress(kind, topics, since, settings) {
  const page = globalThis.document?.baseURI ?? globalThis.location?.href;
  const url = new URL(settings[kind], settings.base ? new URL(settings.base, page) : page);
  if (kind === 'ws') url.protocol = url.protocol.replace('http', 'ws');
  for (const topic of topics) url.searchParams.append('topic', topic);
  if (kind === 'sse') url.searchParams.set('format', 'zcast.v1');
  if (since) url.searchParams.set('last-event-id', since);
  return url.href;
}

/** @param {Settings} settings @returns {('sse' | 'ws')[]} */
const kindsOf = ({ transport }) => (transport === 'auto' ? ['sse', 'ws'] : [transport]);

/** @param {string} text a zcast.v1 object @returns {Frame} */
export function parseFrame(text) {
  try {
    return readFrame(JSON.parse(text));
  } catch {
    return { kind: 'error', code: 'frame', message: `not a zcast.v1 frame: ${text.slice(0, 100)}` };
  }
}

/** @param {any} frame @returns {Frame} */
function readFrame(frame) {
  const { type, id = '', eventId, topic, event } = frame;
  if (type === 'reconnect') return { kind: 'reconnect', after: Number(frame.after) || 0 };
  if (type === 'error') return { kind: 'error', code: frame.code, message: frame.message ?? 'refused' };
  if (type === 'stale' || (event === 'zcast.stale' && topic === '')) return readStale(frame.data ?? '{}');
  if (type !== undefined) return { kind: 'heartbeat', id }; // heartbeat, subscribed, pong: alive
  if (event === 'zcast.continuity' && topic === '') return { kind: 'verdict', id, verdict: JSON.parse(frame.data) };
  const data = frame.base64 === undefined ? frame.data : Uint8Array.from(atob(frame.base64), (c) => c.charCodeAt(0));
  return { kind: 'message', id, message: { id, ...(eventId !== undefined && { eventId }), topic, event: event ?? 'message', data } };
}

/** Whether the server's broker answers it. @param {string} data @returns {Frame} */
const readStale = (data) => ({ kind: 'stale', over: JSON.parse(data).status === 'live' });

/** Whether coming back may help. @param {Refusal} refusal */
const isFinal = ({ status = 0 }) => status >= 400 && status < 500 && ![408, 425, 429].includes(status);

/** @param {number} status @param {string} message @param {string} [code] @returns {Refusal} */
const refusalOf = (status, message, code = CODES[status] ?? 'http') => ({ status, code, message });

/** What a request says beside its address. @param {string} accept @param {Settings} settings @param {string} token @returns {RequestInit} */
const fetchOptions = (accept, { credentials }, token) => ({
  headers: { accept, ...(token && { authorization: `Bearer ${token}` }) },
  credentials: credentials ? 'include' : 'same-origin',
  cache: 'no-store',
});

/** Why an answer is none that was asked for. @param {Response} response @param {string} wanted */
async function readRefusal(response, wanted) {
  const { status, headers } = response;
  const type = headers.get('content-type') ?? '';
  if (status < 400) return type.includes('event-stream') ? undefined : refusalOf(status, `no ${wanted} is there`, 'type');
  const text = await response.text();
  const said = type.includes('json') ? JSON.parse(text) : { message: type.includes('plain') && text.trim() };
  return refusalOf(status, said.message || `status ${status}`, said.code);
}

/** A browser doesn't say why a connection wasn't opened: asks. @param {'sse' | 'ws'} kind @param {string} url @param {Settings} settings @param {string} token */
async function askWhy(kind, url, settings, token) {
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), settings.patience);
  try {
    const response = await fetch(url.replace(/^ws/, 'http'), { ...fetchOptions('application/json', settings, token), signal: abort.signal });
    if (kind === 'ws' && response.status === 426) return undefined; // a WebSocket is there
    return await readRefusal(response, kind === 'ws' ? 'WebSocket' : 'event stream');
  } catch {
    return undefined; // the network, or a page of another site, which isn't told
  } finally {
    clearTimeout(timer);
    abort.abort();
  }
}

/** When a token ends, in ms; Infinity where it doesn't say. @param {string} token */
function endOf(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))).exp * 1000 || Infinity;
  } catch {
    return Infinity;
  }
}

/** @param {string} type @param {string} data @param {string} id @returns {Frame} of an event */
function readEvent(type, data, id) {
  if (type === EVENTS[0]) return { kind: 'verdict', id, verdict: JSON.parse(data) };
  if (type === EVENTS[1]) return { kind: 'heartbeat', id };
  if (type === EVENTS[2]) return readStale(data);
  if (type !== EVENTS[3]) return parseFrame(data);
  const { code, message } = JSON.parse(data);
  return { kind: 'end', refusal: refusalOf(401, message, code) };
}
const EVENTS = ['continuity', 'heartbeat', 'stale', 'end'].map((name) => `zcast.${name}`);

/**
 * An event stream where there is no EventSource, or where that can't bring the token.
 * @param {string} url @param {Settings} settings @param {(frame: Frame) => void} heard @param {string} token @param {AbortSignal} signal
 */
async function readStream(url, settings, heard, token, signal) {
  const response = await fetch(url, { ...fetchOptions('text/event-stream', settings, token), signal });
  const refusal = await readRefusal(response, 'event stream');
  if (refusal || !response.body) return refusal;
  heard({ kind: 'open' });
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let type = '';
  let id = '';
  /** @type {string[]} */
  let data = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return undefined;
    const lines = (text + decoder.decode(value, { stream: true })).split(/\r\n|\n|\r(?!$)/);
    text = lines.pop() ?? '';
    for (const line of lines) {
      const [, name, said] = /^([^:]*):? ?(.*)$/s.exec(line) ?? [];
      if (name === 'event') type = said;
      else if (name === 'id') id = said;
      else if (name === 'data') data.push(said);
      else if (!line) {
        if (data.length) heard(readEvent(type, data.join('\n'), id));
        type = '';
        data = [];
      }
    }
  }
}

/**
 * Each transport opens an address, calls `heard`, and returns how to close it. It may go on calling after that.
 * @type {Record<'sse' | 'ws', (url: string, settings: Settings, heard: (frame: Frame) => void, token: string) => () => void>}
 */
const TRANSPORTS = {
  sse(url, settings, heard, token) {
    if ('fetch' in globalThis && (token || (!globalThis.EventSource && !globalThis.WebSocket))) {
      const abort = new AbortController();
      readStream(url, settings, heard, token, abort.signal)
        .catch(() => undefined)
        .then((refusal) => heard({ kind: 'end', refusal }));
      return () => abort.abort();
    }
    const source = new EventSource(url, { withCredentials: settings.credentials });
    source.onopen = () => heard({ kind: 'open' });
    source.onmessage = (event) => heard(parseFrame(event.data));
    for (const type of EVENTS) source.addEventListener(type, (event) => heard(readEvent(type, event.data, event.lastEventId)));
    // After a cut the browser comes back by itself, when the server's retry: says. After an answer that is no
    // event stream it never does.
    source.onerror = () => heard({ kind: source.readyState === EventSource.CLOSED ? 'end' : 'lost' });
    return () => source.close();
  },

  ws(url, settings, heard, token) {
    const socket = new WebSocket(url, token ? ['zcast.v1', `zcast.token.${token}`] : 'zcast.v1');
    socket.onopen = () => heard({ kind: 'open' });
    socket.onmessage = (event) => heard(parseFrame(event.data));
    // 4000 + the status that was refused with
    socket.onclose = ({ code = 0, reason = '' }) =>
      heard({ kind: 'end', refusal: code >= 4400 && code < 4600 ? refusalOf(code - 4000, reason) : undefined });
    return () => socket.close();
  },
};

/**
 * Transports that open and bring nothing here (a proxy holds them back), by what a page has for its life.
 * @type {WeakMap<object, Set<string>>}
 */
const HELD_BACK = new WeakMap();

function heldBack() {
  const page = globalThis.location ?? globalThis;
  const set = HELD_BACK.get(page) ?? new Set();
  HELD_BACK.set(page, set);
  return set;
}

/** The ids of what a subscription was given lately, over whichever connection. */
class Recent {
  /** @type {Set<string>} */
  #ids = new Set();

  /** @param {string} id */
  has(id) {
    return this.#ids.has(id);
  }

  /** @param {string} id */
  add(id) {
    this.#ids.add(id);
    if (this.#ids.size > REMEMBERED) this.#ids.delete(/** @type {string} */ (this.#ids.values().next().value));
  }
}

/** One connection, kept alive: chooses the transport, resumes, waits longer after each failure, notices silence. */
class Line {
  /** The id to resume from. */
  last = '';
  /** @type {[string, string] | undefined} the first and the last position that a verdict or heartbeat gave since the last
   *  message: all up to them came, and nothing after them */
  span;
  #topics;
  #settings;
  #sink;
  /** @type {('sse' | 'ws')[]} what is tried, the first one now */
  #kinds;
  #recent;
  #replay = 0; // messages that the verdict said come from history; endless until there is one
  #failures = 0; // connections in a row that ended without a word
  #proven = false; // this one has said something
  #positioned = false; // and where it is
  #stale = false; // and that its broker doesn't answer
  #resumes = false; // it has come with an id, and must say how it stands
  #unresumed = 0; // connections in a row that didn't
  #browserResumes = true; // an EventSource comes back with the last id
  /** @type {Set<string>} kinds that are refused for good */
  #refused = new Set();
  #asking = new Set();
  #token = '';
  #fresh = false; // the token was given for this connection
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #renewal;
  /** @type {number | undefined} */
  #after; // how long the server asked us to stay away
  #heardAt = 0;
  #stopped = false;
  #opened = false;
  #waiting = false; // between two connections
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  #cut = () => {};
  #wake = () => this.#hurry();

  /**
   * @param {string[]} topics
   * @param {string} since
   * @param {Settings} settings
   * @param {Sink} sink
   * @param {Recent} recent
   */
  constructor(topics, since, settings, sink, recent) {
    this.#topics = topics;
    this.last = since;
    this.#settings = settings;
    this.#sink = sink;
    this.#recent = recent;
    this.#kinds = kindsOf(settings);
    if (this.#kinds.length > 1 && !globalThis.EventSource && !globalThis.WebSocket) this.#kinds.pop(); // Node 20
    if (this.#kinds.length > 1 && heldBack().has(settings.sse)) this.#kinds.reverse();
    globalThis.addEventListener?.('online', this.#wake);
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    this.#letGo();
    globalThis.removeEventListener?.('online', this.#wake);
  }

  #letGo() {
    clearTimeout(this.#timer);
    clearTimeout(this.#renewal);
    this.#cut();
  }

  #connect() {
    const { token } = this.#settings;
    this.#proven = this.#positioned = this.#opened = this.#waiting = this.#stale = false;
    this.#after = undefined;
    this.#comeWith();
    this.#tell('connecting');
    if (this.#stopped) return; // by who was told
    if (endOf(this.#token) < Date.now() + 5000) this.#token = '';
    this.#fresh = !this.#token;
    if (typeof token !== 'function' || this.#token) return this.#dial(typeof token === 'string' ? token : this.#token);
    let current = true;
    this.#cut = () => (current = false);
    this.#touch();
    Promise.resolve()
      .then(token)
      .then((given) => current && this.#dial(given))
      .catch((error) => {
        if (!current) return;
        this.#sink.error({ code: 'token', message: String(error) });
        this.#end();
      });
  }

  /** @param {string} token */
  #dial(token) {
    const before = this.#token;
    this.#token = token;
    if (this.#fresh && token !== before) this.#renewLater();
    let current = true; // what a connection says after it was given up is not for us
    let close = () => {};
    this.#cut = () => {
      current = false;
      close();
    };
    try {
      const url = streamAddress(this.#kinds[0], this.#topics, this.last, this.#settings);
      close = TRANSPORTS[this.#kinds[0]](url, this.#settings, (frame) => current && this.#take(frame), token);
      this.#touch();
    } catch (error) {
      // no such transport in this browser, or a bad address
      this.#opened = true; // there is nobody to ask why
      queueMicrotask(() => this.#sink.error({ message: String(error) }));
      this.#end();
    }
  }

  /** A connection has the rights of the token that it came with: another one comes before that ends. */
  #renewLater() {
    if (typeof this.#settings.token !== 'function') return;
    const left = endOf(this.#token) - Date.now();
    clearTimeout(this.#renewal);
    if (left <= 0 || left > LONGEST) return;
    this.#renewal = setTimeout(
      () => {
        this.#token = '';
        this.#letGo();
        this.#connect();
      },
      left - Math.min(30000, left / 10),
    );
  }

  /** What is to be heard first, of a connection with this id. */
  #comeWith() {
    this.#resumes = this.last !== '';
    this.#replay = this.#resumes ? Infinity : 0;
  }

  /** @param {Frame} frame */
  #take(frame) {
    if (frame.kind === 'end') return this.#end(frame.refusal);
    if (frame.kind === 'lost') return this.#lost();
    this.#heardAt = Date.now();
    if (frame.kind === 'open') return this.#open();
    if (frame.kind === 'error') return this.#sink.error({ code: frame.code, message: frame.message });
    if (frame.kind === 'stale') return this.#setStale(!frame.over);
    if (this.#resumes && this.#isUnresumed(frame)) return this.#resumeAgain();
    this.#proven = true;
    this.#failures = 0;
    if (frame.kind === 'reconnect') this.#after = frame.after;
    else if (frame.kind === 'message') this.#message(frame.message);
    else this.#moveOn(frame);
  }

  /**
   * A stream that came with an id begins with the verdict. Where it doesn't, the id was lost on the way: a service worker or a
   * proxy took the header out. A heartbeat of a worker without a broker has no id, and EventSource shows the last one with it.
   * @param {Frame} frame
   */
  #isUnresumed(frame) {
    if (frame.kind === 'verdict') {
      this.#resumes = false;
      this.#unresumed = 0;
    }
    return frame.kind === 'message' || (frame.kind === 'heartbeat' && frame.id !== '' && frame.id !== this.last);
  }

  /** With the id in the address. */
  #resumeAgain() {
    this.#browserResumes = false;
    if (this.#unresumed++) return this.#end();
    this.#letGo();
    this.#connect();
  }

  /** It has said where it is. */
  #settle() {
    if (!this.#positioned) heldBack().delete(this.#settings[this.#kinds[0]]);
    this.#positioned = true;
    this.#tell(this.#stale ? 'stale' : 'open');
  }

  /** A server that is cut off from its broker says so, and goes on with heartbeats. @param {boolean} stale */
  #setStale(stale) {
    this.#stale = stale;
    if (stale || this.#positioned) this.#tell(stale ? 'stale' : 'open');
  }

  #open() {
    this.#opened = true;
    if (this.#waiting) this.#tell('connecting'); // the browser came back by itself
    this.#waiting = false;
    this.#touch();
  }

  /** @param {Message} message */
  #message(message) {
    if (this.#replay > 0) this.#replay--;
    this.#recent.add(message.id);
    this.last = message.id || this.last;
    this.span = undefined;
    this.#stale = false;
    this.#settle();
    if (!this.#stopped) this.#sink.message(message);
  }

  /** @param {Frame & {kind: 'verdict' | 'heartbeat'}} frame */
  #moveOn(frame) {
    if (frame.kind === 'verdict') {
      this.#replay = frame.verdict.replayed;
      this.span = undefined;
    }
    this.last = frame.id || this.last;
    if (this.#replay === 0 && frame.id) this.span = [this.span?.[0] ?? frame.id, frame.id];
    if (frame.kind === 'verdict') this.#sink.verdict(frame.verdict);
    else this.#sink.position?.(this.last);
    if (this.#stopped || this.#resumes) return;
    if (frame.id) this.#settle();
    else if (this.#positioned) this.#tell('stale'); // the worker is without a broker
  }

  /** The browser comes back by itself, once: it knows the server's retry time. What then fails is ours. */
  #lost() {
    if (!this.#proven || !this.#browserResumes) return this.#end();
    this.#proven = this.#positioned = this.#opened = this.#stale = false;
    this.#waiting = true;
    this.#comeWith();
    this.#touch();
    this.#tell('waiting');
  }

  /** @param {Refusal} [refusal] */
  #end(refusal) {
    if (this.#stopped) return;
    const kind = this.#kinds[0];
    this.#letGo();
    if (!refusal && !this.#opened) this.#ask(kind);
    if (refusal && this.#refuse(kind, refusal)) return;
    let delay = this.#after ?? backoffDelay(this.#failures, this.#settings);
    if (!this.#proven) {
      this.#failures++;
      if (this.#kinds[0] === kind) this.#kinds.push(/** @type {'sse' | 'ws'} */ (this.#kinds.shift()));
      if (this.#after === undefined && this.#failures % this.#kinds.length) delay = 0; // the other transport, at once
    }
    this.#waiting = true;
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#tell('waiting', delay);
  }

  /** @param {'sse' | 'ws'} kind */
  async #ask(kind) {
    if (this.#asking.has(kind) || !globalThis.fetch) return;
    this.#asking.add(kind);
    const refusal = await askWhy(kind, streamAddress(kind, this.#topics, this.last, this.#settings), this.#settings, this.#token);
    this.#asking.delete(kind);
    if (this.#stopped || !refusal || this.#refused.has(kind) || (this.#positioned && this.#kinds[0] === kind)) return;
    const tried = this.#kinds[0] === kind;
    if (!this.#refuse(kind, refusal) && tried && isFinal(refusal) && !this.#waiting) this.#end();
  }

  /** Says so; true where nothing is left to try. @param {'sse' | 'ws'} kind @param {Refusal} refusal */
  #refuse(kind, refusal) {
    if (refusal.status === 401) {
      const again = this.#positioned || (typeof this.#settings.token === 'function' && !this.#fresh);
      this.#token = '';
      if (again) return false; // it has ended: with the next one
    }
    this.#sink.error(refusal);
    if (this.#stopped || !isFinal(refusal)) return this.#stopped;
    this.#refused.add(kind);
    if (this.#kinds.some((one) => !this.#refused.has(one))) {
      this.#kinds = this.#kinds.filter((one) => one !== kind);
      return false;
    }
    this.#waiting = false;
    this.#letGo();
    this.#tell('refused', undefined, refusal);
    return true;
  }

  /** The network is back: no need to wait on. */
  #hurry() {
    if (!this.#waiting) return;
    this.#cut();
    clearTimeout(this.#timer);
    this.#connect();
  }

  #touch() {
    this.#heardAt = Date.now();
    clearTimeout(this.#timer);
    this.#watch();
  }

  /** A connection must say soon where it is: a proxy may hold it back. */
  #limit() {
    const { silence, patience } = this.#settings;
    return this.#proven || this.#waiting ? silence : patience;
  }

  /**
   * Ends a connection that is silent for too long, and says so before, when a heartbeat is late. The wall clock also counts
   * the time that a laptop slept.
   */
  #watch() {
    const limit = this.#limit();
    const quiet = Date.now() - this.#heardAt;
    const late = this.#positioned && quiet >= 0.75 * limit;
    if (quiet < 0) this.#heardAt = Date.now(); // the clock was set back
    if (quiet >= limit) return this.#giveUp();
    if (late) this.#tell('stale');
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#watch(), (this.#positioned && !late ? 0.75 * limit : limit) - Math.max(0, quiet));
  }

  #giveUp() {
    if (this.#opened && !this.#proven) heldBack().add(this.#settings[this.#kinds[0]]);
    this.#opened = true; // it isn't refused
    this.#end();
  }

  /** @param {State} state @param {number} [delay] @param {Refusal} [error] */
  #tell(state, delay, error) {
    if (this.#stopped) return;
    this.#sink.state({ state, transport: this.#kinds[0], attempt: this.#failures, delay, id: this.last || undefined, error });
  }
}

/**
 * One Line for all tabs with the same topics. The leader says what it hears on a BroadcastChannel, each message with the
 * id of the one before it, so that a follower sees a hole where its own last message is another one. A follower that
 * is behind (it missed a part of a dying leader's last words, or wants history) opens a Line of its own from its last
 * id and closes it at the first message that both have, or where both are at the same place.
 */
class Share {
  last = '';
  #topics;
  #settings;
  #sink;
  #name;
  #channel;
  #recent;
  #me = Math.random().toString(36).slice(2);
  /** @type {string | undefined} where we are: the id of the last message, or a start of our own; undefined where the leader
   *  is still to say where we come in */
  #chain;
  /** @type {Line | undefined} leading, or catching up */
  #line;
  #leading = false;
  #alone = false; // there is no lock to be had: we lead, and nobody follows
  /** @type {{prev: string, message: Message}[]} heard from the leader while catching up */
  #held = [];
  /** @type {{last: string, span?: [string, string], chain: string, status: Status}} where the leader is */
  #theirs = { last: '', chain: '', status: { state: 'connecting', transport: 'sse', attempt: 0 } };
  /** @type {Status} of our own line */
  #status = this.#theirs.status;
  #term = 0; // of the newest leader: one that was deposed may not know it yet
  #turn = 0; // of the request for the lock that counts
  #stopped = false;
  #abort = new AbortController();
  #release = () => {};
  #heardAt = Date.now();
  #asked = 0; // times that the leader was asked, and has not answered
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;

  static available() {
    return 'BroadcastChannel' in globalThis && 'locks' in (globalThis.navigator ?? {});
  }

  /**
   * @param {string[]} topics
   * @param {string} since
   * @param {Settings} settings
   * @param {Sink} sink
   * @param {Recent} recent
   */
  constructor(topics, since, settings, sink, recent) {
    this.#topics = topics;
    this.last = since;
    if (since) this.#chain = this.#me;
    this.#settings = settings;
    this.#sink = sink;
    this.#recent = recent;
    this.#name = `${SHARED} ${JSON.stringify([settings.base, settings.sse, settings.ws, [...topics].sort()])}`;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = (event) => {
      try {
        this.#hear(event.data);
      } catch {
        // nonsense: whoever is of this origin may say it
      }
    };
    this.#queue(false);
    this.#post({ type: 'hello' });
    this.#watch();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#line?.stop();
    this.#abort.abort();
    this.#release();
    this.#channel.close();
  }

  /** @param {Transport} transport */
  use(transport) {
    this.#settings = { ...this.#settings, transport };
    if (this.#leading) this.#open();
    else this.#post({ type: 'use', transport });
  }

  /** Waits for its turn to lead. With `steal` the leader, which is silent, loses its. @param {boolean} steal */
  async #queue(steal) {
    const turn = ++this.#turn;
    this.#abort.abort();
    this.#abort = new AbortController();
    try {
      await navigator.locks.request(this.#name, steal ? { steal } : { signal: this.#abort.signal }, () => {
        if (this.#stopped || turn !== this.#turn) return undefined;
        const held = new Promise((release) => (this.#release = () => release(undefined)));
        this.#lead();
        return held;
      });
    } catch (error) {
      // aborted by ourselves, or stolen: the next turn. Anything else is for good (a sandboxed frame has no locks)
      if (/** @type {Error} */ (error).name !== 'AbortError') this.#alone = true;
    }
    if (this.#stopped || turn !== this.#turn) return;
    if (this.#alone) return this.#lead();
    this.#follow();
    this.#queue(false);
  }

  #lead() {
    this.#leading = true;
    this.#term = Math.max(this.#term + 1, Date.now());
    this.#held = [];
    if (!this.last) this.#chain = this.#me; // from now on: nobody else is there
    this.#say({ type: 'lead' });
    if (!this.#line) this.#open(); // one that was catching up just goes on
  }

  #follow() {
    this.#leading = false;
    this.#line?.stop();
    this.#line = undefined;
    this.#heardAt = Date.now();
    this.#asked = 0;
    this.#post({ type: 'hello' });
  }

  #open() {
    this.#line?.stop();
    /** @type {Sink} */
    const sink = {
      message: (message) => this.#deliver(message),
      position: (id) => this.#advance(id),
      verdict: (verdict) => {
        this.#sink.verdict(verdict);
        if (this.#leading) this.#say({ type: 'verdict', verdict });
        this.#join();
      },
      state: (status) => {
        this.#status = status;
        this.#tell(status);
        if (this.#leading) this.#say({ type: 'state' });
      },
      error: (error) => {
        this.#sink.error(error);
        if (this.#leading) this.#say({ type: 'error', error });
      },
    };
    this.#line = new Line(this.#topics, this.last, this.#settings, sink, this.#recent);
    if (this.#stopped) this.#line.stop(); // by who was told that it connects
  }

  /** @param {Message} message */
  #deliver(message) {
    const prev = this.#chain;
    this.#chain = message.id;
    this.#recent.add(message.id);
    this.last = message.id || this.last;
    if (this.#leading) this.#say({ type: 'message', prev, message });
    this.#sink.message(message);
    this.#join();
  }

  /** @param {string} id */
  #advance(id) {
    this.last = id;
    if (this.#leading) this.#say({ type: 'position' });
    this.#join();
  }

  /** @param {Status} status */
  #tell(status) {
    if (!this.#stopped) this.#sink.state({ ...status, role: this.#leading ? 'leader' : 'follower' });
  }

  /** @param {object} words */
  #say(words) {
    const where = { term: this.#term, chain: this.#chain, last: this.last, span: this.#line?.span, status: this.#status };
    this.#post({ ...where, ...words });
  }

  /** @param {object} words */
  #post(words) {
    try {
      if (!this.#stopped && !this.#alone) this.#channel.postMessage(words);
    } catch {
      // what can't be said isn't heard: the next one asks
    }
  }

  /** @param {any} words */
  #hear(words) {
    if (this.#alone || this.#stopped || typeof words?.type !== 'string') return;
    if (words.type === 'use') {
      this.#settings = { ...this.#settings, transport: words.transport };
      if (this.#leading) this.#open();
    } else if (this.#leading) {
      if (words.type === 'hello') this.#say({ type: 'lead' });
      else if (words.type === 'ask') this.#say({ type: 'state' });
    } else if (words.term >= this.#term) {
      this.#hearLeader(words);
    }
  }

  /** @param {any} words */
  #hearLeader(words) {
    this.#heardAt = Date.now();
    this.#asked = 0;
    this.#term = words.term;
    this.#theirs = words;
    if (words.type === 'lead') this.#welcome(words);
    else if (words.type === 'message') this.#pass(words);
    else if (this.#chain === undefined || this.#line) this.#join();
    else if (words.type === 'error') this.#sink.error(words.error);
    else if (words.type === 'verdict') this.#sink.verdict(words.verdict);
    else if (words.type === 'state') {
      if (words.chain === this.#chain) this.last = words.last;
      this.#tell(words.status);
    }
    else if (words.chain === this.#chain) this.last = words.last;
  }

  /** @param {{chain: string, last: string}} words */
  #welcome(words) {
    if (this.#chain === undefined) {
      this.#enter(words.chain);
      this.last = words.last;
    }
    if (this.#chain !== words.chain && !this.#recent.has(words.chain)) this.#catchUp();
    if (!this.#line) this.#tell(this.#theirs.status);
  }

  /** That message is none that we miss. @param {string} chain */
  #enter(chain) {
    this.#chain = chain;
    this.#recent.add(chain);
  }

  /** @param {{prev: string, message: Message}} words */
  #pass(words) {
    if (this.#stopped || this.#chain === undefined) return; // not welcomed yet
    if (this.#line) this.#hold(words);
    else if (words.prev === this.#chain) this.#deliver(words.message);
    else if (!this.#recent.has(words.message.id)) {
      this.#catchUp();
      this.#hold(words);
    }
  }

  #catchUp() {
    if (!this.#line) this.#open();
  }

  /** @param {{prev: string, message: Message}} words */
  #hold(words) {
    this.#held.push(words);
    if (this.#held.length > REMEMBERED) this.#held.shift();
    this.#join();
  }

  /** Catching up ends where both streams have met: the same last message or place, or a message that both had. */
  #join() {
    if (this.#stopped || this.#leading || !this.#line) return;
    const met = this.#held.findIndex(({ message }) => this.#recent.has(message.id));
    if (met < 0 && this.#chain !== this.#theirs.chain && !this.#abreast(this.#line.span)) return;
    this.#line.stop();
    this.#line = undefined;
    if (met < 0) this.#enter(this.#theirs.chain);
    const held = met < 0 ? [] : this.#held.slice(met);
    this.#held = [];
    this.#tell(this.#theirs.status);
    for (const words of held) this.#pass(words);
  }

  /**
   * Two workers hardly ever give the same position on a quiet topic. Where the spans overlap, there is a position up to
   * which both have all and after which both have nothing.
   * @param {[string, string] | undefined} span
   */
  #abreast(span) {
    const theirs = this.#theirs.span;
    return span && theirs && order(span[0], theirs[1]) <= 0 && order(theirs[0], span[1]) <= 0;
  }

  /** A leader that is wedged, or kept by its browser for its way back, holds its lock and says nothing. */
  #watch() {
    this.#timer = setTimeout(
      () => {
        if (!this.#leading && !this.#line) this.#ask();
        this.#watch();
      },
      ASK * (1 + Math.random() / 2),
    );
  }

  #ask() {
    if (Date.now() - this.#heardAt < ASK) return;
    if (this.#asked === ASKED) this.#queue(true);
    this.#asked = (this.#asked + 1) % (ASKED + 1);
    if (this.#asked) this.#post({ type: 'ask' });
    if (this.#asked === 2 && this.#theirs.status.state === 'open') this.#tell({ ...this.#theirs.status, state: 'stale' });
  }
}

/** @param {unknown} good @param {string} rule */
function must(good, rule) {
  if (!good) throw new TypeError(`zcast: ${rule}`);
}

/** @param {any[]} topics */
function checkTopics(topics) {
  for (const topic of topics)
    must(topic?.trim && /^[^\0-\x1f\x7f-\x9f]+$/.test(topic) && new Blob([topic]).size <= 1024, `no topic: ${topic}`);
}

/** @param {any} settings */
function check(settings) {
  must(['auto', 'sse', 'ws'].includes(settings.transport), 'transport');
  for (const [name, value] of Object.entries(DEFAULTS)) {
    const type = typeof settings[name];
    must(type === typeof value || (name === 'token' && type === 'function'), `${name} is no ${typeof value}`);
    if (type === 'number') must(settings[name] >= 0 && settings[name] <= LONGEST, name);
  }
}

/** A running subscription; made by `subscribe`. */
export class Subscription {
  /** @type {Status} */
  status = { state: 'connecting', transport: 'sse', attempt: 0 };
  #topics;
  /** @type {Set<string>} those that the server has taken */
  #taken = new Set();
  #settings;
  #sink;
  /** @type {Line | Share | undefined} */
  #driver;
  #last;
  #recent = new Recent();
  /** @type {Set<string>} why there is no connection: somebody said so, the page is left, or hidden */
  #holds = new Set();
  #opening = false;
  #changing = false; // topics have changed in this tick
  #told = '';
  #ended = new AbortController();
  /** @type {Set<(message?: Message) => void>} */
  #readers = new Set();

  /**
   * @param {string | string[]} topics
   * @param {((message: Message) => void) | undefined} handler
   * @param {Options} options
   */
  constructor(topics, handler, options) {
    const { onContinuity, onState, onError, signal, ...settings } = options ?? {};
    this.#topics = new Set([topics].flat());
    for (const one of [handler, onContinuity, onState, onError])
      must(!one || typeof one === 'function', 'no function');
    must(this.#topics.size, 'no topic');
    checkTopics(this.topics);
    const given = Object.entries(settings).filter(([, value]) => value !== undefined && value !== null);
    this.#settings = { ...DEFAULTS, ...Object.fromEntries(given) };
    check(this.#settings);
    this.#last = this.#settings.since;
    const say = guarded(onState);
    const deliver = guarded(handler);
    this.#sink = {
      /** @param {Message} message */
      message: (message) => {
        deliver(message);
        for (const read of this.#readers) read(message);
      },
      verdict: guarded(onContinuity),
      error: guarded(onError),
      /** @param {Status} status */
      state: (status) => {
        this.status = status;
        if (status.state === 'open') this.#taken = new Set(this.#topics);
        if (!this.#opening) this.#tell(say);
        if (this.status === status && status.state === 'refused') this.#withdraw();
      },
    };
    this.#listen(globalThis, 'pagehide', () => this.#hold('page'));
    this.#listen(globalThis, 'pageshow', () => this.#release('page'));
    if (signal) this.#listen(signal, 'abort', () => this.close());
    if (this.#settings.pauseWhenHidden && globalThis.document) this.#watchVisibility(document);
    if (!this.#hasAddress()) return;
    if (signal?.aborted) this.close();
    else if (!this.#holds.size) this.#open();
  }

  /** The id to resume from: with it another subscription, on either transport, goes on where this one is. */
  get lastId() {
    return this.#driver?.last || this.#last;
  }

  get topics() {
    return [...this.#topics];
  }

  get state() {
    return this.status.state;
  }

  get transport() {
    return this.status.transport;
  }

  /** Changes the transport in the middle; nothing is missed or repeated. @param {Transport} transport */
  use(transport) {
    const settings = { ...this.#settings, transport };
    check(settings);
    this.#settings = settings;
    if (this.#driver instanceof Share) this.#driver.use(transport);
    else this.#reopen();
  }

  /** @param {...string} topics */
  add(...topics) {
    checkTopics(topics);
    const before = this.#topics.size;
    for (const topic of topics) this.#topics.add(topic);
    if (this.#topics.size !== before) this.#reopenSoon();
  }

  /** @param {...string} topics */
  remove(...topics) {
    const before = this.#topics.size;
    for (const topic of topics) this.#topics.delete(topic);
    if (this.#topics.size !== before) this.#reopenSoon();
  }

  /** Lets go of the connection; `resume` goes on from the last id. */
  pause() {
    this.#hold('pause');
  }

  resume() {
    this.#release('pause');
  }

  /** The end: the handler is not called again. */
  close() {
    if (this.state === 'closed') return;
    this.#ended.abort();
    this.#drop('closed');
  }

  /**
   * Every message, one by one; leaving the loop closes the subscription. Who reads slowly is paused, and goes on from
   * history. A refusal is thrown.
   * @returns {AsyncGenerator<Message, void>}
   */
  async *[Symbol.asyncIterator]() {
    /** @type {Message[]} */
    const queue = [];
    let wake = () => {};
    /** @param {Message} [message] */
    const read = (message) => {
      if (message && queue.push(message) >= REMEMBERED) this.#hold('reader');
      wake();
    };
    this.#readers.add(read);
    try {
      for (;;) {
        for (let message; (message = queue.shift()); ) yield message;
        this.#release('reader');
        if (this.status.error) throw failure(this.status.error);
        if (this.state === 'closed') return;
        await new Promise((resolve) => (wake = () => resolve(undefined)));
      }
    } finally {
      this.#readers.delete(read);
      this.close();
    }
  }

  /** During server-side rendering relative addresses lead nowhere: then nothing happens. */
  #hasAddress() {
    try {
      for (const kind of kindsOf(this.#settings)) streamAddress(kind, [], '', this.#settings);
      return true;
    } catch (error) {
      if (globalThis.location) throw error;
      queueMicrotask(() => this.#sink.error({ code: 'address', message: 'a relative address needs a page, or base' }));
      return false;
    }
  }

  /** @param {(status: Status) => void} say */
  #tell(say) {
    const { id, ...rest } = this.status;
    const told = JSON.stringify(rest);
    if (told === this.#told || (!this.#told && this.state === 'closed')) return; // who was told nothing need not hear of its end
    this.#told = told;
    say(this.status);
    for (const read of this.#readers) read();
  }

  /** @param {any} target @param {string} type @param {() => void} listener */
  #listen(target, type, listener) {
    target.addEventListener?.(type, listener, { signal: this.#ended.signal });
  }

  /** @param {Document} page */
  #watchVisibility(page) {
    const look = () => (page.visibilityState === 'hidden' ? this.#hold('hidden') : this.#release('hidden'));
    this.#listen(page, 'visibilitychange', look);
    this.#opening = true;
    look();
    this.#opening = false;
  }

  /** @param {string} why */
  #hold(why) {
    if (this.state === 'closed' || this.#holds.has(why)) return;
    this.#holds.add(why);
    if (this.#holds.size === 1) this.#drop('paused');
  }

  /** @param {string} why */
  #release(why) {
    if (!this.#holds.delete(why) || this.#holds.size || this.state === 'closed') return;
    if (this.#topics.size) this.#open(this.#sink.state);
    else this.#drop('idle');
  }

  /** @param {(status: Status) => void} [tell] */
  #open(tell) {
    const Driver = this.#settings.share && Share.available() ? Share : Line;
    if (!this.#topics.size || !this.#hasAddress()) return;
    const before = this.status;
    this.#opening = true; // onState may use what `subscribe` returns, and close what is opened here
    this.#driver = new Driver(this.topics, this.#last, this.#settings, this.#sink, this.#recent);
    this.#opening = false;
    if (this.status !== before) tell?.(this.status);
  }

  /** @param {State} state */
  #drop(state) {
    const { error, delay, ...status } = this.status;
    this.#last = this.lastId;
    this.#driver?.stop();
    this.#driver = undefined;
    this.#sink.state({ ...status, state });
  }

  #reopenSoon() {
    if (this.#changing) return;
    this.#changing = true;
    queueMicrotask(() => {
      this.#changing = false;
      this.#reopen();
    });
  }

  #reopen() {
    const state = this.#topics.size ? 'waiting' : 'idle';
    if (this.#holds.size || this.state === 'closed') return;
    if (this.state !== 'idle') this.#drop(state);
    else if (state === 'waiting') return this.#open(this.#sink.state);
    if (this.state !== state || this.#driver) return; // who was told has closed it, or opened it anew
    this.#open(this.#sink.state);
  }

  /** What was added is refused: those that were there before go on. */
  #withdraw() {
    const rest = this.topics.filter((topic) => this.#taken.has(topic));
    if (!rest.length || rest.length === this.#topics.size) return;
    this.#topics = new Set(rest);
    this.#reopen();
  }
}

/**
 * What a handler throws is the page's error, not the stream's.
 * @template T
 * @param {((value: T) => void) | undefined} handler
 * @returns {(value: T) => void}
 */
function guarded(handler) {
  return (value) => {
    try {
      handler?.(value);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  };
}

/** @param {Refusal} refusal */
const failure = ({ message, ...about }) => Object.assign(new Error(message), about);

/**
 * Calls `handler` with every message of the topics from now on (or from `options.since` on).
 * @param {string | string[]} topics
 * @param {(message: Message) => void} [handler]  may be left out where the subscription is iterated over
 * @param {Options} [options]
 */
export function subscribe(topics, handler, options = {}) {
  return new Subscription(topics, handler, options);
}

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

/**
 * Publishes a message, and resolves to its id once the broker has it. What is refused is thrown, with `status` and `code`. Under a
 * `key` a message that is sent again is published once.
 * @param {string} topic
 * @param {string | Uint8Array} data
 * @param {{event?: string, id?: string, key?: string, ttl?: number, address?: string, base?: string, credentials?: boolean,
 *   token?: Options['token'], signal?: AbortSignal}} [options]
 * @returns {Promise<{id: string}>}
 */
export async function publish(topic, data, options = {}) {
  const { address = '/publish', token = '', signal, base = '', credentials = false, ...about } = options;
  const settings = { ...DEFAULTS, base, credentials, sse: address };
  checkTopics([topic]);
  const url = new URL(streamAddress('sse', [topic], '', settings));
  url.searchParams.delete('format');
  for (const name of /** @type {const} */ (['event', 'id', 'key', 'ttl']))
    if (about[name] !== undefined) url.searchParams.set(name, String(about[name]));
  const given = typeof token === 'function' ? await token() : token;
  const { headers, ...rest } = fetchOptions('application/json', settings, given);
  const type = typeof data === 'string' ? 'text/plain' : 'application/octet-stream';
  const body = /** @type {BodyInit} */ (data);
  const response = await fetch(url, { ...rest, method: 'POST', body, signal, headers: { ...headers, 'content-type': type } });
  if (response.ok) return response.json();
  throw failure((await readRefusal(response, '')) ?? { message: 'no answer' });
}
