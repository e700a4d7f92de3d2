/**
 * zcast.js - events from zcast in a browser, over Server-Sent Events or WebSocket.
 *
 *     import { subscribe } from './zcast.js';
 *     const events = subscribe(['news', 'host/metrics'], (message) => console.log(message.topic, message.data));
 *     events.close();
 *
 * Whatever happens to the connection, the handler gets every message of its topics once and in order, or
 * `onContinuity` says what is missing. All subscriptions of a page have one connection.
 *
 * Made by clients/js/join.mjs of the modules in clients/js/src/: change those.
 */

// frames

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
/**
 * What not every page needs: modules that bring such a thing put it in here.
 * @type {{share?: (settings: Settings, sink: Sink, groups: string[][], at: string, number: number) => Source,
 *   fetch?: (url: string, settings: Settings, heard: (frame: Frame) => void, token: string) => {close: () => void},
 *   token?: (ask: () => string | Promise<string>, renew: () => void) => {get: () => Promise<string>, refused: () => boolean, stop: () => void},
 *   once?: (subscription: any, on: Listeners, hold: (why: string, held: boolean) => void) => AsyncGenerator<Message, void>}}
 */
const extras = {};
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

/** Whether an id says where it is: not `earliest`, nor a publisher's own. @param {string} [id] */
const isPosition = (id = '') => /^\d+-\d+$/.test(id);

/** @param {string} a @param {string} b */
const isBefore = (a, b) => isPosition(a) && isPosition(b) && order(a, b) < 0;

/** The later of two positions, of which one may be missing. @param {string} a @param {string} b */
const later = (a, b) => (isBefore(a, b) ? b : a || b);

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
function page() {
  const key = globalThis.location ?? globalThis;
  if (!PAGES.has(key)) PAGES.set(key, { heldBack: new Set(), trunks: new Set(), holds: new Set() });
  return /** @type {Page} */ (PAGES.get(key));
}

/** @param {Settings} settings @returns {Status} */
const beginning = (settings) => ({ state: 'connecting', transport: kindsOf(settings)[0], attempt: 0 });

/** What selects topics by the form of their names. */
const SELECTORS = ['match', 'template', 'pattern'];

/** A selector is kept as a text that no topic can be. @param {string} kind @param {string} text */
const selectorOf = (kind, text) => `\x01${kind} ${text}`;

/** Its kind, as in an address, and its text. @param {string} name @returns {[string, string]} */
function partsOf(name) {
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
function kindsOf(settings) {
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
function readFrame({ type, base64, ...said }) {
  const { id = '', topic, event = 'message' } = said;
  if (type) return { kind: type, id, said };
  if (topic === '') return { kind: event.slice(6), id, said: JSON.parse(said.data) }; // zcast.continuity, zcast.stale
  if (base64 !== undefined) said.data = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
  return { kind: 'message', id, said: { ...said, id, event } };
}

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

/** Why an answer is none that was asked for. @param {Response} response @param {string} wanted  sse or ws */
async function readRefusal(response, wanted) {
  const { status, headers } = response;
  const type = headers.get('content-type') ?? '';
  if (status < 400) return type.includes('event-stream') ? undefined : refusalOf(status, `no ${wanted} is there`, 'type');
  const text = await response.text();
  const said = type.includes('json') ? JSON.parse(text) : { message: type.includes('plain') && text.trim() };
  return refusalOf(status, said.message || `status ${status}`, said.code);
}

/** @param {Refusal} refusal */
const failure = ({ message, ...about }) => Object.assign(new Error(message), about);

/** A browser doesn't say why a connection wasn't opened: asks. @param {string} kind @param {string} url @param {Settings} settings @param {string} token */
async function askWhy(kind, url, settings, token) {
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

// transports

/** How messages come: by an event stream, or by a WebSocket. */
/** @param {string} event @param {string} data @param {string} id @returns {Frame} of zcast's own */
const readOwn = (event, data, id) => readFrame({ topic: '', event, data, id });

const EVENTS = ['zcast.continuity', 'zcast.heartbeat', 'zcast.stale', 'zcast.end'];

/** @typedef {{close: () => void, send?: (words: object) => void}} Opened */

/**
 * Each transport opens an address, calls `heard`, and returns how to close it, and where that can be, how to say something. It may go
 * on calling after it was closed.
 * @type {Record<'sse' | 'ws', (url: string, settings: Settings, heard: (frame: Frame) => void, token: string) => Opened>}
 */
const TRANSPORTS = {
  sse(url, settings, heard, token) {
    if (extras.fetch && (token || !globalThis.EventSource)) return extras.fetch(url, settings, heard, token);
    const source = new EventSource(url, { withCredentials: settings.credentials });
    for (const type of EVENTS) source.addEventListener(type, (event) => heard(readOwn(type, event.data, event.lastEventId)));
    // The browser would come back by itself: with the id in a header, which service workers and proxies lose.
    return listen(source, heard, 'onerror', () => undefined);
  },

  ws(url, settings, heard, token) {
    const socket = new WebSocket(url, token ? ['zcast.v1', `zcast.token.${token}`] : 'zcast.v1');
    // 4000 + the status that was refused with
    const refusal = ({ code = 0, reason = '' }) => (code >= 4400 && code < 4600 ? refusalOf(code - 4000, reason) : undefined);
    return { ...listen(socket, heard, 'onclose', refusal), send: (words) => socket.send(JSON.stringify(words)) };
  },
};

/**
 * @param {any} source @param {(frame: Frame) => void} heard @param {string} end @param {(event: any) => Refusal | undefined} refusal
 * @returns {Opened}
 */
function listen(source, heard, end, refusal) {
  source.onopen = () => heard({ kind: 'open' });
  source.onmessage = (/** @type {MessageEvent} */ event) => heard(parseFrame(event.data));
  source[end] = (/** @type {any} */ event) => heard({ kind: 'end', said: refusal(event) });
  return { close: () => source.close() };
}

// stream

/** Event streams that are read with `fetch`: where there is no EventSource, and where a token has to be brought, which that can't. */
/**
 * Reads until the stream ends, or gives why there is none.
 * @param {string} url @param {Settings} settings @param {(frame: Frame) => void} heard @param {string} token @param {AbortSignal} signal
 */
async function readStream(url, settings, heard, token, signal) {
  const response = await fetch(url, { ...fetchOptions('text/event-stream', settings, token), signal });
  const refusal = await readRefusal(response, 'sse');
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
        if (data.length) heard(type.startsWith('zcast.') ? readOwn(type, data.join('\n'), id) : parseFrame(data.join('\n')));
        type = '';
        data = [];
      }
    }
  }
}

extras.fetch = (url, settings, heard, token) => {
  const abort = new AbortController();
  readStream(url, settings, heard, token, abort.signal)
    .catch(() => undefined)
    .then((said) => heard({ kind: 'end', said }));
  return { close: () => abort.abort() };
};

// claims

/** What a token says. */

/** Nothing, where it isn't a JSON Web Token. @param {string} token */
function claimsOf(token) {
  try {
    return JSON.parse(atob(token.split('.')[1].replace(/-/g, '+').replace(/_/g, '/'))) ?? {};
  } catch {
    return {};
  }
}

/** When a token ends, in ms; Infinity where it doesn't say. @param {string} token */
const endOf = (token) => claimsOf(token).exp * 1000 || Infinity;

// token

