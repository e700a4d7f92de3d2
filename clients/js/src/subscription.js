/** A subscription of a page, which has one connection for all of them. */
import { makeSubscription, must } from './base.js';
import { isSelector, makeLone } from './lone.js';
import { isPosition, order } from './frames.js';
import { attach, makeSeat, trunkFor } from './trunk.js';

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
