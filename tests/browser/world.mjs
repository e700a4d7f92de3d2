/**
 * A world for zcast.js without sockets: a broker with a history, two workers, EventSource, WebSocket, BroadcastChannel
 * and Web Locks for any number of tabs, and a clock. What happens next is drawn from a seed, so that a run which
 * fails can be had again.
 *
 * Things happen in tasks. Tasks of one lane (what a connection says; what one tab hears of another) stay in order;
 * between lanes the order is random. Timers run when nothing else is left, or when the test lets time pass.
 */

/** @param {number} seed */
export function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param {string} a @param {string} b positions: below 0 where a is the earlier one */
export function order(a, b) {
  const [[am, ac], [bm, bc]] = [a, b].map((position) => position.split('-').map(Number));
  return am - bm || ac - bc;
}

const microtask = globalThis.queueMicrotask;
const turn = () => new Promise((resolve) => setImmediate(resolve));
const GLOBALS = ['EventSource', 'WebSocket', 'BroadcastChannel', 'setTimeout', 'clearTimeout', 'navigator', 'fetch', 'queueMicrotask'];

export class World {
  now = 1_800_000_000_000;
  tab = 0; // whose code is running
  dead = new Set();
  stuck = new Set(); // tabs whose code doesn't run for now
  lanes = new Map(); // name -> tasks, in order
  timers = new Map();
  channels = new Set();
  holders = new Map(); // lock name -> {tab, reject}
  waiters = [];
  denied = ''; // the name of the error with which each request for a lock is refused
  asked = 0; // requests for a lock
  connections = new Set();
  opened = []; // addresses
  said = []; // what pages said over WebSocket
  pages = new Map(); // tab -> its location
  history = [];
  floor = 0; // how much of the history is gone
  gone = new Set(); // messages that are gone beside that
  known = ['', '']; // up to where each worker knows the broker
  apart = false; // and they ask at different times, and may be without a broker for now
  refuse = new Set(); // transports that don't answer: 'sse', 'ws'
  mute = new Set(); // that open and say nothing
  strips = new Set(); // transports on whose way the header with the last id is lost
  answers = new Map(); // path -> {status, code, message}, which fetch is given; else the network fails
  fetched = []; // addresses
  #serial = 0;
  #saved = new Map();