/** Tokens that a function gives: asked before the first connection, before the token ends, and when the server has refused it. */
const LONGEST = 2 ** 31; // ms of a timer: less than this

/** @param {() => string | Promise<string>} ask @param {() => void} renew  called when there is to be another one */
extras.token = (ask, renew) => {
  let token = '';
  let fresh = false; // it was given for this connection
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  function drop() {
    token = '';
    clearTimeout(timer);
  }

  /** A connection has the rights of the token that it came with: another one comes before that ends. */
  function renewLater() {
    const left = endOf(token) - Date.now();
    const due = () => {
      drop();
      renew();
    };
    clearTimeout(timer);
    if (left > 0 && left < LONGEST) timer = setTimeout(due, left - Math.min(30000, left / 10));
  }

  return {
    async get() {
      if (endOf(token) < Date.now() + 5000) token = '';
      fresh = !token;
      if (fresh) {
        token = await ask();
        renewLater();
      }
      return token;
    },
    /** The server has refused it: whether another one may help. */
    refused() {
      drop();
      return !fresh;
    },
    stop: drop,
  };
};

// line

/**
 * One line to the server, kept alive: chooses the transport, resumes from the last id, waits longer after each failure,
 * notices silence, and changes its topics.
 */
/** @param {string[][]} groups */
const union = (groups) => [...new Set(groups.flat())];

/** @param {string} type @param {string[]} names @param {number} ref */
function wordsOf(type, names, ref) {
  /** @type {Record<string, any>} */
  const words = { type, ref };
  for (const name of names) {
    const [kind, text] = partsOf(name);
    const key = kind === 'topic' ? 'topics' : kind;
    words[key] = [...(words[key] ?? []), text];
  }
  return words;
}

/**
 * @param {Settings} settings
 * @param {Sink} sink
 * @param {string[][]} groups  the topics; those of one group are refused together
 * @param {string} last  the id to resume from
 * @returns {Source}
 */
