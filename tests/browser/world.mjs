/**
 * A world for zcast.js without sockets: a server with a history, EventSource, WebSocket, BroadcastChannel and
 * Web Locks for any number of tabs, and a clock. What happens next is drawn from a seed, so that a run which
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

const turn = () => new Promise((resolve) => setImmediate(resolve));
const GLOBALS = ['EventSource', 'WebSocket', 'BroadcastChannel', 'location', 'setTimeout', 'clearTimeout', 'navigator'];

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
  connections = new Set();
  opened = []; // addresses
  history = [];
  floor = 0; // how much of the history is gone
  refuse = new Set(); // transports that don't answer: 'sse', 'ws'
  mute = new Set(); // that open and say nothing
  #serial = 0;
  #saved = new Map();

  constructor(seed = 1) {
    this.random = random(seed);
    const world = this;
    const globals = {
      location: { href: 'http://example.test/' },
      EventSource: class extends FakeEventSource {
        constructor(url) {
          super(world, url);
        }
      },
      WebSocket: class extends FakeWebSocket {
        constructor(url) {
          super(world, url);
        }
      },
      BroadcastChannel: class extends FakeChannel {
        constructor(name) {
          super(world, name);
        }
      },
      navigator: { locks: { request: (...words) => world.#request(...words) } },
      setTimeout: (run, delay = 0) => {
        world.timers.set(++world.#serial, { run, at: world.now + delay, tab: world.tab });
        return world.#serial;
      },
      clearTimeout: (id) => world.timers.delete(id),
    };
    globals.EventSource.CLOSED = 2;
    for (const name of GLOBALS) {
      this.#saved.set(name, Object.getOwnPropertyDescriptor(globalThis, name));
      Object.defineProperty(globalThis, name, { value: globals[name], configurable: true, writable: true });
    }
    this.#saved.set('now', Date.now).set('random', Math.random);
    Date.now = () => this.now;
    Math.random = this.random;
  }

  restore() {
    Date.now = this.#saved.get('now');
    Math.random = this.#saved.get('random');
    for (const name of GLOBALS) {
      const saved = this.#saved.get(name);
      if (saved) Object.defineProperty(globalThis, name, saved);
      else delete globalThis[name];
    }
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
    return new Promise((resolve, reject) => {
      const waiter = { name, run, tab, resolve, reject };
      signal?.addEventListener('abort', () => {
        if (!this.waiters.includes(waiter)) return;
        this.waiters.splice(this.waiters.indexOf(waiter), 1);
        reject(new Error('AbortError'));
      });
      if (steal) {
        const holder = this.holders.get(name);
        this.holders.delete(name);
        if (holder) this.later(`lock ${holder.tab}`, () => holder.reject(new Error('AbortError')), holder.tab);
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

  /** The first position that a client with this id has not seen. */
  position(id) {
    return id === 'earliest' ? 0 : this.history.findIndex((message) => message.id === id) + 1;
  }

  publish(topic, data = String(this.history.length), id = `${this.now}-${this.history.length}`) {
    const message = { id, topic, event: 'message', data };
    this.history.push(message);
    for (const connection of this.connections) connection.send(message);
    return message;
  }

  heartbeat() {
    for (const connection of this.connections) connection.heartbeat();
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
    this.lane = `${kind} ${++Connection.count}`;
    this.lastEventId = '';
    world.opened.push(this.url);
    this.connect();
  }

  connect() {
    const { world, kind } = this;
    world.later(this.lane, () => {
      if (this.readyState === 2) return;
      if (world.refuse.has(kind)) return this.fail();
      this.readyState = 1;
      this.onopen?.({});
      if (world.mute.has(kind)) return;
      world.connections.add(this);
      this.greet(this.lastEventId || this.url.searchParams.get('last-event-id'));
    }, this.tab);
  }

  greet(since) {
    const { history, floor } = this.world;
    if (!since) return this.heartbeat();
    const start = this.world.position(since);
    const messages = history.slice(Math.max(start, floor)).filter(({ topic }) => this.topics.includes(topic));
    const gap = start < floor && since !== 'earliest';
    const verdict = { status: gap ? 'gap' : 'continued', since, replayed: messages.length };
    const id = history[Math.max(start, floor) - 1]?.id ?? '';
    this.say({ id, topic: '', event: 'zcast.continuity', data: JSON.stringify(verdict) });
    for (const message of messages) this.send(message);
  }

  send(message) {
    if (this.topics.includes(message.topic)) this.say(message);
  }

  heartbeat() {
    this.say({ type: 'heartbeat', id: this.world.history.at(-1)?.id ?? `${this.world.now}-0` });
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

  hear(frame) {
    this.lastEventId = frame.id || this.lastEventId;
    const event = { lastEventId: this.lastEventId };
    if (frame.type === 'heartbeat') this.listeners['zcast.heartbeat']({ ...event, data: '{}' });
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

  /** After close() a WebSocket still says what had come before it. */
  listens() {
    return this.readyState !== 0;
  }

  hear(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  fail() {
    this.readyState = 2;
    this.onclose({});
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
