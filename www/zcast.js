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
 * @typedef {'connecting' | 'open' | 'waiting' | 'paused' | 'closed'} State
 *
 * @typedef {object} Status
 * @property {State} state
 * @property {'sse' | 'ws'} transport   the one in use
 * @property {'leader' | 'follower'} [role]  with `share`
 * @property {number} attempt           failures in a row
 * @property {number} [delay]           when waiting: milliseconds, where known
 *
 * @typedef {'auto' | 'sse' | 'ws'} Transport
 *
 * @typedef {object} Options
 * @property {Transport} [transport]  auto (default): SSE, and WebSocket where that says nothing
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
 * @property {(verdict: Continuity) => void} [onContinuity]
 * @property {(status: Status) => void} [onState]
 * @property {(error: {code?: string, message: string}) => void} [onError]  what the server refused, or said wrongly
 *
 * @typedef {Required<Omit<Options, 'onContinuity' | 'onState' | 'onError'>>} Settings
 *
 * @typedef {object} Sink  Where a Line or a Share puts what it hears.
 * @property {(message: Message) => void} message
 * @property {(verdict: Continuity) => void} verdict
 * @property {(status: Status) => void} state
 * @property {(error: {code?: string, message: string}) => void} error
 * @property {(id: string) => void} [position]  complete up to this id
 *
 * @typedef {{kind: 'message', id: string, message: Message}
 *   | {kind: 'verdict', id: string, verdict: Continuity}
 *   | {kind: 'heartbeat', id: string}
 *   | {kind: 'error', code?: string, message: string}
 *   | {kind: 'reconnect', after: number}
 *   | {kind: 'open'} | {kind: 'lost'} | {kind: 'end'}} Frame
 */

/** @type {Settings} */
const DEFAULTS = {
  transport: 'auto',
  sse: '/events',
  ws: '/ws',
  since: '',
  share: false,
  credentials: false,
  silence: 45000,
  patience: 10000,
  backoff: 1000,
  maxBackoff: 30000,
};
const REMEMBERED = 1024;

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
  const url = new URL(settings[kind], location.href);
  if (kind === 'ws') url.protocol = url.protocol.replace('http', 'ws');
  for (const topic of topics) url.searchParams.append('topic', topic);
  if (kind === 'sse') url.searchParams.set('format', 'zcast.v1');
  if (since) url.searchParams.set('last-event-id', since);
  return url.href;
}

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
  if (type !== undefined) return { kind: 'heartbeat', id }; // heartbeat, subscribed, pong: alive
  if (event === 'zcast.continuity' && topic === '') return { kind: 'verdict', id, verdict: JSON.parse(frame.data) };
  const data = frame.base64 === undefined ? frame.data : Uint8Array.from(atob(frame.base64), (c) => c.charCodeAt(0));
  return { kind: 'message', id, message: { id, ...(eventId !== undefined && { eventId }), topic, event: event ?? 'message', data } };
}

/**
 * Each transport opens an address, calls `heard`, and returns how to close it. It may go on calling after that.
 * @type {Record<'sse' | 'ws', (url: string, settings: Settings, heard: (frame: Frame) => void) => () => void>}
 */
