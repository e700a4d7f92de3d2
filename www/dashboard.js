/** dashboard.js - this machine, live: the same topics in two panes, one on SSE and one on WebSocket. */

import { KEPT, Plot, plotColors } from './plot.js';
import { subscribe } from './zcast.js';

const METRICS = 'host/metrics';
const ACCESS = 'host/access';
const HISTORY = 300_000; // ms of the past that a page asks for when it comes
const ROWS = 200; // of a pane's list
const TOPICS = 100; // of a stream: the server's default
const AWAY = 5000; // ms that a pane stays dropped
const NAMES = { sse: 'Server-Sent Events', ws: 'WebSocket' };
const STATES = {
  connecting: ['busy', 'connecting'],
  open: ['good', 'open'],
  stale: ['busy', 'silent'],
  waiting: ['busy', 'reconnecting'],
  paused: ['bad', 'dropped'],
  idle: ['idle', 'no topic'],
  refused: ['bad', 'refused'],
  closed: ['bad', 'closed'],
};

/** @param {string} id @param {ParentNode} [within] @returns {HTMLElement} */
const find = (id, within = document) => /** @type {HTMLElement} */ (within.querySelector(id));

/** @param {string} id */
const template = (id) =>
  /** @type {HTMLElement} */ (
    /** @type {HTMLTemplateElement} */ (find(id)).content.firstElementChild?.cloneNode(true)
  );

/** @param {string} name @param {string} text @param {string} [className] */
function element(name, text, className = '') {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}

/** @param {HTMLElement} where @param {string} text */
const put = (where, text) => where.textContent !== text && (where.textContent = text);

const percent = (/** @type {number} */ value) => `${Math.round(value)} %`;
const plain = (/** @type {number} */ value) => value.toFixed(value < 10 ? 2 : 1);
const clock = (/** @type {number} */ time) => new Date(time).toLocaleTimeString('en-GB');

/** @param {number} value */
function bytes(value) {
  const step = Math.min(4, Math.max(0, Math.floor(Math.log2(Math.max(1, value)) / 10)));
  const number = value / 1024 ** step;
  return `${number.toFixed(step && number < 100 ? 1 : 0)} ${['B', 'KiB', 'MiB', 'GiB', 'TiB'][step]}`;
}

/** A round number at or above `value`. @param {number} value @param {number} base */
function above(value, base) {
  let top = base ** Math.floor(Math.log(Math.max(1, value)) / Math.log(base));
  while (top < value) top *= 2;
  return top;
}

const PLOTS = [
  { name: 'CPU', key: 'cpu', series: [''], top: () => 100, format: percent },
  { name: 'Memory used', key: 'memory', series: [''], top: (/** @type {number} */ _, /** @type {any} */ sample) => sample.memory, format: bytes },
  {
    name: 'Network',
    key: 'network',
    series: ['in', 'out'],
    top: (/** @type {number} */ largest) => Math.max(1024, above(largest * 1.05, 1024)),
    format: (/** @type {number} */ value) => `${bytes(value)}/s`,
  },
  {
    name: 'Load',
    key: 'load',
    series: ['1', '5', '15 min'],
    top: (/** @type {number} */ largest, /** @type {any} */ sample) => Math.max(sample.cores, above(largest * 1.05, 2)),
    format: plain,
  },
];

/** @param {string} text @returns {import('./plot.js').Sample & {memory: number, cores: number} | undefined} */
function readSample(text) {
  try {
    const { time, cpu, cores, load, memory, network } = JSON.parse(text);
    const values = { cpu: [cpu], memory: [memory.used], network: [network.rx, network.tx], load };
    if (![time, memory.total, cores, ...Object.values(values).flat()].every(Number.isFinite)) return undefined;
    return { time, late: false, values, memory: memory.total, cores };
  } catch {
    return undefined; // somebody else's message
  }
}

/** The milliseconds of a position; NaN for anything else. @param {string} id */
const timeOf = (id) => (/^\d{13,14}-\d+$/.test(id) ? Number(id.split('-')[0]) : NaN);

/** Characters that are not seen, or that turn the direction of what stands beside them; not line feed and tab. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** As `zmq sub` shows it on a terminal. @param {string} text */
const shown = (text) =>
  text.replace(UNSEEN, (one) => {
    const code = one.charCodeAt(0);
    return code > 255 ? `\\u${code.toString(16).padStart(4, '0')}` : `\\x${code.toString(16).padStart(2, '0')}`;
  });

