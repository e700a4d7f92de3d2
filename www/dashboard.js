/** dashboard.js - this machine, live: the same topics over SSE and over WebSocket, side by side. */

import { Ledger } from './ledger.js';
import { KEPT, Plot, plotColors } from './plot.js';
import { bytes, clock, element, messages, payload, percent, plain, refusal, request, shown } from './text.js';
import { publish, subscribe } from './zcast.js';

const METRICS = 'host/metrics';
const ACCESS = 'host/access';
const HISTORY = 300_000; // ms of the past that a page asks for when it comes
const ROWS = 200; // of a list
const TOPICS = 100; // of a stream: the server's default
const AWAY = 5000; // ms that a transport stays dropped
const MOMENT = 700; // ms that the two may differ without a word
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

/** @param {string} id @returns {HTMLInputElement} */
const input = (id) => /** @type {HTMLInputElement} */ (find(id));

/** @param {string} id */
const template = (id) =>
  /** @type {HTMLElement} */ (/** @type {HTMLTemplateElement} */ (find(id)).content.firstElementChild?.cloneNode(true));

/** @param {HTMLElement} where @param {string} text */
const put = (where, text) => where.textContent !== text && (where.textContent = text);

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

/** A transport: its card in the strip, and the view of what came over it. */
class Pane {
  /** @param {'sse' | 'ws'} transport @param {number} place @param {string} since */
  constructor(transport, place, since) {
    this.place = place;
    this.card = template('#card');
    this.view = template('#view');
    this.choice = template('#choice');
    this.log = find('.log', this.view);
    this.plots = PLOTS.map((about) => new Plot(find('.plots', this.view).appendChild(template('#plot')), about));
    this.count = 0;
    this.replay = 0; // messages to come that are from history
    /** @type {number[]} */
    this.latencies = [];
    /** @type {(import('./plot.js').Sample & {memory: number, cores: number})[]} */
    this.samples = [];
    /** @type {HTMLElement[]} rows that wait for the next frame */
    this.rows = [];
    /** @type {import('./zcast.js').Continuity | undefined} */
    this.verdict = undefined;
    this.verdictClass = '';
    this.verdictText = 'none yet';
    this.gaps = 0;
    /** @type {number | undefined} when it comes back */
    this.due = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.events = this.subscribe(transport, since);
    find('.drop', this.card).onclick = () => (this.events.state === 'open' ? this.drop() : this.comeBack());
    find('.switch', this.card).onclick = () => this.events.use(this.other());
    find('input', this.choice).onchange = () => choose(this);
  }