const TRANSPORTS = {
  sse(url, settings, heard) {
    const source = new EventSource(url, { withCredentials: settings.credentials });
    source.onopen = () => heard({ kind: 'open' });
    source.onmessage = (event) => heard(parseFrame(event.data));
    source.addEventListener('zcast.continuity', (event) =>
      heard({ kind: 'verdict', id: event.lastEventId, verdict: JSON.parse(event.data) }),
    );
    source.addEventListener('zcast.heartbeat', (event) => heard({ kind: 'heartbeat', id: event.lastEventId }));
    // After a cut the browser comes back by itself, when the server's retry: says. After an answer that is no
    // event stream it never does.
    source.onerror = () => heard({ kind: source.readyState === EventSource.CLOSED ? 'end' : 'lost' });
    return () => source.close();
  },

  ws(url, settings, heard) {
    const socket = new WebSocket(url, 'zcast.v1');
    socket.onopen = () => heard({ kind: 'open' });
    socket.onmessage = (event) => heard(parseFrame(event.data));
    socket.onclose = () => heard({ kind: 'end' });
    return () => socket.close();
  },
};

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
    this.#kinds = settings.transport === 'auto' ? ['sse', 'ws'] : [settings.transport];
    globalThis.addEventListener?.('online', this.#wake);
    this.#connect();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    globalThis.removeEventListener?.('online', this.#wake);
    this.#cut();
  }

  #connect() {
    this.#proven = this.#opened = this.#waiting = false;
    this.#after = undefined;
    this.#replay = this.last ? Infinity : 0;
    this.#tell('connecting');
    if (this.#stopped) return; // by who was told
    let current = true; // what a connection says after it was given up is not for us
    let close = () => {};
    this.#cut = () => {
      current = false;
      close();
    };
    try {
      const url = streamAddress(this.#kinds[0], this.#topics, this.last, this.#settings);
      close = TRANSPORTS[this.#kinds[0]](url, this.#settings, (frame) => current && this.#take(frame));
      this.#touch();
    } catch (error) {
      // no such transport in this browser, or a bad address
      queueMicrotask(() => this.#sink.error({ message: String(error) }));
      this.#end();
    }
  }

  /** @param {Frame} frame */
  #take(frame) {
    if (frame.kind === 'end') return this.#end();
    if (frame.kind === 'lost') return this.#lost();
    this.#heardAt = Date.now();
    if (frame.kind === 'open') return this.#open();
    if (frame.kind === 'error') return this.#sink.error({ code: frame.code, message: frame.message });
    this.#proven = true;
    this.#failures = 0;
    if (frame.kind === 'reconnect') this.#after = frame.after;
    else if (frame.kind === 'message') this.#message(frame.message);
    else this.#moveOn(frame);
  }

  #open() {
    this.#opened = true;
    this.#waiting = false;
    this.#tell('open');
  }

  /** @param {Message} message */
  #message(message) {
    if (this.#replay > 0) this.#replay--;
    this.#recent.add(message.id);
    this.last = message.id || this.last;
    this.span = undefined;
    this.#sink.message(message);
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
  }

  /** The browser comes back by itself, once: it knows the server's retry time. What then fails is ours. */
  #lost() {
    if (!this.#proven) return this.#end();
    this.#proven = this.#opened = false;
    this.#waiting = true;
    this.#replay = this.last ? Infinity : 0;
    this.#touch();
    this.#tell('waiting');
  }

  #end() {
    if (this.#stopped) return;
    this.#cut();
    clearTimeout(this.#timer);
    let delay = this.#after ?? backoffDelay(this.#failures, this.#settings);
    if (!this.#proven) {
      this.#failures++;
      this.#kinds.push(/** @type {'sse' | 'ws'} */ (this.#kinds.shift()));
      if (this.#failures % this.#kinds.length) delay = 0; // the other transport, at once
    }
    this.#waiting = true;
    this.#timer = setTimeout(() => this.#connect(), delay);
    this.#tell('waiting', delay);
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

  /** Where there is another transport, a connection that opened must also speak soon: a proxy may hold it back. */
  #limit() {
    const { silence, patience } = this.#settings;
    const settled = this.#proven || this.#waiting || (this.#opened && this.#kinds.length === 1);
    return settled ? silence : patience;
  }

  /** Ends a connection that is silent for too long. The wall clock also counts the time that a laptop slept. */
  #watch() {
    const limit = this.#limit();
    const quiet = Date.now() - this.#heardAt;
    if (quiet < 0) this.#heardAt = Date.now(); // the clock was set back
    if (quiet >= limit) this.#end();
    else this.#timer = setTimeout(() => this.#watch(), limit - Math.max(0, quiet));
  }

  /** @param {State} state @param {number} [delay] */
  #tell(state, delay) {
    if (this.#stopped) return;
    this.#sink.state({ state, transport: this.#kinds[0], attempt: this.#failures, ...(delay !== undefined && { delay }) });
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
    this.#name = `zcast ${JSON.stringify([settings.sse, settings.ws, [...topics].sort()])}`;
    this.#channel = new BroadcastChannel(this.#name);
    this.#channel.onmessage = (event) => this.#hear(event.data);
    this.#queue(false);
    this.#channel.postMessage({ type: 'hello' });
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
    else this.#channel.postMessage({ type: 'use', transport });
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
    this.#channel.postMessage({ type: 'hello' });
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
      error: (error) => this.#sink.error(error),
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
    if (!this.#stopped && !this.#alone) this.#channel.postMessage({ ...where, ...words });
  }

  /** @param {any} words */
  #hear(words) {
    if (this.#alone) return;
    if (words.type === 'use') {
      this.#settings = { ...this.#settings, transport: words.transport };
      if (this.#leading) this.#open();
    } else if (this.#leading) {
      if (words.type === 'hello') this.#say({ type: 'lead' });
    } else if (words.term >= this.#term) {
      this.#hearLeader(words);
    }
  }

  /** @param {any} words */
  #hearLeader(words) {
    this.#heardAt = Date.now();
    this.#term = words.term;
    this.#theirs = words;
    if (words.type === 'lead') this.#welcome(words);
    else if (words.type === 'message') this.#pass(words);
    else if (this.#chain === undefined || this.#line) this.#join();
    else if (words.type === 'verdict') this.#sink.verdict(words.verdict);
    else if (words.type === 'state') this.#tell(words.status);
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

  /** A leader that is wedged holds its lock and says nothing. */
  #watch() {
    const limit = 1.5 * this.#settings.silence * (1 + Math.random());
    this.#timer = setTimeout(() => {
      if (!this.#leading && !this.#line && Date.now() - this.#heardAt >= this.#settings.silence) this.#queue(true);
      this.#watch();
    }, limit);
  }
}

/** A running subscription; made by `subscribe`. */
export class Subscription {
  /** @type {Status} */
  status = { state: 'connecting', transport: 'sse', attempt: 0 };
  #topics;
  #settings;
  #sink;
  /** @type {Line | Share | undefined} */
  #driver;
  #last;
  #recent = new Recent();
  #paused = false;
  #opening = false;

  /**
   * @param {string | string[]} topics
   * @param {(message: Message) => void} handler
   * @param {Options} options
   */
  constructor(topics, handler, options) {
    const { onContinuity, onState, onError, ...settings } = options;
    this.#topics = new Set([topics].flat());
    const given = Object.entries(settings).filter(([, value]) => value !== undefined && value !== null);
    this.#settings = { ...DEFAULTS, ...Object.fromEntries(given) };
    this.#last = this.#settings.since;
    this.#sink = {
      message: guarded(handler),
      verdict: guarded(onContinuity),
      error: guarded(onError),
      /** @param {Status} status */
      state: (status) => {
        this.status = status;
        if (!this.#opening) guarded(onState)(status);
      },
    };
    this.#open();
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
    this.#settings.transport = transport;
    if (this.#driver instanceof Share) this.#driver.use(transport);
    else this.#reopen();
  }

  /** @param {...string} topics */
  add(...topics) {
    const before = this.#topics.size;
    for (const topic of topics) this.#topics.add(topic);
    if (this.#topics.size !== before) this.#reopen();
  }

  /** @param {...string} topics */
  remove(...topics) {
    const before = this.#topics.size;
    for (const topic of topics) this.#topics.delete(topic);
    if (this.#topics.size !== before) this.#reopen();
  }

  /** Lets go of the connection; `resume` goes on from the last id. */
  pause() {
    if (this.#paused || this.state === 'closed') return;
    this.#paused = true;
    this.#drop('paused');
  }

  resume() {
    if (!this.#paused || this.state === 'closed') return;
    this.#paused = false;
    this.#open(this.#sink.state);
  }

  /** The end: the handler is not called again. */
  close() {
    if (this.state !== 'closed') this.#drop('closed');
  }

  /** @param {(status: Status) => void} [tell] */
  #open(tell) {
    const Driver = this.#settings.share && Share.available() ? Share : Line;
    if (!this.#topics.size) return;
    const before = this.status;
    this.#opening = true; // onState may use what `subscribe` returns, and close what is opened here
    this.#driver = new Driver(this.topics, this.#last, this.#settings, this.#sink, this.#recent);
    this.#opening = false;
    if (this.status !== before) tell?.(this.status);
  }

  /** @param {State} state */
  #drop(state) {
    this.#last = this.lastId;
    this.#driver?.stop();
    this.#driver = undefined;
    this.#sink.state({ ...this.status, state });
  }

  #reopen() {
    if (this.#paused || this.state === 'closed') return;
    this.#drop('waiting');
    if (this.state !== 'waiting' || this.#driver) return; // who was told has closed it, or opened it anew
    this.#open(this.#sink.state);
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

/**
 * Calls `handler` with every message of the topics from now on (or from `options.since` on).
 * @param {string | string[]} topics
 * @param {(message: Message) => void} handler
 * @param {Options} [options]
 */
export function subscribe(topics, handler, options = {}) {
  return new Subscription(topics, handler, options);
}