  constructor(seed = 1) {
    this.random = random(seed);
    Connection.count = 0;
    this.noise();
    const world = this;
    const globals = {
      EventSource: class extends FakeEventSource {
        constructor(url) {
          super(world, url);
        }
      },
      WebSocket: class extends FakeWebSocket {
        constructor(url, protocols) {
          super(world, url);
          this.protocols = protocols;
        }
      },
      BroadcastChannel: class extends FakeChannel {
        constructor(name) {
          super(world, name);
        }
      },
      fetch: async (url) => {
        const { pathname } = new URL(url);
        world.fetched.push(pathname);
        const { status, ...body } = world.answers.get(pathname) ?? world.answers.get('*') ?? {};
        if (!status) throw new TypeError('fetch failed');
        return new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } });
      },
      navigator: { locks: { request: (...words) => world.#request(...words) } },
      setTimeout: (run, delay = 0) => {
        world.timers.set(++world.#serial, { run, at: world.now + delay, tab: world.tab });
        return world.#serial;
      },
      clearTimeout: (id) => world.timers.delete(id),
      queueMicrotask: (run) => {
        const { tab } = world;
        microtask(() => {
          const before = world.tab;
          world.tab = tab;
          run();
          world.tab = before;
        });
      },
    };
    globals.EventSource.CLOSED = 2;
    for (const name of GLOBALS) {
      this.#saved.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
      Object.defineProperty(globalThis, name, { value: globals[name], configurable: true, writable: true });
    }
    // each tab is a page of its own
    this.#saved.set('location', Object.getOwnPropertyDescriptor(globalThis, 'location'));
    Object.defineProperty(globalThis, 'location', { get: () => world.page(), configurable: true });
    this.#saved.set('now', Date.now).set('random', Math.random);
    Date.now = () => this.now;
    Math.random = this.random;
  }

  restore() {
    Date.now = this.#saved.get('now');
    Math.random = this.#saved.get('random');
    for (const name of [...GLOBALS, 'location']) {
      const saved = this.#saved.get(name);
      if (saved) Object.defineProperty(globalThis, name, saved);
      else delete globalThis[name];
    }
  }

  page() {
    if (!this.pages.has(this.tab)) this.pages.set(this.tab, { href: 'http://example.test/', origin: 'http://example.test' });
    return this.pages.get(this.tab);
  }

  // -- tasks

  later(lane, run, tab = this.tab) {
    if (!this.lanes.has(lane)) this.lanes.set(lane, []);
    this.lanes.get(lane).push({ run, tab });
  }

  /** Runs the first task of some lane, or else the timer that is due next. False where there is none. */
  async step({ timers = true } = {}) {
    const lanes = [...this.lanes.keys()].filter((name) => !this.stuck.has(this.lanes.get(name)[0].tab));
    if (lanes.length) {
      const lane = lanes[Math.floor(this.random() * lanes.length)];
      const tasks = this.lanes.get(lane);
      const task = tasks.shift();
      if (!tasks.length) this.lanes.delete(lane);
      return this.#run(task);
    }
    const [id, timer] = this.#due()[0] ?? [];
    if (!timer || !timers) return false;
    this.timers.delete(id);
    this.now = Math.max(this.now, timer.at);
    return this.#run(timer);
  }

  #due() {
    return [...this.timers].filter(([, { tab }]) => !this.stuck.has(tab)).sort((a, b) => a[1].at - b[1].at);
  }

  async #run({ run, tab }) {
    if (!this.dead.has(tab)) {
      this.tab = tab;
      this.now += 0.001; // no two things happen at once
      run();
      await turn(); // what was promised, still as this tab
    }
    return true;
  }

  /** Until no task is left; time stands still. */
  async settle() {
    await turn();
    while (await this.step({ timers: false }));
  }

  /** Lets `ms` pass: everything that is due in it happens. */
  async pass(ms) {
    const end = this.now + ms;
    await this.settle();
    for (;;) {
      if (!this.#due().some(([, timer]) => timer.at <= end)) break;
      await this.step();
      await this.settle();
    }
    this.now = Math.max(this.now, end);
  }

  as(tab, run) {
    this.tab = tab;
    return run();
  }

  /** The tab is gone at once: its connections, its lock, and some of its last words. */
  kill(tab) {
    this.dead.add(tab);
    for (const connection of this.connections) if (connection.tab === tab) this.connections.delete(connection);
    for (const channel of this.channels) if (channel.tab === tab) this.channels.delete(channel);
    for (const [lane, tasks] of this.lanes) {
      if (!lane.startsWith(`heard ${tab} `)) continue;
      tasks.length = Math.floor(this.random() * (tasks.length + 1));
      if (!tasks.length) this.lanes.delete(lane);
    }
    this.waiters = this.waiters.filter((waiter) => waiter.tab !== tab);
    for (const [name, holder] of this.holders) if (holder.tab === tab) this.#free(name);
  }

  leader() {
    return [...this.holders.values()][0]?.tab;
  }

  // -- Web Locks

  #request(name, { signal, steal }, run) {
    const tab = this.tab;
    if (++this.asked > 100) return new Promise(() => {}); // who spins would never come to an end
    if (this.denied) return Promise.reject(new DOMException('no', this.denied));
    return new Promise((resolve, reject) => {
      const waiter = { name, run, tab, resolve, reject };
      signal?.addEventListener('abort', () => {
        if (!this.waiters.includes(waiter)) return;
        this.waiters.splice(this.waiters.indexOf(waiter), 1);
        reject(new DOMException('', 'AbortError'));
      });
      if (steal) {
        const holder = this.holders.get(name);
        this.holders.delete(name);
        if (holder) this.later(`lock ${holder.tab}`, () => holder.reject(new DOMException('', 'AbortError')), holder.tab);
        this.waiters.unshift(waiter);
      } else this.waiters.push(waiter);
      this.#grant(name);
    });
  }

  #grant(name) {
    if (this.holders.has(name)) return;
    const index = this.waiters.findIndex((waiter) => waiter.name === name);
    if (index < 0) return;
    const [waiter] = this.waiters.splice(index, 1);
    this.holders.set(name, waiter);
    const run = async () => {
      await waiter.run();
      if (this.holders.get(name) !== waiter) return;
      this.#free(name);
      waiter.resolve();
    };
    this.later(`lock ${waiter.tab}`, run, waiter.tab);
  }

  #free(name) {
    this.holders.delete(name);
    this.#grant(name);
  }

  // -- the server

  /** Something is published that nobody here asked for: the broker's head goes on. */
  noise() {
    this.head = `${Math.floor(this.now)}-${++this.#serial}`;
  }

  /** What is refused: {status, message}, by the topics or whatever a test puts here. */
  refusal() {
    return undefined;
  }

  /** The position that an id means to the broker: a publisher's own, which a page may have from an earlier version, the
   *  earliest message that has it; undefined: one that it doesn't know. */
  position(id, topics) {
    if (id === 'earliest') return '0-0';
    if (/^\d+-\d+$/.test(id)) return id;
    return this.history.slice(this.floor).find((message) => topics.includes(message.topic) && message.eventId === id)?.id;
  }

  /** `eventId`: the publisher's own id. */
  publish(topic, data = String(this.history.length), eventId = undefined) {
    this.noise();
    const message = { id: this.head, ...(eventId && { eventId }), topic, event: 'message', data };
    this.history.push(message);
    for (const connection of this.connections) connection.carry(message);
    return message;
  }

  /** History lets go of what there is of this topic. */
  forget(name) {
    for (const message of this.history) if (message.topic === name) this.gone.add(message);
  }

  heartbeat(which = () => true) {
    for (const connection of this.connections) {
      if (!which(connection)) continue;
      if (this.apart) this.noise(); // no two say the same
      connection.heartbeat();
    }
  }

  /** Cuts connections, as a worker that dies; what was under way is lost. */
  cut(which = () => true) {
    for (const connection of [...this.connections]) if (which(connection)) connection.cut();
  }
}

