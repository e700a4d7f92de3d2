/**
 * What subscriptions of a page have in common: one line, on which each of them is at its own place.
 *
 * A seat is some topics of a subscription, and its place. It is in step once the line brings its topics, and all up to that
 * has come to it. One that comes with an id from before that is behind: a second line, for all that are, brings it what it
 * has missed, while what the first line brings is kept for it; it changes over where both have met.
 */
import { beginning, extras, isBefore, isPosition, later, order, page } from './frames.js';
import { openLine } from './line.js';

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
export const makeSeat = (topics, since, hear) => ({
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
export function trunkFor(settings) {
  const kind = kindOf(settings);
  const isSame = (/** @type {Trunk} */ { kind: other }) => Object.entries(kind).every(([name, value]) => other[name] === value);
  return [...page().trunks].find(isSame) ?? makeTrunk(settings, kind, 1);
}

/** @param {Settings} settings @param {Seat} seat */
export const attach = (settings, seat) => trunkFor(settings).attach(seat);

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
