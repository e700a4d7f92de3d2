/** What a page uses: subscribe. */
import { DEFAULTS, extras, isPosition, kindsOf, order, page, streamAddress } from './frames.js';
import { makeSeat, trunkFor } from './trunk.js';

/** @param {unknown} good @param {string} rule */
function must(good, rule) {
  if (!good) throw new TypeError(`zcast: ${rule}`);
}

/** @param {any[]} topics */
export function checkTopics(topics) {
  for (const topic of topics)
    must(topic?.trim && /^\P{Cc}+$/u.test(topic) && new Blob([topic]).size <= 1024, `no topic: ${topic}`);
}

/** @param {any} settings */
function check(settings) {
  must(['auto', 'sse', 'ws'].includes(settings.transport), 'transport');
  for (const [name, value] of Object.entries(DEFAULTS)) {
    const type = typeof settings[name];
    must(type === typeof value || (name === 'token' && type === 'function'), `${name} is no ${typeof value}`);
    if (type === 'number') must(settings[name] >= 0 && settings[name] < 2 ** 31, name);
  }
  must(extras.share || !settings.share, "share needs import 'zcast/share'");
  must(extras.stream || !settings.token || settings.transport !== 'sse', "sse with token needs import 'zcast/fetch'");
}

/**
 * The browser shows the page, leaves it or freezes it, or somebody sees it or not: all subscriptions hear of it in one tick. A frozen
 * page hears nothing more, but would go on answering tabs that ask it whether it leads.
 * @type {Record<string, () => void>}
 */
const HEARS = {
  pagehide: () => look('page', true),
  pageshow: () => look('page', false),
  freeze: () => look('page', true),
  resume: () => look('page', false),
  visibilitychange: () => look('hidden', globalThis.document.visibilityState === 'hidden'),
};

/** @param {'page' | 'hidden'} why @param {boolean} on */
function look(why, on) {
  for (const one of page().subscriptions) one._hold(why, on);
}

/** A running subscription; made by `subscribe`. */
export class Subscription {
  /**
   * @param {string | string[]} topics
   * @param {((message: Message) => void) | undefined} handler
   * @param {Options} options
   */
  constructor(topics, handler, options) {
    const { onContinuity, onState, onError, signal, ...settings } = options ?? {};
    const names = new Set([topics].flat());
    for (const one of [handler, onContinuity, onState, onError]) must(!one || typeof one === 'function', 'no function');
    must(names.size, 'no topic');
    checkTopics([...names]);
    const given = Object.entries(settings).filter(([, value]) => value !== undefined && value !== null);
    /** @type {Settings} */
    this._settings = { ...DEFAULTS, ...Object.fromEntries(given) };
    check(this._settings);
    /** @type {Status} */
    this.status = { state: 'connecting', transport: this._settings.transport === 'ws' ? 'ws' : 'sse', attempt: 0 };
    this._deliver = guarded(handler);
    this._say = guarded(onState);
    this._verdict = guarded(onContinuity);
    this._error = guarded(onError);
    this._told = '';
    /** @type {Set<string>} why there is no connection: somebody said so, the page is left, or hidden */
    this._holds = new Set();
    /** @type {(() => void)} */
    this._forget = () => {};
    /** @type {Map<Seat, Status>} each with some of the topics, and how it is: one, but for a moment after `add` */
    this._seats = new Map();
    if (!this._hasAddress()) return;
    if (signal?.aborted) return void this.close();
    const abort = () => this.close();
    signal?.addEventListener('abort', abort);
    this._forget = () => signal?.removeEventListener('abort', abort);
    page().subscriptions.add(this);
    for (const type of Object.keys(HEARS)) (type.startsWith('page') ? globalThis : globalThis.document)?.addEventListener?.(type, HEARS[type]);
    this._sit(names, this._settings.since);
    if (this._settings.pauseWhenHidden && globalThis.document?.visibilityState === 'hidden') this._hold('hidden', true);
    else this._attach();
  }

  /** The id to resume from: with it another subscription, on either transport, goes on where this one is. */
  get lastId() {
    const ids = [...this._seats.keys()].map((seat) => seat.trunk?.lastOf(seat) ?? seat.last).filter(Boolean);
    return ids.find((id) => !isPosition(id)) ?? ids.sort(order)[0] ?? this._settings.since;
  }

  get topics() {
    return [...this._seats.keys()].flatMap(({ topics }) => [...topics]);
  }

  get state() {
    return this.status.state;
  }

  get transport() {
    return this.status.transport;
  }

  /** Changes the transport in the middle; nothing is missed or repeated. @param {Transport} transport */
  use(transport) {
    const settings = { ...this._settings, transport };
    check(settings);
    const trunk = trunkFor(this._settings);
    this._settings = settings;
    if (settings.share) return trunk.use(transport);
    if (this._holds.size || !this._seats.size || this.state === 'closed') return;
    this._detach();
    this._show({ ...this.status, state: 'waiting' });
    if (this.state === 'waiting') this._attach();
  }