/** @param {string} text */
function data(text) {
  const made = element('span', shown(text.length > 2000 ? `${text.slice(0, 2000)}…` : text), 'data');
  if (text.length > 200) made.title = made.textContent ?? ''; // the list shows its first lines
  return made;
}

/** What is wrong with a topic, '' where nothing is. @param {string} topic */
function refusal(topic) {
  if (!topic) return 'Which topic?';
  if (/[\u0000-\u001f\u007f-\u009f]/.test(topic)) return 'A topic has no control characters.';
  const size = new TextEncoder().encode(topic).length;
  return size > 1024 ? `A topic has at most 1024 bytes; this one has ${size}.` : '';
}

/** @param {string} address */
function readable(address) {
  try {
    return shown(decodeURIComponent(address));
  } catch {
    return address;
  }
}

/** A line of the web server's log, its main things first; whole as a tooltip. @param {string} line */
function request(line) {
  const [, from, what, status, size] = /^(\S+) .*?"([^"]*)" (\d{3}) (\d+|-)/.exec(line) ?? [];
  if (!what) return data(line);
  const made = element('span', ` ${readable(what.replace(/ HTTP\/[\d.]+$/, ''))}  `, 'data request');
  made.prepend(element('span', status, `status ${status < '400' ? 'ok' : 'fail'}`));
  made.append(element('small', `${bytes(Number(size) || 0)}, ${from}`));
  made.title = line;
  return made;
}

class Pane {
  /** @param {'sse' | 'ws'} transport @param {string[]} topics */
  constructor(transport, topics) {
    this.root = template('#pane');
    this.plots = PLOTS.map((about) => new Plot(find('.plots', this.root).appendChild(template('#plot')), about));
    this.count = 0;
    this.replay = 0; // messages to come that are from history
    /** @type {number[]} */
    this.latencies = [];
    /** @type {(import('./plot.js').Sample & {memory: number, cores: number})[]} */
    this.samples = [];
    /** @type {HTMLElement[]} rows that wait for the next frame */
    this.rows = [];
    /** @type {string[]} */
    this.keys = [];
    /** @type {import('./zcast.js').Continuity | undefined} */
    this.verdict = undefined;
    this.verdictClass = '';
    this.verdictText = '–';
    this.came = Date.now();
    /** @type {number | undefined} when it comes back */
    this.due = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.events = subscribe(topics, (message) => this.take(message), {
      transport,
      maxBackoff: 8000, // somebody is looking at it
      since: `${this.came - HISTORY}-0`,
      onContinuity: (verdict) => this.judge(verdict),
      onState: ({ state, delay }) => {
        if (state !== 'paused') this.due = state === 'waiting' && delay !== undefined ? Date.now() + delay : undefined;
        paint();
      },
      onError: (error) => this.note(`The server says: ${error.message}`),
    });
    this.log = find('.log', this.root);
    find('.drop', this.root).onclick = () => (this.events.state === 'open' ? this.drop() : this.comeBack());
    find('.switch', this.root).onclick = () => this.events.use(this.other());
  }

  /** @returns {'sse' | 'ws'} */
  other() {
    return this.events.transport === 'sse' ? 'ws' : 'sse';
  }

  drop() {
    this.due = Date.now() + AWAY;
    this.events.pause();
    this.timer = setTimeout(() => this.comeBack(), AWAY);
  }

  comeBack() {
    clearTimeout(this.timer);
    this.events.pause(); // does nothing where it is
    this.events.resume();
  }

  /** @param {import('./zcast.js').Message} message */
  take(message) {
    const late = this.replay > 0;
    if (late) this.replay--;
    this.count++;
    this.keys.push(`${message.id} ${message.topic}`);
    if (this.keys.length > 2 * ROWS) this.keys.splice(0, ROWS);
    const sent = timeOf(message.id);
    if (!late && sent) this.latencies = [...this.latencies.slice(-31), Date.now() - sent];
    const text = typeof message.data === 'string' ? message.data : `${message.data.length} bytes`;
    const sample = message.topic === METRICS ? readSample(text) : undefined;
    if (sample) this.plot({ ...sample, late });
    else this.list(message.topic, text, sent || Date.now(), late);
    paint();
  }

