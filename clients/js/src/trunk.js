/**
 * What subscriptions of a page have in common: one line, on which each of them is at its own place.
 *
 * A seat is some topics of a subscription, and its place. It is in step once the line brings its topics, and all up to that
 * has come to it. One that comes with an id from before that is behind: a second line, for all that are, brings it what it
 * has missed, while what the first line brings is kept for it; it changes over where both have met.
 */
import { extras, isBefore, isPosition, kindsOf, later, order, page } from './frames.js';
import { openLine } from './line.js';

const HELD = 1024; // messages kept for one that is behind
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
  topics,
  last: since, // what it has come with, or was given last
  hear,
  owed: false, // a word on how it stands
  inStep: false,
  /** @type {Trunk | undefined} */
  trunk: undefined,
  /** @type {Seat | undefined} its place on the line of those that are behind */
  shadow: undefined,
  /** @type {string | undefined} */
  from: '', // the line has all of its topics after this,
  /** @type {Message[]} */
  held: [], // in here
});

/** Numbers of what `order` compares, where an id may be `earliest`. @param {string} a @param {string} b */
const reaches = (a, b) => !b || (isPosition(a) && !isBefore(a, b));

/** What lines have to have in common. @param {Settings} settings */
const kindOf = ({ since, pauseWhenHidden, ...settings }) => settings;

/** @param {Settings} settings @returns {Trunk} the page's for these settings */
export function trunkFor(settings) {
  const kind = kindOf(settings);
  const { lines } = page();
  const names = /** @type {(keyof typeof kind)[]} */ (Object.keys(kind));
  let trunk = lines.find((one) => names.every((name) => one.kind[name] === kind[name]));
  if (!trunk) lines.push((trunk = makeTrunk(settings, kind, 1)));
  return trunk;
}

/**
 * @param {Settings} settings
 * @param {object} kind
 * @param {number} number  of those that are needed for so many topics
 */
