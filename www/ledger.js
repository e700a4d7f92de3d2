/**
 * ledger.js - what streams of the same topics have missed and repeated, by what each of them brought.
 *
 * A stream has missed a message when another one had it, and it says that it is past that message's place without having
 * brought it. What it hasn't passed yet, it is behind with. Nobody is judged by what came before it was there: a topic's
 * first message may have come before the other stream had joined it.
 */

const KEPT = 4096; // messages, of each stream and of those that aren't everywhere yet

/** Below 0 where the first position is the earlier one. @param {string} a @param {string} b */
export function order(a, b) {
  const [[ms, count], [otherMs, otherCount]] = [a, b].map((position) => position.split('-').map(Number));
  return ms - otherMs || count - otherCount;
}

/** @param {string} id */
const isPosition = (id) => /^\d+-\d+$/.test(id);

export class Ledger {
  /** @param {number} streams */
  constructor(streams) {
    this.missed = Array(streams).fill(0);
    this.repeated = Array(streams).fill(0);
    /** @type {Set<string>[]} */
    this.recent = this.missed.map(() => new Set());
    /** @type {Map<string, (string | undefined)[]>} for each topic, from where on each stream answers for it */
    this.from = new Map();
    /** @type {Map<string, {id: string, topic: string, had: Set<number>}>} what isn't everywhere yet */
    this.open = new Map();
    this.horizon = '0-0'; // what is older was forgotten
  }

  /** @param {string} topic @param {string} [since] where all streams begin with it; without: where each one has its first */
  add(topic, since) {
    this.from.set(topic, this.missed.map(() => since));
  }

  /** @param {string} topic */
  remove(topic) {
    this.from.delete(topic);
    for (const [key, one] of this.open) if (one.topic === topic) this.open.delete(key);
  }

  /** The stream has nothing from before this place. @param {number} stream @param {string} id */
  begin(stream, id) {
    for (const from of this.from.values()) {
      const before = from[stream];
      if (before && order(before, id) < 0) from[stream] = id;
    }
  }

  /** A stream has brought a message. @param {number} stream @param {string} topic @param {string} id */
  take(stream, topic, id) {
    const key = `${id} ${topic}`;
    const recent = this.recent[stream];
    if (recent.has(key)) {
      this.repeated[stream]++;
      return;
    }
    recent.add(key);
    if (recent.size > KEPT) recent.delete(/** @type {string} */ (recent.values().next().value));
    const from = this.from.get(topic);
    if (!from || !isPosition(id) || order(id, this.horizon) <= 0) return;
    from[stream] ??= id;
    const had = new Set(this.recent.flatMap((other, i) => (other.has(key) ? [i] : [])));
    const one = this.open.get(key) ?? { id, topic, had };
    one.had.add(stream);
    if (one.had.size === this.missed.length) this.open.delete(key);
    else this.open.set(key, one);
    if (this.open.size > KEPT) this.#forget();
  }

  #forget() {
    const [key, { id }] = /** @type {[string, {id: string}]} */ (this.open.entries().next().value);
    this.open.delete(key);
    if (order(this.horizon, id) < 0) this.horizon = id;
  }

  /** Judges by how far the streams say that they are. @param {(string | undefined)[]} places */
  settle(places) {
    for (const [key, { id, topic, had }] of this.open) {
      const judged = this.from.get(topic)?.every((from) => from && order(from, id) < 0);
      let waits = false;
      places.forEach((place, stream) => {
        if (had.has(stream)) return;
        if (!place || !isPosition(place) || order(place, id) < 0) {
          waits = true;
          return;
        }
        had.add(stream);
        if (judged) this.missed[stream]++;
      });
      if (!waits) this.open.delete(key);
    }
  }

  /** Messages that others had and this stream hasn't reached. @param {number} stream */
  behind(stream) {
    return [...this.open.values()].filter(({ had }) => !had.has(stream)).length;
  }
}
