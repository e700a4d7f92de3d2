/** What every subscription is, however it is connected: what it was given is checked, it has a state, and it hears of its page. */
import { DEFAULTS, SELECTORS, extras, kindsOf, page, partsOf, selectorOf, streamAddress } from './frames.js';

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
export function must(good, rule) {
  if (!good) throw new TypeError(`zcast: ${rule}`);
}

/** @param {any} topic */
export function checkTopic(topic) {
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
export function makeSubscription(topics, handler, options, makeLink) {
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