/** What EventSource and WebSocket have in common: an address, topics, and a worker that knows where the client is. */
class Connection {
  constructor(world, url, kind) {
    Object.assign(this, { world, url: new URL(url), kind, tab: world.tab, readyState: 0 });
    this.topics = this.url.searchParams.getAll('topic');
    this.match = this.url.searchParams.getAll('match'); // of the form NAME/#
    this.lane = `${kind} ${++Connection.count}`;
    this.lastEventId = '';
    this.worker = Connection.count % 2;
    world.opened.push(this.url);
    this.connect();
  }

  connect() {
    const { world, kind } = this;
    world.later(this.lane, () => {
      if (this.readyState === 2) return;
      if (world.refuse.has(kind)) return this.fail();
      const refusal = world.refusal(this);
      if (refusal) return this.deny(refusal);
      this.readyState = 1;
      this.onopen?.({});
      if (world.mute.has(kind)) return;
      world.connections.add(this);
      if (world.apart) this.worker = Math.floor(world.random() * 2);
      if (world.apart && world.random() < 0.2) this.say({ type: 'heartbeat' }); // there is no broker yet
      const header = world.strips.has(kind) ? '' : this.lastEventId;
      this.greet(header || this.url.searchParams.get('last-event-id'));
    }, this.tab);
  }

  greet(since) {
    const { world, topics } = this;
    const { history, floor } = world;
    if (!since) return this.heartbeat();
    const at = world.position(since, topics);
    const first = history.findIndex(({ id }) => !at || order(id, at) > 0);
    const start = first < 0 ? history.length : first;
    const ours = history.slice(Math.max(start, floor)).filter(({ topic }) => this.takes(topic));
    const lost = ours.filter((message) => world.gone.has(message)).at(-1);
    const messages = ours.filter((message) => !world.gone.has(message));
    if (at && order(at, world.known[this.worker] || '0-0') > 0) world.known[this.worker] = at; // it waits until it is there
    const early = !at || (start < floor && since !== 'earliest');
    const gap = early || (lost && since !== 'earliest');
    const verdict = { status: gap ? 'gap' : 'continued', since, ...(lost && gap && { from: lost.id }), replayed: messages.length };
    const id = early ? (history[Math.max(start, floor) - 1]?.id ?? '0-0') : at;
    this.say({ id, topic: '', event: 'zcast.continuity', data: JSON.stringify(verdict) });
    for (const message of messages) this.carry(message);
  }

  takes(topic) {
    return this.topics.includes(topic) || this.match.some((filter) => topic.startsWith(filter.slice(0, -1)));
  }

  carry(message) {
    if (this.takes(message.topic)) this.say(message);
  }

