/**
 * One line to the server, kept alive: chooses the transport, resumes from the last id, waits longer after each failure,
 * notices silence, and changes its topics.
 */
import { CODES, askWhy, backoffDelay, isFinal, kindsOf, page, refusalOf, streamAddress } from './frames.js';
import { TRANSPORTS, endOf } from './transports.js';

const LONGEST = 2 ** 31; // ms of a timer: less than this

/** @param {string[][]} groups */
const union = (groups) => [...new Set(groups.flat())];

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
  let replay = 0; // messages that the verdict said come from history; endless until there is one
  let failures = 0; // connections in a row that ended without a word
  let proven = false; // this one has said something
  let positioned = false; // and where it is
  let stale = false; // and that its broker doesn't answer
  let resumes = false; // it has come with an id, and must say how it stands
  let unresumed = 0; // connections in a row that didn't
  let browserResumes = true; // an EventSource comes back with the last id
  let refusedKinds = new Set(); // for good
  const asking = new Set();
  let token = '';
  let fresh = false; // the token was given for this connection
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let renewal;
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

  function letGo() {
    clearTimeout(timer);
    clearTimeout(renewal);
    send = undefined;
    cut();
  }

  function stop() {
    stopped = true;
    letGo();
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
    comeWith();
    tell('connecting');
    if (stopped) return; // by who was told
    if (endOf(token) < Date.now() + 5000) token = '';
    fresh = !token;
    const { token: given } = settings;
    if (typeof given !== 'function' || token) return dial(typeof given === 'string' ? given : token);
    let current = true;
    cut = () => (current = false);
    touch();
    Promise.resolve()
      .then(given)
      .then((made) => current && dial(made))
      .catch((error) => {
        if (!current) return;
        sink.error({ code: 'token', message: String(error) });
        end();
      });
  }

  /** @param {string} given */
  function dial(given) {
    const before = token;
    token = given;
    if (fresh && token !== before) renewLater();
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

  /** A connection has the rights of the token that it came with: another one comes before that ends. */
  function renewLater() {
    if (typeof settings.token !== 'function') return;
    const left = endOf(token) - Date.now();
    clearTimeout(renewal);
    if (left <= 0 || left >= LONGEST) return;
    renewal = setTimeout(
      () => {
        token = '';
        reopen();
      },
      left - Math.min(30000, left / 10),
    );
  }

  function reopen() {
    letGo();
    connect();
  }

  /** What is to be heard first, of a connection with this id. */
  function comeWith() {
    resumes = last !== '';
    replay = resumes ? Infinity : 0;
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
    if (less.length) send({ type: 'unsubscribe', topics: less });
    if (more.length) send({ type: 'subscribe', topics: more, ref: 's' });
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
  function take(frame) {
    if (frame.kind === 'end') return end(frame.refusal);
    if (frame.kind === 'lost') return lost();
    heardAt = Date.now();
    if (frame.kind === 'open') return open();
    if (frame.kind === 'error') return refuseWords(frame);
    if (frame.kind === 'stale') return setStale(!frame.over);
    if (resumes && isUnresumed(frame)) return resumeAgain();
    proven = true;
    failures = 0;
    if (frame.kind === 'reconnect') after = frame.after;
    else if (frame.kind === 'message') message(frame.message);
    else if (frame.kind === 'subscribed') subscribed(frame);
    else moveOn(frame);
  }

  /** @param {Frame & {kind: 'subscribed'}} frame */
  function subscribed({ id, topics }) {
    due = topics;
    if (id) moveTo(id);
  }

  /** It is complete up to here. @param {string} id */
  function moveTo(id) {
    last = id;
    if (due) cover(due, id);
    else sink.position(id);
    due = undefined;
  }

  /** @param {Frame & {kind: 'error'}} frame */
  function refuseWords({ code = '', message: text, ref }) {
    const status = Number(Object.keys(CODES).find((one) => code.startsWith(CODES[Number(one)])) ?? 400);
    const refusal = refusalOf(status, text, code);
    if (ref !== 's') return sink.error(refusal);
    if (asked.every((topic) => accepted.has(topic))) return; // that is wanted no more
    if (isFinal(refusal)) return withdraw(refusal, true);
    sink.error(refusal);
    end(); // and comes back with them
  }

  /**
   * A stream that came with an id begins with the verdict. Where it doesn't, the id was lost on the way: a service worker or a
   * proxy took the header out. A heartbeat of a worker without a broker has no id, and EventSource shows the last one with it.
   * @param {Frame} frame
   */
  function isUnresumed(frame) {
    if (frame.kind === 'verdict') {
      resumes = false;
      unresumed = 0;
    }
    return frame.kind === 'message' || (frame.kind === 'heartbeat' && frame.id !== '' && frame.id !== last);
  }

  /** With the id in the address. */
  function resumeAgain() {
    browserResumes = false;
    if (unresumed++) return end();
    reopen();
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
    if (waiting) tell('connecting'); // the browser came back by itself
    waiting = false;
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

  /** @param {Frame & {kind: 'verdict' | 'heartbeat'}} frame */
  function moveOn(frame) {
    const verdict = frame.kind === 'verdict' ? frame.verdict : undefined;
    if (verdict) replay = verdict.replayed;
    last = frame.id || last;
    if (resumes) return; // a heartbeat before the verdict
    if (frame.id) {
      settle(last, verdict);
      if (!stopped && !verdict) moveTo(last);
    } else if (positioned) tell('stale'); // the worker is without a broker
  }

  // -- the end of a connection

  /** The browser comes back by itself, once: it knows the server's retry time. What then fails is ours. */
  function lost() {
    if (!proven || !browserResumes) return end();
    proven = positioned = opened = stale = false;
    waiting = true;
    comeWith();
    touch();
    tell('waiting');
  }

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
      const again = positioned || (typeof settings.token === 'function' && !fresh);
      token = '';
      if (again) return false; // it has ended: with the next one
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
    const limit = proven || waiting ? settings.silence : settings.patience;
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