  /**
   * @param {...(string | {since?: string})} topics  at last, where they begin: `{ since: 'earliest' }` is their history
   */
  add(...topics) {
    const last = topics[topics.length - 1];
    const { since = '' } = typeof last === 'object' ? /** @type {{since?: string}} */ (topics.pop()) : {};
    checkTopics(topics);
    must(typeof since === 'string', 'since');
    const had = this.topics;
    const names = new Set(/** @type {string[]} */ (topics).filter((topic) => !had.includes(topic)));
    if (!names.size || this.state === 'closed') return;
    const seat = this._sit(names, since);
    if (!this._holds.size) trunkFor(this._settings).attach(seat);
    this._show();
  }

  /** @param {...string} topics */
  remove(...topics) {
    for (const seat of [...this._seats.keys()]) {
      const before = seat.topics.size;
      for (const topic of topics) seat.topics.delete(topic);
      if (seat.topics.size === before) continue;
      if (seat.topics.size) seat.trunk?.changed(seat);
      else {
        seat.trunk?.detach(seat);
        this._seats.delete(seat);
      }
    }
    if (!this._seats.size) this._show({ ...this.status, state: 'idle' });
    else this._show();
  }

  /** Lets go of the connection; `resume` goes on from the last id. */
  pause() {
    this._hold('pause', true);
  }

  resume() {
    this._hold('pause', false);
  }

  /** The end: the handler is not called again. */
  close() {
    if (this.state === 'closed') return;
    this._forget();
    page().subscriptions.delete(this);
    this._detach();
    this._show({ ...this.status, state: 'closed' });
  }

  /** During server-side rendering relative addresses lead nowhere: then nothing happens. */
  _hasAddress() {
    try {
      for (const kind of kindsOf(this._settings)) streamAddress(kind, [], '', this._settings);
      return true;
    } catch (error) {
      if (globalThis.location) throw error;
      queueMicrotask(() => this._error({ code: 'address', message: 'a relative address needs base' }));
      return false;
    }
  }

  /** @param {Set<string>} topics @param {string} since */
  _sit(topics, since) {
    const seat = makeSeat(topics, since, {
      message: (message) => this._deliver(message),
      verdict: (verdict) => this._verdict(this._seats.size > 1 ? { ...verdict, topics: [...topics] } : verdict),
      error: this._error,
      state: (status) => {
        this._seats.set(seat, status);
        this._show();
      },
      refused: (refusal) => this._refuse(seat, refusal),
      moved: () => this._merge(),
    });
    this._seats.set(seat, { ...this.status, state: 'connecting' });
    return seat;
  }

  _attach() {
    for (const seat of this._seats.keys()) trunkFor(this._settings).attach(seat);
  }

  _detach() {
    for (const seat of this._seats.keys()) seat.trunk?.detach(seat);
  }

  /** Seats that are at the same place are one. */
  _merge() {
    if (this._seats.size < 2) return;
    const level = [...this._seats.keys()].filter((seat) => seat.trunk?.isLevel(seat));
    for (const seat of level.slice(1)) {
      if (seat.trunk !== level[0].trunk) continue;
      this._seats.delete(seat);
      seat.trunk?.detach(seat);
      for (const topic of seat.topics) level[0].topics.add(topic);
    }
    this._show();
  }

  /** Topics that were added are refused: those that were there before go on. @param {Seat} seat @param {Refusal} error */
  _refuse(seat, error) {
    if (this._seats.size > 1) {
      this._seats.delete(seat);
      this._show();
    } else this._show({ ...this.status, state: 'refused', error });
  }

  /** Tells how it is, where that is new: as its worst seat is. @param {Status} [status] */
  _show(status) {
    const all = [...this._seats.values()];
    const now = status ?? all.find(({ state }) => state !== 'open') ?? all[0] ?? this.status;
    if (!status && (this._holds.size || ['closed', 'refused'].includes(this.state))) return;
    const { error, delay, ...rest } = now;
    this.status = { ...rest, ...(rest.state === 'waiting' && delay !== undefined && { delay }), ...(error && rest.state === 'refused' && { error }) };
    const told = JSON.stringify({ ...this.status, id: undefined });
    if (told === this._told || (!this._told && ['connecting', 'closed'].includes(rest.state))) return; // who was told nothing need not hear of that
    this._told = told;
    this._say(this.status);
  }

  /** @param {string} why @param {boolean} on */
  _hold(why, on) {
    if (this.state === 'closed' || this._holds.has(why) === on || (why === 'hidden' && !this._settings.pauseWhenHidden)) return;
    if (on) this._holds.add(why);
    else this._holds.delete(why);
    if (on && this._holds.size === 1) {
      this._detach();
      this._show({ ...this.status, state: 'paused' });
    } else if (!this._holds.size) {
      this._show({ ...this.status, state: this._seats.size ? 'connecting' : 'idle' });
      if (this.state === 'connecting') this._attach();
    }
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
 * @param {(message: Message) => void} [handler]  may be left out where the subscription is iterated over
 * @param {Options} [options]
 */
export function subscribe(topics, handler, options) {
  return new Subscription(topics, handler, options);
}