function openLine(settings, sink, groups, last) {
  let kinds = kindsOf(settings); // what is tried, the first one now
  /** @type {string[]} */
  let asked = []; // the topics of this connection
  let accepted = new Set(); // those that the server has taken, and not refused since
  /** @type {string[] | undefined} */
  let due; // topics that it has taken, not knowing from where on yet
  let oneByOne = false; // some are refused, and have to be told from the others
  let quiet = false; // it comes anew for other topics: nobody need hear of that, if it goes well
  let turn = 0; // of the change of topics that counts
  let replay = 0; // messages that the verdict said come from history; endless until there is one
  let failures = 0; // connections in a row that ended without a word
  let proven = false; // this one has said something
  let positioned = false; // and where it is
  let stale = false; // and that its broker doesn't answer
  let resumes = false; // it has come with an id, and must say how it stands
  let refusedKinds = new Set(); // for good
  const asking = new Set();
  let token = '';
  /** @type {number | undefined} */
  let after; // how long the server asked us to stay away
  let heardAt = 0;
  let stopped = false;
  let opened = false;
  let waiting = false; // between two connections
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  let cut = () => {};
  /** @type {((words: object) => void) | undefined} */
  let send;

  const { token: given } = settings;
  /** where a function gives them */
  const tokens = typeof given === 'function' ? extras.token?.(given, () => waiting || reopen()) : undefined;

  function letGo() {
    clearTimeout(timer);
    send = undefined;
    cut();
  }

  function stop() {
    stopped = true;
    letGo();
    tokens?.stop();
    globalThis.removeEventListener?.('online', hurry);
  }

  /** @param {State} state @param {number} [delay] */
  function tell(state, delay) {
    if (stopped || (quiet && state === 'connecting')) return;
    quiet = false;
    sink.state({ state, transport: kinds[0], attempt: failures, delay, id: last || undefined });
  }

  // -- connections

  function connect() {
    proven = positioned = opened = waiting = stale = false;
    after = due = undefined;
    asked = union(admitted());
    if (!asked.length) return;
    resumes = last !== '';
    replay = resumes ? Infinity : 0;
    tell('connecting');
    if (stopped) return; // by who was told
    if (!tokens) return dial(given);
    let current = true;
    cut = () => (current = false);
    touch();
    tokens.get().then(
      (made) => current && dial(made),
      (error) => {
        if (!current) return;
        sink.error({ code: 'token', message: String(error) });
        end();
      },
    );
  }

  /** @param {any} made */
  function dial(made) {
    token = made;
    let current = true; // what a connection says after it was given up is not for us
    let close = () => {};
    cut = () => {
      current = false;
      close();
    };
    try {
      const url = streamAddress(kinds[0], asked, last, settings);
      ({ close, send } = TRANSPORTS[kinds[0]](url, settings, (frame) => current && take(frame), token));
      touch();
    } catch (error) {
      // no such transport in this browser, or a bad address
      opened = true; // there is nobody to ask why
      queueMicrotask(() => sink.error({ message: String(error) }));
      end();
    }
  }

  function reopen() {
    letGo();
    connect();
  }

  // -- topics

  /** A group that the server has taken. @param {string[]} group */
  const isAccepted = (group) => group.every((topic) => accepted.has(topic));

  /** The groups to ask for now: all, or one more than those that are known to be good. */
  function admitted() {
    if (!oneByOne) return groups;
    const [next] = groups.filter((group) => !isAccepted(group));
    return groups.filter((group) => group === next || isAccepted(group));
  }

  /** @param {string[][]} wanted */
  function want(wanted) {
    groups = wanted;
    if (stopped || !(asked.length || groups.length)) return;
    if (positioned && !waiting) change();
    else if (!asked.length) connect(); // there was nothing to connect for
  }

  /** The connection is to have other topics. During a replay over WebSocket they wait: they would begin in the past. */
  function change() {
    const next = union(admitted());
    const more = next.filter((topic) => !asked.includes(topic));
    const less = asked.filter((topic) => !next.includes(topic));
    if ((!more.length && !less.length) || (send && replay)) return;
    if (!next.length || !send) {
      quiet = true;
      return reopen();
    }
    asked = next;
    if (less.length) send(wordsOf('unsubscribe', less, ++turn));
    if (more.length) send(wordsOf('subscribe', more, ++turn));
  }

  /** The server has taken these. @param {string[]} topics @param {string} at @param {Continuity} [verdict] */
  function cover(topics, at, verdict) {
    accepted = new Set([...accepted, ...topics]);
    sink.cover(topics, at, verdict, quiet ? 'quiet' : undefined);
    if (stopped) return;
    if (groups.every(isAccepted)) oneByOne = false;
    change();
  }

  /** Whose fault a refusal is: what is new, or else everything. */
  function onTrial() {
    const trial = admitted().filter((group) => !isAccepted(group) && group.every((topic) => asked.includes(topic)));
    if (trial.length) return trial;
    accepted = new Set();
    return admitted();
  }

  /** Those that are on trial are refused: told from one another, or taken out. @param {Refusal} refusal @param {boolean} [open] the connection stands */
  function withdraw(refusal, open) {
    const trial = onTrial();
    if (trial.length > 1) oneByOne = true;
    else {
      const [group] = trial;
      sink.error(refusal, group);
      groups = groups.filter((one) => String(one) !== String(group));
      sink.refused(group, refusal);
    }
    if (stopped) return;
    refusedKinds = new Set();
    if (open) {
      asked = asked.filter((topic) => accepted.has(topic));
      return change();
    }
    kinds = kindsOf(settings);
    quiet = accepted.size > 0;
    reopen();
  }

  // -- what comes

  /** @param {Frame} frame */
  function take({ kind, id = '', said }) {
    // Who was disconnected by hand may come back; else a stream is ended because of its token.
    if (kind === 'end') return end(said && { status: said.code === 'dropped' ? 429 : 401, ...said });
    heardAt = Date.now();
    if (kind === 'open') return open();
    if (kind === 'error') return refuseWords(said);
    if (kind === 'stale') return setStale(said.status !== 'live');
    if (kind === 'message' && resumes) return end(); // it has to say first how it stands
    proven = true;
    failures = 0;
    if (kind === 'reconnect') after = Number(said.after) || 0;
    else if (kind === 'message') message(said);
    else if (kind === 'subscribed') {
      if (said.ref === turn) due = asked; // a selector may come back as the one topic that it stands for
      if (id) moveTo(id);
    } else moveOn(id, kind === 'continuity' ? said : undefined); // a heartbeat, or a word that says that it is alive
  }

  /** It is complete up to here. @param {string} id */
  function moveTo(id) {
    last = id;
    if (due) cover(due, id);
    else sink.position(id);
    due = undefined;
  }

  /** @param {{code?: string, message?: string, ref?: unknown}} said */
  function refuseWords({ code = '', message: text = 'refused', ref }) {
    const status = Number(Object.keys(CODES).find((one) => code.startsWith(CODES[Number(one)])) ?? 400);
    const refusal = refusalOf(status, text, code);
    if (!ref) return sink.error(refusal);
    if (asked.every((topic) => accepted.has(topic))) return; // that is wanted no more
    if (isFinal(refusal)) return withdraw(refusal, true);
    sink.error(refusal);
    end(); // and comes back with them
  }

  /** It has said where it is. @param {string} at @param {Continuity} [verdict] */
  function settle(at, verdict) {
    const first = !positioned;
    positioned = true;
    if (first) {
      page().heldBack.delete(settings[kinds[0]]);
      cover(asked, at, verdict);
    } else if (verdict) sink.gap(verdict, at);
    if (positioned) tell(stale ? 'stale' : 'open');
  }

  /** A server that is cut off from its broker says so, and goes on with heartbeats. @param {boolean} on */
  function setStale(on) {
    stale = on;
    if (on || positioned) tell(on ? 'stale' : 'open');
  }

  function open() {
    opened = true;
    touch();
  }

  /** @param {Message} given */
  function message(given) {
    stale = false;
    if (!positioned) settle(last);
    else tell('open');
    if (stopped) return;
    last = given.id || last;
    const ends = replay > 0 && !--replay;
    sink.message(given);
    if (due && !stopped) moveTo(last);
    if (ends && !stopped) change();
  }

  /** @param {string} id @param {Continuity} [verdict] */
  function moveOn(id, verdict) {
    if (verdict) {
      resumes = false;
      replay = verdict.replayed ?? 0;
    }
    last = id || last;
    if (resumes) return; // a heartbeat before the verdict
    if (id) {
      settle(last, verdict);
      if (!stopped && !verdict) moveTo(last);
    } else if (positioned) tell('stale'); // the worker is without a broker
  }

  // -- the end of a connection

  /** @param {Refusal} [refusal] */
  function end(refusal) {
    if (stopped) return;
    const [kind] = kinds;
    letGo();
    if (!refusal && !opened) ask(kind);
    if (refusal && refuse(kind, refusal)) return;
    let delay = after ?? backoffDelay(failures, settings);
    if (!proven) {
      failures++;
      if (kinds[0] === kind) kinds.reverse();
      if (after === undefined && failures % kinds.length) delay = 0; // the other transport, at once
    }
    waiting = true;
    timer = setTimeout(connect, delay);
    tell('waiting', delay);
  }

  /** @param {'sse' | 'ws'} kind */
  async function ask(kind) {
    if (asking.has(kind) || !globalThis.fetch) return;
    asking.add(kind);
    const about = asked;
    const refusal = await askWhy(kind, streamAddress(kind, asked, last, settings), settings, token);
    asking.delete(kind);
    if (stopped || !refusal || asked !== about || refusedKinds.has(kind) || (positioned && kinds[0] === kind)) return;
    const tried = kinds[0] === kind;
    if (!refuse(kind, refusal) && tried && isFinal(refusal) && !waiting) end();
  }

  /** Says so; true where nothing is left to try with these topics. @param {'sse' | 'ws'} kind @param {Refusal} refusal */
  function refuse(kind, refusal) {
    if (refusal.status === 401) {
      if (tokens?.refused() || positioned) return false; // it has ended: with the next one
    }
    if (!isFinal(refusal)) {
      sink.error(refusal);
      return stopped;
    }
    refusedKinds.add(kind);
    if (kinds.some((one) => !refusedKinds.has(one))) {
      kinds = kinds.filter((one) => one !== kind);
      const trial = onTrial();
      if (trial.length === 1) sink.error(refusal, trial[0]);
      else if (![400, 401, 403].includes(refusal.status ?? 0)) sink.error(refusal);
      return stopped;
    }
    waiting = false;
    withdraw(refusal);
    return true;
  }

  /** The network is back: no need to wait on. */
  function hurry() {
    if (waiting) reopen();
  }

  // -- silence

  function touch() {
    heardAt = Date.now();
    clearTimeout(timer);
    watch();
  }

  /**
   * Ends a connection that is silent for too long, and says so before, when a heartbeat is late. A new one must say soon where
   * it is: a proxy may hold it back. The wall clock also counts the time that a laptop slept.
   */
  function watch() {
    const limit = proven ? settings.silence : settings.patience;
    heardAt = Math.min(heardAt, Date.now()); // the clock may be set back
    const silence = Date.now() - heardAt;
    const late = positioned && silence >= 0.75 * limit;
    if (silence >= limit) return giveUp();
    if (late) tell('stale');
    if (stopped) return;
    timer = setTimeout(watch, (positioned && !late ? 0.75 * limit : limit) - silence);
  }

  function giveUp() {
    if (opened && !proven) page().heldBack.add(settings[kinds[0]]);
    opened = true; // it isn't refused
    end();
  }

  globalThis.addEventListener?.('online', hurry);
  connect();
  return {
    want,
    use(transport) {
      settings = { ...settings, transport };
      kinds = kindsOf(settings);
      refusedKinds = new Set();
      reopen();
    },
    stop,
  };
}

// share

/**
 * A line that the tabs of a browser have in common. The tab that holds a Web Lock runs it, for the topics of all, and says on a
 * BroadcastChannel what it hears; when that tab goes, the lock goes to the next one, which goes on from the last id. What a
 * leader says is numbered: whoever has missed something asks where the leader is, and gets from its own line, for those that are
 * behind, what it has missed. Rejected: a SharedWorker (it has no EventSource in some browsers, and is not there on Android).
 */
const SHARED = 'zcast/3'; // what tabs say to each other; those that say something else have a name of their own
const ASK = 4000; // ms that a leader may be silent before it is asked; less where silence is to be noticed sooner
const ASKED = 3; // times, before it loses its place
const CENSUS = 15; // times that a leader looks at its watch, before it asks who is there

const FRESH = 5000; // ms that a token that was asked for to know who this is serves the connection too