  /** @param {import('./plot.js').Sample & {memory: number, cores: number}} sample */
  plot(sample) {
    this.samples.push(sample);
    const oldest = sample.time - KEPT;
    if (this.samples[0].time < oldest - 30_000) this.samples = this.samples.filter(({ time }) => time >= oldest);
  }

  /** @param {string} topic @param {string} text @param {number} time @param {boolean} late */
  list(topic, text, time, late) {
    const row = element('li', '', late ? 'history' : '');
    row.append(element('time', clock(time)), element('span', shown(topic), 'topic'), topic === ACCESS ? request(text) : data(text));
    this.rows.push(row);
    if (this.rows.length > ROWS) this.rows.shift();
  }

  /** @param {string} text */
  note(text) {
    const row = element('li', '', 'note');
    row.append(element('time', clock(Date.now())), element('span', text));
    this.rows.push(row);
    paint();
  }

  /** @param {import('./zcast.js').Continuity} verdict */
  judge(verdict) {
    const { status, since, from, replayed } = verdict;
    const count = `${replayed} ${replayed === 1 ? 'message' : 'messages'} from history`;
    this.replay = replayed;
    if (!this.verdict) {
      this.verdictText = `${replayed} from history`; // we asked for minutes that the broker need not have
      this.note(`Here, with ${count}`);
    } else if (status === 'continued') {
      [this.verdictText, this.verdictClass] = [`complete, ${replayed} replayed`, 'good'];
      this.note(`Back, nothing missed: ${count}`);
    } else {
      [this.verdictText, this.verdictClass] = [`gap, ${replayed} replayed`, 'bad'];
      this.note(`Back with a gap: what came after ${since} is gone up to ${from}; ${count}`);
    }
    this.verdict = verdict;
    paint();
  }

  /** @param {number} now @param {Record<string, string>} colors */
  paint(now, colors) {
    this.paintState();
    put(find('.count', this.root), this.count.toLocaleString('en'));
    const sorted = [...this.latencies].sort((a, b) => a - b);
    const middle = sorted[sorted.length >> 1];
    put(find('.latency', this.root), middle === undefined ? '–' : `${middle} ms`);
    find('.latency', this.root).title = 'from the broker to this page, median of the last 32 messages';
    put(find('.last', this.root), this.events.lastId || '–');
    const verdict = find('.verdict', this.root);
    verdict.className = `verdict ${this.verdictClass}`;
    put(verdict, this.verdictText);
    if (this.rows.length) {
      this.log.prepend(...this.rows.splice(0).reverse());
      while (this.log.childElementCount > ROWS) this.log.lastElementChild?.remove();
    }
    for (const plot of this.plots) plot.draw(this.samples, now, colors);
  }

  paintState() {
    const { state, transport } = this.events.status;
    const [className, text] = topics.size ? STATES[state] : ['idle', 'no topic'];
    const seconds = this.due === undefined ? 0 : Math.ceil((this.due - Date.now()) / 1000);
    const when = state === 'paused' ? `, back in ${seconds} s` : `\u00a0in ${seconds} s`;
    put(find('h2', this.root), NAMES[transport]);
    this.root.className = `pane ${className}`;
    this.root.setAttribute('aria-label', NAMES[transport]);
    find('.state', this.root).className = `state ${className}`;
    put(find('.state .text', this.root), state === 'connecting' && this.verdict ? 'reconnecting' : text);
    put(find('.state .when', this.root), seconds > 0 && topics.size ? when : '');
    put(find('.switch', this.root), `Switch to ${this.other() === 'ws' ? 'WebSocket' : 'SSE'}`);
    put(find('.drop', this.root), className === 'good' || className === 'idle' ? 'Drop for 5 s' : 'Reconnect now');
    /** @type {HTMLButtonElement} */ (find('.drop', this.root)).disabled = className === 'idle';
    this.log.setAttribute('aria-label', `Messages over ${NAMES[transport]}`);
    for (const part of ['.plots', '.key']) find(part, this.root).hidden = !topics.has(METRICS);
  }
}

// Drawing happens once a frame however much comes in, and not at all while nobody looks.
let painting = false;
let colors = plotColors();
let apart = 0; // since when the panes have not shown the same

function paint() {
  if (painting) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    const now = newest();
    for (const pane of panes) pane.paint(now, colors);
    paintStep();
  });
}