  /** @param {'sse' | 'ws'} transport @param {string} since */
  subscribe(transport, since) {
    const first = [...topics];
    const events = subscribe(first.length ? first : [METRICS], (message) => this.take(message), {
      transport,
      maxBackoff: 8000, // somebody is looking at it
      since,
      onContinuity: (verdict) => this.judge(verdict),
      onState: ({ state, delay }) => {
        if (state !== 'paused') this.due = state === 'waiting' && delay !== undefined ? Date.now() + delay : undefined;
        paint();
      },
      onError: (error) => this.note(`The server says: ${error.message}`),
    });
    if (!first.length) events.remove(METRICS);
    return events;
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
  take({ id, topic, data }) {
    const late = this.replay > 0;
    if (late) this.replay--;
    this.count++;
    ledger.take(this.place, topic, id);
    const sent = timeOf(id);
    if (!late && sent) this.latencies = [...this.latencies.slice(-31), Date.now() - sent];
    const text = typeof data === 'string' ? data : `${data.length} bytes`;
    const sample = topic === METRICS ? readSample(text) : undefined;
    if (sample) this.plot({ ...sample, late });
    else this.list(topic, text, sent || Date.now(), late);
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
    row.append(element('time', clock(time)), element('span', shown(topic), 'topic'), topic === ACCESS ? request(text) : payload(text));
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
    const count = replayed === undefined ? 'what was missed comes from history' : `${messages(replayed)} from history`;
    const short = replayed === undefined ? '' : `, ${replayed} replayed`;
    this.replay = replayed ?? 0;
    if (!this.verdict) {
      if (from) ledger.begin(this.place, from); // we asked for minutes that the broker need not have
      this.note(`Here, with ${count}`);
    } else if (status === 'continued') {
      [this.verdictText, this.verdictClass] = [`complete${short}`, 'good'];
      this.note(`Back, nothing missed: ${count}`);
    } else {
      this.gaps++;
      [this.verdictText, this.verdictClass] = [`gap${short}`, 'bad'];
      this.note(`Back with a gap: what came after ${since} is gone up to ${from}; ${count}`);
    }
    this.verdict = verdict;
    paint();
  }

  /** @param {number} now @param {Record<string, string>} colors */
  paint(now, colors) {
    this.paintState();
    this.paintFacts();
    if (this.rows.length) {
      this.log.prepend(...this.rows.splice(0).reverse());
      while (this.log.childElementCount > ROWS) this.log.lastElementChild?.remove();
    }
    for (const plot of this.plots) plot.draw(this.samples, now, colors);
  }

  paintFacts() {
    const sorted = [...this.latencies].sort((a, b) => a - b);
    const middle = sorted[sorted.length >> 1];
    put(find('.count', this.card), this.count.toLocaleString('en'));
    put(find('.latency', this.card), middle === undefined ? '–' : `${middle} ms`);
    find('.latency', this.card).title = 'from the broker to this page, median of the last 32 messages';
    put(find('.last', this.card), this.events.lastId || '–');
    find('.verdict', this.card).className = `verdict ${this.verdictClass}`;
    put(find('.verdict', this.card), this.verdictText);
    const missed = ledger.missed[this.place];
    this.tally('.missed', this.gaps ? `${missed || 'some'}${missed ? '+' : ''}` : String(missed), Boolean(missed || this.gaps));
    this.tally('.repeated', String(ledger.repeated[this.place]), ledger.repeated[this.place] > 0);
  }

  /** @param {string} which @param {string} text @param {boolean} wrong */
  tally(which, text, wrong) {
    const place = find(which, this.card);
    put(place, text);
    place.classList.toggle('bad', wrong);
  }

  paintState() {
    const { state, transport } = this.events.status;
    const [className, text] = topics.size ? STATES[state] : ['idle', 'no topic'];
    const seconds = this.due === undefined ? 0 : Math.ceil((this.due - Date.now()) / 1000);
    const when = state === 'paused' ? `, back in ${seconds} s` : `\u00a0in ${seconds} s`;
    put(find('h2', this.card), NAMES[transport]);
    put(find('span', this.choice), NAMES[transport]);
    this.card.className = `card ${className}`;
    this.view.classList.toggle('away', className === 'busy' || className === 'bad');
    this.view.setAttribute('aria-label', NAMES[transport]);
    this.card.setAttribute('aria-label', NAMES[transport]);
    find('.state', this.card).className = `state ${className}`;
    put(find('.state .text', this.card), state === 'connecting' && this.verdict ? 'reconnecting' : text);
    put(find('.state .when', this.card), seconds > 0 && topics.size ? when : '');
    put(find('.switch', this.card), `Switch to ${this.other() === 'ws' ? 'WebSocket' : 'SSE'}`);
    put(find('.drop', this.card), className === 'good' || className === 'idle' ? 'Drop for 5 s' : 'Reconnect now');
    /** @type {HTMLButtonElement} */ (find('.drop', this.card)).disabled = className === 'idle';
    this.log.setAttribute('aria-label', `Messages over ${NAMES[transport]}`);
    for (const part of ['.plots', '.key']) find(part, this.view).hidden = !topics.has(METRICS);
  }
}

// Drawing happens once a frame however much comes in, and not at all while nobody looks.
let painting = false;
let colors = plotColors();
let apart = 0; // since when the two have not shown the same

function paint() {
  if (painting) return;
  painting = true;
  requestAnimationFrame(() => {
    painting = false;
    const now = newest();
    ledger.settle(panes.map(({ events }) => events.lastId));
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

/** Whether both are there and have the same messages; a moment's difference is none. */
function paintStep() {
  const step = find('#step');
  /** @param {string} className @param {string} text */
  const say = (className, text) => {
    step.className = `step ${className}`;
    put(find('.text', step), text);
  };
  const away = panes.filter(({ events }) => events.state !== 'open');
  const late = panes.find(({ place }) => ledger.behind(place));
  if (!late) apart = 0;
  else apart ||= Date.now();
  const any = panes.some(({ count }) => count);
  if (!topics.size) return say('idle', 'No topic: subscribe to one');
  if (away.length === panes.length) return any ? say('bad', 'Both are cut off') : undefined;
  if (!any) return away.length ? undefined : say('good', 'Connected: nothing has come yet');
  if (late && Date.now() - apart < MOMENT) return;
  if (late) say('busy', `${NAMES[late.events.transport]} is ${messages(ledger.behind(late.place))} behind`);
  else if (away.length) say('busy', `${NAMES[away[0].events.transport]} is cut off`);
  else say('good', 'In step: both have the same messages');
}

// ------------------------------------------------------------------------------------------------------------
// Topics: those of the page's address, or the defaults. What is changed here changes the address, and the way back undoes it.

/** @returns {{asked: string[], wrong: string}} */
function readAddress() {
  const given = new URLSearchParams(location.search).getAll('topic');
  if (!given.length) return { asked: [METRICS, ACCESS], wrong: '' };
  const named = given.filter(Boolean);
  const asked = [...new Set(named.filter((topic) => !refusal(topic)))].slice(0, TOPICS);
  const bad = named.find(refusal);
  return { asked, wrong: bad ? `In this page's address: ${refusal(bad)}` : '' };
}

function writeAddress() {
  const query = [...(topics.size ? topics : [''])].map((topic) => `topic=${encodeURIComponent(topic).replaceAll('%2F', '/')}`);
  history.pushState(null, '', `?${query.join('&')}`);
}

/** @param {string} topic */
function addTopic(topic) {
  topics.add(topic);
  ledger.add(topic);
  for (const pane of panes) pane.events.add(topic);
}

/** @param {string} topic */
function removeTopic(topic) {
  topics.delete(topic);
  ledger.remove(topic);
  for (const pane of panes) pane.events.remove(topic);
}

/** @param {string} why '' where there is nothing to say */
function refuse(why) {
  put(find('#refusal'), why);
  input('#topic').setAttribute('aria-invalid', String(Boolean(why)));
}

/** @param {string} topic */
function chip(topic) {
  const made = element('li', '');
  const remove = /** @type {HTMLButtonElement} */ (element('button', '×'));
  remove.type = 'button';
  remove.setAttribute('aria-label', `Unsubscribe from ${topic}`);
  remove.onclick = () => {
    removeTopic(topic);
    writeAddress();
    const after = made.nextElementSibling ?? made.previousElementSibling;
    find(after ? 'button' : '#topic', after ?? document).focus(); // a keyboard goes on from where it is
    made.remove();
    refuse('');
    paint();
  };
  made.append(element('span', shown(topic)), remove);
  made.title = topic;
  return made;
}

function paintTopics() {
  find('#chips').replaceChildren(...[...topics].map(chip));
  find('#known').replaceChildren(
    ...[...topics].map((topic) => Object.assign(document.createElement('option'), { value: topic })),
  );
}

find('#topics').onsubmit = (event) => {
  event.preventDefault();
  const topic = input('#topic').value.trim();
  const wrong = topics.has(topic)
    ? 'That topic is there already.'
    : refusal(topic) || (topics.size >= TOPICS ? `A stream has at most ${TOPICS} topics.` : '');
  refuse(wrong);
  if (wrong) return input('#topic').focus();
  input('#topic').value = '';
  input('#where').value = topic;
  addTopic(topic);
  writeAddress();
  paintTopics();
  paintExample();
};

input('#topic').oninput = () => refuse('');

onpopstate = () => {
  const { asked, wrong } = readAddress();
  for (const topic of [...topics]) if (!asked.includes(topic)) removeTopic(topic);
  for (const topic of asked) if (!topics.has(topic)) addTopic(topic);
  refuse(wrong);
  paintTopics();
  paint();
};

// ------------------------------------------------------------------------------------------------------------
// Publishing: the server says whether it lets us.

/** @param {string} className @param {string} text */
function answer(className, text) {
  find('#answer').className = `answer ${className}`;
  put(find('#answer'), text);
}

let publishing = false;

find('#publish').onsubmit = async (event) => {
  event.preventDefault();
  const topic = input('#where').value.trim();
  const wrong = refusal(topic);
  if (wrong) answer('bad', wrong);
  if (wrong) return input('#where').focus();
  if (publishing) return;
  publishing = true;
  answer('', 'Publishing …');
  try {
    const { id } = await publish(topic, input('#what').value);
    answer('good', topics.has(topic) ? `Published: ${id}` : `Published: ${id}. This page isn't subscribed to ${shown(topic)}.`);
  } catch (error) {
    const { status, code, message } = /** @type {import('./zcast.js').Refusal} */ (error);
    answer('bad', [status, code && `${code}:`, message].filter(Boolean).join(' '));
  }
  publishing = false;
};

/** @param {string} text as a shell takes it */
const quoted = (text) => (/^[\w./:@%+-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`);

function paintExample() {
  put(find('#example'), `${quoted(shown(input('#where').value.trim()))} ${quoted(shown(input('#what').value))}`);
}

input('#where').oninput = input('#what').oninput = () => {
  answer('', '');
  paintExample();
};

// ------------------------------------------------------------------------------------------------------------

/** Which view a narrow page shows; a wide one shows both. @param {Pane} chosen */
function choose(chosen) {
  for (const pane of panes) pane.view.classList.toggle('chosen', pane === chosen);
  paint();
}

const { asked, wrong } = readAddress();
const topics = new Set(asked);
const since = `${Date.now() - HISTORY}-0`;
const ledger = new Ledger(2);
for (const topic of topics) ledger.add(topic, since);
refuse(wrong);
const panes = [new Pane('sse', 0, since), new Pane('ws', 1, since)];
find('#strip').append(...panes.map((pane) => pane.card));
find('#choose').append(...panes.map((pane) => pane.choice));
find('#views').append(...panes.map((pane) => pane.view));
/** @type {HTMLInputElement} */ (find('input', panes[0].choice)).checked = true;
choose(panes[0]);

setInterval(paint, 1000); // time moves on in the plots also where nothing comes
addEventListener('pointermove', paint);
addEventListener('resize', paint);
for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)'])
  matchMedia(query).addEventListener('change', () => {
    colors = plotColors();
    paint();
  });
paintTopics();
paintExample();
paint();