const canShare = () => 'BroadcastChannel' in globalThis && 'locks' in (globalThis.navigator ?? {});

/**
 * Who may do the same as whom: the claims of a token but for those that every renewal changes, in whatever order they come; all of
 * another kind of token. It is part of the name of a lock, which other scripts can read: a digest. It keeps apart tabs that mean
 * well; the server checks what a token may.
 * @param {string} token
 */
function identityOf(token) {
  if (!token) return '';
  const { exp, iat, nbf, jti, ...claims } = claimsOf(token);
  const names = Object.keys(claims).sort();
  const text = names.length ? JSON.stringify(names.map((name) => [name, claims[name]])) : token;
  let [a, b] = [1, 2];
  for (const letter of text) {
    const code = letter.codePointAt(0) ?? 0;
    a = Math.imul(a ^ code, 0x9e3779b1) ^ (a >>> 15);
    b = Math.imul(b ^ code, 0x85ebca77) ^ (b >>> 13);
  }
  return [a, b].map((part) => (part >>> 0).toString(36)).join('.');
}

/**
 * Shares with the tabs whose token is of the same identity. A function has to be asked first; where it then gives one of another
 * identity, this tab goes on with others.
 * @param {Settings} settings @param {Sink} sink @param {string[][]} groups @param {string} at @param {number} number
 * @returns {Source}
 */
function openShare(settings, sink, groups, at, number) {
  const { token } = settings;
  if (typeof token !== 'function') return join(settings, sink, groups, at, number, identityOf(token));
  /** @type {Source | undefined} */
  let source;
  let stopped = false;
  const position = (/** @type {string} */ id) => (at = later(at, id));
  /** @type {Sink} */
  const heard = {
    ...sink,
    cover: (topics, id, ...rest) => (position(id), sink.cover(topics, id, ...rest)),
    gap: (verdict, id) => ((at = id), sink.gap(verdict, id)),
    message: (message) => (position(message.id), sink.message(message)),
    position: (id) => (position(id), sink.position(id)),
  };

  /** @param {string} made */
  function begin(made) {
    const identity = identityOf(made);
    const until = Math.min(endOf(made), Date.now() + 2 * FRESH) - FRESH;
    let first = true;
    const again = async () => {
      const next = first && Date.now() < until ? made : await token();
      first = false;
      if (stopped || identityOf(next) === identity) return next;
      source?.stop();
      begin(next);
      return new Promise(() => {}); // nobody waits for it
    };
    source = join({ ...settings, token: /** @type {() => Promise<string>} */ (again) }, heard, groups, at, number, identity);
  }

  Promise.resolve()
    .then(token)
    .then((made) => stopped || begin(made))
    .catch(() => stopped || (source = openLine(settings, heard, groups, at))); // which says so, and asks again
  return {
    want: (given) => ((groups = given), source?.want(given)),
    use: (transport) => ((settings = { ...settings, transport }), source?.use(transport)),
    stop: () => ((stopped = true), source?.stop()),
  };
}

/**
 * @param {Settings} settings
 * @param {Sink} sink
 * @param {string[][]} groups
 * @param {string} at  where a line begins, if there is none yet
 * @param {number} number  of lines with the same settings
 * @param {string} identity
 * @returns {Source}
 */
function join(settings, sink, groups, at, number, identity) {
  const name = `${SHARED} ${JSON.stringify([settings.base, settings.sse, settings.ws, settings.credentials, number, identity])}`;
  const channel = new BroadcastChannel(name);
  const me = Math.random().toString(36).slice(2);
  /** @type {Map<string, {groups: string[][], asked: number}>} what other tabs want */
  const others = new Map();
  /** @type {Source | undefined} */
  let line;
  /** @type {string[]} that come */
  let topics = [];
  let leading = false;
  let alone = false; // there is no lock to be had: we lead, and nobody follows
  let term = 0; // of the newest leader: one that was deposed may not know it yet
  let count = NaN; // of the leader's last words; NaN: some are missing
  /** @type {Status} */
  let status = { state: 'connecting', transport: 'sse', attempt: 0 };
  const ask = Math.min(ASK, settings.silence / 6);
  let turn = 0; // of the request for the lock that counts
  let stopped = false;
  let abort = new AbortController();
  let release = () => {};
  let heardAt = Date.now();
  let asked = 0; // times that the leader was asked, and has not answered
  let looked = 0; // times that we looked at the watch
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;

  channel.onmessage = (event) => {
    try {
      hear(event.data);
    } catch {
      // nonsense: whoever is of this origin may say it
    }
  };

  /** @param {object} words */
  function post(words) {
    try {
      if (!stopped && !alone) channel.postMessage(words);
    } catch {
      // what can't be said isn't heard: the next one asks
    }
  }

  const hello = () => post({ type: 'hello', me, groups });

  /** @param {Status} given */
  function tell(given) {
    status = given;
    if (!stopped) sink.state({ ...given, role: leading ? 'leader' : 'follower' });
  }

  // -- leading

  /** Waits for its turn to lead. With `steal` the leader, which is silent, loses its. @param {boolean} [steal] */
  async function queue(steal) {
    const mine = ++turn;
    abort.abort();
    abort = new AbortController();
    try {
      await navigator.locks.request(name, steal ? { steal } : { signal: abort.signal }, () => {
        if (stopped || mine !== turn) return undefined;
        const held = new Promise((let_go) => (release = () => let_go(undefined)));
        lead();
        return held;
      });
    } catch (error) {
      // aborted by ourselves, or stolen: the next turn. Anything else is for good (a sandboxed frame has no locks)
      if (/** @type {Error} */ (error).name !== 'AbortError') alone = true;
    }
    if (stopped || mine !== turn) return;
    if (alone) return lead();
    follow();
    queue();
  }

  /** What this tab wants, and the others. */
  const wanted = () => [...groups, ...[...others.values()].flatMap((one) => one.groups)];

  function lead() {
    leading = true;
    term = Math.max(term + 1, Date.now());
    count = 0;
    topics = [];
    line = openLine(settings, leaderSink, wanted(), at);
    post({ type: 'who' });
  }

  function follow() {
    leading = false;
    line?.stop();
    line = undefined;
    count = NaN;
    heardAt = Date.now();
    asked = 0;
    hello();
  }

  /** Says it, where we are, and to our own seats. @param {string} type @param {any[]} words */
  function pass(type, ...words) {
    say(type, words);
    if (type !== 'state') /** @type {any} */ (sink)[type](...words);
  }

  /** @param {string} type @param {any[]} [words] */
  const say = (type, words) => post({ type, term, count: ++count, at, words, ...(type !== 'message' && type !== 'position' && { topics, status }) });

  /** @type {Sink} */
  const leaderSink = {
    cover(covered, id, verdict, how) {
      topics = covered;
      at = id;
      pass('cover', covered, id, verdict, how);
    },
    gap(verdict, id) {
      at = id;
      pass('gap', verdict, id);
    },
    message(given) {
      at = later(at, given.id);
      pass('message', given);
    },
    position(id) {
      at = id;
      pass('position', id);
    },
    state(given) {
      tell(given);
      say('state');
    },
    error: (refusal, about) => pass('error', refusal, about),
    refused: (about, refusal) => pass('refused', about, refusal),
  };

  /** @param {string} from @param {string[][]} [theirs] */
  function register(from, theirs) {
    if (theirs?.length) others.set(from, { groups: theirs, asked: 0 });
    else others.delete(from);
    if (leading) line?.want(wanted());
  }

  /** Those that are gone without a word want nothing any more. */
  function takeCensus() {
    for (const [one, theirs] of others) if (++theirs.asked > 2) register(one);
    post({ type: 'who' });
  }

  // -- following

  /** @param {any} list */
  const areTexts = (list) => Array.isArray(list) && list.every((one) => typeof one === 'string');

  /** Whether a leader may have said it. @param {any} words */
  const isSound = ({ type, term: theirs, count: number, at: id, topics: covered }) =>
    theirs < Number.MAX_SAFE_INTEGER && Number.isSafeInteger(number) && typeof id === 'string' && (areTexts(covered) || type === 'message' || type === 'position');

  /** @param {any} words */
  function hear(words) {
    if (alone || stopped || typeof words?.type !== 'string') return;
    if (words.type === 'who') hello();
    else if (words.type === 'hello') {
      if (!words.groups.every(areTexts)) return;
      register(words.me, words.groups);
      if (leading && topics.length) say('lead');
    } else if (words.type === 'use') {
      settings = { ...settings, transport: words.transport };
      if (leading) line?.use(words.transport);
    } else if (words.type === 'ask') {
      if (leading) say('state');
    } else if (!leading && words.term >= term && isSound(words)) hearLeader(words);
  }

  /** @param {any} words */
  function hearLeader({ type, term: theirs, count: number, at: id, words, topics: covered, status: state }) {
    const inTurn = theirs === term && number === count + 1;
    heardAt = Date.now();
    asked = 0;
    if (!inTurn && !['lead', 'cover'].includes(type)) {
      if (count === count) hello(); // it tells where it is, and that again until it is heard
      count = NaN;
      term = theirs;
      if (state) tell(state);
      return;
    }
    [term, count, at] = [theirs, number, id];
    if (covered) topics = covered;
    if (type === 'lead') sink.cover(covered, id, undefined, inTurn ? 'quiet' : 'anew');
    else if (type === 'cover') sink.cover(covered, words[1], words[2], inTurn ? words[3] : 'anew');
    else if (type !== 'state') /** @type {any} */ (sink)[type](...words);
    if (state) tell(state);
  }

  /** A leader that is wedged, or kept by its browser for its way back, holds its lock and says nothing. */
  function watch() {
    timer = setTimeout(
      () => {
        if (!leading) askLeader();
        else if (++looked % CENSUS === 0) takeCensus();
        watch();
      },
      ask * (1 + Math.random() / 2),
    );
  }

  function askLeader() {
    if (count !== count) hello();
    if (Date.now() - heardAt < ask) return;
    if (asked === ASKED) queue(true);
    asked = (asked + 1) % (ASKED + 1);
    if (asked) post({ type: 'ask' });
    if (asked === 2 && status.state === 'open') tell({ ...status, state: 'stale' });
  }

  queue();
  hello();
  watch();
  return {
    want(given) {
      groups = given;
      if (leading) line?.want(wanted());
      else hello();
    },
    use(transport) {
      settings = { ...settings, transport };
      if (leading) line?.use(transport);
      else post({ type: 'use', transport });
    },
    stop() {
      post({ type: 'hello', me, groups: [] });
      stopped = true;
      clearTimeout(timer);
      line?.stop();
      abort.abort();
      release();
      channel.close();
    },
  };
}