/** The right edge of the plots: the machine's clock, which need not be ours. */
function newest() {
  const last = panes.map(({ samples }) => samples.at(-1)).filter((sample) => sample !== undefined);
  const newest = last.sort((a, b) => a.time - b.time).at(-1);
  if (!newest) return Date.now();
  skew = Math.min(skew, Date.now() - newest.time);
  return Math.max(newest.time, Date.now() - skew);
}
let skew = Infinity;

/** Whether both panes are there and have the same last message; a moment's difference is none. */
function paintStep() {
  const away = panes.filter(({ events }) => events.state !== 'open');
  const [one, two] = panes.map(({ keys }) => keys);
  if (one.at(-1) === two.at(-1)) apart = 0;
  else apart ||= Date.now();
  const step = find('#step');
  /** @param {string} className @param {string} text */
  const say = (className, text) => {
    step.className = `step ${className}`;
    put(find('span:last-child', step), text);
  };
  if (!topics.size) return say('idle', 'No topic: subscribe to one');
  if (away.length === panes.length) {
    if (one.length || two.length) say('bad', 'Both panes are cut off');
    return;
  }
  if (!one.length && !two.length) return away.length ? undefined : say('good', 'Connected: nothing has come yet');
  if (apart && Date.now() - apart < 700) return;
  const ahead = one.includes(two.at(-1) ?? '') ? 0 : 1;
  const from = [one, two][ahead].lastIndexOf([two, one][ahead].at(-1) ?? '');
  const behind = [one, two][ahead].length - 1 - from;
  if (apart) say('busy', `${NAMES[panes[1 - ahead].events.transport]} is ${behind} ${behind === 1 ? 'message' : 'messages'} behind`);
  else if (away.length) say('busy', `${NAMES[away[0].events.transport]} is cut off`);
  else say('good', 'In step: both panes have the same messages');
}

const field = /** @type {HTMLInputElement} */ (find('#topic'));

/** @param {string} why '' where there is nothing to say */
function refuse(why) {
  put(find('#refusal'), why);
  field.setAttribute('aria-invalid', String(Boolean(why)));
}

function paintTopics() {
  find('#chips').replaceChildren(
    ...[...topics].map((topic) => {
      const chip = element('li', '');
      const remove = /** @type {HTMLButtonElement} */ (element('button', '×'));
      remove.type = 'button';
      remove.setAttribute('aria-label', `Unsubscribe from ${topic}`);
      remove.onclick = () => {
        topics.delete(topic);
        for (const pane of panes) pane.events.remove(topic);
        const after = chip.nextElementSibling ?? chip.previousElementSibling;
        find(after ? 'button' : '#topic', after ?? document).focus(); // a keyboard goes on from where it is
        chip.remove();
        refuse('');
        paint();
      };
      chip.append(element('span', shown(topic)), remove);
      chip.title = topic;
      return chip;
    }),
  );
}

find('#topics').onsubmit = (event) => {
  event.preventDefault();
  const topic = field.value.trim();
  const wrong = topics.has(topic)
    ? 'That topic is there already.'
    : refusal(topic) || (topics.size >= TOPICS ? `A stream has at most ${TOPICS} topics.` : '');
  refuse(wrong);
  if (wrong) return field.focus();
  field.value = '';
  topics.add(topic);
  for (const pane of panes) pane.events.add(topic);
  put(find('#example'), /^[\w./:@%+-]+$/.test(topic) ? topic : `'${topic.replaceAll("'", String.raw`'\''`)}'`);
  paintTopics();
};

field.oninput = () => refuse('');

const asked = new URLSearchParams(location.search).getAll('topic').filter(Boolean);
const topics = new Set([METRICS, ACCESS, ...asked.filter((topic) => !refusal(topic))].slice(0, TOPICS));
const wrong = asked.find(refusal);
if (wrong) refuse(`In this page's address: ${refusal(wrong)}`);
const panes = [new Pane('sse', [...topics]), new Pane('ws', [...topics])];
find('#panes').append(...panes.map((pane) => pane.root));

setInterval(paint, 1000); // time moves on in the plots also where nothing comes
addEventListener('pointermove', paint);
addEventListener('resize', paint);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
  colors = plotColors();
  paint();
});
paintTopics();
paint();