function makeTrunk(settings, kind, number) {
  /** @type {Set<Seat>} */
  const seats = new Set();
  /** @type {Source | undefined} */
  let source;
  let at = ''; // the line is complete up to here
  let replay = 0; // messages from history that are still to come
  /** @type {Set<string>} */
  let covered = new Set(); // topics that come
  /** @type {Record<string, Trunk>} for those that are behind: at a position, or before all of history */
  const behind = {};
  /** @type {Trunk | undefined} for those that are too many */
  let next;
  let changing = false;
  /** @type {Status} */
  let status = { state: 'connecting', transport: kindsOf(settings)[0], attempt: 0 };

  /** Complete up to here. @param {Seat} seat @returns {string} */
  const lastOf = (seat) => (seat.shadow ? seat.shadow.trunk?.lastOf(seat.shadow) ?? seat.last : seat.inStep && !seat.held.length ? later(seat.last, at) : seat.last);

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
    seat.held = [];
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
      if (number === 1 && !page().lines.includes(trunk)) page().lines.push(trunk);
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
    const { lines } = page();
    if (lines.includes(trunk)) lines.splice(lines.indexOf(trunk), 1);
    source?.stop();
    source = undefined;
    at = '';
    covered = new Set();
    status = { state: 'connecting', transport: kindsOf(settings)[0], attempt: 0 };
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
      const breaks = how === 'anew' || !isCovered(seat);
      if (seat.inStep && breaks) {
        seat.last = lastOf(seat);
        seat.inStep = false;
      }
      if (seat.shadow && (breaks || seat.from === undefined)) hold(seat, isCovered(seat) ? base : undefined);
    }
    at = id;
    if (verdict) replay = verdict.replayed;
    for (const seat of seats) {
      if (seat.inStep && verdict && (gone || how !== 'quiet')) judge(seat, verdict, base);
      else if (seat.shadow && gone && isCovered(seat)) hold(seat, verdict.from ?? id);
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
    if (!seat.inStep) return fallBehind(seat, base);
    if (verdict && seat.last && (seat.owed || verdict.status === 'gap')) judge(seat, verdict, base);
    else if (seat.owed) seat.hear.verdict({ status: 'continued', since: seat.last, replayed: 0 });
    seat.owed = false;
    show(seat);
    if (seat.inStep) seat.hear.moved();
  }

  /**
   * Says how it stands after the line was resumed, for all of its topics together. Whether a gap is one of these topics nobody knows:
   * who may have missed something asks for itself, over a line of its own, and all that is left comes on this one.
   * @param {Seat} seat @param {Continuity} verdict @param {string} base
   */
  function judge(seat, verdict, base) {
    const { status, since, from = '', replayed } = verdict;
    const back = isBefore(from, since); // a broker that began anew
    const alone = covered.size === seat.topics.size;
    const place = isPosition(seat.last) ? later(seat.last, isPosition(since) ? since : '') : since;
    const whole = status === 'continued' || (!back && from !== '' && isPosition(seat.last) && reaches(place, from));
    if (!whole && !back && !alone) {
      seat.last = isPosition(seat.last) ? place : seat.last;
      seat.inStep = false;
      return fallBehind(seat, base, true);
    }
    if (back || !isPosition(seat.last)) seat.last = '';
    const count = (alone && place === since) || !replayed ? { replayed } : undefined;
    seat.hear.verdict({ status: whole ? 'continued' : 'gap', since: place, ...(!whole && from && { from }), ...count });
  }

  /** @param {Continuity} verdict @param {string} id */
  function gap(verdict, id) {
    const { since, from = id, topic } = verdict;
    const back = isBefore(from, since);
    at = id;
    for (const seat of seats) {
      if (topic && !seat.topics.has(topic)) continue;
      if (seat.shadow && isCovered(seat)) hold(seat, from);
      else if (seat.inStep && (back || !reaches(seat.last, from))) {
        if (back) seat.last = '';
        seat.hear.verdict(verdict);
      }
    }
  }

  /** @param {Message} given */
  function message(given) {
    for (const seat of seats) {
      if (!seat.topics.has(given.topic)) continue;
      if (seat.inStep) give(seat, given);
      else if (seat.shadow) {
        seat.held.push(given);
        if (seat.held.length > HELD) seat.from = /** @type {Message} */ (seat.held.shift()).id;
      }
    }
    position(later(at, given.id));
    if (replay > 0) replay--;
    if (!replay) for (const seat of seats) if (!seat.last) enter(seat, at);
  }

  /** @param {Seat} seat @param {Message} given */
  function give(seat, given) {
    if (!seat.topics.has(given.topic)) return; // it was taken away while this was kept
    if (given.id && seat.last && reaches(seat.last, given.id)) return;
    seat.last = given.id || seat.last;
    seat.hear.message(given);
  }

  /** @param {string} id */
  function position(id) {
    at = id;
    for (const seat of seats) if (seat.inStep) seat.hear.moved();
  }

  /** @param {Status} given */
  function state(given) {
    status = given;
    for (const seat of seats) if (!seat.shadow) show(seat);
  }

  /** @param {Seat} seat */
  function show(seat) {
    const { id, ...rest } = status;
    if (seat.inStep) seat.hear.state({ ...rest, id: lastOf(seat) || undefined });
    else seat.hear.state({ ...rest, ...(['open', 'stale'].includes(rest.state) && { state: 'connecting' }) });
  }

  /** @param {Refusal} refusal @param {string[]} [topics] */
  function error(refusal, topics) {
    for (const seat of seats) if (!topics || isOf(seat, topics)) if (!isTooMuch(refusal) || seats.size === 1) seat.hear.error(refusal);
  }

  /** @param {string[]} topics @param {Refusal} refusal */
  function refused(topics, refusal) {
    for (const seat of [...seats]) {
      if (!isOf(seat, topics)) continue;
      const others = seats.size > 1;
      detach(seat);
      if (others && isTooMuch(refusal)) overflow(seat);
      else seat.hear.refused(refusal);
    }
  }

  /** @param {Seat} seat @param {string[]} topics */
  const isOf = (seat, topics) => seat.topics.size === topics.length && topics.every((topic) => seat.topics.has(topic));

  // -- those that are behind

  /** What comes on the line from here on is kept for it. @param {Seat} seat @param {string} [from]  none where its topics don't come */
  function hold(seat, from) {
    seat.from = from;
    seat.held = [];
  }

  /** @param {Seat} seat @param {string} from @param {boolean} [alone] */
  function fallBehind(seat, from, alone) {
    const { topics, last, hear } = seat;
    hold(seat, from);
    const place = isPosition(last) ? '' : last;
    const isOne = alone || !['', 'earliest'].includes(place);
    const trunk = (!isOne && behind[place]) || makeTrunk({ ...settings, share: false }, kind, 0);
    if (!isOne) behind[place] = trunk;
    const moved = () => changeOver(seat);
    seat.shadow = makeSeat(topics, last, { ...hear, moved, refused: (refusal) => (detach(seat), hear.refused(refusal)) });
    trunk.attach(seat.shadow);
  }

  /** @param {Seat} seat */
  function changeOver(seat) {
    const { shadow } = seat;
    if (!shadow || seat.from === undefined || !reaches(lastOf(seat), seat.from)) return;
    seat.last = lastOf(seat);
    seat.shadow = undefined;
    shadow.trunk?.detach(shadow);
    seat.inStep = true;
    for (let one; (one = seat.held.shift()); ) give(seat, one); // its owner may let go in the middle of it
    if (seat.inStep) show(seat);
    if (seat.inStep) seat.hear.moved();
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
    status: () => status,
  };
  return trunk;
}

/** The server can't have so many topics on one connection, or in one address: another line may. @param {Refusal} refusal */
const isTooMuch = ({ status, code }) => code === 'topics' || status === 413 || status === 414 || status === 431;