extras.share = (...all) => (canShare() ? openShare : openLine)(...all);

// base

/** What every subscription is, however it is connected: what it was given is checked, it has a state, and it hears of its page. */
/**
 * @typedef {object} Link  How a subscription gets its messages.
 * @property {() => string[]} topics
 * @property {() => string} lastId
 * @property {(names: Set<string>, since: string) => void} add
 * @property {(names: string[]) => void} remove
 * @property {(settings: Settings) => void} use
 * @property {() => void} connect
 * @property {() => void} leave
 *
 * @typedef {object} Me  What a link knows of its subscription.
 * @property {Settings} settings
 * @property {Status} status
 * @property {Listeners} on
 * @property {Set<string>} holds  why there is no connection: somebody said so, the page is left, or hidden
 * @property {(status: Status) => void} tell
 * @property {(state: State, error?: Refusal) => void} become
 */

/** @param {unknown} good @param {string} rule */
function must(good, rule) {
  if (!good) throw new TypeError(`zcast: ${rule}`);
}

/** @param {any} topic */
function checkTopic(topic) {
  must(topic?.trim && /^\P{Cc}+$/u.test(topic) && new Blob([topic]).size <= 1024, `no topic: ${topic}`);
  return topic;
}

/** As they are kept: topics as they are, and selectors. @param {any[]} topics @returns {Set<string>} */
const namesOf = (topics) =>
  new Set(
    topics.map((topic) => {
      const kind = SELECTORS.find((one) => topic?.[one]?.trim);
      return kind ? selectorOf(kind, checkTopic(topic[kind])) : checkTopic(topic);
    }),
  );

/** @param {any} settings */
function check(settings) {
  const { transport, share, token } = settings;
  must(['auto', 'sse', 'ws'].includes(transport), 'transport');
  for (const [name, value] of Object.entries(DEFAULTS)) {
    const given = settings[name];
    must(typeof given === typeof value || (name === 'token' && token.call), `${name} is no ${typeof value}`);
    if (value > 0) must(given >= 0 && given < 2 ** 31, name);
  }
  needs('share', share);
  needs('token', token.call);
  needs('fetch', token && transport === 'sse');
}

/** @param {keyof typeof extras} part @param {unknown} wanted */
const needs = (part, wanted) => must(!wanted || extras[part], `this needs import 'zcast/${part}'`);

/**
 * What a handler throws is the page's error, not the stream's.
 * @template T
 * @param {((value: T) => void) | null | undefined} handler
 * @returns {(value: T) => void}
 */
