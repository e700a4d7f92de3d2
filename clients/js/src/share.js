/**
 * A line that the tabs of a browser have in common. The tab that holds a Web Lock runs it, for the topics of all, and says on a
 * BroadcastChannel what it hears; when that tab goes, the lock goes to the next one, which goes on from the last id. What a
 * leader says is numbered: whoever has missed something asks where the leader is, and gets from its own line, for those that are
 * behind, what it has missed. Rejected: a SharedWorker (it has no EventSource in some browsers, and is not there on Android).
 */
import { extras, later } from './frames.js';
import { openLine } from './line.js';
import { claimsOf, endOf } from './claims.js';

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