  /** A worker is where it last asked the broker, or at the last message that it passed on. */
  heartbeat() {
    const { history, known, head, apart, random } = this.world;
    if (!apart || !known[this.worker] || random() < 0.5) known[this.worker] = head;
    const passed = history.findLast(({ topic }) => this.topics.includes(topic))?.id ?? '0-0';
    this.say({ type: 'heartbeat', id: order(passed, known[this.worker]) > 0 ? passed : known[this.worker] });
  }

  say(frame) {
    this.world.later(this.lane, () => this.listens() && this.hear(frame), this.tab);
  }

  cut() {
    this.world.connections.delete(this);
    this.world.lanes.delete(this.lane);
    if (this.readyState === 2) return;
    this.readyState = 0;
    this.world.later(this.lane, () => this.readyState === 0 && this.fail(), this.tab);
  }

  close() {
    this.readyState = 2;
    this.world.connections.delete(this);
  }
}
Connection.count = 0;

class FakeEventSource extends Connection {
  constructor(world, url) {
    super(world, url, 'sse');
    this.listeners = {};
  }

  addEventListener(type, listener) {
    this.listeners[type] = listener;
  }

  deny(refusal) {
    this.world.answers.set(this.url.pathname, refusal);
    this.readyState = 2;
    this.onerror({});
  }

  hear(frame) {
    this.lastEventId = frame.id || this.lastEventId;
    const event = { lastEventId: this.lastEventId };
    if (frame.type === 'heartbeat') this.listeners['zcast.heartbeat']({ ...event, data: '{}' });
    else if (frame.type === 'stale') this.listeners['zcast.stale']({ ...event, data: '{}' });
    else if (frame.type === 'end') this.listeners['zcast.end']({ ...event, data: JSON.stringify({ code: frame.code ?? 'token', message: 'the token has expired' }) });
    else if (frame.topic === '') this.listeners[frame.event]({ ...event, data: frame.data });
    else this.onmessage({ ...event, data: JSON.stringify(frame) });
  }

  listens() {
    return this.readyState === 1;
  }

  /** A cut connection comes back; a refusal that isn't an event stream never does. */
  fail() {
    const final = this.world.refuse.has('sse') && this.world.final;
    this.readyState = final ? 2 : 0;
    if (!final) globalThis.setTimeout(() => this.readyState === 0 && this.connect(), 2000);
    this.onerror({});
  }
}

class FakeWebSocket extends Connection {
  constructor(world, url) {
    super(world, url, 'ws');
  }

  /** Topics come and go at the place where the client is. */
  send(text) {
    const { world } = this;
    const { type, topics = [], match = [], ref } = JSON.parse(text);
    world.said.push({ type, topics, ...(match.length && { match }) });
    world.later(this.lane, () => {
      if (!world.connections.has(this)) return;
      const rest = this.topics.filter((topic) => !topics.includes(topic));
      const next = type === 'subscribe' ? [...rest, ...topics] : rest;
      const refusal = type === 'subscribe' && world.refusal({ kind: 'ws', topics: next });
      if (refusal) return this.say({ type: 'error', ...refusal, ref });
      this.topics = next;
      const others = this.match.filter((filter) => !match.includes(filter));
      this.match = type === 'subscribe' ? [...others, ...match] : others;
      this.say({ type: 'subscribed', topics: next, match: this.match, id: world.head, ref });
    });
  }

  /** After close() a WebSocket still says what had come before it. */
  listens() {
    return this.readyState !== 0;
  }

  hear(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  deny({ status, message }) {
    this.onopen?.({});
    this.readyState = 2;
    this.onclose({ code: 4000 + status, reason: message });
  }

  fail() {
    this.readyState = 2;
    this.onclose({ code: 1006, reason: '' });
  }
}

class FakeChannel {
  constructor(world, name) {
    Object.assign(this, { world, name, tab: world.tab });
    world.channels.add(this);
  }

  postMessage(data) {
    const copy = structuredClone(data);
    for (const other of this.world.channels) {
      if (other === this || other.name !== this.name) continue;
      const lane = `heard ${this.tab} ${other.tab}`;
      this.world.later(lane, () => this.world.channels.has(other) && other.onmessage({ data: copy }), other.tab);
    }
  }

  close() {
    this.world.channels.delete(this);
  }
}