function guarded(handler) {
  must(!handler || handler.call, 'no function');
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
 * The browser shows the page, leaves it or freezes it, or somebody sees it or not: all subscriptions hear of it in one tick. A frozen
 * page hears nothing more, but would go on answering tabs that ask it whether it leads.
 * @type {Record<string, boolean>}
 */
const LEFT = { pagehide: true, freeze: true, pageshow: false, resume: false };

/** @param {Event} event */
function look({ type }) {
  for (const hold of page().holds) {
    if (type in LEFT) hold('page', LEFT[type]);
    else hold('hidden', isHidden());
  }
}

const isHidden = () => globalThis.document?.visibilityState === 'hidden';

/** As they were given. @param {string} name @returns {string | Selector} */
function shown(name) {
  const [kind, text] = partsOf(name);
  return kind === 'topic' ? text : /** @type {Selector} */ ({ [kind]: text });
}

/**
 * @param {string | Selector | (string | Selector)[]} topics
 * @param {((message: Message) => void) | null | undefined} handler
 * @param {Options | undefined} options
 * @param {(me: Me, names: string[]) => Link} makeLink
 */
function makeSubscription(topics, handler, options, makeLink) {
  const { onContinuity, onState, onError, signal, ...given } = options ?? {};
  const on = { message: guarded(handler), verdict: guarded(onContinuity), state: guarded(onState), error: guarded(onError) };
  const names = namesOf([topics].flat());
  must(names.size, 'no topic');
  /** @type {Settings} */
  const settings = { ...DEFAULTS, ...Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined && value !== null)) };
  check(settings);
  const { since, transport } = settings;
  let told = '';
  /** @type {Set<string>} */
  const holds = new Set();
  /** @type {Me} */
  const me = { settings, on, holds, tell, become, status: { state: 'connecting', transport: transport === 'ws' ? 'ws' : 'sse', attempt: 0 } };
  const link = makeLink(me, [...names]);

  /** Tells how it is, where that is new. @param {Status} status */
  function tell(status) {
    me.status = JSON.parse(JSON.stringify(status)); // without what is undefined
    const text = JSON.stringify({ ...status, id: undefined });
    if (text === told || (!told && ['connecting', 'closed'].includes(status.state))) return; // who was told nothing need not hear of that
    told = text;
    on.state(me.status);
  }

  /** @param {State} state @param {Refusal} [error] */
  function become(state, error) {
    tell({ ...me.status, state, error, delay: undefined });
  }

  /** @param {string} why @param {boolean} held */
  function hold(why, held) {
    if (me.status.state === 'closed' || holds.has(why) === held || (why === 'hidden' && !me.settings.pauseWhenHidden)) return;
    holds[held ? 'add' : 'delete'](why);
    if (held && holds.size === 1) {
      link.leave();
      become('paused');
    } else if (!holds.size) {
      become(link.topics().length ? 'connecting' : 'idle');
      if (me.status.state === 'connecting') link.connect();
    }
  }

  const subscription = {
    get status() {
      return me.status;
    },
    get state() {
      return me.status.state;
    },
    get transport() {
      return me.status.transport;
    },
    get topics() {
      return link.topics().map(shown);
    },
    /** The id to resume from: with it another subscription, on either transport, goes on where this one is. */
    get lastId() {
      return link.lastId() || since;
    },
    /** Changes the transport in the middle; nothing is missed or repeated. @param {Transport} transport */
    use(transport) {
      const next = { ...me.settings, transport };
      check(next);
      link.use(next);
    },
    /** @param {...any} topics  at last, where they begin: `{ since: 'earliest' }` is their history */
    add(...topics) {
      const { since = '' } = topics[topics.length - 1]?.since === undefined ? {} : topics.pop();
      const names = namesOf(topics);
      must(since.trim, 'since');
      for (const name of link.topics()) names.delete(name);
      if (names.size && me.status.state !== 'closed') link.add(names, since);
    },
    /** @param {...(string | Selector)} topics */
    remove: (...topics) => link.remove([...namesOf(topics)]),
    /** Lets go of the connection; `resume` goes on from the last id. */
    pause: () => hold('pause', true),
    resume: () => hold('pause', false),
    /** The end: the handler is not called again. */
    close() {
      if (me.status.state === 'closed') return;
      signal?.removeEventListener('abort', subscription.close);
      page().holds.delete(hold);
      link.leave();
      become('closed');
    },
    [Symbol.asyncIterator]: () => extras.once?.(subscription, on, hold),
  };

  try {
    for (const kind of kindsOf(settings)) streamAddress(kind, [], '', settings);
  } catch (error) {
    // during server-side rendering relative addresses lead nowhere: then nothing happens
    if (globalThis.location) throw error;
    queueMicrotask(() => on.error({ code: 'address', message: 'a relative address needs base' }));
    return subscription;
  }
  if (signal?.aborted) subscription.close();
  else {
    signal?.addEventListener('abort', subscription.close);
    page().holds.add(hold);
    for (const type of [...Object.keys(LEFT), 'visibilitychange']) globalThis.addEventListener?.(type, look, true);
    hold('hidden', isHidden());
    link.add(names, since);
  }
  return subscription;
}

// trunk

/**
 * What subscriptions of a page have in common: one line, on which each of them is at its own place.
 *
 * A seat is some topics of a subscription, and its place. It is in step once the line brings its topics, and all up to that
 * has come to it. One that comes with an id from before that is behind: a second line, for all that are, brings it what it
 * has missed, while what the first line brings is kept for it; it changes over where both have met.
 */
const TOPICS = 100; // of one line, as the server allows

/**
 * @typedef {object} Hearer  Where a seat puts what it hears.
 * @property {(message: Message) => void} message
 * @property {(verdict: Continuity) => void} verdict
 * @property {(status: Status) => void} state
 * @property {(error: Refusal) => void} error
 * @property {(refusal: Refusal) => void} refused
 * @property {() => void} moved  it has come further
 *
 * @typedef {ReturnType<typeof makeSeat>} Seat
 * @typedef {ReturnType<typeof makeTrunk>} Trunk
 */

/**
 * @param {Set<string>} topics
 * @param {string} since
 * @param {Hearer} hear
 */
const makeSeat = (topics, since, hear) => ({
  ...hear,
  topics,
  last: since, // what it has come with, or was given last
  owed: false, // a word on how it stands
  inStep: false,
  /** @type {Trunk | undefined} */
  trunk: undefined,
  /** @type {Seat | undefined} its place on the line of those that are behind */
  shadow: undefined,
});

/** Numbers of what `order` compares, where an id may be `earliest`. @param {string} a @param {string} b */
const reaches = (a, b) => !b || (isPosition(a) && !isBefore(a, b));

/** What lines have to have in common. @param {Settings} settings */
const kindOf = ({ since, pauseWhenHidden, ...settings }) => settings;

/** @param {Settings} settings @returns {Trunk} the page's for these settings */
function trunkFor(settings) {
  const kind = kindOf(settings);
  const isSame = (/** @type {Trunk} */ { kind: other }) => Object.entries(kind).every(([name, value]) => other[name] === value);
  return [...page().trunks].find(isSame) ?? makeTrunk(settings, kind, 1);
}

/** @param {Settings} settings @param {Seat} seat */
const attach = (settings, seat) => trunkFor(settings).attach(seat);

/**
 * @param {Settings} settings
 * @param {Record<string, any>} kind
 * @param {number} number  of those that are needed for so many topics
 */
