/**
 * One line to the server, kept alive: chooses the transport, resumes from the last id, waits longer after each failure,
 * notices silence, and changes its topics.
 */
import { CODES, askWhy, backoffDelay, extras, isFinal, kindsOf, page, partsOf, refusalOf, streamAddress } from './frames.js';
import { TRANSPORTS } from './transports.js';

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
export function openLine(settings, sink, groups, last) {
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