function makeTrunk(settings, kind, number) {
  /** @type {Set<Seat>} */
  const seats = new Set();
  /** @type {Source | undefined} */
  let source;
  let at = ''; // the line is complete up to here
  let from = ''; // and after this, whatever it missed before
  let replay = 0; // messages from history that are still to come
  /** @type {Set<string>} */
  let covered = new Set(); // topics that come
  /** @type {Record<string, Trunk>} for those that are behind: at a position, or before all of history */
  const behind = {};
  /** @type {Trunk | undefined} for those that are too many */
  let next;
  let changing = false;
  /** @type {Status} */
  let status = beginning(settings);

  /** Complete up to here. @param {Seat} seat @returns {string} */
  const lastOf = ({ shadow, inStep, last }) => shadow?.trunk?.lastOf(shadow) ?? (inStep ? later(last, at) : last);

  /** @param {Seat} seat */
  function attach(seat) {
    const topics = new Set([...seat.topics, ...[...seats].flatMap((one) => [...one.topics])]);
    if (seats.size && topics.size > TOPICS) return overflow(seat);
    seats.add(seat);
    seat.trunk = trunk;
    seat.owed = seat.last !== '';
    if (!number && source) restart();
    sync();
  }

  /** @param {Seat} seat */
  function overflow(seat) {
    next = next ?? makeTrunk(settings, kind, number + 1);
    next.attach(seat);
  }

  /** @param {Seat} seat */
  function detach(seat) {
    seat.last = lastOf(seat);
    seat.shadow?.trunk?.detach(seat.shadow);
    seat.shadow = seat.trunk = undefined;
    seat.inStep = false;
    seats.delete(seat);
    sync();
  }

  /** All that changes in a tick is one change of the line. */
  function sync() {
    if (changing) return;
    changing = true;
    queueMicrotask(() => {
      changing = false;
      const groups = [...seats].map(({ topics }) => [...topics]);
      if (!groups.length) return close();
      if (number === 1) page().trunks.add(trunk);
      if (!source) return start(groups);
      source.want(groups);
      for (const seat of seats) if (covered.size) enter(seat, at);
    });
  }

  /** Those that are behind have one line, which begins anew for one that comes: whoever is further has what comes twice already. */
  function restart() {
    for (const seat of seats) {
      seat.last = lastOf(seat);
      seat.inStep = false;
    }
    close();
  }

  function close() {
    page().trunks.delete(trunk);
    source?.stop();
    source = undefined;
    at = from = '';
    covered = new Set();
    status = beginning(settings);
  }

  /**
   * Where the line begins: now, if one of its seats does; else at the earliest position, or all at the same id. The others get what
   * they want of history as those that are behind.
   * @param {string[][]} groups
   */
  function start(groups) {
    const ids = new Set([...seats].map(({ last }) => last));
    const [earliest] = [...ids].filter(isPosition).sort(order);
    const isOne = seats.size === 1 || (ids.size === 1 && ids.has('earliest')); // an own id means what it does on the topics asked for
    const since = ids.has('') ? '' : (earliest ?? (isOne ? [...ids][0] : ''));
    const open = (settings.share && extras.share) || openLine;
    /** @type {Sink} */
    const sink = { cover, gap, message, position, state, error, refused };
    source = open(settings, sink, groups, since, number);
  }

  // -- what the line says

  /** @param {string[]} topics @param {string} id @param {Continuity} [verdict] @param {'anew' | 'quiet'} [how] */
  function cover(topics, id, verdict, how) {
    const base = verdict && isPosition(verdict.since) ? verdict.since : id;
    const gone = verdict?.status === 'gap';
    covered = new Set(topics);
    for (const seat of seats) {
      if (!seat.inStep || (how !== 'anew' && isCovered(seat))) continue;
      seat.last = lastOf(seat);
      seat.inStep = false;
    }
    at = id;
    from = (gone && verdict.from) || id;
    if (verdict) replay = verdict.replayed;
    for (const seat of seats) {
      if (seat.inStep && verdict && (gone || how !== 'quiet')) judge(seat, verdict);
      else enter(seat, base, verdict);
    }
  }

  /** @param {Seat} seat */
  const isCovered = (seat) => [...seat.topics].every((topic) => covered.has(topic));

  /** A seat gets in step, if the line brings what is its. @param {Seat} seat @param {string} base @param {Continuity} [verdict] */
  function enter(seat, base, verdict) {
    if (seat.inStep || seat.shadow || !isCovered(seat)) return;
    if (!seat.last && replay) return; // what comes first is of before
    seat.inStep = seat.last === verdict?.since || !seat.last || (seat.last !== 'earliest' && reaches(seat.last, base));
    if (!seat.inStep) return fallBehind(seat);
    if (verdict && seat.last && (seat.owed || verdict.status === 'gap')) judge(seat, verdict);
    else if (seat.owed) seat.verdict({ status: 'continued', since: seat.last, replayed: 0 });
    seat.owed = false;
    show(seat);
    if (seat.inStep) seat.moved();
  }

  /**
   * Says how it stands after the line was resumed, for all of its topics together. Whether a gap is one of these topics nobody knows:
   * who may have missed something asks for itself, over a line of its own, and all that is left comes on this one.
   * @param {Seat} seat @param {Continuity} verdict
   */
  function judge(seat, verdict) {
    const { status, since, from = '', replayed } = verdict;
    const back = isBefore(from, since); // a broker that began anew
    const alone = covered.size === seat.topics.size;
    const place = isPosition(seat.last) ? later(seat.last, isPosition(since) ? since : '') : since;
    const whole = status === 'continued' || (!back && from !== '' && isPosition(seat.last) && reaches(place, from));
    if (!whole && !back && !alone) {
      seat.last = isPosition(seat.last) ? place : seat.last;
      seat.inStep = false;
      return fallBehind(seat, true);
    }
    if (back || !isPosition(seat.last)) seat.last = '';
    const count = (alone && place === since) || !replayed ? { replayed } : undefined;
    seat.verdict({ status: whole ? 'continued' : 'gap', since: place, ...(!whole && from && { from }), ...count });
  }

  /** @param {Continuity} verdict @param {string} id */
  function gap(verdict, id) {
    const { since, topic } = verdict;
    from = verdict.from ?? id;
    const back = isBefore(from, since);
    at = id;
    for (const seat of seats) {
      if (!seat.inStep || (topic && !seat.topics.has(topic)) || (!back && reaches(seat.last, from))) continue;
      if (back) seat.last = '';
      seat.verdict(verdict);
    }
  }

  /** @param {Message} given */
  function message(given) {
    for (const seat of seats) if (seat.inStep) give(seat, given);
    position(later(at, given.id));
    if (replay > 0) replay--;
    if (!replay) for (const seat of seats) if (!seat.last) enter(seat, at);
  }

  /** @param {Seat} seat @param {Message} given */
  function give(seat, given) {
    if (!seat.topics.has(given.topic) || (given.id && seat.last && reaches(seat.last, given.id))) return;
    seat.last = given.id || seat.last;
    seat.message(given);
  }

  /** @param {string} id */
  function position(id) {
    at = id;
    for (const seat of seats) if (seat.inStep) seat.moved();
  }

  /** @param {Status} given */
  function state(given) {
    status = given;
    for (const seat of seats) if (!seat.shadow) show(seat);
  }

  /** @param {Seat} seat */
  function show(seat) {
    const { id, ...rest } = status;
    if (seat.inStep) seat.state({ ...rest, id: lastOf(seat) || undefined });
    else seat.state({ ...rest, ...(['open', 'stale'].includes(rest.state) && { state: 'connecting' }) });
  }

  /** @param {Refusal} refusal @param {string[]} [topics] */
  function error(refusal, topics) {
    for (const seat of seats) if (!topics || isOf(seat, topics)) if (!isTooMuch(refusal) || seats.size === 1) seat.error(refusal);
  }

  /** @param {string[]} topics @param {Refusal} refusal */
  function refused(topics, refusal) {
    for (const seat of [...seats]) {
      if (!isOf(seat, topics)) continue;
      const others = seats.size > 1;
      detach(seat);
      if (others && isTooMuch(refusal)) overflow(seat);
      else seat.refused(refusal);
    }
  }

  /** @param {Seat} seat @param {string[]} topics */
  const isOf = (seat, topics) => seat.topics.size === topics.length && topics.every((topic) => seat.topics.has(topic));

  // -- those that are behind

  /** @param {Seat} seat @param {boolean} [alone] */
  function fallBehind(seat, alone) {
    const { topics, last } = seat;
    const place = isPosition(last) ? '' : last;
    const isOne = alone || !['', 'earliest'].includes(place);
    const trunk = (!isOne && behind[place]) || makeTrunk({ ...settings, share: false }, kind, 0);
    if (!isOne) behind[place] = trunk;
    const moved = () => changeOver(seat);
    seat.shadow = makeSeat(topics, last, { ...seat, moved, refused: (refusal) => (detach(seat), seat.refused(refusal)) });
    trunk.attach(seat.shadow);
  }

  /** @param {Seat} seat */
  function changeOver(seat) {
    const { shadow } = seat;
    const last = lastOf(seat);
    if (!shadow || !isCovered(seat) || !reaches(last, later(at, from))) return;
    seat.last = last;
    seat.shadow = undefined;
    shadow.trunk?.detach(shadow);
    seat.inStep = true;
    show(seat);
    if (seat.inStep) seat.moved();
  }

  const trunk = {
    kind,
    attach,
    detach,
    lastOf,
    /** Its topics have become fewer. @param {Seat} seat */
    changed(seat) {
      sync();
      seat.shadow?.trunk?.changed(seat.shadow);
    },
    /** Nothing is left that comes twice to it. @param {Seat} seat */
    isLevel: (seat) => seat.inStep && reaches(at, seat.last),
    /** @param {Transport} transport */
    use(transport) {
      settings = { ...settings, transport };
      source?.use(transport);
    },
  };
  if (number === 1) page().trunks.add(trunk);
  return trunk;
}

/** The server can't have so many topics on one connection, or in one address: another line may. @param {Refusal} refusal */
const isTooMuch = ({ status, code }) => code === 'topics' || status === 413 || status === 414 || status === 431;

// lone

/** A subscription with a connection of its own. */
/** @param {string} name */
const isSelector = (name) => name[0] === '\x01';

/** @param {Me} me @returns {Link} */
function makeLone(me) {
  const { on, holds, tell, become } = me;
  /** @type {string[][]} those that came together are refused together */
  let groups = [];
  let last = '';
  /** @type {Source | undefined} */
  let source;

  const topics = () => groups.flat();

  /** @type {Sink} */
  const sink = {
    cover(covered, id, verdict, how) {
      last = id;
      if (verdict && (verdict.status === 'gap' || how !== 'quiet')) on.verdict(verdict);
    },
    gap(verdict, id) {
      last = id;
      on.verdict(verdict);
    },
    message(given) {
      last = given.id || last;
      const all = topics();
      if (all.includes(given.topic) || all.some(isSelector)) on.message(given); // else it was taken away while this was under way
    },
    position: (id) => (last = id),
    state: tell,
    error: (refusal) => on.error(refusal),
    refused(refused, refusal) {
      if (groups.length > 1) groups = groups.filter((group) => String(group) !== String(refused));
      else {
        leave();
        become('refused', refusal);
      }
    },
  };

  function connect() {
    source = openLine(me.settings, sink, groups, last);
  }

  function leave() {
    source?.stop();
    source = undefined;
  }

  return {
    topics,
    connect,
    leave,
    lastId: () => last,
    add(names, since) {
      must(!me.settings.share, 'a connection of its own is not shared');
      must(!since || !groups.length, 'a connection of its own has one place: no since for topics that are added');
      if (!groups.length) last = since;
      groups = [...groups, [...names]];
      if (source) source.want(groups);
      else if (!holds.size) connect();
    },
    remove(names) {
      groups = groups.map((group) => group.filter((topic) => !names.includes(topic))).filter((group) => group.length);
      if (groups.length) return source?.want(groups);
      leave();
      become('idle');
    },
    use(settings) {
      me.settings = settings;
      source?.use(settings.transport);
    },
  };
}

// subscription

/** A subscription of a page, which has one connection for all of them. */
/** @param {Me} me @returns {Link} */
function makePlace(me) {
  const { on, holds, tell, become } = me;
  /** @type {Map<Seat, Status>} each with some of the topics, and how it is: one, but for a moment after `add` */
  const seats = new Map();
  const allSeats = () => [...seats.keys()];

  /** @param {Set<string>} topics @param {string} since */
  function sit(topics, since) {
    const seat = makeSeat(topics, since, {
      message: (message) => on.message(message),
      verdict: (verdict) => on.verdict(seats.size > 1 ? { ...verdict, topics: [...topics] } : verdict),
      error: on.error,
      state(given) {
        seats.set(seat, given);
        show();
      },
      refused(error) {
        // topics that were added are refused: those that were there before go on
        if (seats.size < 2) return become('refused', error);
        seats.delete(seat);
        show();
      },
      moved: merge,
    });
    seats.set(seat, { ...me.status, state: 'connecting' });
    return seat;
  }

  /** Seats that are at the same place are one. */
  function merge() {
    if (seats.size < 2) return;
    const [first, ...others] = allSeats().filter((seat) => seat.trunk?.isLevel(seat));
    for (const seat of others) {
      if (seat.trunk !== first.trunk) continue;
      seats.delete(seat);
      seat.trunk?.detach(seat);
      for (const topic of seat.topics) first.topics.add(topic);
    }
    show();
  }

  /** Tells how it is: as its worst seat is. */
  function show() {
    const all = [...seats.values()];
    const { state } = me.status;
    if (!holds.size && state !== 'closed' && state !== 'refused') tell(all.find((one) => one.state !== 'open') ?? all[0] ?? me.status);
  }

  const connect = () => allSeats().forEach((seat) => attach(me.settings, seat));
  const leave = () => allSeats().forEach((seat) => seat.trunk?.detach(seat));

  return {
    connect,
    leave,
    topics: () => allSeats().flatMap(({ topics }) => [...topics]),
    lastId() {
      const ids = allSeats()
        .map((seat) => seat.trunk?.lastOf(seat) ?? seat.last)
        .filter(Boolean);
      return ids.find((id) => !isPosition(id)) ?? ids.sort(order)[0] ?? '';
    },
    add(names, since) {
      must(![...names].some(isSelector), 'a selector is asked for when subscribing');
      const seat = sit(names, since);
      if (!holds.size) attach(me.settings, seat);
      show();
    },
    remove(topics) {
      for (const seat of allSeats()) {
        const before = seat.topics.size;
        for (const topic of topics) seat.topics.delete(topic);
        if (seat.topics.size === before) continue;
        if (seat.topics.size) seat.trunk?.changed(seat);
        else {
          seat.trunk?.detach(seat);
          seats.delete(seat);
        }
      }
      if (seats.size) show();
      else become('idle');
    },
    use(settings) {
      const trunk = trunkFor(me.settings);
      me.settings = settings;
      if (settings.share) return trunk.use(settings.transport);
      if (holds.size || !seats.size || me.status.state === 'closed') return;
      leave();
      become('waiting');
      if (me.status.state === 'waiting') connect();
    },
  };
}

/**
 * Which of several subscriptions a message is for only the server can say, where one has selectors: it has a connection of its own.
 * @param {Me} me @param {string[]} names
 */
const makeLink = (me, names) => (names.some(isSelector) ? makeLone(me) : makePlace(me));

/**
 * Calls `handler` with every message of the topics from now on (or from `options.since` on).
 * @param {string | Selector | (string | Selector)[]} topics
 * @param {((message: Message) => void) | null} [handler]  may be left out where the subscription is iterated over
 * @param {Options} [options]
 */
export function subscribe(topics, handler, options) {
  return makeSubscription(topics, handler, options, makeLink);
}

// iterate

/** Messages for who asks for them one by one: `for await (const message of subscription)`, and once. */
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

// publish

/** Publishing, by HTTP. */
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
  checkTopic(topic);
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
